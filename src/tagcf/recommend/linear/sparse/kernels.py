"""Compiled: columns of a sparse ridge, each solved on its most telling features."""

from __future__ import annotations

import numpy as np
from numba import njit


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
