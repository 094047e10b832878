"""Compiled: sums over the items that carry a tag, and tags of histories."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_sums(item, lead, indptr, column, value, out):
    """out[t] += lead of an item · its tag t."""
    for j in range(item.size):
        for k in range(indptr[item[j]], indptr[item[j] + 1]):
            out[column[k]] += lead[j] * value[k]


@njit(cache=True, nogil=True)
def add_profiles(starts, item, stands, decay, indptr, column, value, out):
    """out[u] += tags of each event of history u, fading with every later one that is known."""
    for u in range(starts.size - 1):
        weight = 1.0
        for e in range(starts[u + 1] - 1, starts[u] - 1, -1):
            if stands[item[e]] < 0:
                continue
            for k in range(indptr[item[e]], indptr[item[e] + 1]):
                out[u, column[k]] += weight * value[k]
            weight *= np.exp(-decay)
