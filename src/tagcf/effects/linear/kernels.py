"""Compiled loops over rows. All write into arrays that they are given and hold no lock."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_rows(cell, w, x, y, rows, weight, sum_x, sum_y):
    """Add w, w·x (n, P) and w·y (n, K) to the sums of each row's cell."""
    for r in range(cell.size):
        c = cell[r]
        rows[c] += 1.0
        weight[c] += w[r]
        for p in range(x.shape[1]):
            sum_x[c, p] += w[r] * x[r, p]
        for k in range(y.shape[1]):
            sum_y[c, k] += w[r] * y[r, k]


@njit(cache=True, nogil=True)
def add_vectors(code, we, total):
    """Total (C, K) += we (n, K) by code."""
    for r in range(code.size):
        c = code[r]
        for k in range(we.shape[1]):
            total[c, k] += we[r, k]


@njit(cache=True, nogil=True)
def add_products(code, we, x, total):
    """Total (G, K, P) += we (n, K) ⊗ x (n, P) by code."""
    for r in range(code.size):
        g = code[r]
        for k in range(we.shape[1]):
            scale = we[r, k]
            for p in range(x.shape[1]):
                total[g, k, p] += scale * x[r, p]


@njit(cache=True, nogil=True)
def add_tags(order, code, item, we, indptr, indices, values, total):
    """Total (G, K, T) += we (n, K) ⊗ what the row's item carries, by code.

    Without `values` all are 1, and four outcomes are added at a time.
    """
    n_out = we.shape[1]
    fours = n_out - n_out % 4 if values.size == 0 else 0
    for at in range(order.size):
        r = order[at]
        start, stop = indptr[item[r]], indptr[item[r] + 1]
        for k in range(0, fours, 4):
            one, two, three, four = we[r, k], we[r, k + 1], we[r, k + 2], we[r, k + 3]
            rows = total[code[r]]
            for j in range(start, stop):
                t = indices[j]
                rows[k, t] += one
                rows[k + 1, t] += two
                rows[k + 2, t] += three
                rows[k + 3, t] += four
        for k in range(fours, n_out):
            scale = we[r, k]
            row = total[code[r], k]
            for j in range(start, stop):
                row[indices[j]] += scale * values[j] if values.size else scale


@njit(cache=True, nogil=True)
def take_fitted(item, weight, indptr, indices, values, coef, level, out):
    """Out (n, K) -= weight (n,) times [level (K,) + what the row's item carries times coef (T, L)].

    Without `values` all are 1. L is K rounded up to a multiple of four, filled with zeros: four
    sums at a time stay in registers.
    """
    n_out = out.shape[1]
    for r in range(item.size):
        start, stop = indptr[item[r]], indptr[item[r] + 1]
        for k in range(0, coef.shape[1], 4):
            a, b, c, d = (
                coef.dtype.type(0),
                coef.dtype.type(0),
                coef.dtype.type(0),
                coef.dtype.type(0),
            )
            for j in range(start, stop):
                row = coef[indices[j]]
                scale = coef.dtype.type(values[j]) if values.size else coef.dtype.type(1)
                a += scale * row[k]
                b += scale * row[k + 1]
                c += scale * row[k + 2]
                d += scale * row[k + 3]
            out[r, k] -= weight[r] * (a + level[k])
            if k + 1 < n_out:
                out[r, k + 1] -= weight[r] * (b + level[k + 1])
            if k + 2 < n_out:
                out[r, k + 2] -= weight[r] * (c + level[k + 2])
            if k + 3 < n_out:
                out[r, k + 3] -= weight[r] * (d + level[k + 3])


@njit(cache=True, nogil=True)
def take_group_means(order, code, group, we, means, total):
    """Total (G, K, T) -= we (n, K) ⊗ the tags' means (groups, T) in the row's group, by code."""
    for at in range(order.size):
        r = order[at]
        mean = means[group[r]]
        for k in range(we.shape[1]):
            scale = we[r, k]
            row = total[code[r], k]
            for t in range(mean.size):
                row[t] -= scale * mean[t]


@njit(cache=True, nogil=True)
def fill_dense(item, indptr, indices, values, out):
    """Write what items (m,) carry into out (m, T), which must be zero.

    Here and below, without `values` all are 1.
    """
    for r in range(item.size):
        for j in range(indptr[item[r]], indptr[item[r] + 1]):
            out[r, indices[j]] = values[j] if values.size else 1.0


@njit(cache=True, nogil=True)
def add_by_tag(indptr, indices, values, by_item, total):
    """Total (T, K) += what items carry, transposed, times by_item (I, K)."""
    for i in range(indptr.size - 1):
        for j in range(indptr[i], indptr[i + 1]):
            scale = values[j] if values.size else 1.0
            for k in range(by_item.shape[1]):
                total[indices[j], k] += scale * by_item[i, k]


@njit(cache=True, nogil=True)
def add_by_item(indptr, indices, values, by_tag, total):
    """Total (I, K) += what items carry times by_tag (T, K)."""
    for i in range(indptr.size - 1):
        for j in range(indptr[i], indptr[i + 1]):
            scale = values[j] if values.size else 1.0
            for k in range(by_tag.shape[1]):
                total[i, k] += scale * by_tag[indices[j], k]


@njit(cache=True, nogil=True)
def count_codes(code, total):
    """Total (G,) += 1 for each code."""
    for r in range(code.size):
        total[code[r]] += 1.0


@njit(cache=True, nogil=True)
def fill_columns(x, item, indptr, indices, values, y, out):
    """Write rows [x (n, P), what items carry (n, T), 1, y (n, K)] into out."""
    n_columns, one = x.shape[1], out.shape[1] - y.shape[1] - 1
    for r in range(item.size):
        out[r] = 0.0
        for p in range(n_columns):
            out[r, p] = x[r, p]
        for j in range(indptr[item[r]], indptr[item[r] + 1]):
            out[r, n_columns + indices[j]] = values[j] if values.size else 1.0
        out[r, one] = 1.0
        for k in range(y.shape[1]):
            out[r, one + 1 + k] = y[r, k]


@njit(cache=True, nogil=True)
def widen_range(code, values, low, high):
    """Widen [low, high] (C,) of each code by values (n,)."""
    for r in range(code.size):
        c, value = code[r], values[r]
        low[c] = min(low[c], value)
        high[c] = max(high[c], value)


@njit(cache=True, nogil=True)
def mix_bits(a, b, c):
    """(n,) uint64 hashes of three integer columns: splitmix64 (Steele, Lea and Flood 2014)."""
    out = np.empty(a.size, np.uint64)
    for r in range(a.size):
        z = np.uint64(0)
        for value in (np.uint64(a[r]), np.uint64(b[r]), np.uint64(c[r])):
            z = (z ^ value) + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
        out[r] = z
    return out


@njit(cache=True, nogil=True)
def expand_terms(
    covariates, kind, position, center, scale, limits, first, missing, knots, levels, out
):
    """Write the design columns (n, P) of covariates (n, p); see `tagcf.effects.linear.basis`.

    Parameters
    ----------
    kind
        (t,) knots of a number, 0 for a linear one; -1 for a category.
    limits
        (t, 2) values outside count as missing, as NaN does.
    first
        (t,) first column of each term.
    missing
        (t,) column of the missing indicator; -1: none.
    knots
        (t, most) knots.
    levels
        (t, most) column of each level's dummy; -1: none.
    """
    inverse = 1.0 / scale
    for r in range(covariates.shape[0]):
        for t in range(kind.size):
            value = covariates[r, position[t]]
            if kind[t] < 0:
                if value >= 0:
                    code = int(value)
                    if code < levels.shape[1] and levels[t, code] >= 0:
                        out[r, levels[t, code]] = 1.0
                elif missing[t] >= 0:
                    out[r, missing[t]] = 1.0
                continue
            at = first[t]
            x = (value - center[t]) * inverse[t]
            if not (limits[t, 0] <= value <= limits[t, 1]):
                x = 0.0
                if missing[t] >= 0:
                    out[r, missing[t]] = 1.0
            out[r, at] = x
            m = kind[t]
            if m < 3:
                continue
            last, before = knots[t, m - 1], knots[t, m - 2]
            tail_last = max(x - last, 0.0) ** 3
            tail_before = max(x - before, 0.0) ** 3
            span = (last - knots[t, 0]) ** 2
            for j in range(m - 2):
                knot = knots[t, j]
                out[r, at + 1 + j] = (
                    max(x - knot, 0.0) ** 3
                    - tail_before * (last - knot) / (last - before)
                    + tail_last * (before - knot) / (last - before)
                ) / span
