"""Events of live rooms to counts per room and second; state is bounded, late events have a while.

Raw counts tell what happened. Weighted counts are for finding highlights: somebody's acts beyond
`allowance` within a fading half minute weigh nothing, so that neither a run of gifts nor a script
looks like a crowd, and accounts that were never seen to come in weigh nothing at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tagcf.live.interest.index import kernels as index
from tagcf.live.rooms.seconds import kernels
from tagcf.live.rooms.seconds.clock import Admitted, StreamClock
from tagcf.types import Codes
from tagcf.types.live import ACTIONS, Keys, LiveEvents

COUNTED = (
    "like",
    "danmaku",
    "comment",
    "share",
    "gift",
    "follow",
    "rewatch",
    "product_click",
    "add_to_cart",
    "purchase",
)
WATCHING = ("click", "dwell")  # actions that only somebody in the room sends
Counts = NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
_STRIDE = 16  # seconds that are counted before any are closed


@dataclass(frozen=True, slots=True)
class Seconds:
    """Room-seconds with anybody in them, in the order of room and second; n rows, B of `COUNTED`.

    `second` is epoch seconds, `room` a position in `rooms`; `counts` (n, B) and `weighted` (n, B)
    are explained in the module's docstring.
    """

    rooms: Keys
    room: Codes
    second: NDArray[np.int64]
    viewers: Codes
    active: Codes  # different people who did anything
    arrivals: Codes
    leaves: Codes  # told, or taken for gone after a silence
    counts: NDArray[np.int32]
    weighted: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.room)


class RoomSeconds:
    """Counts events per room and second while they stream in.

    Parameters
    ----------
    late
        Seconds by which an event may come after the newest; what comes later is counted in
        `.late` and left out. Events with clocks that nobody agrees with are counted in `.early`.
    idle
        Seconds of silence after which somebody is taken for gone.
    people_at_most
        Places for pairs of user and room; beyond, whoever was silent longest is forgotten.
    allowance, half_life
        Acts of one person that count, and the seconds in which an act is half forgotten.
    watching
        Actions that only somebody in the room sends.
    """

    def __init__(
        self,
        *,
        late: int = 30,
        idle: int = 300,
        people_at_most: int = 1 << 18,
        allowance: float = 8.0,
        half_life: float = 20.0,
        watching: Sequence[str] = WATCHING,
    ) -> None:
        self.late = 0
        self._allowed, self._idle = late, idle
        self._fade, self._allowance = float(np.log(2) / half_life), np.float32(allowance)
        self._column = np.array(
            [COUNTED.index(name) if name in COUNTED else -1 for name in ACTIONS], np.int64
        )
        self._watches = np.array([name in watching for name in ACTIONS])
        step = max(late // 2, 1)
        self._clock = StreamClock(step)
        self._width = 1 << int(np.ceil(np.log2(late + step + idle + 2 * _STRIDE)))
        places = 1 << int(np.ceil(np.log2(people_at_most)))
        self._keys = np.zeros(places, np.uint64)
        self._person = np.zeros((places, 4), np.int32)
        self._recent = np.zeros(places, np.float32)
        self._slots = np.zeros((64, 2), np.uint64)
        self._rooms = np.zeros(0, np.uint64)
        self._row = np.zeros(0, np.int32)  # (rooms,) of the ring, -1 while a room is silent
        self._name = np.zeros(0, np.int32)  # (rows,) room, -1 of a free row
        self._last = np.zeros(0, np.int64)  # (rows,) last second of anything
        self._ring = np.zeros((0, self._width, len(COUNTED) + 3), np.int32)
        self._weight = np.zeros((0, self._width, len(COUNTED)), np.float32)
        self._quiet = np.zeros((0, self._width), np.int32)
        self._viewers = np.zeros(0, np.int32)
        self._origin: int | None = None  # epoch second of inner second 0
        self._open = 0  # first inner second that is open

    @property
    def rooms(self) -> Keys:
        """(R,) keys of the rooms seen, in the order of appearance."""
        return self._rooms

    @property
    def early(self) -> int:
        """Events with clocks ahead of all others'."""
        return self._clock.refused

    @property
    def memory(self) -> int:
        """Bytes of state."""
        arrays = (self._keys, self._person, self._recent, self._ring, self._weight, self._quiet)
        return sum(one.nbytes for one in arrays) + self._clock.memory

    def update(self, events: LiveEvents) -> Seconds:
        """Count a batch and return the room-seconds that no event may change any more.

        The order of events is free as far as `late` allows, and how they are cut into batches does
        not matter.
        """
        at = np.flatnonzero(events.room != 0)
        second = np.floor(events.ts[at]).astype(np.int64)
        room = self._positions(events.room[at])
        return self._take(self._clock.admit(second, room, events.user[at], events.action[at]))

    def finish(self) -> Seconds:
        """Close everything: the stream has ended."""
        counted = self._take(self._clock.finish())
        until = int(self._last.max(initial=self._open - 1)) + 1
        return join_seconds([counted, self._close(until)])

    def _take(self, admitted: Admitted) -> Seconds:
        if self._origin is None and len(admitted.clock):
            self._origin = int(admitted.clock[0]) - self._allowed
        origin = self._origin or 0
        clock = admitted.clock - origin
        parts: list[Seconds] = []
        for piece in _pieces(clock):
            parts.append(self._close(int(clock[piece.start]) - self._allowed))
            self._count(admitted, piece, origin)
        parts.append(self._close(self._clock.now - origin - self._allowed))
        return join_seconds(parts)

    def _count(self, admitted: Admitted, piece: slice, origin: int) -> None:
        second, room, user, action, clock = Admitted._make(column[piece] for column in admitted)
        self.late += kernels.count(
            room,
            self._rows(room),
            user,
            action,
            second - origin,
            clock - origin,
            self._column,
            self._watches,
            self._ring,
            self._weight,
            self._quiet,
            self._last,
            self._keys,
            self._person,
            self._recent,
            (self._allowed, self._idle, self._fade, self._allowance),
        )

    def _close(self, until: int) -> Seconds:
        """Close seconds up to `until`, not included."""
        begin, end = self._open, min(until, self._open + self._width)
        self._open = max(until, self._open)
        used = self._used()
        n = kernels.measure(self._ring, self._quiet, self._viewers, used, begin, end)
        room, viewers = np.empty(n, np.int32), np.empty(n, np.int32)
        second = np.empty(n, np.int64)
        counts = np.empty((n, self._ring.shape[2]), np.int32)
        weighted = np.empty((n, len(COUNTED)), np.float32)
        leaves = np.empty(n, np.int32)
        kernels.close(
            self._ring, self._weight, self._quiet, self._viewers, used, self._name, begin, end,
            room, second, viewers, counts, weighted, leaves,
        )  # fmt: skip
        self._free(used)
        active, arrivals, _ = counts[:, len(COUNTED) :].T
        return Seconds(
            self._rooms,
            room,
            second + (self._origin or 0),
            viewers,
            active.copy(),
            arrivals.copy(),
            leaves,
            counts[:, : len(COUNTED)],
            weighted,
        )

    def _positions(self, keys: Keys) -> Codes:
        """(n,) positions of rooms; new ones are entered."""
        rows = index.find_all(self._slots, keys)
        new = np.unique(keys[rows < 0])
        if len(new):
            known = len(self._rooms)
            self._rooms = np.append(self._rooms, new)
            if 2 * len(self._rooms) > len(self._slots):
                slots = np.zeros((4 * (1 << int(np.log2(len(self._rooms)) + 1)), 2), np.uint64)
                index.rehash(self._slots, slots)
                self._slots = slots
            index.put_all(self._slots, new, known)
            self._row = np.append(self._row, np.full(len(new), -1, np.int32))
            rows = index.find_all(self._slots, keys)
        positions: Codes = rows.astype(np.int32)
        return positions

    def _rows(self, room: Codes) -> Codes:
        """(n,) rows of the ring; rooms that were silent get one."""
        new = np.unique(room[self._row[room] < 0])
        if not len(new):
            return self._row[room]
        free = np.flatnonzero(self._name < 0)
        if len(free) < len(new):
            more = max(len(new) - len(free), len(self._name) // 4)
            free = np.append(free, np.arange(more) + len(self._name))
            self._name = np.append(self._name, np.full(more, -1, np.int32))
            self._ring = _longer(self._ring, len(self._name))
            self._weight = _longer(self._weight, len(self._name))
            self._quiet = _longer(self._quiet, len(self._name))
            self._viewers = _longer(self._viewers, len(self._name))
            self._last = _longer(self._last, len(self._name))
        taken = free[: len(new)]
        self._row[new], self._name[taken] = taken, new
        self._last[taken] = self._open - 1
        return self._row[room]

    def _used(self) -> Counts:
        """Rows of the rooms that are kept, in the order of the rooms."""
        used: Counts = np.flatnonzero(self._name >= 0)
        return used[np.argsort(self._name[used])]

    def _free(self, used: Counts) -> None:
        """Give up rows whose rooms have been silent for so long that all are closed and empty."""
        silent = used[self._last[used] + self._idle < self._open]
        self._row[self._name[silent]] = -1
        self._name[silent] = -1
        self._viewers[silent] = 0


def _pieces(clock: NDArray[np.int64]) -> Iterable[slice]:
    """Cut a batch where its time has moved on by more than `_STRIDE` seconds."""
    edges = np.flatnonzero(np.diff(clock // _STRIDE)) + 1
    bounds = [0, *edges.tolist(), len(clock)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds) if b > a]


def _longer(array: NDArray[Number], rows: int) -> NDArray[Number]:
    longer = np.zeros((rows, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def join_seconds(parts: Sequence[Seconds]) -> Seconds:
    """Put consecutive blocks into one, again in the order of room and second."""
    if len(parts) == 1:
        return parts[0]
    names = Seconds.__slots__[1:]
    columns = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
    order = np.lexsort((columns["second"], columns["room"]))
    rooms = max((one.rooms for one in parts), key=len)
    return Seconds(rooms, *(columns[name][order] for name in names))
