"""``tagcf explain``: why an item is recommended to a user, or why not, and what would change it."""

from __future__ import annotations

from pathlib import Path

import click

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.request import Requested, request_options
from tagcf.cli.talk import tell
from tagcf.cli.trained import open_trained
from tagcf.data.titles import titles_of
from tagcf.data.workspace import open_workspace
from tagcf.recommend.recommender import Recommender
from tagcf.text import say
from tagcf.types import Explanation
from tagcf.views.item_titles import Titles, item_named, items_of
from tagcf.views.labels import join, tag_name
from tagcf.views.recommendation import (
    acted_sentence,
    by_tags_sentence,
    change_sentence,
    event_sentence,
    fidelity_sentence,
    history_heading,
    lack_of_tags,
    lack_sentence,
    part_sentences,
    rank_sentence,
    roles_sentence,
    score_text,
    steered_sentence,
    tag_fidelity_sentence,
    tag_sentences,
    term_sentence,
    verdict_sentence,
)
from tagcf.views.recommendation_json import explanation_json


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
    workspace = open_workspace(folder)
    trained = open_trained(workspace)
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
    titles = titles_of(workspace, items_of(found))
    if as_json:
        echo_json(explanation_json(found, trained.shares, titles), indent=1)
        return
    click.echo(verdict_sentence(found, titles))
    if found.roles:
        click.echo(roles_sentence(found.roles))
    if not why_not:
        _print_reasons(trained, found, titles)
    _print_why_not(found, titles)
    _print_changes(found, titles)
    click.echo(acted_sentence(found.acted), err=True)


def _print_reasons(trained: Recommender, found: Explanation, titles: Titles) -> None:
    tags = tag_sentences(found.reasons, trained.shares)
    if not tags:
        tagged = bool(trained.catalogue.tags_of(trained.catalogue.require(found.item)))
        lack = lack_of_tags(evidence=trained.evidence is not None, tagged=tagged)
        tags = [say(lack or "recommend.no_effects")]
    _section("recommend.explain_tags", tags)
    if found.by_tags is not None:
        _section(
            "recommend.explain_by_tags",
            [by_tags_sentence(found.by_tags), tag_fidelity_sentence(found.by_tags)],
        )
    told = [event_sentence(one, titles) for one in found.history] + part_sentences(found)
    told += [term_sentence(one) for one in found.terms]
    told += [steered_sentence(one) for one in found.steered]
    if told:
        _lines(history_heading(found), told)
    if found.fidelity is not None:
        click.echo(fidelity_sentence(found.fidelity, found.evidence, titles))
    if (ranked := rank_sentence(found, titles)) is not None:
        click.echo(ranked)


def _print_why_not(found: Explanation, titles: Titles) -> None:
    why = found.why_not
    if why is None:
        return
    told = [] if why.removed is None else [str(why.removed)]
    rival = "" if why.rival is None else item_named(why.rival, titles)
    if why.rival is not None and why.gap is not None and why.gap > 0:
        told.append(say("recommend.why_gap", k=found.k, rival=rival, gap=score_text(why.gap)))
    if why.lacks:
        items = join([lack_sentence(one, titles) for one in why.lacks])
        told.append(say("recommend.why_lacks", rival=rival, items=items))
    if why.tags:
        names = join([tag_name(one.tag_zh, one.tag_en).name for one in why.tags])
        told.append(say("recommend.why_tags", rival=rival, tags=names))
    _section("recommend.explain_why_not", told)


def _print_changes(found: Explanation, titles: Titles) -> None:
    told = [change_sentence(one, titles) for one in found.changes] or [say("recommend.no_change")]
    _section("recommend.explain_changes", told)


def _section(key: str, lines: list[str]) -> None:
    _lines(say(key), lines)


def _lines(heading: str, lines: list[str]) -> None:
    click.echo(f"\n{heading}")
    for line in lines:
        click.echo(f"  · {line}")
