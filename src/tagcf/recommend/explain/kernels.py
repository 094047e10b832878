"""Compiled: the entries of a linear model's tables that a history and some items meet in."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sparse_pieces(event, item, lasts, n_items, ptr, column, value):
    """(N, m, L) entry of the table for window b, item j and event e; its rows are read once.

    Only the `lasts` (N,) latest events of each window are looked up; earlier ones stay 0.
    """
    out = np.zeros((lasts.size, item.size, event.size), np.float32)
    order = np.argsort(item)
    rising = item[order]
    for b in range(lasts.size):
        for e in range(max(0, event.size - lasts[b]), event.size):
            row = b * n_items + event[e]
            for k in range(ptr[row], ptr[row + 1]):
                at = np.searchsorted(rising, column[k])
                if at < rising.size and rising[at] == column[k]:
                    out[b, order[at], e] = value[k]
    return out


@njit(cache=True, nogil=True)
def dense_pieces(event, item, lasts, n_items, table):
    """As `sparse_pieces`, of a dense table."""
    out = np.zeros((lasts.size, item.size, event.size), np.float32)
    for b in range(lasts.size):
        for e in range(max(0, event.size - lasts[b]), event.size):
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
def add_drops(pieces, lengths, decays, scale, out):
    """out[j, e] += what item j's score loses when event e alone had not been: older ones move up.

    One pass from the latest event back gives all of them.
    """
    windows, m, size = pieces.shape
    for b in range(windows):
        first = max(0, size - lengths[b])
        grown = np.exp(decays[b]) - 1.0  # of an event that is one place later
        for j in range(m):
            moved = 0.0  # what the window's events older than e gain
            if first > 0 and lengths[b] > 0:  # one more comes into the window
                moved = scale * np.exp(-decays[b] * (lengths[b] - 1)) * pieces[b, j, first - 1]
            for e in range(first, size):
                part = scale * np.exp(-decays[b] * (size - 1 - e)) * pieces[b, j, e]
                out[j, e] += part - moved
                moved += grown * part


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


@njit(cache=True, nogil=True)
def leading(share, most):
    """What adds most to each of m items, and as many events that add most after those.

    Returns
    -------
    order
        (m, 2 · most) events by their share, falling; −1 where there are no more.
    count
        (m,) how many of the first `most` add anything.
    named, others
        (m, L) the first `count` events, and the next `count`.
    """
    m, size = share.shape
    order, count = np.full((m, 2 * most), -1, np.int64), np.zeros(m, np.int64)
    named, others = np.zeros((m, size), np.bool_), np.zeros((m, size), np.bool_)
    for j in range(m):
        taken = np.zeros(size, np.bool_)
        for r in range(min(2 * most, size)):
            best, top = -1, -np.inf
            for e in range(size):
                if not taken[e] and (best < 0 or share[j, e] > top):
                    best, top = e, -np.inf if np.isnan(share[j, e]) else share[j, e]
            order[j, r], taken[best] = best, True
            if r < most and top > 0:
                count[j] += 1
                named[j, best] = True
            elif r < 2 * count[j]:
                others[j, best] = True
    return order, count, named, others


@njit(cache=True, nogil=True)
def events_before(user, ts, indptr, event_ts):
    """(n,) place after the last event of each row's user that is earlier than the row."""
    out = np.zeros(user.size, np.int64)
    for r in range(user.size):
        if user[r] < 0:
            continue
        low, high = indptr[user[r]], indptr[user[r] + 1]
        out[r] = low
        while low < high:  # NaN is never earlier, and nothing is earlier than NaN
            middle = (low + high) // 2
            if event_ts[middle] < ts[r]:
                low = middle + 1
            else:
                high = middle
        out[r] = low
    return out


@njit(cache=True, nogil=True)
def add_sparse_pairs(
    user, item, end, indptr, event, lengths, fades, scale, n_items, ptr, column, value, out
):
    """out[r] += score of row r's item after its user's events up to `end`; indices are sorted."""
    for r in range(user.size):
        if user[r] < 0:
            continue
        for b in range(lengths.size):
            for e in range(max(indptr[user[r]], end[r] - lengths[b]), end[r]):
                row = b * n_items + event[e]
                low, high = ptr[row], ptr[row + 1]
                while low < high:
                    middle = (low + high) // 2
                    if column[middle] < item[r]:
                        low = middle + 1
                    else:
                        high = middle
                if low < ptr[row + 1] and column[low] == item[r]:
                    out[r] += scale * np.exp(-fades[b] * (end[r] - 1 - e)) * value[low]


@njit(cache=True, nogil=True)
def add_dense_pairs(user, item, end, indptr, event, lengths, fades, scale, n_items, table, out):
    """As `add_sparse_pairs`, of a dense table."""
    for r in range(user.size):
        if user[r] < 0:
            continue
        for b in range(lengths.size):
            for e in range(max(indptr[user[r]], end[r] - lengths[b]), end[r]):
                fade = np.exp(-fades[b] * (end[r] - 1 - e))
                out[r] += scale * fade * table[b * n_items + event[e], item[r]]
