"""Rows of tables that rooms take, and give back when they are forgotten."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Codes
from tagcf.types.live import Keys

NONE = -1


class Places:
    """Rows by room; the lowest that are free are taken first."""

    def __init__(self) -> None:
        self._of: dict[int, int] = {}
        self._rooms: list[int] = []  # by row; of a free row, whose it was
        self._free: list[int] = []

    def __len__(self) -> int:
        """Rows that were ever taken at once."""
        return len(self._rooms)

    def of(self, rooms: Keys, room: Codes) -> NDArray[np.int64]:
        """(n,) rows of rooms, given as positions in `rooms`; new ones take rows."""
        which, at = np.unique(room, return_inverse=True)
        rows = [self._take(key) for key in rooms[which].tolist()]
        return np.array(rows, np.int64)[at]

    def _take(self, room: int) -> int:
        if room not in self._of:
            if self._free:
                self._of[room] = heapq.heappop(self._free)
                self._rooms[self._of[room]] = room
            else:
                self._of[room] = len(self._rooms)
                self._rooms.append(room)
        return self._of[room]

    def find(self, room: int) -> int:
        """Row of a room; -1: it has none."""
        return self._of.get(room, NONE)

    def room(self, row: int) -> int:
        """Key of the room in a row."""
        return self._rooms[row]

    def free(self, room: int) -> int:
        """Give a room's row back and return it; -1: it had none."""
        row = self._of.pop(room, NONE)
        if row != NONE:
            heapq.heappush(self._free, row)
        return row
