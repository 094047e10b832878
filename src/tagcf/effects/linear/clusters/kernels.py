"""Compiled loops over clusters of cells, left out in turn or squared. They hold no lock."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_scaled_clusters(starts, sizes, scale, rows, total):
    """Total (K, c, T) += scale (n, K) ⊗ rows (n, T), summed over so many rows from each start."""
    for c in range(starts.size):
        for k in range(scale.shape[1]):
            row = total[k, c]
            for r in range(starts[c], starts[c] + sizes[c]):
                for t in range(rows.shape[1]):
                    row[t] += scale[r, k] * rows[r, t]


@njit(cache=True, nogil=True)
def _solve(matrix, right):
    """Solve for right (n, K) in place, by Cholesky of the lower half of a matrix (n, n)."""
    n = len(matrix)
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for m in range(j):
                total -= matrix[i, m] * matrix[j, m]
            matrix[i, j] = np.sqrt(total) if i == j else total / matrix[j, j]
    for k in range(right.shape[1]):
        for i in range(n):
            for m in range(i):
                right[i, k] -= matrix[i, m] * right[m, k]
            right[i, k] /= matrix[i, i]
        for i in range(n - 1, -1, -1):
            for m in range(i + 1, n):
                right[i, k] -= matrix[m, i] * right[m, k]
            right[i, k] /= matrix[i, i]


@njit(cache=True, nogil=True)
def solve_left_out(products, starts, sizes, weight, e, whole, most, rounding, out, safe):
    """What each cell's influence counts for once its cluster is left out; see `moves`.

    Parameters
    ----------
    products
        (c, s, s) of the clusters' cells with one another through the inverse Gram.
    starts, sizes
        (c,) cells of each cluster.
    weight, e
        (m,) and (m, K) of the cells.
    whole
        (c,) weight of the group that each cluster lies in.
    most, rounding
        Leverage from which a cluster is not safe; share of the group that is nothing.
    out, safe
        (m, K) and (c,): written.
    """
    n_out = e.shape[1]
    for c in range(starts.size):
        n, first = sizes[c], starts[c]
        own = 0.0
        for i in range(n):
            own += weight[first + i]
        rest = whole[c] - own
        outside = 1.0 / np.sqrt(rest) if rest > rounding * whole[c] else 0.0
        gap = np.zeros((n + 1, n + 1))  # lower half of I - R B⁻¹ R'
        right = np.zeros((n + 1, n_out))
        trace = 0.0
        for i in range(n):
            root = np.sqrt(weight[first + i])
            with_rest = 0.0
            for j in range(n):
                with_rest += products[c, i, j] * weight[first + j]
            for j in range(i + 1):
                gap[i, j] = -root * products[c, i, j] * np.sqrt(weight[first + j])
            trace -= gap[i, i]
            gap[i, i] += 1.0
            gap[n, i] = -root * with_rest * outside
            gap[n, n] -= weight[first + i] * with_rest * outside * outside
            for k in range(n_out):
                right[i, k] = e[first + i, k] / root
                right[n, k] += e[first + i, k] * outside
        trace -= gap[n, n]
        gap[n, n] += 1.0
        safe[c] = trace < most
        if not safe[c]:
            continue
        _solve(gap, right)
        for k in range(n_out):
            for i in range(n):
                w = weight[first + i]
                out[first + i, k] = np.sqrt(w) * right[i, k] + w * outside * right[n, k]


@njit(cache=True, nogil=True)
def square_sums(moves):
    """Rows of moves (G, T) not all zero; sums and maxima of squares, sums of fourth powers."""
    used = 0
    squares, fourths = np.zeros(moves.shape[1]), np.zeros(moves.shape[1])
    most = np.zeros(moves.shape[1])
    for g in range(moves.shape[0]):
        seen = 0
        for t in range(moves.shape[1]):
            square = np.float64(moves[g, t]) ** 2
            if square > 0:
                seen = 1
            squares[t] += square
            fourths[t] += square * square
            most[t] = max(most[t], square)
        used += seen
    return used, squares, fourths, most


@njit(cache=True, nogil=True)
def sum_run(values, starts, out):
    """Out (c, T) = sums of the rows of values (m, T) from each start to the next."""
    for c in range(starts.size):
        stop = starts[c + 1] if c + 1 < starts.size else values.shape[0]
        for r in range(starts[c], stop):
            for t in range(values.shape[1]):
                out[c, t] += values[r, t]


@njit(cache=True, nogil=True)
def add_concentration(influence, weight, share, starts, sums, shares):
    """Add clusters of cells to sums (5, T) and shares (2, T) of `Concentration`."""
    n_tags = influence.shape[1]
    parts = np.zeros((3, n_tags))
    for c in range(starts.size):
        stop = starts[c + 1] if c + 1 < starts.size else influence.shape[0]
        if stop == starts[c] + 1:
            own, part = weight[starts[c]], share[starts[c]]
            for t in range(n_tags):
                square = np.float64(influence[starts[c], t]) ** 2 * own
                a, b = square * own, square * part
                sums[0, t] += a
                sums[1, t] += b
                sums[2, t] += a * a
                sums[3, t] += a * b
                sums[4, t] += b * b
                shares[0, t] += square
                shares[1, t] = max(shares[1, t], square)
            continue
        parts[:] = 0.0
        for r in range(starts[c], stop):
            for t in range(n_tags):
                square = np.float64(influence[r, t]) ** 2 * weight[r]
                parts[0, t] += square
                parts[1, t] += square * weight[r]
                parts[2, t] += square * share[r]
        for t in range(n_tags):
            own, a, b = parts[0, t], parts[1, t], parts[2, t]
            sums[0, t] += a
            sums[1, t] += b
            sums[2, t] += a * a
            sums[3, t] += a * b
            sums[4, t] += b * b
            shares[0, t] += own
            shares[1, t] = max(shares[1, t], own)
