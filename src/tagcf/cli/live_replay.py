"""``tagcf live replay``: highlights, switches of interest and purchase chances of a stream."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.live_tables import echo_answer, read_told
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.talk import tell
from tagcf.live.kept import open_kept
from tagcf.live.replay import LATE, Alarm, Replayed
from tagcf.live.replay import replay as play
from tagcf.live.stream import LiveStream
from tagcf.text import say, visible

SHOWN = 30  # highlights in the printed table


@click.command("replay")
@folder_argument
@click.option("--speed", type=float, default=None, help="times as fast as it was recorded")
@click.option(
    "--keep", is_flag=True, help="keep events and interests in DIR/out/live, as they come"
)
@json_option
@lang_option
def replay(*, folder: Path, speed: float | None, keep: bool, as_json: bool) -> None:
    """Play the live stream of DIR: highlights, switches of interest, who may buy.

    With --keep every event goes through the log and the interest state that a platform's own stream
    would go through; what is there already is not counted again.
    """
    workspace, tables = read_told(folder)
    with ExitStack() as until_played:
        stream = until_played.enter_context(open_kept(workspace, tables)) if keep else None
        alarm = None if speed is None else _tell_alarm
        found = play(tables, speed=speed, on_alarm=alarm, into=stream)
        if stream is not None:
            _tell_kept(stream, folder)
    if found.late:
        tell("live_rooms.late", count=f"{found.late:,}", seconds=LATE)
    if as_json:
        echo_answer(workspace, answer(found))
    else:
        _print(found)
    tell(
        "live_rooms.done",
        events=f"{len(tables.events):,}",
        rooms=found.rooms,
        highlights=len(found.highlights),
        switches=f"{len(found.switches):,}",
        intents=f"{len(found.intents.ts):,}",
    )


def answer(found: Replayed) -> dict[str, object]:
    """Return the answer in the contract's words."""
    intents = found.intents
    return {
        "highlights": [
            {
                "room_id": one.room_id,
                "start": one.start,
                "end": one.end,
                "score": round(one.score, 3),
                "tags": list(one.tags),
                "product_id": one.product_id,
                "lifts": dict(one.lifts),
            }
            for one in found.highlights
        ],
        "switches": [
            {"user_id": one.user_id, "ts": one.ts, "from": one.from_tag, "to": one.to_tag}
            for one in found.switches
        ],
        "intents": [
            {"user_id": user, "room_id": room, "ts": ts, "probability": probability}
            for user, room, ts, probability in zip(
                intents.user_id,
                intents.room_id,
                intents.ts.round(3).tolist(),
                intents.probability.round(6).tolist(),
                strict=True,
            )
        ],
        "horizon": intents.horizon,
    }


def _tell_kept(stream: LiveStream, folder: Path) -> None:
    counts = stream.log.counts
    tell(
        "live_interest.kept",
        path=stream.folder,
        folder=folder,
        fresh=f"{counts.fresh:,}",
        repeated=f"{counts.repeated:,}",
    )


def _tell_alarm(alarm: Alarm) -> None:
    tell("live_rooms.alarm", time=_clock(alarm.at), room=alarm.room_id, since=_clock(alarm.since))


def _print(found: Replayed) -> None:
    columns = ("room", "start", "seconds", "score", "tags", "rose")
    grid = Grid(*(say(f"live_rooms.columns_{name}") for name in columns), box=None)
    for one in sorted(found.highlights, key=lambda one: -one.score)[:SHOWN]:
        rose = " ".join(f"{name} {times:.1f}" for name, times in one.lifts[:4])
        cells = (one.room_id, _clock(one.start), f"{one.end - one.start:.0f}", f"{one.score:.1f}",
                 " ".join(one.tags), rose)  # fmt: skip
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)


def _clock(ts: float) -> str:
    try:
        return datetime.fromtimestamp(ts, UTC).strftime("%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"{ts:.0f}"
