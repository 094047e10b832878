"""Compiled: sums over the items that carry a tag, tags of histories, and what tags say of items."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_leads(item, own, usual, indptr, column, value, out):
    """out[t] += lead of an item over the usual · its tag t."""
    for i in item:
        lead = own[i] - usual[i]
        for k in range(indptr[i], indptr[i + 1]):
            out[column[k]] += lead * value[k]


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


@njit(cache=True, nogil=True)
def add_by_tag(indptr, item, value, worth, out):
    """out[u, i] += (U, T) worth of a tag · its value in item i; tag by tag, in long loops."""
    for u in range(worth.shape[0]):
        for t in range(worth.shape[1]):
            one = worth[u, t]
            if one != 0:
                for k in range(indptr[t], indptr[t + 1]):
                    out[u, np.uint32(item[k])] += one * value[k]  # unsigned: none is negative


@njit(cache=True, nogil=True)
def add_both_by_tag(indptr, item, value, near, worth, like, out):
    """As `add_by_tag`, of two values of a tag in an item that have worths of their own."""
    for u in range(worth.shape[0]):
        for t in range(worth.shape[1]):
            one, other = worth[u, t], like[u, t]
            for k in range(indptr[t], indptr[t + 1]):
                out[u, np.uint32(item[k])] += one * value[k] + other * near[k]


@njit(cache=True, nogil=True)
def moments(values):
    """Mean and standard deviation."""
    mean, square = 0.0, 0.0
    for one in values:
        mean += one
    mean /= values.size
    for one in values:
        square += (one - mean) ** 2
    return mean, np.sqrt(square / values.size)


@njit(cache=True, nogil=True)
def levels_of(said, alike, own, level, likeness, small, stretch, centre, usual, ratio):
    """Fill (U,) what likeness is stretched by, its mean, and mean and spread of what tags say.

    `said` and `alike` (U, m) are of the items `level` (m,) among (U, I) scores `own`.
    """
    value = np.empty(level.size, np.float32)
    for u in range(said.shape[0]):
        centre[u], there = moments(alike[u])
        if there > small:
            stretch[u] = likeness * np.float32(moments(said[u])[1] / there)
        for j in range(level.size):
            value[j] = said[u, j] + stretch[u] * (alike[u, j] - centre[u])
        usual[u], there = moments(value)
        for j in range(level.size):
            value[j] = own[u, level[j]]
        if there > small:
            ratio[u] = moments(value)[1] / there


@njit(cache=True, nogil=True)
def take_chances(told, chance, known, usual, ratio):
    """Move (U, m) expected values by (m,) chances to the level and spread of known items'."""
    for u in range(told.shape[0]):
        for j in range(told.shape[1]):
            said = told[u, j]
            moved = known[u] + (said - usual[u]) * ratio[u] - said
            told[u, j] = said + chance[j] * moved


@njit(cache=True, nogil=True)
def mix_in(told, items, share, out):
    """out[u, i] = share of its own + the rest of what is told of item i, for (m,) items."""
    for u in range(out.shape[0]):
        for j in range(items.size):
            own = share[items[j]]
            out[u, items[j]] = out[u, items[j]] * own + told[u, j] * (1 - own)


@njit(cache=True, nogil=True)
def add_rows_of(items, indptr, column, value, table, out):
    """out[j] += rows of a table (T, C), weighed by item j's tags."""
    for j in range(items.size):
        for k in range(indptr[items[j]], indptr[items[j] + 1]):
            for c in range(table.shape[1]):
                out[j, c] += value[k] * table[column[k], c]


@njit(cache=True, nogil=True)
def mix_sparse(pieces, place, said, sums, event, lasts, ptr, item, value, indptr, column, tag):
    """Mix in place what tags say of events into pieces (N, m, L) of the items at `place` (s,).

    Parameters
    ----------
    said, sums
        (s,) the tags' part, (s, T) weights of sums over known items that carry a tag.
    event, lasts
        (L,) items; (N,) how many of the latest count in each window.
    ptr, item, value
        Sparse table (N · I, I) of what an event adds to each item.
    indptr, column, tag
        Sparse table (I, T) of the known items' tags.
    """
    windows, _, size = pieces.shape
    n_items = indptr.size - 1
    by_tag = np.zeros(sums.shape[1], np.float32)
    for b in range(windows):
        for e in range(max(0, size - lasts[b]), size):
            row = b * n_items + event[e]
            by_tag[:] = 0
            for k in range(ptr[row], ptr[row + 1]):
                for q in range(indptr[item[k]], indptr[item[k] + 1]):
                    by_tag[column[q]] += value[k] * tag[q]
            mix_event(pieces, place, said, sums, by_tag, b, e)


@njit(cache=True, nogil=True)
def mix_dense(pieces, place, said, sums, event, lasts, table, indptr, column, tag):
    """As `mix_sparse`, of a dense table (N · I, I)."""
    windows, _, size = pieces.shape
    n_items = indptr.size - 1
    by_tag = np.zeros(sums.shape[1], np.float32)
    for b in range(windows):
        for e in range(max(0, size - lasts[b]), size):
            row = b * n_items + event[e]
            by_tag[:] = 0
            for i in range(n_items):
                for q in range(indptr[i], indptr[i + 1]):
                    by_tag[column[q]] += table[row, i] * tag[q]
            mix_event(pieces, place, said, sums, by_tag, b, e)


@njit(cache=True, nogil=True)
def mix_event(pieces, place, said, sums, by_tag, b, e):
    """Mix in what one event adds, being worth `by_tag` (T,)."""
    for s in range(place.size):
        told = np.float32(0)
        for t in range(by_tag.size):
            told += sums[s, t] * by_tag[t]
        own = pieces[b, place[s], e]
        pieces[b, place[s], e] = (1 - said[s]) * own + said[s] * told


@njit(cache=True, nogil=True)
def add_likeness(items, place, weight, event, indptr, column, value, usual, out):
    """out[place of item, e] = weight · (likeness of their tags − that of usual items to e)."""
    tag = np.zeros(usual.size, np.float32)
    for s in range(items.size):
        for k in range(indptr[items[s]], indptr[items[s] + 1]):
            tag[column[k]] = value[k]
        for e in range(event.size):
            near = np.float32(0)
            for k in range(indptr[event[e]], indptr[event[e] + 1]):
                near += value[k] * (tag[column[k]] - usual[column[k]])
            out[place[s], e] = weight[s] * near
        for k in range(indptr[items[s]], indptr[items[s] + 1]):
            tag[column[k]] = 0
