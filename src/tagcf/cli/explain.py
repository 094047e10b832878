"""``tagcf explain``: why an item is recommended to a user, or why not, and what would change it."""

from __future__ import annotations

from pathlib import Path

import click

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.request import Requested, request_options
from tagcf.cli.talk import tell
from tagcf.cli.trained import open_trained
from tagcf.data.workspace import open_workspace
from tagcf.recommend.recommender import Recommender
from tagcf.text import say
from tagcf.types import Explanation
from tagcf.views.labels import join, tag_name
from tagcf.views.numbers import plain
from tagcf.views.recommendation import (
    acted_sentence,
    by_tags_sentence,
    change_sentence,
    event_sentence,
    explanation_json,
    fidelity_sentence,
    roles_sentence,
    steered_sentence,
    tag_fidelity_sentence,
    tag_sentence,
    term_sentence,
    verdict_sentence,
)


@click.command(
    "explain",
    epilog="tagcf explain DIR --user U --item I   |   "
    "tagcf explain DIR --history I1,I2 --item I --why-not",
)
@folder_argument
@request_options
@click.option("--item", required=True, help="id of the item")
@click.option(
    "-k", type=click.IntRange(1), default=10, show_default=True, help="length of the list"
)
@click.option("--why-not", is_flag=True, help="only what keeps it out, and what would change that")
@json_option
@lang_option
def explain(
    *,
    folder: Path,
    asked: Requested,
    item: str,
    k: int,
    why_not: bool,
    as_json: bool,
) -> None:
    """Tell why an item is in a list or not; each reason is tested by ranking without it."""
    trained = open_trained(open_workspace(folder))
    found = trained.explain(
        asked.user,
        item,
        history=asked.history,
        k=k,
        exclude_seen=asked.exclude_seen,
        channel=asked.channel,
        segments=asked.segments,
        rules=asked.rules,
    )
    if found.simulated:
        tell("recommend.simulated")
    for note in found.notes:
        click.echo(str(note), err=True)
    if as_json:
        echo_json(explanation_json(found, trained.shares), indent=1)
        return
    click.echo(verdict_sentence(found))
    if found.roles:
        click.echo(roles_sentence(found.roles))
    if not why_not:
        _print_reasons(trained, found)
    _print_why_not(trained, found)
    _print_changes(found)
    click.echo(acted_sentence(found.acted), err=True)


def _print_reasons(trained: Recommender, found: Explanation) -> None:
    tags = [tag_sentence(one, trained.shares) for one in found.reasons]
    if not tags:
        none = "recommend.no_effects" if trained.evidence is None else "recommend.no_clear_tag"
        tags = [say(none)]
    _section("recommend.explain_tags", tags)
    if found.by_tags is not None:
        _section(
            "recommend.explain_by_tags",
            [by_tags_sentence(found.by_tags), tag_fidelity_sentence(found.by_tags)],
        )
    told = [event_sentence(one) for one in found.history]
    told += [term_sentence(one) for one in found.terms]
    told += [steered_sentence(one) for one in found.steered]
    if told:
        _section("recommend.explain_history", told, method=say(f"recommend.method_{found.method}"))
    if found.fidelity is not None:
        n = min(3, sum(one.share > 0 for one in found.history))
        click.echo(fidelity_sentence(found.fidelity, n))
    if found.rank is not None and found.fidelity is not None:
        without = found.rank_without_evidence
        key = "recommend.fidelity_rank_out" if without is None else "recommend.fidelity_rank"
        click.echo(say(key, rank=found.rank, without=without))


def _print_why_not(trained: Recommender, found: Explanation) -> None:
    why = found.why_not
    if why is None:
        return
    told = [] if why.removed is None else [str(why.removed)]
    if why.rival is not None and why.gap is not None and why.gap > 0:
        told.append(say("recommend.why_gap", k=found.k, rival=why.rival, gap=plain(why.gap, 3)))
    if why.lacks:
        items = join([event_sentence(one) for one in why.lacks])
        told.append(say("recommend.why_lacks", rival=why.rival, items=items))
    if why.tags:
        names = join([tag_name(one.tag_zh, one.tag_en).name for one in why.tags])
        told.append(say("recommend.why_tags", rival=why.rival, tags=names))
    _section("recommend.explain_why_not", told)


def _print_changes(found: Explanation) -> None:
    told = [change_sentence(one) for one in found.changes] or [say("recommend.no_change")]
    _section("recommend.explain_changes", told)


def _section(key: str, lines: list[str], **facts: object) -> None:
    click.echo(f"\n{say(key, **facts)}")
    for line in lines:
        click.echo(f"  · {line}")
