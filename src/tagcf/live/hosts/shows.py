"""A host's rooms second by second: the timeline, its highlights and its drop-offs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.hosts.answers import Show
from tagcf.live.rooms.dropoff import DropOff, find_dropoffs
from tagcf.live.rooms.highlights import Highlight, find_bursts, name_bursts
from tagcf.live.rooms.seconds import COUNTED, WATCHING, RoomSeconds, Seconds, join_seconds
from tagcf.live.rooms.segments import RoomSegments
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.wire import kept
from tagcf.types import Floats
from tagcf.types.live import ACTIONS, LiveEvents

LATE = 600  # seconds by which a recorded event may come after the newest
STEPS = 240  # points of a timeline, at most
STEP = 10  # seconds, at least


@dataclass(frozen=True, slots=True)
class Played:
    """What was counted and found in some rooms."""

    seconds: Seconds | None
    highlights: tuple[Highlight, ...]
    dropoffs: tuple[DropOff, ...]

    @classmethod
    def nothing(cls) -> Played:
        """Where no events are at hand."""
        return cls(None, (), ())

    def dropoffs_in(self, room: np.uint64) -> list[DropOff]:
        """Drop-offs of one room."""
        if self.seconds is None:
            return []
        return [one for one in self.dropoffs if self.seconds.rooms[one.room] == room]


def play_rooms(tables: LiveTables, segments: RoomSegments, rows: NDArray[np.int64]) -> Played:
    """Count the rooms that some segments are of, and look for bursts and losses."""
    events = tables.events
    here = kept(events, np.isin(events.room, np.unique(segments.room[rows])))
    seconds = count_seconds(here)
    names = dict(zip(segments.room.tolist(), segments.room_id, strict=True))
    bursts = find_bursts(seconds)
    return Played(
        seconds,
        name_bursts(bursts, seconds.rooms, names, segments),
        find_dropoffs(seconds, segments),
    )


def count_seconds(events: LiveEvents) -> Seconds:
    """Count a recorded stream; where it does not tell who comes in, whoever acts is there."""
    watching = np.isin(events.action, [ACTIONS.index(name) for name in WATCHING])
    counter = RoomSeconds(late=LATE, watching=WATCHING if watching.any() else ACTIONS)
    return join_seconds([counter.update(events), counter.finish()])


def draw_shows(
    played: Played, segments: RoomSegments, rows: NDArray[np.int64], show: NDArray[np.int64]
) -> tuple[Show, ...]:
    """One timeline for each stretch on air, in the order of time."""
    if played.seconds is None:
        return ()
    numbers = show[rows]
    first = [rows[numbers == number] for number in dict.fromkeys(numbers.tolist())]
    return tuple(_show(played.seconds, segments, mine) for mine in first)


def _show(seconds: Seconds, segments: RoomSegments, rows: NDArray[np.int64]) -> Show:
    start, end = float(segments.start[rows[0]]), float(segments.end[rows[-1]])
    step = STEP * max(1, int(np.ceil((end - start) / STEP / STEPS)))
    n = max(1, int(np.ceil((end - start) / step)))
    here = seconds.rooms[seconds.room] == segments.room[rows[0]]
    here &= (seconds.second >= start) & (seconds.second < end)
    at = ((seconds.second[here] - start) / step).astype(np.int64).clip(0, n - 1)
    live = [k for k, name in enumerate(COUNTED) if name not in ("product_click", "add_to_cart")]
    acts = seconds.weighted[here][:, live].sum(axis=1)
    watched = np.bincount(at, weights=seconds.viewers[here], minlength=n)
    acted = np.bincount(at, weights=acts, minlength=n)
    per_minute: Floats = 60.0 * acted / np.maximum(watched, 1.0)
    ids = tuple(segments.segment_id[row] for row in rows.tolist())
    room = segments.room_id[rows[0]]
    return Show(room, start, end, step, watched / step, per_minute, ids)
