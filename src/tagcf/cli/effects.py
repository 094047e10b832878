"""``tagcf effects``: which tag causes which behaviour, for whom, how sure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from tagcf.cli.answers import print_answers, sentences
from tagcf.cli.asked_names import check_tagged, known_tags_of, listed, named_tag
from tagcf.cli.effect_cells import wording_of
from tagcf.cli.effect_table import print_effects
from tagcf.cli.heterogeneity import (
    Asked,
    answer_asked,
    answers_json,
    check_asked,
    check_named,
    heterogeneity_options,
    of_tags_only,
    split_by_activity,
)
from tagcf.cli.json_text import echo_json
from tagcf.cli.learned_bias import check_alone, learn_in, say_bias
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.tags_changed import say_tags_older
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.effects.estimate import check_names
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.parts import not_held, without_mined
from tagcf.effects.sensitivity.store import doubt_json
from tagcf.effects.store import (
    as_doubted,
    effect_json,
    effects_path,
    merge,
    read_effects,
    write_effects,
)
from tagcf.effects.task import Question
from tagcf.effects.workspace_effects import (
    doubt_workspace,
    estimate_workspace,
    of_facets,
    question_of,
)
from tagcf.errors import OutputError
from tagcf.tags.matrix import load_tags
from tagcf.text import say
from tagcf.types import Effect, EventLog, TagEffects, TagMatrix
from tagcf.views.labels import tag_name

ESTIMANDS = ["direct", "total"]


@click.command(
    epilog="tagcf effects DIR --outcome click --json   |   tagcf effects DIR --by city_tier"
)
@folder_argument
@click.option("--outcome", "outcomes", multiple=True, help="show only these outcomes")
@click.option(
    "--using",
    type=click.Choice(["joint", "matching", "robust", "iv", "naive"]),
    help="run this method alone (without it: every method that applies; joint is printed)",
)
@click.option("--by", help="show segments, too; crossed with commas: city_tier,age_band")
@click.option("--tag", "names", multiple=True, help="show only these tags (slug, zh or en name)")
@click.option("--estimand", type=click.Choice(ESTIMANDS), help="direct or total (joint, robust)")
@click.option("--doubt", is_flag=True, help="check the joint claims; withdraw what fails")
@click.option(
    "--negative-outcome",
    "negatives",
    multiple=True,
    help="with --doubt: an outcome measured before the impression, which no tag can cause",
)
@click.option(
    "--learn-bias",
    is_flag=True,
    help="where strata or exposure were random: learn how far observational effects are off",
)
@heterogeneity_options
@click.option("--all", "every", is_flag=True, help="list every effect that cannot be told, too")
@click.option("--strict", is_flag=True, help="exit 3 when no tag can be told")
@json_option
@lang_option
def effects(
    folder: Path,
    outcomes: tuple[str, ...],
    using: str | None,
    by: str | None,
    names: tuple[str, ...],
    estimand: str | None,
    doubt: bool,
    negatives: tuple[str, ...],
    learn_bias: bool,
    every: bool,
    strict: bool,
    as_json: bool,
    asked: Asked,
) -> int:
    """Estimate what each tag does to each outcome, with interval and verdict."""
    _check_options(using, estimand, doubt, negatives)
    if learn_bias:
        check_alone(using, by, names, estimand, doubt, asked.options, asked.activity)
        return learn_in(folder, using, outcomes, strict=strict, as_json=as_json)
    split = tuple(part.strip() for part in by.split(",")) if by else ()
    check_asked(asked, using, split)
    workspace = open_workspace(folder)
    log = read_log(workspace)
    tags = load_tags(workspace, log)
    question = question_of(workspace, tags, by=(split,) if split else None)
    known = known_tags_of(tags, question)
    for name in names:
        check_tagged(workspace, name, known)
    wanted = {named_tag(name, known).slug for name in names}
    check_names(log, (*outcomes, *negatives), ())
    check_named(asked, log, tags, question)
    whole, log = log, split_by_activity(log, split, asked)
    check_names(log, (), split)
    say_tags_older(workspace)
    _say_started(log, tags, question)
    # A question beside the effects stands on joint, and leaves what is stored as it was.
    asks_only = bool(asked.options) and not doubt
    only = "joint" if asks_only else using
    found = estimate_workspace(workspace, log, tags, question, only)
    if doubt:
        found = _doubted(workspace, log, tags, question, found, negatives, tuple(wanted))
    if log is not whole:  # perhaps told from a part of it: not what the workspace's effects are
        click.echo(say("effects.activity_not_written", path=effects_path(workspace)), err=True)
    elif asks_only:
        found = _beside_stored(workspace, found)
    else:
        _store(workspace, found, whole=using is None)
    chosen = without_mined(of_facets(tags, workspace.settings.tags.facets))
    answers = of_tags_only(answer_asked(asked, log, chosen, question, outcomes, found), wanted)
    wording = wording_of(log, known)
    shown = [
        effect
        for effect in _of_method(found, using or "joint", estimand)
        if (not outcomes or effect.outcome in outcomes)
        and (not wanted or effect.tag in wanted)
        and (bool(split) or effect.segment is None)
    ]
    if as_json:
        answer = _shown_json(shown, found, with_doubts=doubt)
        echo_json(answer | answers_json(answers), indent=1)
        for sentence in (said for one in answers for said in sentences(one, wording)):
            click.echo(sentence, err=True)
    elif answers:
        print_answers(answers, wording)
    else:
        print_effects(shown, found, wording, every=every or bool(wanted))
    say_bias(shown, workspace.settings.design.observational_bias)
    if not as_json and log is whole and not asks_only:
        click.echo(say("effects.written", path=effects_path(workspace)), err=True)
    told = [effect for effect in shown if effect.verdict != "cannot tell"]
    return 3 if strict and not told else 0


def _of_method(found: TagEffects, method: str, estimand: str | None) -> Iterator[Effect]:
    """Effects by one method; of the joint ones, those of one estimand: direct unless asked."""
    for effect in found.effects:
        if effect.method == method and (
            method != "joint" or effect.estimand == (estimand or "direct")
        ):
            yield effect


def _shown_json(shown: list[Effect], found: TagEffects, *, with_doubts: bool) -> dict[str, object]:
    answer: dict[str, object] = {
        "effects": [effect_json(effect) for effect in shown],
        "tags_version": found.tags_version,
    }
    if with_doubts:
        keys = {(effect.tag, effect.outcome) for effect in shown}
        own = [one for one in found.doubts if (one.tag, one.outcome) in keys]
        answer["doubt"] = [doubt_json(one) for one in own]
    return answer


def _say_started(log: EventLog, tags: TagMatrix, question: Question) -> None:
    counts = {"rows": log.n_rows, "items": len(log.items), "tags": len(tags.tags)}
    click.echo(say("effects.started", **{key: f"{n:,}" for key, n in counts.items()}), err=True)
    if tags.unseen:
        click.echo(say("effects.mined_apart", tags=len(tags.unseen)), err=True)
    if above := not_held(tags, question):
        names = [tag_name(tag.zh, tag.en).name for tag in tags.tags if tag.slug in above]
        click.echo(say("effects.mined_below", names=listed(names)), err=True)


def _check_options(
    using: str | None, estimand: str | None, doubt: bool, negatives: tuple[str, ...]
) -> None:
    if estimand is not None and using not in {None, "joint", "robust"}:
        raise click.UsageError(say("error.estimand_joint_only", method=using))
    if doubt and using not in {None, "joint"}:
        raise click.UsageError(say("error.doubt_joint_only", method=using))
    if negatives and not doubt:
        raise click.UsageError(say("error.negative_needs_doubt"))


def _doubted(
    workspace: Workspace,
    log: EventLog,
    tags: TagMatrix,
    question: Question,
    found: TagEffects,
    negatives: tuple[str, ...],
    shown: tuple[str, ...],
) -> TagEffects:
    """Doubt what was found, and say what came of it."""
    click.echo(say("doubt.started"), err=True)
    doubted = doubt_workspace(
        workspace, log, tags, question, found, negative_outcomes=negatives, shown=shown
    )
    claims = sum(one.stopped_by is not None for one in doubted.doubts)
    before = sum(
        effect.verdict in CLAIMS
        and effect.segment is None
        and (effect.method, effect.estimand) == ("joint", "direct")
        for effect in found.effects
    )
    click.echo(say("doubt.done", claims=before, withdrawn=claims), err=True)
    return doubted


def _stored(workspace: Workspace) -> TagEffects | None:
    """What is stored; None where nothing is, or it cannot be read."""
    try:
        return read_effects(workspace)
    except OutputError:
        return None


def _store(workspace: Workspace, found: TagEffects, *, whole: bool) -> None:
    """Store what was found, all of it or beside the other methods; say whose doubts are gone."""
    old = _stored(workspace)
    stored = found if whole or old is None else merge(old, found)
    write_effects(workspace, stored)
    if old is not None and old.doubts and not stored.doubts:
        click.echo(say("effects.doubts_dropped", path=workspace.root), err=True)


def _beside_stored(workspace: Workspace, found: TagEffects) -> TagEffects:
    """Take over the verdicts of the stored doubts, and say that nothing is written."""
    old = _stored(workspace)
    if old is None:
        click.echo(say("effects.nothing_written", path=workspace.root), err=True)
        return found
    click.echo(say("effects.asked_not_written", path=effects_path(workspace)), err=True)
    if not old.doubts:
        return found
    doubted = as_doubted(old, found)
    if doubted is None:
        click.echo(say("effects.doubts_of_other", path=workspace.root), err=True)
    return doubted or found
