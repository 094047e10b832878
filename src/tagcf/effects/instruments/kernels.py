"""Compiled loops over rows: sums by cluster."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def add_by(table, code, values):
    """Add row ``i`` of `values` (n, m) to row ``code[i]`` of `table` (G, m); -1 is skipped."""
    for i in range(code.size):
        at = code[i]
        if at >= 0:
            for k in range(values.shape[1]):
                table[at, k] += values[i, k]
