"""A recorded or simulated stream, played through the code that reads a live one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from tagcf.errors import SettingsError
from tagcf.live.dynamics.switches import detect_switches
from tagcf.live.rooms.highlights import Highlight, HighlightWatch, find_bursts, name_bursts
from tagcf.live.rooms.purchase import find_moments, shipped_intent
from tagcf.live.rooms.seconds import WATCHING, RoomSeconds, Seconds, join_seconds
from tagcf.live.rooms.segments import RoomSegments, cut_rooms
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.stream import LiveStream
from tagcf.live.wire.batch import cut
from tagcf.types import Floats
from tagcf.types.live import ACTIONS, Keys, LiveEvents

LATE = 600  # seconds by which a recorded event may come after the newest
PATIENCE = 10  # the same for alarms, which cannot wait
CHUNK = 1_000  # events handed over at a time, where somebody waits for what they say
WHOLE = 100_000  # where nobody does


class Alarm(NamedTuple):
    """A room is heating up; epoch seconds."""

    room_id: str
    since: float
    at: float


@dataclass(frozen=True, slots=True)
class Switch:
    """A user's interest has moved on."""

    user_id: str
    ts: float
    from_tag: str
    to_tag: str


@dataclass(frozen=True, slots=True)
class Intents:
    """Chances that users buy in a room within the next minutes; n, in the order of time."""

    user_id: list[str]
    room_id: list[str]
    ts: Floats
    probability: Floats
    horizon: float  # seconds


@dataclass(frozen=True, slots=True)
class Replayed:
    """All that was found in a stream."""

    highlights: tuple[Highlight, ...]
    switches: tuple[Switch, ...]
    intents: Intents
    rooms: int
    late: int


def replay(
    tables: LiveTables,
    *,
    speed: float | None = None,
    on_alarm: Callable[[Alarm], None] | None = None,
    into: LiveStream | None = None,
) -> Replayed:
    """Play a stream in the order in which it arrived.

    Parameters
    ----------
    speed
        Times as fast as it was recorded; ``None``: as fast as it goes.
    on_alarm
        Called while the stream plays, when a room begins to burst.
    into
        Log and interest state that every event goes through on its way.

    Raises
    ------
    SettingsError
        The speed is not above 0.
    """
    if speed is not None and not speed > 0:
        raise SettingsError("live_rooms.bad_speed", value=speed)
    segments = cut_rooms(
        _no_segments() if tables.segments is None else tables.segments, tables.tags
    )
    rooms = names_of(tables.events, "room")
    seconds, late = _play(tables.events, rooms, speed, on_alarm, into)
    bursts = find_bursts(seconds)
    return Replayed(
        name_bursts(bursts, seconds.rooms, rooms, segments),
        _switches(tables),
        read_intents(tables, segments, rooms),
        len(rooms),
        late,
    )


def read_intents(tables: LiveTables, segments: RoomSegments, rooms: dict[int, str]) -> Intents:
    """Read the chance of a purchase for everybody in every room, minute by minute."""
    moments = find_moments(tables.events, segments, tables.tags)
    model = shipped_intent()
    users = names_of(tables.events, "user")
    return Intents(
        [users[key] for key in moments.user.tolist()],
        [rooms[key] for key in moments.room.tolist()],
        moments.ts,
        model.probability(moments),
        model.horizon,
    )


def names_of(events: LiveEvents, column: str) -> dict[int, str]:
    """Ids by key: of `room` or `user`."""
    keys: Keys = getattr(events, column)
    known, first = np.unique(keys, return_index=True)
    names = events.rows[f"{column}_id"].take(first).to_pylist()
    return {key: name for key, name in zip(known.tolist(), names, strict=True) if name}


def _play(
    events: LiveEvents,
    rooms: dict[int, str],
    speed: float | None,
    on_alarm: Callable[[Alarm], None] | None,
    into: LiveStream | None,
) -> tuple[Seconds, int]:
    """Hand the events over in pieces: for highlights with patience, for alarms at once."""
    watching = np.isin(events.action, [ACTIONS.index(name) for name in WATCHING])
    # Where a log does not tell who comes in, whoever acts is there.
    who = WATCHING if watching.any() else ACTIONS
    slow, quick = RoomSeconds(late=LATE, watching=who), RoomSeconds(late=PATIENCE, watching=who)
    watch = HighlightWatch()
    parts: list[Seconds] = []
    begun, first = time.monotonic(), float(events.ts[0])
    step = CHUNK if speed is not None or on_alarm is not None else WHOLE
    for at in range(0, len(events), step):
        piece = cut(events, at, at + step)
        if speed is not None:
            due = begun + (float(np.median(piece.ts)) - first) / speed
            time.sleep(max(0.0, due - time.monotonic()))  # the stream's own pace
        if into is not None:
            into.append(piece)
        parts.append(slow.update(piece))
        if on_alarm is not None:
            counted = quick.update(piece)
            for one in watch.update(counted):
                name = rooms.get(int(counted.rooms[one.room]), "")
                on_alarm(Alarm(name, float(one.since), float(one.at)))
    parts.append(slow.finish())
    return join_seconds(parts), slow.late


def _switches(tables: LiveTables) -> tuple[Switch, ...]:
    if tables.tags is None:
        return ()
    found = detect_switches(tables.events, tables.tags, tables.segments)
    rows = found.select("user_id", "ts", "from", "to").iter_rows()
    return tuple(Switch(*row) for row in rows)


def _no_segments() -> pl.DataFrame:
    return pl.DataFrame(schema={"room_id": pl.String, "start_ts": pl.Float64, "end_ts": pl.Float64})
