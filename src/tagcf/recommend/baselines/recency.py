"""Histories as weighted rows, recent events heavier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.histories import Histories


def ages(histories: Histories) -> NDArray[np.int64]:
    """(E,) 1 for a history's last event, 2 for the one before …."""
    left = np.repeat(histories.indptr[1:], histories.sizes)
    return np.asarray(left - np.arange(histories.item.size), np.int64)


def recent_rows(histories: Histories, decay: float, window: int | None = None) -> sparse.csr_array:
    """(U, I) float32: the sum of exp(−decay · (age − 1)) over the last `window` events."""
    age = ages(histories)
    weight = np.exp(-decay * (age - 1)).astype(np.float32)
    if window is not None:
        weight[age > window] = 0.0
    shape = (len(histories), histories.n_items)
    rows = sparse.csr_array((weight, histories.item.copy(), histories.indptr.copy()), shape=shape)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows
