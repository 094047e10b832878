"""Tables of tags by item: which are carried, and what share of an item each is."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def rows_to_one(table: sparse.csr_array) -> sparse.csr_array:
    """Scale each row to sum to 1, float32; a row that sums to nothing becomes 0."""
    total = np.asarray(table.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    data = (table.data * np.repeat(scale, np.diff(table.indptr))).astype(np.float32)
    return sparse.csr_array((data, table.indices, table.indptr), shape=shape_of(table))


def carried(table: sparse.csr_array) -> sparse.csr_array:
    """1 where a strength is not 0, float32."""
    data = (table.data != 0).astype(np.float32)
    found = sparse.csr_array((data, table.indices, table.indptr), shape=shape_of(table), copy=True)
    found.eliminate_zeros()
    return found


def shape_of(table: sparse.csr_array) -> tuple[int, int]:
    """Rows and columns."""
    return int(table.shape[0]), int(table.shape[1])
