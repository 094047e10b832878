"""Compiled loops: sums over pairs of events, columns of a sparse ridge, scores, exact top-k.

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
def add_entries(row, column, value, sign, table):
    """Add sign · value at (row, column)."""
    for k in range(row.size):
        table[row[k], column[k]] += sign * value[k]


@njit(cache=True, nogil=True)
def leading(value, k, place):
    """Places of the k largest values, ties to the smaller place; sorted by place."""
    order = np.argsort(-value, kind="mergesort")[:k]
    return np.sort(place[order])


@njit(cache=True, nogil=True)
def solve_upper(matrix, right, size):
    """Solve matrix · x = right in place by Cholesky; False where it is not positive definite."""
    for j in range(size):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] * matrix[j, k]
        if not pivot > 0.0:
            return False
        pivot = np.sqrt(pivot)
        matrix[j, j] = pivot
        for i in range(j + 1, size):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = total / pivot
    for i in range(size):
        for k in range(i):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= matrix[k, i] * right[k]
        right[i] /= matrix[i, i]
    return True


@njit(cache=True, nogil=True)
def sparse_columns(
    columns, cross_ptr, cross_row, cross, gram_ptr, gram_column, gram, ridge, k, correct
):
    """Ridge columns on their k most telling features each, `ridge` on the Gram's diagonal.

    Without `correct`, features count alone: the limit of a large penalty. Returns, per column
    asked for, the number of entries, then all rows and values one after another.
    """
    count = np.zeros(columns.size, np.int64)
    most = 0
    for c in range(columns.size):
        most += min(k, cross_ptr[columns[c] + 1] - cross_ptr[columns[c]])
    rows, values = np.empty(most, np.int32), np.empty(most, np.float32)
    place = np.full(ridge.size, -1, np.int64)
    local = np.empty((k, k))
    right = np.empty(k)
    at = 0
    for c in range(columns.size):
        lo, hi = cross_ptr[columns[c]], cross_ptr[columns[c] + 1]
        gain = np.empty(hi - lo)
        for e in range(lo, hi):
            j = cross_row[e]
            gain[e - lo] = cross[e] * cross[e] / ridge[j]
        support = leading(gain, k, np.arange(lo, hi))
        size = support.size
        for s in range(size):
            place[cross_row[support[s]]] = s
            right[s] = cross[support[s]]
        if correct:
            local[:size, :size] = 0.0
            for s in range(size):
                j = cross_row[support[s]]
                for e in range(gram_ptr[j], gram_ptr[j + 1]):
                    other = place[gram_column[e]]
                    if other >= 0:
                        local[s, other] = gram[e]
                        local[other, s] = gram[e]
                local[s, s] = ridge[j]
            solve_upper(local, right, size)
        for s in range(size):
            j = cross_row[support[s]]
            place[j] = -1
            rows[at] = j
            values[at] = right[s] if correct else right[s] / ridge[j]
            at += 1
        count[c] = size
    return count, rows[:at], values[:at]


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


@njit(cache=True, nogil=True, inline="always")
def before(score_a, a, score_b, b):
    """Whether item a is ranked before item b."""
    return score_a > score_b or (score_a == score_b and a < b)


@njit(cache=True, nogil=True)
def top_items(scores, seen, k, items, values):
    """Best k of scores (I,) in place, best first; seen items and NaN are left out.

    Of equal scores the smaller item stands first. `items` beyond those that can be had are −1,
    `values` −inf. Returns their number. A heap with the worst kept item at its root: O(I log k).
    """
    size = 0
    items[:] = -1
    values[:] = -np.inf
    hidden = np.zeros(scores.size, np.bool_)
    for j in seen:
        if 0 <= j < scores.size:
            hidden[j] = True
    if k == 0:
        return 0
    for i in range(scores.size):
        s = scores[i]
        if hidden[i] or np.isnan(s):
            continue
        if size < k:
            at = size
            size += 1
            while at > 0 and before(values[(at - 1) // 2], items[(at - 1) // 2], s, i):
                values[at], items[at] = values[(at - 1) // 2], items[(at - 1) // 2]
                at = (at - 1) // 2
            values[at], items[at] = s, i
        elif before(s, i, values[0], items[0]):
            sift(values, items, size, s, i)
    for end in range(size - 1, 0, -1):  # heap sort: the worst goes to the back
        s, i = values[end], items[end]
        values[end], items[end] = values[0], items[0]
        sift(values, items, end, s, i)
    return size


@njit(cache=True, nogil=True, inline="always")
def sift(values, items, size, s, i):
    """Put (s, i) at the root of the heap and let it sink."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and before(values[child], items[child], values[right], items[right]):
            child = right
        if not before(s, i, values[child], items[child]):
            break
        values[at], items[at] = values[child], items[child]
        at = child
    values[at], items[at] = s, i


@njit(cache=True, nogil=True)
def positions(item, n_items):
    """Events of each item: where they start, (I + 1,), and their places, (E,) in order."""
    start = np.zeros(n_items + 1, np.int64)
    for e in range(item.size):
        start[item[e] + 1] += 1
    for i in range(n_items):
        start[i + 1] += start[i]
    at = start[:-1].copy()
    place = np.empty(item.size, np.uint32)
    for e in range(item.size):
        place[at[item[e]]] = e
        at[item[e]] += 1
    return start, place


@njit(cache=True, nogil=True)
def ends_of(indptr, ends):
    """Flag each history's last event."""
    for u in range(indptr.size - 1):
        if indptr[u + 1] > indptr[u]:
            ends[indptr[u + 1] - 1] = True


@njit(cache=True, nogil=True)
def strongest_rows(lo, hi, start, place, item, ends, length, decay, power, ridge_power, k, n_items):
    """Rows lo … hi − 1 of decayed co-visitation, the k largest of each, sorted by item.

    Each item's events are looked up, and what follows them is summed in one scratch row, so that
    no pair of items is ever stored but those kept: O(events · length), O(I + kept) memory.
    """
    total = np.zeros(n_items, np.int64)
    met = np.empty(n_items, np.int32)
    steps = np.empty(length, np.int64)
    for d in range(length):
        steps[d] = np.int64(np.rint(UNIT * np.exp(-decay * d)))
    ptr = np.zeros(hi - lo + 1, np.int64)
    columns = np.empty((hi - lo) * k, np.int32)
    values = np.empty((hi - lo) * k, np.float32)
    best_item, best_value = np.empty(k, np.int32), np.empty(k, np.float32)
    at = 0
    for j in range(lo, hi):
        size = 0
        own = np.int64(0)
        for e in range(start[j], start[j + 1]):
            p = np.int64(place[e])
            for d in range(length):
                if ends[p + d]:
                    break
                i = item[p + d + 1]
                if total[i] == 0:
                    met[size] = i
                    size += 1
                total[i] += steps[d]
            own += 1
        found = size
        candidates = np.sort(met[:size])
        score = np.empty(size, np.float32)
        for s in range(size):
            i = candidates[s]
            popular = max(start[i + 1] - start[i], 1)
            score[s] = total[i] / UNIT * popular**-power
            total[i] = 0
        if found > k:
            found = top_items(score, met[:0], k, best_item, best_value)
            kept = np.sort(best_item[:found])
        else:
            kept = np.arange(found).astype(np.int32)
        scale = max(own, 1) ** -ridge_power
        for s in range(found):
            columns[at] = candidates[kept[s]]
            values[at] = score[kept[s]] * scale
            at += 1
        ptr[j - lo + 1] = at
    return ptr, columns[:at].copy(), values[:at].copy()
