"""``tagcf live host``, ``guide`` and ``draft``: for the people who run live rooms."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.live_tables import echo_answer, read_told
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace, write_text
from tagcf.errors import UnknownNameError
from tagcf.live.hosts import HostLine, HostReport, list_hosts, measure_platform, report_host
from tagcf.live.hosts.answers import Verdict
from tagcf.live.hosts.draft import Draft, Fact, draft_show
from tagcf.live.hosts.guide import Guide, Hint
from tagcf.live.hosts.measures import MeasureName
from tagcf.live.hosts.platform import segments_of
from tagcf.live.hosts.products import read_products
from tagcf.live.hosts.questions import count_questions
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.wire.batch import cut
from tagcf.settings import load_settings
from tagcf.text import did_you_mean, language, say, visible
from tagcf.types import Tag
from tagcf.views.host_page import render_host
from tagcf.views.host_words import (
    clock,
    comparison_text,
    hint_text,
    measure_name,
    tag_names,
    verdict_names,
    why,
)

CHUNK = 2_000  # events handed to the guide at a time
LISTED: tuple[MeasureName, ...] = (
    "watch",
    "interactions",
    "purchases",
)  # measures of the list of hosts

_HOST = click.option("--host", "name", default=None, help="the host's id (streamer_id)")


@click.command("host")
@folder_argument
@_HOST
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write the report as one HTML file",
)
@json_option
@lang_option
def host(*, folder: Path, name: str | None, page: Path | None, as_json: bool) -> None:
    """Report on a host's segments: what held, lost, converted; without --host, list all hosts."""
    if page is not None and name is None:
        raise click.UsageError(say("live_hosts.html_needs_host"))
    workspace, tables = read_told(folder)
    platform = measure_platform(tables)
    if name is None:
        lines = list_hosts(platform)
        if as_json:
            echo_answer(workspace, {"hosts": [plain_data(line) for line in lines]})
        else:
            _print_list(lines)
            tell("live_hosts.list_note", n=len(lines))
        return
    report = report_host(platform, name, events=tables)
    if page is not None:
        products = read_products(workspace, platform.segments)
        simulated = (workspace.root / "truth_live.parquet").is_file()
        html = render_host(report, _tags(tables), products, language(), simulated=simulated)
        write_text(page, html)
        tell("live_hosts.written", path=page)
    if as_json:
        echo_answer(workspace, plain_data(report))
    else:
        _print_report(report, _tags(tables))
    _tell_summary(report)


@click.command("guide")
@folder_argument
@click.option("--room", default=None, help="only this room's hints")
@json_option
@lang_option
def guide(*, folder: Path, room: str | None, as_json: bool) -> None:
    """Play the recorded stream of DIR and print the hints that hosts would have been given."""
    workspace, tables = read_told(folder)
    segments = segments_of(tables)
    known = sorted(set(segments.room_id))
    if room is not None and room not in known:
        hint = did_you_mean(room, known)
        raise UnknownNameError(
            "live_hosts.unknown_room", name=room, hint=hint, known=", ".join(known[:3])
        )
    products = read_products(workspace, segments)
    guiding = Guide(segments)
    hints: list[Hint] = []
    for start in range(0, len(tables.events), CHUNK):
        hints += guiding.update(cut(tables.events, start, start + CHUNK))
    hints += guiding.finish()
    chosen = [one for one in hints if room is None or one.room_id == room]
    if as_json:
        told = [{**plain_data(one), "text": hint_text(one, products)} for one in chosen]
        echo_answer(workspace, {"hints": told, "by_chance": guiding.using.by_chance})
    else:
        for one in chosen:
            click.echo(
                f"{clock(one.at)} {visible(one.room_id)} {visible(hint_text(one, products))}"
            )
    mine = np.array([room is None or one == room for one in segments.room_id])
    tell(
        "live_hosts.guide_done",
        n=len(chosen),
        rooms=len(known) if room is None else 1,
        hours=f"{(segments.end - segments.start)[mine].sum() / 3600:.1f}",
        budget=guiding.using.by_chance,
    )


@click.command("draft")
@folder_argument
@click.option("--host", "name", required=True, help="the host's id (streamer_id)")
@click.option("--minutes", type=click.FloatRange(5, 1440), default=None, help="length of the show")
@click.option(
    "--using",
    type=click.Choice(["template", "llm"]),
    default="template",
    help="llm: words by the language model set in tagcf.toml, checked against the facts",
)
@json_option
@lang_option
def draft(*, folder: Path, name: str, minutes: float | None, using: str, as_json: bool) -> None:
    """Draft the next show of a host: rundown, titles, talking points, each with its evidence."""
    if minutes is not None and np.isnan(minutes):  # which every range lets through
        raise click.BadParameter("nan", param_hint="--minutes")
    workspace, tables = read_told(folder)
    platform = measure_platform(tables)
    report = report_host(platform, name, events=tables)
    rows = platform.rows_of(name)
    with ExitStack() as stack:
        made = draft_show(
            report,
            platform=platform,
            asked=count_questions(tables.events, platform.segments, rows),
            products=read_products(workspace, platform.segments),
            tags=tuple(_tags(tables).values()),
            minutes=minutes,
            client=_client(workspace, stack) if using == "llm" else None,
        )
    if as_json:
        echo_answer(workspace, plain_data(made))
    else:
        _print_draft(made)
    if made.written_by != "template":
        tell("live_hosts.draft_by", model=made.written_by, refused=made.refused)
    elif using == "llm":
        tell("live_hosts.draft_refused", refused=made.refused)
    tell("live_hosts.draft_note")


def _client(workspace: Workspace, stack: ExitStack) -> Any:
    from tagcf.tags.llm.client import Client
    from tagcf.tags.llm.server import server_of

    server = server_of(load_settings(workspace.root).llm)
    return stack.enter_context(Client(server))


def _tags(tables: LiveTables) -> Mapping[str, Tag]:
    return {} if tables.tags is None else {tag.slug: tag for tag in tables.tags.tags}


def plain_data(one: object) -> Any:
    """Return dataclasses, arrays and numbers as JSON has them; what is not finite is null."""
    simple: Any = asdict(one) if is_dataclass(one) and not isinstance(one, type) else one
    if isinstance(simple, dict):
        return {key: plain_data(value) for key, value in simple.items()}
    if isinstance(simple, list | tuple):
        return [plain_data(value) for value in simple]
    if isinstance(simple, np.ndarray):
        return [plain_data(value) for value in simple.tolist()]
    if isinstance(simple, float | np.floating):
        return round(float(simple), 6) if np.isfinite(simple) else None
    return int(simple) if isinstance(simple, np.integer) else simple


def _print_list(lines: tuple[HostLine, ...]) -> None:
    names = ("host", "segments", "hours", "viewers")
    grid = _grid([*(say(f"live_hosts.column_{name}") for name in names),
                  *(measure_name(one) for one in LISTED)])  # fmt: skip
    for line in lines:
        told = {one.measure: comparison_text(one.peers) for one in line.standing}
        cells = [line.host, str(line.segments), f"{line.hours:.1f}", f"{line.viewers:,}"]
        grid.add_row(*_cells([*cells, *(told.get(name, "–") for name in LISTED)]))
    Console().print(grid)


def _print_report(report: HostReport, tags: Mapping[str, Tag]) -> None:
    names = ("start", "minutes", "about", "viewers", "held", "verdict", "why")
    grid = _grid([say(f"live_hosts.column_{name}") for name in names])
    for one in report.segments:
        about = tag_names(one.tags[:2], tags) + (f" · {one.product_id}" if one.product_id else "")
        verdicts = verdict_names(one.verdicts)
        kept = f"{one.stayed}/{one.at_start}" if one.at_start else "–"
        cells = [clock(one.start), f"{(one.end - one.start) / 60:.0f}", about, str(one.viewers)]
        grid.add_row(*_cells([*cells, kept, verdicts, "\n".join(why(one, most=1))]))
    Console().print(grid)


def _tell_summary(report: HostReport) -> None:
    def count(verdict: Verdict) -> int:
        return len(report.with_verdict(verdict))

    tell(
        "live_hosts.summary",
        host=report.host,
        n=len(report.segments),
        held=count("held"),
        lost=count("lost"),
        converted=count("converted"),
        sold_less=count("sold less"),
        usual=count("usual"),
        unknown=count("cannot tell"),
    )


def _print_draft(made: Draft) -> None:
    if not made.slots:
        click.echo(say("live_hosts.no_evidence"))
        return
    lines = [say("live_hosts.draft_head", host=made.host, minutes=f"{made.minutes:.0f}"), ""]
    lines += [say("live_hosts.draft_titles")]
    lines += [f"  {one.text}  ({_because(one.because.text)})" for one in made.titles]
    for slot in made.slots:
        about = f"{slot.tag_name} · {slot.product}" if slot.product else slot.tag_name
        purpose = say(f"live_hosts.purpose_{slot.purpose}")
        head = {"start": f"{slot.start:.0f}", "minutes": f"{slot.minutes:.0f}"}
        lines += ["", say("live_hosts.draft_slot", purpose=purpose, about=about, **head)]
        lines += [f"  {_weighed(fact)}" for fact in slot.because]
        lines += [f"  - {point.text}  ({_because(point.because.text)})" for point in slot.points]
    click.echo(visible("\n".join(lines), keep="\n"))


def _weighed(fact: Fact) -> str:
    key = "draft_because" if fact.speaks == "for" else "draft_but"
    return say(f"live_hosts.{key}", fact=fact.text)


def _because(fact: str) -> str:
    return say("live_hosts.draft_because", fact=fact)


def _grid(heads: list[str]) -> Grid:
    return Grid(*heads, box=None)


def _cells(cells: list[str]) -> list[str]:
    return [escape(visible(cell, keep="\n")) for cell in cells]
