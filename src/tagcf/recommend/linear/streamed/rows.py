"""The limit λ → ∞ for logs whose pairs do not fit in memory: the strongest of each row.

SᵀWS is not needed in that limit, and a row of D^−p SᵀWY is summed, cut to its k strongest
entries and stored before the next is begun. Peak memory is that of the histories, an index of
their events by item (5 bytes an event) and the k · I entries kept (16 bytes each while they are
joined).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.errors import EstimationError
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window, distinct
from tagcf.recommend.linear.fit import Arrays, Change, Sums, sparse_arrays, sparse_of
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.linear.scores.kernels import add_sparse_scores
from tagcf.recommend.linear.streamed.kernels import ends_of, positions, spliced, strongest_rows
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats

ROWS_AT_ONCE = 50_000
MOST_EVENTS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class StreamedFit:
    """The strongest pairs of I items. It has no sums: what changes is summed anew."""

    count: Sums  # (I,) events of each item
    table: sparse.csr_array  # (I, I) float32

    def changed(self, change: Change, design: Design, ridge: Ridge) -> StreamedFit:
        """Sum the rows of touched items anew: a row depends on its own item's events alone.

        Raises
        ------
        EstimationError
            The change does not come with everybody's histories.
        """
        if change.everybody is None:
            raise EstimationError("recommend.streamed_needs_everybody")
        rows = change.touched
        ptr, column, value = _rows(change.everybody, rows, design, ridge)
        old = self.table
        new_ptr, new_column, new_value = spliced(
            old.indptr, old.indices, old.data, rows, ptr, column, value
        )
        table = sparse.csr_array((new_value, new_column, new_ptr), shape=old.shape)
        n = self.count.size
        gained = np.bincount(change.after.item, minlength=n)
        return StreamedFit(
            self.count + gained - np.bincount(change.before.item, minlength=n), table
        )

    def add_scores(self, histories: Histories, design: Design, weight: float, to: Scores) -> None:
        """Add the rows of the last events, decayed."""
        own, table = (histories.indptr, histories.item), self.table
        parts = table.indptr, table.indices, table.data
        add_sparse_scores(*own, design.lengths, design.fades, weight, *parts, to)

    def column(self, item: int) -> Floats:
        """(I,) what each item adds to one item's score."""
        return np.asarray(self.table[:, [item]].toarray().ravel(), np.float64)

    def arrays(self) -> Arrays:
        """Everything, for a file."""
        return {"count": self.count, **sparse_arrays("table", self.table)}

    @staticmethod
    def of_arrays(arrays: Arrays) -> StreamedFit:
        """Make it of what `arrays` gave."""
        return StreamedFit(arrays["count"], sparse_of("table", arrays))


def stream(histories: Histories, design: Design, ridge: Ridge) -> StreamedFit:
    """Sum all rows.

    Raises
    ------
    EstimationError
        More than 2^32 − 1 events, which the index by item cannot number.
    """
    n = histories.n_items
    parts = _rows(histories, np.arange(n, dtype=np.int32), design, ridge)
    ptr, column, value = parts
    table = sparse.csr_array((value, column, ptr), shape=(n, n))
    return StreamedFit(np.bincount(histories.item, minlength=n).astype(np.int64), table)


def with_power(fit: StreamedFit, histories: Histories, design: Design, ridge: Ridge) -> StreamedFit:
    """Fit with another p: a fit of p = 0 to the same histories, its rows scaled."""
    own = histories if design.ordered else distinct(histories)
    events = np.maximum(np.bincount(own.item, minlength=own.n_items), 1)
    scale = np.repeat(events**-ridge.penalty_power, np.diff(fit.table.indptr))
    values = (fit.table.data * scale).astype(np.float32)
    parts = values, fit.table.indices, fit.table.indptr
    return StreamedFit(fit.count, sparse.csr_array(parts, shape=fit.table.shape))


def _rows(
    histories: Histories, rows: NDArray[np.int32], design: Design, ridge: Ridge
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Sum the rows of some items: pointers, columns, values."""
    window = only_window(design)
    own = histories if design.ordered else distinct(histories)
    if own.item.size > MOST_EVENTS:
        facts = {"n": f"{own.item.size:,}", "most": f"{MOST_EVENTS:,}"}
        raise EstimationError("recommend.too_many_events", **facts)
    n = own.n_items
    row_of = np.full(n, -1, np.int32)
    row_of[rows] = np.arange(rows.size, dtype=np.int32)
    start, place = positions(own.item, row_of, rows.size)
    ends = np.zeros(own.item.size, np.bool_)
    ends_of(own.indptr, ends)
    decay = window.decay if design.ordered else 0.0
    pointers = [np.zeros(1, np.int64)]
    columns, values = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for lo in range(0, rows.size, ROWS_AT_ONCE):
        ptr, column, value = strongest_rows(
            lo, min(lo + ROWS_AT_ONCE, rows.size), start, place, own.item, ends,
            window.length, decay, not design.ordered, ridge.penalty_power, ridge.neighbours or 1, n,
        )  # fmt: skip
        pointers.append(ptr[1:] + pointers[-1][-1])
        columns.append(column)
        values.append(value)
    return np.concatenate(pointers), np.concatenate(columns), np.concatenate(values)


def only_window(design: Design) -> Window:
    """Give the window of a design that can be streamed.

    Of an unordered one it is what lies between two of a user's different items, in the order of
    their last events.
    """
    if len(design.windows) != 1 or design.span is not None or design.length_power:
        raise ValueError("a streamed table has one window, and rows of weight 1")
    return design.windows[0]
