"""Sums over users that a linear model is solved from: they add, subtract and travel as bytes.

Values are int64 in units of 2^−30 (see `kernels`), so that adding and subtracting users leaves
exactly what training without them gives.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, distinct
from tagcf.recommend.linear.kernels import (
    add_entries,
    bag_entries,
    count_pairs,
    pair_entries,
)

Sums = NDArray[np.int64]
PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Entries:
    """Addends of the two tables, of some users."""

    gram_row: NDArray[np.int64]
    gram_column: NDArray[np.int64]
    gram: Sums
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    cross: Sums


@dataclass(frozen=True, slots=True)
class Dense:
    """Statistics as full tables: F = N · I features, I items."""

    gram: Sums  # (F, F), upper triangle
    cross: Sums  # (F, I); of an unordered design (0, I)
    count: Sums  # (I,) events

    def __add__(self, other: Dense) -> Dense:
        return Dense(self.gram + other.gram, self.cross + other.cross, self.count + other.count)

    def __sub__(self, other: Dense) -> Dense:
        return Dense(self.gram - other.gram, self.cross - other.cross, self.count - other.count)

    def to_bytes(self) -> bytes:
        """Pack into a compressed archive of arrays; no pickle."""
        return _packed(gram=self.gram, cross=self.cross, count=self.count)

    @staticmethod
    def from_bytes(packed: bytes) -> Dense:
        """Unpack what `to_bytes` made."""
        with np.load(io.BytesIO(packed), allow_pickle=False) as got:
            return Dense(got["gram"], got["cross"], got["count"])


@dataclass(frozen=True, slots=True)
class Sparse:
    """Statistics as the pairs that occur: F = N · I features, I items."""

    gram: sparse.csr_array  # (F, F) int64, upper triangle
    cross: sparse.csr_array  # (F, I) int64; of an unordered design empty
    count: Sums  # (I,) events

    def __add__(self, other: Sparse) -> Sparse:
        return Sparse(
            _kept(self.gram + other.gram), _kept(self.cross + other.cross), self.count + other.count
        )

    def __sub__(self, other: Sparse) -> Sparse:
        return Sparse(
            _kept(self.gram - other.gram), _kept(self.cross - other.cross), self.count - other.count
        )

    def to_bytes(self) -> bytes:
        """Pack into a compressed archive of arrays; no pickle."""
        return _packed(count=self.count, **_parts("gram", self.gram), **_parts("cross", self.cross))

    @staticmethod
    def from_bytes(packed: bytes) -> Sparse:
        """Unpack what `to_bytes` made."""
        with np.load(io.BytesIO(packed), allow_pickle=False) as got:
            tables = [
                sparse.csr_array(
                    (got[f"{name}_data"], got[f"{name}_indices"], got[f"{name}_indptr"]),
                    shape=tuple(got[f"{name}_shape"]),
                )
                for name in ("gram", "cross")
            ]
            return Sparse(tables[0], tables[1], got["count"])


def moved(
    old: Dense | Sparse, gained: Dense | Sparse | None, lost: Dense | Sparse
) -> Dense | Sparse:
    """Statistics plus what is gained, minus what is lost; all of one kind."""
    if isinstance(old, Dense):
        assert isinstance(lost, Dense)  # noqa: S101 - one part has one kind
        assert gained is None or isinstance(gained, Dense)  # noqa: S101
        return (old if gained is None else old + gained) - lost
    assert isinstance(lost, Sparse)  # noqa: S101
    assert gained is None or isinstance(gained, Sparse)  # noqa: S101
    return (old if gained is None else old + gained) - lost


def dense_statistics(histories: Histories, design: Design) -> Dense:
    """Count into full tables; memory 8 · F · (F + I) bytes."""
    n = histories.n_items
    features = len(design.windows) * n
    gram = np.zeros((features, features), np.int64)
    cross = np.zeros((features if design.ordered else 0, n), np.int64)
    for part in entries(histories, design):
        add_entries(part.gram_row, part.gram_column, part.gram, 1, gram)
        add_entries(part.row, part.column, part.cross, 1, cross)
    return Dense(gram, cross, np.bincount(histories.item, minlength=n).astype(np.int64))


def sparse_statistics(histories: Histories, design: Design) -> Sparse:
    """Count the pairs that occur, some users at a time."""
    n = histories.n_items
    features = len(design.windows) * n
    gram = sparse.csr_array((features, features), dtype=np.int64)
    cross = sparse.csr_array((features, n), dtype=np.int64)
    for part in entries(histories, design):
        gram = gram + _table(part.gram, part.gram_row, part.gram_column, gram.shape)
        cross = cross + _table(part.cross, part.row, part.column, cross.shape)
    count = np.bincount(histories.item, minlength=n).astype(np.int64)
    return Sparse(_kept(gram), _kept(cross), count)


def entries(histories: Histories, design: Design) -> Iterator[Entries]:
    """Yield the addends of blocks of users, of about `PAIRS_AT_ONCE` each."""
    own = histories if design.ordered else distinct(histories)
    weight = design.row_weights(own)
    reach = np.minimum(own.sizes, design.reach)
    effort = np.cumsum(own.sizes * reach) * len(design.windows) ** 2
    start = 0
    while start < len(own):
        done = effort[start - 1] if start else 0
        stop = int(np.searchsorted(effort, done + PAIRS_AT_ONCE, side="right"))
        stop = max(stop, start + 1)
        lo, hi = own.indptr[start], own.indptr[stop]
        yield _entries(own.users(slice(start, stop)), weight[lo:hi], design)
        start = stop


def _entries(part: Histories, weight: NDArray[np.float64], design: Design) -> Entries:
    if not design.ordered:
        kept = np.minimum(part.sizes, design.reach)
        size = int(np.sum(kept * (kept + 1) // 2))
        row, column, value = np.empty((3, size), np.int64)
        bag_entries(part.indptr, part.item, design.reach, row, column, value)
        none = np.zeros(0, np.int64)
        return Entries(row, column, value, none, none, none)
    lengths, decays = design.lengths, design.decays
    size, crossed = count_pairs(part.indptr, lengths)
    gram_row, gram_column, gram = np.empty((3, size), np.int64)
    row, column, cross = np.empty((3, crossed), np.int64)
    n = part.n_items
    pair_entries(
        part.indptr, part.item, weight, lengths, decays, n,
        gram_row, gram_column, gram, row, column, cross,
    )  # fmt: skip
    return Entries(gram_row, gram_column, gram, row, column, cross)


def _table(
    value: Sums, row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.csr_array((value, (row, column)), shape=shape)


def _kept(table: sparse.csr_array) -> sparse.csr_array:
    kept = sparse.csr_array(table)
    kept.sum_duplicates()
    kept.eliminate_zeros()
    return kept


def _parts(name: str, table: sparse.csr_array) -> dict[str, NDArray[np.int64]]:
    return {
        f"{name}_data": table.data,
        f"{name}_indices": table.indices,
        f"{name}_indptr": table.indptr,
        f"{name}_shape": np.array(table.shape, np.int64),
    }


def _packed(**arrays: NDArray[np.int64]) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()
