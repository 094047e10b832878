"""``tagcf live path`` and ``tagcf live resonance``: what to see, and whether viewers follow."""

from __future__ import annotations

import math
from pathlib import Path

import click
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.live_tables import echo_answer, read_told
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.talk import tell
from tagcf.data.times import read_times
from tagcf.data.workspace import Workspace
from tagcf.errors import EstimationError, QuestionError
from tagcf.live.kept import HOME
from tagcf.live.viewing.companion.answers import stop_lines
from tagcf.live.viewing.companion.lines import Speech
from tagcf.live.viewing.companion.memory import Memory
from tagcf.live.viewing.guide import RoomGuide, guide_of
from tagcf.live.viewing.path import Stop, ViewingPath, viewing_path
from tagcf.live.viewing.resonance import (
    Expected,
    Parting,
    Resonance,
    emotion_series,
    find_partings,
    fit_forecast,
    resonance,
)
from tagcf.text import language, say, visible

SHOWN = 20  # moments and forecasts in the printed answer

LATEST = 253_402_300_799.0  # the year 9999


@click.command("path")
@folder_argument
@click.option("--room", required=True, help="the room")
@click.option("--user", required=True, help="whose interests")
@click.option("--minutes", type=float, default=20.0, show_default=True, help="time there is")
@click.option("--at", "when", default=None, help="ISO 8601 or epoch seconds; default: newest event")
@json_option
@lang_option
def path(
    *, folder: Path, room: str, user: str, minutes: float, when: str | None, as_json: bool
) -> None:
    """Plan what a user should see of a room, and in which order, within the time there is.

    What was can be seen again, what is on or announced when it is on. What the user has muted never
    comes; what they have seen is not shown again.
    """
    workspace, tables = read_told(folder)
    guide = guide_of(tables, moment_of(workspace, when))
    guide.check_user(user)
    parts = guide.of(room)
    memory = Memory.of_tables(tables, workspace.root / HOME, guide.at, workspace.settings.live)
    interests = memory.interest(user, guide.at)
    found = viewing_path(parts, interests, guide.at, minutes, guide.seen_by(user, room))
    tags = {tag.slug: tag for tag in tables.tags.tags} if tables.tags else {}
    speech = Speech(tags, workspace.settings.data.timezone)
    if as_json:
        echo_answer(workspace, {"room_id": room, "user_id": user, **path_answer(found)})
    elif found.stops:
        _print_path(found, speech)
    _tell_path(found, room)


def path_answer(found: ViewingPath) -> dict[str, object]:
    """Return a path as the verb prints it."""
    return {
        "at": found.at,
        "minutes": found.minutes,
        "watched": round(found.watched, 3),
        "value": round(found.value, 6),
        "best_possible": round(found.best_possible, 6),
        "stops": [_stop_answer(stop) for stop in found.stops],
        "left_out": [{"segment_id": part.segment_id, "tag": slug} for part, slug in found.left_out],
    }


def _stop_answer(stop: Stop) -> dict[str, object]:
    return {
        "segment_id": stop.part.segment_id,
        "begin": round(stop.begin, 3),
        "start": round(stop.start, 3),
        "end": round(stop.end, 3),
        "replay": stop.replay,
        "gain": round(stop.gain, 6),
        "because": [{"tag": slug, "share": round(share, 4)} for slug, share in stop.because],
        "rest": round(stop.rest, 4),
        "highlights": stop.highlights,
        "hold": round(stop.part.hold, 3),
        "reaction": round(stop.part.reaction, 3),
        "seen_before_minutes": round(stop.seen_before, 2),
        "product_id": stop.part.product_id,
    }


def _print_path(found: ViewingPath, speech: Speech) -> None:
    columns = ("order", "watch", "part", "minutes", "how", "because")
    grid = Grid(*(say(f"live_viewing.path_{name}") for name in columns), box=None)
    for number, stop in enumerate(found.stops, 1):
        why = speech.words(stop_lines(stop), language()).rstrip("；;")
        cells = (
            str(number),
            speech.moment(stop.begin),
            speech.moment(stop.start),
            f"{(stop.end - stop.start) / 60:.1f}",
            say(f"live_viewing.{'replay' if stop.replay else 'live'}"),
            why,
        )
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)


def _tell_path(found: ViewingPath, room: str) -> None:
    minutes = f"{found.minutes:g}"
    if not found.stops:
        tell("live_viewing.path_empty", room=room, minutes=minutes)
        return
    gap = 100 * (found.best_possible / found.value - 1) if found.value > 0 else math.inf
    tell(
        "live_viewing.path_done",
        room=room,
        minutes=minutes,
        stops=len(found.stops),
        watched=f"{found.watched:.1f}",
        gap=f"{gap:.0f}",
    )


@click.command("resonance")
@folder_argument
@click.option("--room", default=None, help="one room; default: all")
@click.option("--at", "when", default=None, help="ISO 8601 or epoch seconds; default: newest event")
@json_option
@lang_option
def resonance_(*, folder: Path, room: str | None, when: str | None, as_json: bool) -> None:
    """Tell whether the audience's emotion follows the content's, and where they part.

    Of segments that are on or announced, the emotion to expect of the audience is told as well.
    """
    workspace, tables = read_told(folder)
    guide = guide_of(tables, moment_of(workspace, when))
    asked = guide.parts if room is None else guide.of(room)
    every = emotion_series(guide.parts, guide.events)
    series = [one for one in every if room is None or one.room_id == room]
    found = resonance(series)
    partings = find_partings(series)
    coming = [part for part in asked if part.airing != "past"]
    try:
        expected = fit_forecast(every).expect(coming) if coming else ()
    except EstimationError as few:
        expected = ()
        click.echo(str(few), err=True)
    if as_json:
        echo_answer(workspace, resonance_answer(found, partings, expected, guide))
    else:
        _print_resonance(found, partings, workspace)
    counts = [sum(one.verdict == name for one in found) for name in _VERDICTS]
    names = dict(zip(("follows", "unclear", "untold"), counts, strict=True))
    tell("live_viewing.resonance_done", rooms=len(found), **names)


_VERDICTS = ("follows", "no clear link", "cannot tell")


def resonance_answer(
    found: tuple[Resonance, ...],
    partings: tuple[Parting, ...],
    expected: tuple[Expected, ...],
    guide: RoomGuide,
) -> dict[str, object]:
    """Return the answer as the verb prints it; what cannot be told is null."""
    return {
        "at": guide.at,
        "rooms": [
            {
                "room_id": one.room_id,
                "verdict": one.verdict,
                "reason": one.reason or None,
                "lines": one.lines,
                "segments": one.segments,
                "told": one.told,
                **{name: _finite(getattr(one, name)) for name in _NUMBERS},
                "emotions": [
                    {
                        "emotion": link.emotion,
                        "lines": link.lines,
                        **{name: _finite(getattr(link, name)) for name in _OF_EMOTION},
                    }
                    for link in one.emotions
                ],
            }
            for one in found
        ],
        "partings": [
            {name: _finite(getattr(one, name)) for name in Parting.__slots__} for one in partings
        ],
        "expected": [
            {"room_id": one.room_id, "segment_id": one.segment_id, "shares": one.by_emotion()}
            for one in expected
        ],
    }


_NUMBERS = ("strength", "low", "high", "lag", "lag_low", "lag_high", "p", "q")
_OF_EMOTION = ("share_with", "share_without", "difference", "low", "high", "p")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value


def _print_resonance(
    found: tuple[Resonance, ...], partings: tuple[Parting, ...], workspace: Workspace
) -> None:
    columns = ("room", "verdict", "strength", "lag", "p", "lines", "why")
    grid = Grid(*(say(f"live_viewing.resonance_{name}") for name in columns), box=None)
    for one in found:
        told = one.verdict != "cannot tell"
        cells = (
            one.room_id,
            say(f"live_viewing.verdict_{one.verdict.replace(' ', '_')}"),
            f"{one.strength:.2f} ({one.low:.2f}, {one.high:.2f})" if told else "",
            f"{one.lag:.0f} ({one.lag_low:.0f}-{one.lag_high:.0f})" if told else "",
            f"{one.p:.4f}" if told else "",
            f"{one.lines:,}",
            say(f"live_viewing.reason_{one.reason}") if one.reason else "",
        )
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)
    speech = Speech({}, workspace.settings.data.timezone)
    for moment in partings[:SHOWN]:
        facts = {"room": moment.room_id, "lines": moment.lines, "opposite": moment.opposite}
        click.echo(
            say(
                "live_viewing.parting",
                when=speech.moment(moment.start),
                content=say(f"live_viewing.emotion_{moment.content}"),
                audience=say(f"live_viewing.emotion_{moment.audience}"),
                usual=f"{moment.usual:.0%}",
                **facts,
            )
        )


def moment_of(workspace: Workspace, text: str | None) -> float | None:
    """Epoch seconds of a time as it is written.

    Raises
    ------
    QuestionError
        It is no time.
    """
    if text is None:
        return None
    seconds = read_times(pl.Series([text]), workspace.settings.data.timezone).seconds
    if not 0 <= float(seconds[0]) <= LATEST:
        raise QuestionError("live_viewing.bad_time", value=text)
    return float(seconds[0])
