"""What rooms have shown up to a time: parts, highlights, who saw what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.errors import DataError, UnknownNameError
from tagcf.live.replay import LATE, names_of
from tagcf.live.rooms.highlights import find_bursts, name_bursts
from tagcf.live.rooms.seconds import WATCHING, RoomSeconds, Seconds, join_seconds
from tagcf.live.rooms.segments import cut_rooms
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.viewing.parts import RoomPart, room_parts
from tagcf.live.wire import kept
from tagcf.live.wire.keys import id_key
from tagcf.text import did_you_mean
from tagcf.types.live import ACTIONS, LiveEvents

Span = tuple[float, float]
STAY = 300.0  # seconds without an event after which somebody is taken for gone
SEARCHED = 2_000  # names that are compared with one that does not exist


@dataclass(frozen=True, slots=True)
class RoomGuide:
    """What was known of all rooms at one time."""

    at: float  # epoch seconds
    parts: tuple[RoomPart, ...]  # in the order of room and start
    events: LiveEvents  # up to then
    users: dict[int, str]
    segments: pl.DataFrame

    @property
    def rooms(self) -> tuple[str, ...]:
        """Rooms that have parts, in order."""
        return tuple(dict.fromkeys(part.room_id for part in self.parts))

    def of(self, room: str) -> tuple[RoomPart, ...]:
        """Parts of a room.

        Raises
        ------
        UnknownNameError
            There is no such room; the message names near ones.
        """
        found = tuple(part for part in self.parts if part.room_id == room)
        if not found:
            rooms = self.rooms[:SEARCHED]
            raise UnknownNameError(
                "live_viewing.unknown_room",
                name=room,
                hint=did_you_mean(room, rooms),
                known=", ".join(rooms[:5]),
                n=len(self.rooms),
            )
        return found

    def on_air(self) -> tuple[RoomPart, ...]:
        """Parts that are on."""
        return tuple(part for part in self.parts if part.airing == "on")

    def seen_by(self, user: str, room: str) -> tuple[Span, ...]:
        """Spans of a room in which a user was there, by their events."""
        events = self.events
        own = (events.user == np.uint64(id_key(user))) & (events.room == np.uint64(id_key(room)))
        return _visits(events.ts[own], events.action[own])

    def room_of(self, user: str) -> str | None:
        """Room in which a user was last, while they may still be there; else none."""
        events = self.events
        own = (events.user == np.uint64(id_key(user))) & (events.room != 0)
        own &= events.ts > self.at - STAY
        if not own.any():
            return None
        rows = np.flatnonzero(own)
        last = rows[events.ts[rows].argmax()]
        if ACTIONS[events.action[last]] == "leave":
            return None
        name: str | None = events.rows["room_id"][int(last)].as_py()
        return name

    def check_user(self, user: str) -> None:
        """Refuse a user whom no event names.

        Raises
        ------
        UnknownNameError
            The message names near ones.
        """
        if id_key(user) in self.users:
            return
        near = [name for name in self.users.values() if name][:SEARCHED]
        raise UnknownNameError(
            "live_viewing.unknown_user",
            name=user,
            hint=did_you_mean(user, near),
            known=", ".join(near[:3]),
            n=len(self.users),
        )


def guide_of(tables: LiveTables, at: float | None = None) -> RoomGuide:
    """Read what was known at a time, by default that of the newest event.

    Raises
    ------
    DataError
        There are no segments, or no event up to that time.
    """
    if tables.segments is None:
        raise DataError("live_viewing.no_segments")
    newest = float(tables.events.ts.max())
    at = newest if at is None else at
    until = tables.events.ts <= at
    if not until.any():
        earliest = float(tables.events.ts.min())
        raise DataError("live_viewing.too_early", at=at, first=earliest, last=newest)
    events = tables.events if until.all() else kept(tables.events, until)
    seconds = counted(events)
    rooms = names_of(events, "room")
    cut = cut_rooms(tables.segments, tables.tags)
    highlights = name_bursts(find_bursts(seconds), seconds.rooms, rooms, cut)
    parts = room_parts(tables.segments, tables.tags, at, seconds, highlights)
    return RoomGuide(at, parts, events, names_of(events, "user"), tables.segments)


def counted(events: LiveEvents) -> Seconds:
    """Count recorded events by room and second."""
    watching = np.isin(events.action, [ACTIONS.index(name) for name in WATCHING])
    counter = RoomSeconds(late=LATE, watching=WATCHING if watching.any() else ACTIONS)
    return join_seconds([counter.update(events), counter.finish()])


def _visits(ts: np.ndarray, action: np.ndarray) -> tuple[Span, ...]:
    """Spans from a first to a last event, parted by a leave or a long silence."""
    order = np.argsort(ts, kind="stable")
    leave = ACTIONS.index("leave")
    spans: list[Span] = []
    begin = last = None
    for when, what in zip(ts[order].tolist(), action[order].tolist(), strict=True):
        if begin is None or last is None or when - last > STAY:
            if begin is not None and last is not None and last > begin:
                spans.append((begin, last))
            begin = when
        last = when
        if what == leave:
            if last > begin:
                spans.append((begin, last))
            begin = last = None
    if begin is not None and last is not None and last > begin:
        spans.append((begin, last))
    return tuple(spans)
