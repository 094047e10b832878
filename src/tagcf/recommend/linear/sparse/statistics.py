"""Statistics as the pairs that occur, and tables of the most telling of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design
from tagcf.recommend.linear.fit import Arrays, Change, Sums, sparse_arrays, sparse_of
from tagcf.recommend.linear.pairs.entries import entries
from tagcf.recommend.linear.pairs.kernels import UNIT
from tagcf.recommend.linear.ridge import Ridge, diagonal_of, target_weight
from tagcf.recommend.linear.scores.kernels import add_sparse_scores
from tagcf.recommend.linear.sparse.kernels import sparse_columns
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats


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

    def solve(self, design: Design, ridge: Ridge) -> SparseFit:
        """Solve each column of B on its most telling features."""
        cross = _cross(self, design)
        columns = np.arange(cross.shape[1], dtype=np.int64)
        values, places = _columns(self, cross, columns, ridge)
        return SparseFit(self, _table(values, *places, cross.shape))


@dataclass(frozen=True, slots=True)
class SparseFit:
    """A sparse table and its statistics."""

    statistics: Sparse
    table: sparse.csr_array  # (F, I) float32

    @property
    def count(self) -> Sums:
        """(I,) events of each item."""
        return self.statistics.count

    def changed(self, change: Change, design: Design, ridge: Ridge) -> SparseFit:
        """Solve again the columns that have an entry at an item that was touched."""
        gained = sparse_statistics(change.after, design)
        moved = self.statistics + gained - sparse_statistics(change.before, design)
        cross = _cross(moved, design)
        columns = _stale(cross, self.table, change.touched)
        values, (row, column) = _columns(moved, cross, columns, ridge)
        kept = sparse.coo_array(self.table)
        stays = ~np.isin(kept.col, columns)
        values = np.concatenate([kept.data[stays], values])
        row = np.concatenate([kept.row[stays], row])
        column = np.concatenate([kept.col[stays], column])
        return SparseFit(moved, _table(values, row, column, cross.shape))

    def add_scores(self, histories: Histories, design: Design, weight: float, to: Scores) -> None:
        """Add the rows of the last events, decayed by window."""
        own, table = (histories.indptr, histories.item), self.table
        parts = table.indptr, table.indices, table.data
        add_sparse_scores(*own, design.lengths, design.fades, weight, *parts, to)

    def column(self, item: int) -> Floats:
        """(F,) what each feature adds to one item's score."""
        return np.asarray(self.table[:, [item]].toarray().ravel(), np.float64)

    def arrays(self) -> Arrays:
        """Everything, for a file."""
        own = self.statistics
        tables = {"gram": own.gram, "cross": own.cross, "table": self.table}
        out: Arrays = {"count": own.count}
        for name, table in tables.items():
            out |= sparse_arrays(name, table)
        return out

    @staticmethod
    def of_arrays(arrays: Arrays) -> SparseFit:
        """Make it of what `arrays` gave."""
        gram, cross = sparse_of("gram", arrays), sparse_of("cross", arrays)
        return SparseFit(Sparse(gram, cross, arrays["count"]), sparse_of("table", arrays))


def sparse_statistics(histories: Histories, design: Design) -> Sparse:
    """Count the pairs that occur, some users at a time."""
    n = histories.n_items
    features = len(design.windows) * n
    gram = sparse.csr_array((features, features), dtype=np.int64)
    cross = sparse.csr_array((features, n), dtype=np.int64)
    for part in entries(histories, design):
        gram = gram + _summed(part.gram, part.gram_row, part.gram_column, gram.shape)
        cross = cross + _summed(part.cross, part.row, part.column, cross.shape)
    count = np.bincount(histories.item, minlength=n).astype(np.int64)
    return Sparse(_kept(gram), _kept(cross), count)


def _columns(
    statistics: Sparse, cross: sparse.csc_array, columns: NDArray[np.int64], ridge: Ridge
) -> tuple[NDArray[np.float32], tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Solve some columns: their values, and in which row and column each stands.

    Column i is solved on the features j with the largest SᵀWY[j, i]² / (D + λ D^p)[j], alone.
    It depends on the rows and columns of those only.
    """
    gram = statistics.gram
    own, diagonal = gram.diagonal() / UNIT, diagonal_of(gram.diagonal())
    if np.isinf(ridge.penalty):
        full, correct = diagonal**ridge.penalty_power, False
    else:
        full, correct = own + ridge.penalty * diagonal**ridge.penalty_power, True
    count, rows, values = sparse_columns(
        columns, cross.indptr, cross.indices, cross.data / UNIT,
        gram.indptr, gram.indices, gram.data / UNIT, full, ridge.neighbours or 1, correct,
    )  # fmt: skip
    column = np.repeat(columns, count)
    return values * target_weight(statistics.count, ridge)[column], (rows, column)


def _table(
    values: NDArray[np.float32],
    row: NDArray[np.integer],
    column: NDArray[np.integer],
    shape: tuple[int, int],
) -> sparse.csr_array:
    places = sparse.coo_array((values.astype(np.float32), (row, column)), shape=shape)
    return sparse.csr_array(places)


def _cross(statistics: Sparse, design: Design) -> sparse.csc_array:
    if design.ordered:
        table = sparse.csc_array(statistics.cross)
    else:
        off = sparse.csr_array(sparse.triu(statistics.gram, k=1))
        table = sparse.csc_array(off + off.T)
    table.sort_indices()
    return table


def _stale(
    cross: sparse.csc_array, old: sparse.csr_array, touched: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Columns that had, or have, an entry in a row of a touched item, and the items themselves."""
    windows = cross.shape[0] // cross.shape[1]
    rows = (touched[None, :] + cross.shape[1] * np.arange(windows)[:, None]).ravel()
    now, before = sparse.csr_array(cross)[rows], old[rows]
    return np.unique(np.concatenate([touched, now.indices, before.indices])).astype(np.int64)


def _summed(
    value: Sums, row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.csr_array((value, (row, column)), shape=shape)


def _kept(table: sparse.csr_array) -> sparse.csr_array:
    kept = sparse.csr_array(table)
    kept.sum_duplicates()
    kept.eliminate_zeros()
    return kept
