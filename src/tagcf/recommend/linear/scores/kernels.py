"""Compiled: rows of a table added up over the last events, for all items or those touched."""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.recommend.top.kernels import before, best_first, offer


@njit(cache=True, nogil=True)
def add_dense_scores(indptr, item, lengths, decays, scale, table, scores):
    """scores[u] += scale · Σ of the table's rows of the last events, decayed by window."""
    n_items = scores.shape[1]
    for u in range(indptr.size - 1):
        for b in range(lengths.size):
            for e in range(max(indptr[u], indptr[u + 1] - lengths[b]), indptr[u + 1]):
                fade = np.float32(scale * np.exp(-decays[b] * (indptr[u + 1] - 1 - e)))
                own = table[b * n_items + item[e]]
                for i in range(n_items):
                    scores[u, i] += fade * own[i]


@njit(cache=True, nogil=True)
def add_sparse_scores(indptr, item, lengths, decays, scale, ptr, column, value, scores):
    """As `add_dense_scores`, the table's rows being sparse."""
    n_items = scores.shape[1]
    for u in range(indptr.size - 1):
        for b in range(lengths.size):
            for e in range(max(indptr[u], indptr[u + 1] - lengths[b]), indptr[u + 1]):
                fade = np.float32(scale * np.exp(-decays[b] * (indptr[u + 1] - 1 - e)))
                own = b * n_items + item[e]
                for k in range(ptr[own], ptr[own + 1]):
                    scores[u, column[k]] += fade * value[k]


@njit(cache=True, nogil=True)
def count_entries(event, lengths, n_items, ptr):
    """Entries of the rows that `touch_rows` adds up."""
    total = 0
    for b in range(lengths.size):
        for e in range(max(0, event.size - lengths[b]), event.size):
            row = b * n_items + event[e]
            total += ptr[row + 1] - ptr[row]
    return total


@njit(cache=True, nogil=True, inline="always")
def slot(keys, item):
    """Place of an item in an open hash table of 2^m keys, −1 being empty."""
    mask = keys.size - 1
    at = (item * 2654435761) & mask
    while keys[at] != item and keys[at] != -1:
        at = (at + 1) & mask
    return at


@njit(cache=True, nogil=True)
def put_in(items, keys):
    """Put items into a hash table."""
    for i in items:
        keys[slot(keys, i)] = i


@njit(cache=True, nogil=True)
def touch_rows(event, lengths, decays, scale, base, ptr, column, value, keys, total):
    """As `add_sparse_scores` of one history, into a hash table of the items touched.

    An item touched first starts from its `base`, so that totals are bit for bit the scores.
    """
    for b in range(lengths.size):
        for e in range(max(0, event.size - lengths[b]), event.size):
            fade = np.float32(scale * np.exp(-decays[b] * (event.size - 1 - e)))
            own = b * base.size + event[e]
            for k in range(ptr[own], ptr[own + 1]):
                at = slot(keys, column[k])
                if keys[at] == -1:
                    keys[at] = column[k]
                    total[at] = base[column[k]]
                total[at] += fade * value[k]


@njit(cache=True, nogil=True)
def best_touched(keys, total, hidden, order, base, items, values):
    """Best of the items touched and of the others, which have their `base` alone.

    `order` (I,) is that of the base, best first; `hidden` a hash table of what is left out.
    Returns how many there are. Work grows with what is touched, hidden and asked for.
    """
    size = 0
    for at in range(keys.size):
        i = keys[at]
        if i >= 0 and hidden[slot(hidden, i)] == -1:
            size = offer(values, items, size, total[at], i)
    for i in order:
        if size == items.size and not before(base[i], i, values[0], items[0]):
            break
        if keys[slot(keys, i)] == -1 and hidden[slot(hidden, i)] == -1:
            size = offer(values, items, size, base[i], i)
    best_first(values, items, size)
    return size


@njit(cache=True, nogil=True)
def scores_at(items, keys, total, base, out):
    """Score of each of some items."""
    for j in range(items.size):
        at = slot(keys, items[j])
        out[j] = base[items[j]] if keys[at] == -1 else total[at]


@njit(cache=True, nogil=True)
def touched_moments(keys, total, base):
    """What touching adds to the sum, and to the sum of squares, of all scores."""
    first, second = 0.0, 0.0
    for at in range(keys.size):
        i = keys[at]
        if i >= 0:
            new, old = np.float64(total[at]), np.float64(base[i])
            first += new - old
            second += new * new - old * old
    return first, second
