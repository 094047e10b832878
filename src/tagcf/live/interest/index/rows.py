"""Rows of users, or of users in scenes: which key has which, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagcf.live.interest.index.kernels import find, put, put_all, rehash, take_out
from tagcf.live.interest.memory import reserved
from tagcf.types import Floats

Keys = NDArray[np.uint64]

_FEWEST_SLOTS = 1 << 15
_GROWTH = 4
# Columns of `about`: one line of memory a row.
LANDMARK, NEWEST, FORGOTTEN, WRITTEN, TAG_RESETS = range(5)


class Rows(NamedTuple):
    """What the compiled code sees of a table of rows. `cap` is the number that it has room for."""

    slots: Keys  # (2^k, 2) a key and 1 + its row
    keys: Keys  # (cap, 3) by row: the key, the user, and the scene or 0
    about: Floats  # (cap, 8) landmark, newest event, forgotten until, events remembered, resets
    n_rows: NDArray[np.int64]  # (1,) rows in use: always the first ones


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and their decayed sums."""

    rows: Rows
    cells: NDArray[np.float32]  # (cap · width,)
    cell_of: NDArray[np.int32]  # (T,) of a tag within its row
    width: int
    n_scales: int

    @property
    def capacity(self) -> int:
        """Rows that there is room for."""
        return len(self.rows.keys)

    @property
    def used(self) -> int:
        """Rows in use."""
        return int(self.rows.n_rows[0])

    def row(self, key: np.uint64) -> int:
        """Row of a key; -1 where it has none."""
        return int(find(self.rows.slots, key))

    def line(self, row: int) -> NDArray[np.float32]:
        """(width,) the sums of one row, to be read or changed."""
        return self.cells[row * self.width : (row + 1) * self.width]


def new_table(capacity: int, n_tags: int, n_scales: int) -> Table:
    """Return an empty table. The scales of a tag stand beside each other within a line of memory.

    A line of 64 bytes holds ``16 // n_scales`` tags whole, so that one tag is one access.
    """
    together = 16 // n_scales
    tag = np.arange(n_tags)
    cell_of = (tag // together * 16 + tag % together * n_scales).astype(np.int32)
    width = -(-n_tags // together) * 16
    rows = Rows(
        slots=np.zeros((_FEWEST_SLOTS, 2), np.uint64),
        keys=reserved((capacity, 3), np.uint64),
        about=reserved((capacity, 8), np.float64),
        n_rows=np.zeros(1, np.int64),
    )
    return Table(rows, reserved((capacity * width,), np.float32), cell_of, width, n_scales)


def grown(table: Table, newcomers: int) -> Table:
    """Return the table with slots for so many more keys; itself where it has them."""
    n_slots = len(table.rows.slots)
    needed = 2 * min(table.used + newcomers, table.capacity)
    if needed <= n_slots:
        return table
    while n_slots < needed:
        n_slots *= _GROWTH
    slots = np.zeros((n_slots, 2), np.uint64)
    rehash(table.rows.slots, slots)
    return replace(table, rows=table.rows._replace(slots=slots))


def add_rows(table: Table, keys: Keys, about: Floats) -> int:
    """Append rows by their keys (n, 3), and (n, 8) about them; return the first."""
    first, n = table.used, len(keys)
    put_all(table.rows.slots, np.ascontiguousarray(keys[:, 0]), first)
    table.rows.keys[first : first + n] = keys
    table.rows.about[first : first + n] = about
    table.rows.n_rows[0] = first + n
    return first


def remove_row(table: Table, row: int) -> int:
    """Take a row out; the last row moves into its place. Returns the row that moved."""
    rows, last = table.rows, table.used - 1
    take_out(rows.slots, rows.keys[row, 0])
    if row != last:
        take_out(rows.slots, rows.keys[last, 0])
        put(rows.slots, rows.keys[last, 0], row)
        rows.keys[row], rows.about[row] = rows.keys[last], rows.about[last]
        table.line(row)[:] = table.line(last)
    rows.keys[last], rows.about[last] = 0, 0
    table.line(last)[:] = 0
    rows.n_rows[0] = last
    return last
