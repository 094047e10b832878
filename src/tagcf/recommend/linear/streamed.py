"""The limit λ → ∞ for catalogues whose pairs do not fit in memory: the k strongest of each row.

SᵀWS is not needed in that limit, and a row of D^−p SᵀWY is summed, cut to its k strongest
entries and stored before the next is begun. Peak memory is that of the histories, an index of
their events by item (4 bytes an event) and the k · I entries kept (8 bytes each).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.errors import EstimationError
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Window
from tagcf.recommend.linear.kernels import (
    add_sparse_scores,
    ends_of,
    positions,
    strongest_rows,
)
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats

ROWS_AT_ONCE = 50_000
MOST_EVENTS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class StreamedLinear:
    """Decayed directed counts of one window over powers of both items' frequencies."""

    window: Window = field(default_factory=lambda: Window(10, 0.3))
    from_power: float = 0.5
    target_power: float = 0.0
    neighbours: int = 50
    name: str = "linear-streamed"

    def fit(self, train: Histories) -> FittedStreamed:
        """Sum row by row.

        Raises
        ------
        EstimationError
            More than 2^32 − 1 events, which the index by item cannot number.
        """
        if train.item.size > MOST_EVENTS:
            facts = {"n": f"{train.item.size:,}", "most": f"{MOST_EVENTS:,}"}
            raise EstimationError("recommend.too_many_events", **facts)
        n = train.n_items
        start, place = positions(train.item, n)
        ends = np.zeros(train.item.size, np.bool_)
        ends_of(train.indptr, ends)
        pointers, columns, values = [np.zeros(1, np.int64)], [], []
        for lo in range(0, n, ROWS_AT_ONCE):
            ptr, column, value = strongest_rows(
                lo, min(lo + ROWS_AT_ONCE, n), start, place, train.item, ends, self.window.length,
                self.window.decay, self.target_power, self.from_power, self.neighbours, n,
            )  # fmt: skip
            pointers.append(ptr[1:] + pointers[-1][-1])
            columns.append(column)
            values.append(value)
        parts = np.concatenate(values), np.concatenate(columns), np.concatenate(pointers)
        table = sparse.csr_array(parts, shape=(n, n))
        return FittedStreamed(table, self.window, np.diff(start))


@dataclass(frozen=True, slots=True)
class FittedStreamed:
    """The strongest pairs of I items."""

    table: sparse.csr_array  # (I, I) float32
    window: Window
    count: NDArray[np.int64]  # (I,)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Add up the rows of the last events; times make no difference."""
        base = 1e-6 * self.count / max(int(self.count.sum()), 1)
        scores = np.tile(base.astype(np.float32), (len(histories), 1))
        known = (histories.item >= 0) & (histories.item < self.count.size)
        own = histories if known.all() else histories.where(known)
        add_sparse_scores(
            own.indptr, own.item, np.array([self.window.length], np.int64),
            np.array([self.window.decay]), 1.0,
            self.table.indptr, self.table.indices, self.table.data, scores,
        )  # fmt: skip
        return scores
