"""Compiled: rows of decayed co-visitation, summed, cut and stored one after another."""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.recommend.linear.pairs.kernels import UNIT
from tagcf.recommend.top.kernels import top_items


@njit(cache=True, nogil=True)
def positions(item, row_of, n_rows):
    """Events of each row's item: where they start, (R + 1,), and their places, in order.

    `row_of` (I,) is the row of an item, −1 where it has none.
    """
    start = np.zeros(n_rows + 1, np.int64)
    for e in range(item.size):
        r = row_of[item[e]]
        if r >= 0:
            start[r + 1] += 1
    for r in range(n_rows):
        start[r + 1] += start[r]
    at = start[:-1].copy()
    place = np.empty(start[n_rows], np.uint32)
    for e in range(item.size):
        r = row_of[item[e]]
        if r >= 0:
            place[at[r]] = e
            at[r] += 1
    return start, place


@njit(cache=True, nogil=True)
def ends_of(indptr, ends):
    """Flag each history's last event."""
    for u in range(indptr.size - 1):
        if indptr[u + 1] > indptr[u]:
            ends[indptr[u + 1] - 1] = True


@njit(cache=True, nogil=True, inline="always")
def gather(p, item, ends, steps, both_ways, total, met, size):
    """Add what follows event p to the totals; returns how many items have been met."""
    for d in range(steps.size):
        if ends[p + d]:
            break
        i = item[p + d + 1]
        if total[i] == 0:
            met[size] = i
            size += 1
        total[i] += steps[d]
    for d in range(steps.size if both_ways else 0):
        if p - d == 0 or ends[p - d - 1]:
            break
        i = item[p - d - 1]
        if total[i] == 0:
            met[size] = i
            size += 1
        total[i] += steps[d]
    return size


@njit(cache=True, nogil=True)
def strongest_rows(lo, hi, start, place, item, ends, length, decay, both_ways, power, k, n_items):
    """Rows lo … hi − 1 of decayed co-visitation, the k largest of each, sorted by item.

    Each row's events are looked up, and what follows them (`both_ways`: and precedes them) is
    summed in one scratch row, so that no pair of items is ever stored but those kept:
    O(events · length), O(I + kept) memory.
    """
    total = np.zeros(n_items, np.int64)
    met = np.empty(n_items, np.int32)
    steps = np.empty(length, np.int64)
    for d in range(length):
        steps[d] = max(np.int64(np.rint(UNIT * np.exp(-decay * d))), 1)  # 0 would mean not met
    ptr = np.zeros(hi - lo + 1, np.int64)
    columns = np.empty((hi - lo) * k, np.int32)
    values = np.empty((hi - lo) * k, np.float32)
    best_item, best_value = np.empty(k, np.int32), np.empty(k, np.float32)
    at = 0
    for j in range(lo, hi):
        size = 0
        for e in range(start[j], start[j + 1]):
            size = gather(np.int64(place[e]), item, ends, steps, both_ways, total, met, size)
        found = size
        candidates = np.sort(met[:size])
        score = np.empty(size, np.float32)
        for s in range(size):
            score[s] = total[candidates[s]] / UNIT
            total[candidates[s]] = 0
        if found > k:
            found = top_items(score, best_item, best_value)
            kept = np.sort(best_item[:found])
        else:
            kept = np.arange(found).astype(np.int32)
        scale = max(start[j + 1] - start[j], 1) ** -power
        for s in range(found):
            columns[at] = candidates[kept[s]]
            values[at] = score[kept[s]] * scale
            at += 1
        ptr[j - lo + 1] = at
    return ptr, columns[:at].copy(), values[:at].copy()


@njit(cache=True, nogil=True)
def spliced(ptr, column, value, rows, new_ptr, new_column, new_value):
    """A sparse table with some rows (in rising order) replaced."""
    out_ptr = np.zeros(ptr.size, np.int64)
    size = value.size + new_value.size
    for r in rows:
        size -= ptr[r + 1] - ptr[r]
    out_column, out_value = np.empty(size, np.int32), np.empty(size, np.float32)
    at, turn = 0, 0
    for r in range(ptr.size - 1):
        if turn < rows.size and rows[turn] == r:
            for k in range(new_ptr[turn], new_ptr[turn + 1]):
                out_column[at], out_value[at] = new_column[k], new_value[k]
                at += 1
            turn += 1
        else:
            for k in range(ptr[r], ptr[r + 1]):
                out_column[at], out_value[at] = column[k], value[k]
                at += 1
        out_ptr[r + 1] = at
    return out_ptr, out_column, out_value
