"""Compiled loops over rows: pairing along a sorted score, sums by cluster, weighted moments."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def pair_sorted(order, score, carries, cell, weight, caliper):
    """Pair along `order` (rows sorted by cell, then score) in two sweeps.

    Returns (n,) whether a treated row found a control, and (n,) weight that each control received.
    """
    n = order.size
    run = np.empty(n, np.int64)  # run of equal controls that a position belongs to or follows
    run_cell = np.empty(n, cell.dtype)
    run_score = np.empty(n, score.dtype)
    run_weight = np.empty(n, np.float64)
    last = -1
    for k in range(n):
        i = order[k]
        if not carries[i]:
            if last < 0 or run_cell[last] != cell[i] or run_score[last] != score[i]:
                last += 1
                run_cell[last] = cell[i]
                run_score[last] = score[i]
                run_weight[last] = 0.0
            run_weight[last] += weight[i]
        run[k] = last
    received = np.zeros(last + 1)
    matched = np.zeros(n, np.bool_)
    reuse = np.zeros(n)
    for k in range(n):
        i = order[k]
        if not carries[i]:
            continue
        best, distance = -1, np.inf
        left, right = run[k], run[k] + 1
        if left >= 0 and run_cell[left] == cell[i]:
            best, distance = left, score[i] - run_score[left]
        if right <= last and run_cell[right] == cell[i]:
            other = run_score[right] - score[i]
            if other < distance:
                best, distance = right, other
        if best >= 0 and distance <= caliper:
            matched[i] = True
            received[best] += weight[i]
    for k in range(n):
        i = order[k]
        if not carries[i]:
            reuse[i] = weight[i] * received[run[k]] / run_weight[run[k]]
    return matched, reuse


@njit(cache=True, nogil=True)
def squares_by(code, values, n_codes):
    """(K,) sum of squares of the sums of `values` (n, K) by code, times G/(G - 1)."""
    table = np.zeros((n_codes, values.shape[1]))
    seen = np.zeros(n_codes, np.bool_)
    for i in range(code.size):
        for k in range(values.shape[1]):
            table[code[i], k] += values[i, k]
        seen[code[i]] = True
    count = 0
    total = np.zeros(values.shape[1])
    for g in range(n_codes):
        if seen[g]:
            count += 1
            for k in range(values.shape[1]):
                total[k] += table[g, k] ** 2
    return total * (count / max(count - 1, 1))


@njit(cache=True, nogil=True)
def weighted_moments(columns, weights):
    """(s, m) weighted sums of columns (n, m), and of their squares, for s weightings (s, n)."""
    n_sets, n_columns = weights.shape[0], columns.shape[1]
    total = np.zeros((n_sets, n_columns))
    squares = np.zeros((n_sets, n_columns))
    for i in range(columns.shape[0]):
        for s in range(n_sets):
            w = weights[s, i]
            if w != 0.0:
                for k in range(n_columns):
                    moved = w * columns[i, k]
                    total[s, k] += moved
                    squares[s, k] += moved * columns[i, k]
    return total, squares


@njit(cache=True, nogil=True)
def logit_pieces(index, carries, weight):
    """Loss of a logit, and per row its gradient and curvature."""
    n = index.size
    gradient = np.empty(n, index.dtype)
    curvature = np.empty(n, index.dtype)
    loss = 0.0
    for i in range(n):
        z = index[i]
        small = np.exp(-abs(z))
        loss += weight[i] * (max(z, 0.0) + np.log1p(small) - carries[i] * z)
        chance = 1.0 / (1.0 + small) if z >= 0 else small / (1.0 + small)
        gradient[i] = weight[i] * (carries[i] - chance)
        curvature[i] = weight[i] * chance * (1.0 - chance)
    return loss, gradient, curvature


@njit(cache=True, nogil=True, inline="always")
def bin_of(levels, low, per_level, bounded, score):
    """Bin of a score, read off a table over evenly spaced levels; -1 outside of a bounded one."""
    at = (score - low) * per_level
    if at < 0.0 or at >= levels.size:
        if bounded:
            return -1
        at = min(max(at, 0.0), levels.size - 1.0)
    return levels[int(at)]


@njit(cache=True, nogil=True)
def add_bins(
    scores, exact, cell, carried, e, w, levels, low, per_level, bounded, n_bins, rows, weight,
    total, squares,
):  # fmt: skip
    """Add rows to sums per tag, arm (0: without the tag) and bin within exact cells.

    `scores` (n, T), `carried` (C, T), `e` (n, K), `levels` (T, V); `rows` and `weight`
    (T, M, 2), `total` and `squares` (T, M, 2, K) are added to, M = exact cells × bins.
    """
    for i in range(cell.size):
        for t in range(scores.shape[1]):
            b = bin_of(levels[t], low[t], per_level[t], bounded, scores[i, t])
            if b >= 0:
                arm, at = carried[cell[i], t], exact[i] * n_bins + b
                rows[t, at, arm] += 1
                weight[t, at, arm] += w[i]
                for k in range(e.shape[1]):
                    moved = w[i] * e[i, k]
                    total[t, at, arm, k] += moved
                    squares[t, at, arm, k] += moved * e[i, k]


@njit(cache=True, nogil=True)
def add_influence(
    scores, exact, cell, carried, e, w, levels, low, per_level, bounded, n_bins, ratio, centre,
    gap, lift, axes, pair, tables, pairs, alone, by_cell, sides,
):  # fmt: skip
    """Add what each row moves the estimates by, before division by the treated weight.

    `ratio` (T, M) weight of a control's match per unit of its own, -1 where a bin has no match;
    `centre` (T, M, K) mean of the controls; `gap` (T, K) treated less controls; `lift` (C,)
    leverage; `axes` (2, n) clusters, `pair` (n,) place among repeated pairs or -1; `tables`
    (2, G, T·K), `pairs` (R, T·K), `alone` (T·K), `by_cell` (2, C, T) and `sides` (2, n, T) are
    filled in, the last two first by treated, then by controls.
    """
    n_tags, n_out = scores.shape[1], e.shape[1]
    moved = np.empty(n_tags * n_out)
    for i in range(cell.size):
        c = cell[i]
        extra = lift[c] - 1.0
        for t in range(n_tags):
            to = t * n_out
            b = bin_of(levels[t], low[t], per_level[t], bounded, scores[i, t])
            at = exact[i] * n_bins + b
            arm = carried[c, t]
            side = 0.0
            if b >= 0 and ratio[t, at] >= 0.0:
                side = w[i] if arm == 1 else -w[i] * ratio[t, at]
            if side == 0.0:
                for k in range(n_out):
                    moved[to + k] = 0.0
                continue
            by_cell[1 - arm, c, t] += abs(side)
            sides[1 - arm, i, t] = abs(side)
            for k in range(n_out):
                left = e[i, k] - centre[t, at, k] - arm * gap[t, k]
                moved[to + k] = side * (left + extra * e[i, k])
        for axis in range(axes.shape[0]):
            row = tables[axis, axes[axis, i]]
            for k in range(moved.size):
                row[k] += moved[k]
        if pair[i] >= 0:
            row = pairs[pair[i]]
            for k in range(moved.size):
                row[k] += moved[k]
        else:
            for k in range(moved.size):
                alone[k] += moved[k] * moved[k]
