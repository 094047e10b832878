"""Compiled: the entries of a linear model's tables that a history and some items meet in."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sparse_pieces(event, item, windows, n_items, ptr, column, value):
    """(N, m, L) entry of the table for window b, item j and event e; its rows are read once."""
    out = np.zeros((windows, item.size, event.size), np.float32)
    place = np.full(n_items, -1, np.int32)
    for j in range(item.size):
        place[item[j]] = j
    for b in range(windows):
        for e in range(event.size):
            row = b * n_items + event[e]
            for k in range(ptr[row], ptr[row + 1]):
                j = place[column[k]]
                if j >= 0:
                    out[b, j, e] = value[k]
    return out


@njit(cache=True, nogil=True)
def dense_pieces(event, item, windows, n_items, table):
    """As `sparse_pieces`, of a dense table."""
    out = np.zeros((windows, item.size, event.size), np.float32)
    for b in range(windows):
        for e in range(event.size):
            row = table[b * n_items + event[e]]
            for j in range(item.size):
                out[b, j, e] = row[item[j]]
    return out


@njit(cache=True, nogil=True)
def add_shares(pieces, lengths, decays, scale, out):
    """out[j, e] += what event e, oldest first, adds to item j."""
    windows, m, size = pieces.shape
    for b in range(windows):
        for e in range(max(0, size - lengths[b]), size):
            fade = scale * np.exp(-decays[b] * (size - 1 - e))
            for j in range(m):
                out[j, e] += fade * pieces[b, j, e]


@njit(cache=True, nogil=True)
def add_scores_without(pieces, lengths, decays, scale, dropped, out):
    """out[j] += score of item j when its events `dropped` (m, L) had not been: others move up."""
    windows, m, size = pieces.shape
    for j in range(m):
        for b in range(windows):
            age = 0
            for e in range(size - 1, -1, -1):
                if dropped[j, e]:
                    continue
                if age >= lengths[b]:
                    break
                out[j] += scale * np.exp(-decays[b] * age) * pieces[b, j, e]
                age += 1
