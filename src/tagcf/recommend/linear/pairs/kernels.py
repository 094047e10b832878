"""Compiled: the addends of SᵀWS and SᵀWY, one per pair of a user's events.

Sums are of int64 in units of 2^−30: integers add in any order to the same total, so statistics
that were added to and subtracted from are bit for bit those of a refit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNIT = 2.0**30


@njit(cache=True, nogil=True, inline="always")
def suffix_sums(weight, start, size, decay, out):
    """out[t] = Σ_{u ≥ t} weight[u] · decay^(u − t) over the rows of one sequence."""
    out[size] = 0.0
    for t in range(size - 1, 0, -1):
        out[t] = weight[start + t] + decay * out[t + 1]


@njit(cache=True, nogil=True)
def count_pairs(indptr, lengths):
    """Numbers of Gram and target entries that `pair_entries` writes."""
    gram, cross = 0, 0
    for u in range(indptr.size - 1):
        size = indptr[u + 1] - indptr[u]
        for b in range(lengths.size):
            for a in range(size - 1):
                cross += min(lengths[b], size - 1 - a)
                for c in range(b, lengths.size):
                    gram += min(lengths[b], size - 1 - a)
                    if c != b:
                        gram += min(lengths[c], size - 1 - a) - 1
    return gram, cross


@njit(cache=True, nogil=True)
def pair_entries(
    indptr, item, weight, lengths, decays, n_items, gram_row, gram_column, gram, row, column, cross
):
    """Entries of SᵀWS (upper triangle) and SᵀWY, one per pair of events and windows.

    A pair at distance d is in all rows from the later event on until it leaves a window, so its
    entry is a difference of two decayed suffix sums of the rows' weights: O(events · window), and
    S is never built.
    """
    g, r = 0, 0
    longest = 0
    for u in range(indptr.size - 1):
        longest = max(longest, indptr[u + 1] - indptr[u])
    suffix = np.zeros(longest + 2)
    for u in range(indptr.size - 1):
        lo, size = indptr[u], indptr[u + 1] - indptr[u]
        if size < 2:
            continue
        for b in range(lengths.size):
            step = np.exp(-decays[b])
            for a in range(size - 1):
                fade = 1.0
                for t in range(a + 1, min(a + lengths[b], size - 1) + 1):
                    row[r] = b * n_items + item[lo + a]
                    column[r] = item[lo + t]
                    cross[r] = np.int64(np.rint(UNIT * weight[lo + t] * fade))
                    fade *= step
                    r += 1
            for c in range(b, lengths.size):
                both = np.exp(-(decays[b] + decays[c]))
                suffix_sums(weight, lo, size, both, suffix)
                for turn in range(1 if c == b else 2):
                    older = b if turn == 0 else c  # whose event is the older one
                    newer = c if turn == 0 else b
                    step = np.exp(-decays[older])
                    for a in range(size - 1):
                        fade = 1.0 if turn == 0 else step
                        for d in range(a + turn, min(a + lengths[older], size - 1)):
                            end = min(a + lengths[older], d + lengths[newer], size - 1)
                            total = fade * (suffix[d + 1] - both ** (end - d) * suffix[end + 1])
                            fade *= step
                            i = older * n_items + item[lo + a]
                            j = newer * n_items + item[lo + d]
                            gram_row[g] = min(i, j)
                            gram_column[g] = max(i, j)
                            value = np.int64(np.rint(UNIT * total))
                            # both orders of a repeated item fall on one place of the diagonal
                            twice = i == j and a != d
                            gram[g] = 2 * value if twice else value
                            g += 1
    return g, r


@njit(cache=True, nogil=True)
def bag_entries(indptr, item, length, gram_row, gram_column, gram):
    """Entries of XᵀX (upper triangle) of users' last `length` different items."""
    g = 0
    for u in range(indptr.size - 1):
        for a in range(max(indptr[u], indptr[u + 1] - length), indptr[u + 1]):
            for d in range(a, indptr[u + 1]):
                gram_row[g] = min(item[a], item[d])
                gram_column[g] = max(item[a], item[d])
                gram[g] = np.int64(UNIT)
                g += 1
    return g


@njit(cache=True, nogil=True)
def add_entries(row, column, value, table):
    """Add each value at its (row, column)."""
    for k in range(row.size):
        table[row[k], column[k]] += value[k]


@njit(cache=True, nogil=True)
def last_of_each(indptr, item, n_items):
    """(E,) whether an event is its user's last of its item."""
    kept = np.zeros(item.size, np.bool_)
    met_by = np.full(n_items, -1, np.int64)
    for u in range(indptr.size - 1):
        for e in range(indptr[u + 1] - 1, indptr[u] - 1, -1):
            if met_by[item[e]] != u:
                met_by[item[e]] = u
                kept[e] = True
    return kept
