"""``tagcf demo``: the main job on a simulated platform, held against the known truth."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import json_option, lang_option
from tagcf.cli.simulate import make_room
from tagcf.data.read import read_log
from tagcf.data.simulate import Platform, World, write_world
from tagcf.data.simulate import simulate as make_world
from tagcf.data.simulate.sector import SECTORS, SectorName
from tagcf.data.workspace import Workspace, open_workspace, write_text
from tagcf.effects.store import write_effects
from tagcf.effects.workspace_effects import estimate_workspace, question_of
from tagcf.tags.matrix import load_tags
from tagcf.text import language, say
from tagcf.types import TagEffects
from tagcf.views.facts import OutcomeFacts, ReportFacts, outcome_facts
from tagcf.views.gather import gather_report
from tagcf.views.labels import effect_name, join, method_label
from tagcf.views.page import render_report
from tagcf.views.report import report_view
from tagcf.views.truth import Judged, covers, judge

LARGEST = 6  # tags in the printed table: those with the largest true effects
FOOLED = 4  # and those without any, where the naive number is furthest off
SPLIT = ("city_tier",)


@click.command("demo")
@click.argument(
    "folder", metavar="[DIR]", default="demo", type=click.Path(path_type=Path, file_okay=False)
)
@click.option("--sector", type=click.Choice(SECTORS), default="video", show_default=True)
@click.option("--users", type=click.IntRange(12), default=2_000, show_default=True)
@click.option("--items", type=click.IntRange(16), default=1_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
@lang_option
def demo(
    *, folder: Path, sector: SectorName, users: int, items: int, seed: int, as_json: bool
) -> None:
    """Run everything on a SIMULATED platform in DIR (default: demo) and compare with the truth."""
    make_room(folder, force=True)
    _tell(say("demo.intro"))
    world = make_world(Platform(sector=sector, users=users, items=items, tags=32, seed=seed))
    write_world(world, folder)
    _tell(_about(world))
    workspace = open_workspace(folder)
    _tell(say("demo.estimating"))
    start = time.perf_counter()
    found = _estimate(workspace)
    _tell(_about_effects(found, time.perf_counter() - start))
    facts = gather_report(workspace, shlex.quote(str(folder)))
    report = workspace.out / "report.html"
    write_text(report, render_report(facts, language()))
    if as_json:
        echo_json(_summary(facts, folder, report), indent=1)
        return
    _print(facts)
    _heading(say("demo.report", path=report))
    _print_next(facts, folder)


def _estimate(workspace: Workspace) -> TagEffects:
    """Estimate as ``tagcf effects DIR --by city_tier`` does, and store."""
    log = read_log(workspace)
    tags = load_tags(workspace, log)
    question = question_of(workspace, tags, by=(SPLIT,))
    found = estimate_workspace(workspace, log, tags, question, None)
    write_effects(workspace, found)
    return found


def _about(world: World) -> str:
    settings = world.settings
    return say(
        "demo.platform",
        rows=f"{world.log.n_rows:,}",
        users=f"{settings.users:,}",
        items=f"{settings.items:,}",
        tags=settings.tags,
        null=len(world.null_tags),
    )


def _about_effects(found: TagEffects, seconds: float) -> str:
    methods = dict.fromkeys(effect.method for effect in found.effects)
    return say(
        "demo.effects",
        effects=f"{len(found.effects):,}",
        methods=join([method_label(method) for method in methods]),
        seconds=round(seconds),
    )


def _summary(facts: ReportFacts, folder: Path, report: Path) -> dict[str, Any]:
    return {
        "simulated": True,
        "folder": str(folder),
        "report": str(report),
        "outcomes": [
            {"outcome": outcome.name, **_counts(judge(outcome, facts.truth))}
            for outcome in outcome_facts(facts)
        ],
        "what_ifs": [
            {"item": one.item, "without": list(one.without), "delta": one.delta}
            | {"ci_low": one.ci_low, "ci_high": one.ci_high, "outcome": one.outcome}
            for one in facts.what_ifs
        ],
    }


def _counts(rows: list[Judged]) -> dict[str, int]:
    """Count the tags with an answer, and of their intervals those that contain the truth."""
    return {
        "count": len(rows),
        "inside": sum(covers(row.effect, row.truth) for row in rows),
        "naive": sum(row.naive is not None and covers(row.naive, row.truth) for row in rows),
    }


# ── for people ──────────────────────────────────────────────────────────────
def _print(facts: ReportFacts) -> None:
    outcomes = outcome_facts(facts)
    first = outcomes[0]
    unit = "demo.table_shares" if first.scale.points else "demo.table_units"
    _heading(say(unit, outcome=first.label))
    Console(highlight=False).print(_truth_table(first, judge(first, facts.truth)))
    click.echo(say("demo.chosen", count=FOOLED))
    _heading(say("demo.coverage"))
    for outcome in outcomes:
        counts = _counts(judge(outcome, facts.truth))
        click.echo("  " + say("demo.covered", outcome=outcome.label, **counts))
    _heading(say("demo.what_ifs"))
    for answer in report_view(facts).waterfalls:
        asked = say("demo.what_if", title=answer.title, question=answer.question)
        click.echo(f"  {asked}\n    {answer.sentence}")


def _truth_table(outcome: OutcomeFacts, rows: list[Judged]) -> Table:
    """Two groups of rows: the largest effects, and null tags that the naive number misjudges."""
    table = Table(box=None, pad_edge=False)
    for name in ("tag", "truth", "estimate", "interval", "inside", "naive"):
        right = name in {"truth", "estimate", "interval", "naive"}
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(say(f"demo.column_{name}"), justify=justify, no_wrap=True)
    largest = sorted(rows, key=lambda row: -abs(row.truth))[:LARGEST]
    null = [row for row in rows if row.truth == 0]
    fooled = sorted(null, key=lambda row: -abs(_naive(row)))[:FOOLED]
    for title, group in (("demo.largest", largest), ("demo.fooled", fooled)):
        table.add_row(f"[dim]— {escape(say(title))}[/dim]")
        for row in group:
            table.add_row(*_cells(outcome, row))
    return table


def _naive(row: Judged) -> float:
    return 0.0 if row.naive is None else row.naive.estimate or 0.0


def _cells(outcome: OutcomeFacts, row: Judged) -> tuple[str, ...]:
    effect, scale = row.effect, outcome.scale
    return (
        escape(effect_name(effect).name),
        scale.bare(row.truth),
        scale.bare(effect.estimate or 0.0),
        escape(scale.interval(effect.ci_low or 0.0, effect.ci_high or 0.0)),
        say("demo.yes") if covers(effect, row.truth) else say("demo.no"),
        scale.bare(_naive(row)),
    )


def _print_next(facts: ReportFacts, folder: Path) -> None:
    """Name three commands as they can be pasted here."""
    tagcf, at = _program(), shlex.quote(str(folder))
    item = facts.what_ifs[0].item if facts.what_ifs else "ITEM"
    outcome = outcome_facts(facts)[0].name
    click.echo(say("demo.next"))
    for command, about in (
        (f"whatif {at} --item {shlex.quote(item)}", "demo.next_whatif"),
        (f"effects {at} --outcome {outcome} --by age_band", "demo.next_effects"),
        ("init MY_FOLDER", "demo.next_init"),
    ):
        click.echo(f"  {tagcf} {command}   # {say(about)}")


def _program() -> str:
    """How tagcf is called here: by name where the shell finds this one, else by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("tagcf")
    here = found is not None and called.exists() and Path(found).samefile(called)
    return "tagcf" if here or called.name != "tagcf" else shlex.quote(str(called))


def _heading(text: str) -> None:
    click.echo(f"\n{say('demo.simulated')} · {text}")


def _tell(text: str) -> None:
    click.echo(f"{say('demo.simulated')} · {text}", err=True)
