"""``tagcf effects``: which tag causes which behaviour, for whom, how sure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tagcf.cli.heterogeneity import (
    Asked,
    answer_asked,
    check_asked,
    heterogeneity_options,
    print_answers,
    split_by_activity,
)
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.effects.estimate import check_names
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.sensitivity.store import doubt_json
from tagcf.effects.store import effect_json, effects_path, merge, read_effects, write_effects
from tagcf.effects.task import Question
from tagcf.effects.workspace_effects import (
    doubt_workspace,
    estimate_workspace,
    find_tag,
    question_of,
)
from tagcf.errors import OutputError
from tagcf.tags.matrix import load_tags
from tagcf.text import language, say
from tagcf.types import Effect, EventLog, TagEffects, TagMatrix

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
@heterogeneity_options
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
    strict: bool,
    as_json: bool,
    asked: Asked,
) -> int:
    """Estimate what each tag does to each outcome, with interval and verdict."""
    if estimand is not None and using not in {None, "joint", "robust"}:
        raise click.UsageError(say("error.estimand_joint_only", method=using))
    if doubt and using not in {None, "joint"}:
        raise click.UsageError(say("error.doubt_joint_only", method=using))
    if negatives and not doubt:
        raise click.UsageError(say("error.negative_needs_doubt"))
    check_asked(asked, using)
    workspace = open_workspace(folder)
    log = read_log(workspace)
    tags = load_tags(workspace, log)
    split = tuple(part.strip() for part in by.split(",")) if by else ()
    whole, log = log, split_by_activity(log, split, asked)
    check_names(log, (*outcomes, *negatives), split)
    question = question_of(workspace, tags, by=(split,) if split else None)
    wanted = {find_tag(name, tags.tags).slug for name in names}
    counts = {"rows": log.n_rows, "items": len(log.items), "tags": len(tags.tags)}
    click.echo(say("effects.started", **{key: f"{n:,}" for key, n in counts.items()}), err=True)
    found = estimate_workspace(workspace, log, tags, question, using)
    if doubt:
        found = _doubted(workspace, log, tags, question, found, negatives, tuple(wanted))
    stored = found
    if using is not None:
        try:
            stored = merge(read_effects(workspace), found)
        except OutputError:
            stored = found
    if log is not whole:  # perhaps told from a part of it: not what the workspace's effects are
        click.echo(say("effects.activity_not_written", path=effects_path(workspace)), err=True)
    else:
        write_effects(workspace, stored)
    answers = answer_asked(asked, log, tags, question, outcomes, found)
    method = using or "joint"
    shown = [
        effect
        for effect in found.effects
        if effect.method == method
        and (not outcomes or effect.outcome in outcomes)
        and (not wanted or effect.tag in wanted)
        and (method != "joint" or effect.estimand == (estimand or "direct"))
        and (bool(split) or effect.segment is None)
    ]
    if as_json:
        answer = {"effects": [effect_json(effect) for effect in shown]}
        if doubt:
            keys = {(effect.tag, effect.outcome) for effect in shown}
            own = [one for one in found.doubts if (one.tag, one.outcome) in keys]
            answer["doubt"] = [doubt_json(one) for one in own]
        click.echo(json.dumps(answer | answers, ensure_ascii=False, indent=1))
    else:
        _print(shown)
        print_answers(answers)
        if log is whole:
            click.echo(say("effects.written", path=effects_path(workspace)), err=True)
    told = [effect for effect in shown if effect.verdict != "cannot tell"]
    return 3 if strict and not told else 0


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


def _print(shown: list[Effect]) -> None:
    """Print a table on a terminal, tab-separated values into a pipe."""
    columns = ["tag", "outcome", "segment", "estimate", "interval", "q", "items", "verdict"]
    rows = [_cells(effect) for effect in sorted(shown, key=_order)]
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table()
    for column in columns:
        right = column in {"estimate", "q", "items"}
        table.add_column(say(f"effects.column_{column}"), justify="right" if right else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _order(effect: Effect) -> tuple[str, str, int, float]:
    claimed = 0 if effect.verdict in {"raises", "lowers"} else 1
    told = 2 if effect.verdict == "cannot tell" else claimed
    return effect.outcome, effect.segment or "", told, -abs(effect.estimate or 0.0)


def _cells(effect: Effect) -> list[str]:
    name = effect.tag_zh if language() == "zh" else effect.tag_en
    verdict = say("effects.verdict_" + effect.verdict.replace(" ", "_"))
    if effect.reason is not None:
        verdict = f"{verdict}: {effect.reason}"
    return [
        name,
        effect.outcome,
        effect.segment or "",
        _number(effect.estimate),
        f"{_number(effect.ci_low)} … {_number(effect.ci_high)}",
        "" if effect.q is None else f"{effect.q:.3f}",
        str(effect.n_treated_items),
        verdict,
    ]


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:+.4g}"
