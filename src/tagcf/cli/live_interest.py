"""``tagcf live interest``: what a user likes now, why, and their own say in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.asked_names import named_tag
from tagcf.cli.live_path import moment_of
from tagcf.cli.live_tables import echo_answer, read_told, tell_simulated
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.live.interest import InterestEngine, InterestReason, TagInterest
from tagcf.live.interest.edits import check_factor, check_strength
from tagcf.live.kept import HOME, is_kept, kept_interests, recorded_interests
from tagcf.live.rooms.workspace import LiveTables, Shown, read_shown
from tagcf.live.viewing.companion.memory import RECORD, without_spans
from tagcf.live.viewing.companion.record import Record
from tagcf.live.wire import kept
from tagcf.text import language, say, visible
from tagcf.types import Tag
from tagcf.types.live import LiveEvents

EVENTS = 8  # printed behind one interest


@click.command("interest")
@folder_argument
@click.option("--user", required=True, help="whose interests")
@click.option("--k", default=20, show_default=True, type=click.IntRange(1), help="how many")
@click.option("--at", "when", default=None, help="ISO 8601 or epoch seconds; default: newest event")
@click.option("--scene", default=None, help="interests in this scene")
@click.option("--tag", default=None, help="say which events this interest comes from")
@click.option("--mute", default=None, metavar="TAG", help="the user wants nothing of this")
@click.option("--boost", default=None, metavar="TAG FACTOR", nargs=2, type=(str, float),
              help="count behaviour so many times")  # fmt: skip
@click.option("--set", "put", default=None, metavar="TAG STRENGTH", nargs=2, type=(str, float),
              help="give an interest this strength, -1 to 1")  # fmt: skip
@click.option("--reset", default=None, metavar="TAG", help="forget what was done up to now")
@json_option
@lang_option
def interest(
    *,
    folder: Path,
    user: str,
    k: int,
    when: str | None,
    scene: str | None,
    tag: str | None,
    mute: str | None,
    boost: tuple[str, float] | None,
    put: tuple[str, float] | None,
    reset: str | None,
    as_json: bool,
) -> None:
    """Show the interests of a user, as they are by now.

    They are those of the stream kept in DIR/out/live (`tagcf live replay DIR --keep`), or else of
    events.*. What the user says of them is kept there as well, and wins over behaviour.
    """
    workspace = open_workspace(folder)
    at = moment_of(workspace, when)
    engine, shown = _interests(workspace, at)
    if at is not None and engine.now <= 0.0:
        raise DataError("live_interest.too_early", at=_clock(at))
    if not engine.knows(user):
        if at is None:
            raise UnknownNameError("live_interest.unknown_user", name=user)
        raise UnknownNameError("live_interest.unknown_user_then", name=user, at=_clock(at))
    known = () if shown.tags is None else shown.tags.tags

    def slug(name: str) -> str:
        return named_tag(name, known).slug

    asked = None if tag is None else slug(tag)
    for edit in _edits(engine, user, slug, mute, boost, put, reset):
        edit()
    reason = None if asked is None else engine.explain(user, asked, at)
    found = engine.interest(user, at, k, scene)
    if scene is not None and not engine.knows_in(user, scene):
        tell("live_interest.no_scene", user=user, scene=scene)
    if as_json:
        why = {} if reason is None else {"because": asdict(reason)}
        echo_answer(
            workspace,
            {
                "user_id": user,
                "at": engine.now if at is None else at,
                "interests": [asdict(one) for one in found],
                **why,
            },
        )
        return
    if reason is None:
        _print_interests(found, known)
    else:
        _print_reason(reason)
    if not found:
        tell("live_interest.none", user=user)


def _edits(
    engine: InterestEngine,
    user: str,
    slug: Callable[[str], str],
    mute: str | None,
    boost: tuple[str, float] | None,
    put: tuple[str, float] | None,
    reset: str | None,
) -> list[Callable[[], object]]:
    """Return what is to be done, all of it checked: a command is carried out whole or not."""
    edits: list[Callable[[], object]] = []
    if mute is not None:
        edits.append(partial(engine.mute, user, slug(mute)))
    if boost is not None:
        check_factor(boost[1])
        edits.append(partial(engine.boost, user, slug(boost[0]), boost[1]))
    if put is not None:
        check_strength(put[1])
        edits.append(partial(engine.set, user, slug(put[0]), put[1]))
    if reset is not None:
        edits.append(partial(engine.reset, user, slug(reset)))
    return edits


def _interests(workspace: Workspace, at: float | None) -> tuple[InterestEngine, Shown | LiveTables]:
    """Interests of the kept stream or of the recording, of what was done up to a time."""
    spans = Record(workspace.root / HOME / RECORD).forgotten()

    def counting(events: LiveEvents) -> LiveEvents:
        left = without_spans(events, spans)
        return left if at is None else kept(left, left.ts <= at)

    if is_kept(workspace):
        shown = read_shown(workspace)
        engine = kept_interests(workspace, shown, counting if spans or at is not None else None)
        if engine.now <= 0.0:
            return engine, shown
        tell("live_interest.of_stream", path=workspace.root / HOME, until=_clock(engine.now))
        tell_simulated(workspace)
        return engine, shown
    _, tables = read_told(workspace.root)
    return recorded_interests(workspace, tables, counting), tables


def _print_interests(found: tuple[TagInterest, ...], known: tuple[Tag, ...]) -> None:
    shown = {tag.slug: tag for tag in known}
    columns = ("tag", "strength", "evidence", "edited")
    grid = Grid(*(say(f"live_interest.columns_{name}") for name in columns), box=None)
    for one in found:
        tag = shown.get(one.tag)
        cells = (
            one.tag if tag is None else (tag.zh if language() == "zh" else tag.en),
            f"{one.strength:+.3f}",
            " ".join(f"{value:.2f}" for value in one.evidence),
            "" if one.edited is None else say(f"live_interest.edited_{one.edited}"),
        )
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)


def _print_reason(reason: InterestReason) -> None:
    columns = ("when", "did", "content", "share")
    grid = Grid(*(say(f"live_interest.columns_{name}") for name in columns), box=None)
    for one in reason.events[:EVENTS]:
        cells = (_clock(one.ts), one.action, one.content, f"{one.share:+.3f}")
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)
    rest = reason.older + sum(one.share for one in reason.events[EVENTS:])
    tell(
        "live_interest.because",
        tag=reason.tag,
        strength=f"{reason.strength:+.3f}",
        behaviour=f"{reason.behaviour:+.3f}",
        rest=f"{rest:+.3f}",
    )


def _clock(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S")
