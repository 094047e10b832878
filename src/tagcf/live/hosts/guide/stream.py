"""Events in, hints out: for all rooms at once, second by second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.live.danmaku.read import DanmakuReader
from tagcf.live.hosts.guide import chance
from tagcf.live.hosts.guide.channels import (
    ASKED,
    CHANNELS,
    FALLING_WEIGHT,
    KINDS,
    Hint,
)
from tagcf.live.hosts.guide.lines import Lines, about, read_lines
from tagcf.live.hosts.guide.places import Places
from tagcf.live.hosts.guide.windows import WINDOW, C, Standing, Windows, enough
from tagcf.live.replay import names_of
from tagcf.live.rooms.seconds import COUNTED, WATCHING, RoomSeconds, Seconds
from tagcf.live.rooms.segments import RoomSegments
from tagcf.types import Floats
from tagcf.types.live import LiveEvents

_LIVELY = [
    k for k, name in enumerate(COUNTED) if name not in ("product_click", "add_to_cart", "purchase")
]
_BUYS = [COUNTED.index(name) for name in ("add_to_cart", "purchase")]
_AT = {name: k for k, name in enumerate(KINDS)}
_FALLING = _AT["falling"]
_ASKED = np.array([_AT[name] for name in ASKED])
EVERY = 30  # seconds between looks at whether excitement falls
SILENT = 1_800  # seconds after which a room is forgotten
CLOSING = 60.0  # seconds before a show ends in which nothing is told of leaving and falling


@dataclass(frozen=True, slots=True)
class Guidance:
    """When a hint is worth it. The defaults were chosen on simulated worlds of seeds >= 100.

    Parameters
    ----------
    by_chance
        Hints an hour that a room may give by chance, of all kinds together.
    fewest, times
        People in a window, and times the usual, below which nothing is told.
    fallen
        Share of the usual to which excitement has to fall.
    known
        Seconds on air before anything is told.
    wander
        How far rates of a room move on their own: standard deviation ``1 / sqrt(wander)``.
    again
        Seconds in which the same thing is not said again.
    apart
        Seconds between two hints in a room, unless the second matters more.
    sure
        Confidence from which on the intent of a line counts.
    late
        Seconds by which events may come late; hints wait for as long.
    """

    by_chance: float = 0.5
    fewest: float = 3.0
    times: float = 2.0
    fallen: float = 0.7
    known: float = 120.0
    wander: float = 10.0
    again: float = 120.0
    apart: float = 20.0
    sure: float = 0.5
    late: int = 10


class Guide:
    """Hints for the hosts of all rooms of a stream.

    Parameters
    ----------
    segments
        What is on: names the product on the table.
    using
        Thresholds.
    reader
        Reads danmaku; by words alone by default.
    watching
        Actions that only somebody in the room sends.
    """

    def __init__(
        self,
        segments: RoomSegments | None = None,
        *,
        using: Guidance | None = None,
        reader: DanmakuReader | None = None,
        watching: tuple[str, ...] = WATCHING,
    ) -> None:
        self.using = using or Guidance()
        self._segments, self._reader = segments, reader
        self._seconds = RoomSeconds(late=self.using.late, watching=watching)
        self._windows = Windows(self.using.wander, prior=1.0)
        self._lines = Lines()
        self._places = Places()
        self._heard: dict[int, int] = {}  # room -> second of the stream
        self._names: dict[int, str] = {}
        self._said: dict[tuple[int, str, str], int] = {}  # room, kind, subject -> second
        self._last: dict[int, tuple[int, float]] = {}  # room -> second and priority of a hint

    @property
    def late(self) -> int:
        """Events that came too late to count."""
        return self._seconds.late

    def update(self, events: LiveEvents) -> tuple[Hint, ...]:
        """Take in events in the order of arrival; return hints in the order of time."""
        named = names_of(events, "room")
        self._names |= named
        self._lines.add(read_lines(events, self._reader, self.using.sure))
        closed = self._seconds.update(events)
        hints = self._advance(closed)
        if len(closed):
            self._forget(int(closed.second.max()), [*named, *closed.rooms[closed.room].tolist()])
        elif self._heard:
            self._heard |= dict.fromkeys(named, max(self._heard.values()))
        return hints

    def finish(self) -> tuple[Hint, ...]:
        """Judge what is left: the stream has ended."""
        return self._advance(self._seconds.finish())

    def _advance(self, closed: Seconds) -> tuple[Hint, ...]:
        of = self._places.of(closed.rooms, closed.room)
        self._windows.grow(len(self._places))
        order = np.argsort(closed.second, kind="stable")
        edges = np.flatnonzero(np.diff(closed.second[order])) + 1
        hints: list[Hint] = []
        for rows in np.split(order, edges) if len(order) else []:
            second = int(closed.second[rows[0]])
            counts, viewers = self._count(closed, rows, second, of[rows])
            self._windows.step(second, counts, viewers)
            standing = self._windows.standing()
            hints += self._judge(second, counts, viewers, standing)
        return tuple(hints)

    def _forget(self, now: int, heard: list[int]) -> None:
        """Let go of rooms that were silent for long, and of all that is kept of them."""
        self._heard |= dict.fromkeys(heard, now)
        silent = max(SILENT, self.using.again, self.using.apart)
        gone = {room for room, at in self._heard.items() if now - at > silent}
        if not gone:
            return
        for room in gone:
            del self._heard[room]
            self._names.pop(room, None)
            self._last.pop(room, None)
            place = self._places.free(room)
            if place >= 0:
                self._windows.forget(place)
        self._said = {same: at for same, at in self._said.items() if same[0] not in gone}
        self._lines.forget(gone)

    def _count(
        self, closed: Seconds, rows: np.ndarray, second: int, room: np.ndarray
    ) -> tuple[Floats, Floats]:
        """(R, C) counts of a second and (R,) viewers, by the rooms' places."""
        counts, viewers = np.zeros((len(self._places), C)), np.zeros(len(self._places))
        viewers[room] = closed.viewers[rows]
        counts[room, _AT["buying"]] = closed.weighted[rows][:, _BUYS].sum(axis=1)
        counts[room, _AT["arrivals"]] = closed.arrivals[rows]
        counts[room, _AT["leaving"]] = closed.leaves[rows]
        counts[room, _FALLING] = closed.weighted[rows][:, _LIVELY].sum(axis=1)
        for line in self._lines.close(second):
            place = self._places.find(line.room)
            if place >= 0:
                counts[place, _AT[line.kind]] += 1
        return counts, viewers

    def _judge(
        self, second: int, counts: Floats, viewers: Floats, standing: Standing
    ) -> list[Hint]:
        using = self.using
        open_ = enough(standing, using.known, using.fewest, using.times) & (counts > 0)
        open_[:, _FALLING] = False
        rows, kinds = np.nonzero(open_)
        times = chance.rises_an_hour(
            standing.count[rows, kinds],
            standing.expected[rows, kinds],
            standing.shape[rows, kinds],
            WINDOW[kinds].astype(np.float64),
        )
        found = list(zip(rows.tolist(), kinds.tolist(), times.tolist(), strict=True))
        if second % EVERY == 0:
            found += self._falls(standing, viewers)
        hints: list[Hint] = []
        allowed = using.by_chance / len(KINDS)
        made = [
            self._hint(self._places.room(row), second, kind, standing, row, by_chance, viewers)
            for row, kind, by_chance in found
            if by_chance <= allowed
        ]
        for hint, room in sorted(
            ((one, key) for one, key in made if one is not None), key=lambda pair: -pair[0].priority
        ):
            if self._may(hint, room):
                hints.append(hint)
        return hints

    def _falls(self, standing: Standing, viewers: Floats) -> list[tuple[int, int, float]]:
        count, expected = standing.count[:, _FALLING], standing.expected[:, _FALLING]
        low = (count <= self.using.fallen * expected) & (viewers > 0)
        low &= standing.known[:, _FALLING] >= self.using.known
        rows = np.flatnonzero(low)
        times = chance.falls_an_hour(
            count[rows], expected[rows], standing.shape[rows, _FALLING], EVERY
        )
        return [(row, _FALLING, by) for row, by in zip(rows.tolist(), times.tolist(), strict=True)]

    def _hint(
        self,
        room: int,
        second: int,
        kind: int,
        standing: Standing,
        row: int,
        by_chance: float,
        viewers: Floats,
    ) -> tuple[Hint | None, int]:
        name = KINDS[kind]
        on = -1
        if self._segments is not None and len(self._segments):
            on = int(self._segments.at(np.array([room], np.uint64), [float(second)])[0])
            if name in ("leaving", "falling") and self._closing(on, second):
                return None, room
        subject, number = "", -1
        said: tuple[str, ...] = ()
        if kind in _ASKED:
            lines = self._lines.recent(room, name, second)
            if lines:
                subject, number, said = about(lines)
        weight = FALLING_WEIGHT if name == "falling" else CHANNELS[name].weight
        surprise = min(1.0, -np.log10(max(by_chance, 1e-9)) / 9.0)
        product = self._segments.product_id[on] if self._segments is not None and on >= 0 else None
        hint = Hint(
            self._names.get(room, str(room)),
            float(second),
            name,
            float(standing.count[row, kind]),
            int(WINDOW[kind]),
            float(standing.before[row, kind]),
            float(standing.expected[row, kind]),
            by_chance,
            subject,
            number,
            product,
            float(viewers[row]),
            round(float(0.7 * weight + 0.3 * surprise), 3),
            said,
        )
        return hint, room

    def _closing(self, on: int, second: int) -> bool:
        """Whether the show is about to end, as far as segments tell."""
        segments = self._segments
        if segments is None or on < 0:
            return False
        goes_on = on + 1 < len(segments) and segments.room[on + 1] == segments.room[on]
        goes_on = bool(goes_on and segments.start[on + 1] - segments.end[on] <= CLOSING)
        return not goes_on and second >= segments.end[on] - CLOSING

    def _may(self, hint: Hint, room: int) -> bool:
        """Whether to say it now: not again too soon, and not too much at once."""
        at, using = int(hint.at), self.using
        same = (room, hint.kind, hint.subject)
        if at - self._said.get(same, -(1 << 60)) < using.again:
            return False
        second, priority = self._last.get(room, (-(1 << 60), 0.0))
        if at - second < using.apart and hint.priority <= priority:
            return False
        self._said[same] = at
        self._last[room] = (at, hint.priority)
        return True
