"""What users did, in order: the one thing that every next-item model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Histories:
    """Item sequences, oldest event first, one after another. U users, E events, I items.

    A history needs no user that was seen in training: a live sequence is as good.
    """

    indptr: NDArray[np.int64]  # (U + 1,) where each user's events start
    item: Codes  # (E,) items as dense integers
    ts: Floats  # (E,) epoch seconds; NaN where unknown
    n_items: int

    @staticmethod
    def of(sequences: Sequence[Sequence[int]], n_items: int) -> Histories:
        """Make histories of plain lists of items, without times."""
        sizes = np.array([len(one) for one in sequences], dtype=np.int64)
        item = np.array([at for one in sequences for at in one], dtype=np.int32)
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Histories(indptr, item, np.full(item.size, np.nan), n_items)

    @staticmethod
    def from_events(user: Codes, item: Codes, ts: Floats, n_users: int, n_items: int) -> Histories:
        """Sort events by user, then time; of equal times the order given stays."""
        order = np.lexsort((ts, user))  # lexsort is stable
        count = np.bincount(user, minlength=n_users)
        indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        return Histories(indptr, item[order], ts[order], n_items)

    def __len__(self) -> int:
        """Count the users."""
        return len(self.indptr) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(U,) events of each user."""
        return np.diff(self.indptr)

    @property
    def user(self) -> Codes:
        """(E,) position of each event's user."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.sizes)

    def users(self, at: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Histories:
        """Histories of some users; a slice with step 1 copies no events."""
        if isinstance(at, slice) and at.step in (None, 1):
            start, stop, _ = at.indices(len(self))
            first, last = self.indptr[start], self.indptr[max(start, stop)]
            indptr = self.indptr[start : max(start, stop) + 1] - first
            return Histories(indptr, self.item[first:last], self.ts[first:last], self.n_items)
        which = np.arange(len(self))[at]
        sizes = self.sizes[which]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        place = np.repeat(self.indptr[which] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return Histories(indptr, self.item[place], self.ts[place], self.n_items)

    def where(self, kept: NDArray[np.bool_]) -> Histories:
        """Histories with only the events flagged (E,); users without events stay, empty."""
        count = np.bincount(self.user[kept], minlength=len(self))
        indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        return Histories(indptr, self.item[kept], self.ts[kept], self.n_items)

    def without_last(self, n: int) -> Histories:
        """Histories without each user's last n events."""
        left = np.repeat(self.indptr[1:], self.sizes) - np.arange(self.item.size)
        return self.where(left > n)

    def seen(self) -> sparse.csr_array:
        """(U, I) float32: 1 where the user has had the item."""
        shape = (len(self), self.n_items)
        ones = np.ones(self.item.size, np.float32)
        # A copy: sum_duplicates works in place, on our own arrays otherwise.
        table = sparse.csr_array((ones, self.item, self.indptr), shape=shape, copy=True)
        table.sum_duplicates()
        table.data[:] = 1.0
        return table
