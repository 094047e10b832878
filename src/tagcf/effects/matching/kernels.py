"""Compiled loops: pairing along a sorted score, sums over rows, pieces of a logit."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def runs_of(order, score, carries, pool, weight):
    """Runs of controls with the same pool and score, along `order`.

    Returns (n,) for each position its run, or the last before it, and each run's pool, score,
    weight and size.
    """
    n = order.size
    run = np.empty(n, np.int64)
    run_pool = np.empty(n, pool.dtype)
    run_score = np.empty(n, score.dtype)
    run_weight = np.empty(n, np.float64)
    run_size = np.empty(n, np.int64)
    last = -1
    for k in range(n):
        i = order[k]
        if not carries[i]:
            if last < 0 or run_pool[last] != pool[i] or run_score[last] != score[i]:
                last += 1
                run_pool[last] = pool[i]
                run_score[last] = score[i]
                run_weight[last] = 0.0
                run_size[last] = 0
            run_weight[last] += weight[i]
            run_size[last] += 1
        run[k] = last
    count = last + 1
    return run, run_pool[:count], run_score[:count], run_weight[:count], run_size[:count]


@njit(cache=True, nogil=True, inline="always")
def distance(at, run_pool, run_score, pool, score):
    """How far run `at` is from a unit; infinite where there is no such run in its pool."""
    if at < 0 or at >= run_pool.size or run_pool[at] != pool:
        return np.inf
    return abs(run_score[at] - score)


@njit(cache=True, nogil=True)
def pair_sorted(order, score, carries, pool, weight, caliper, company, neighbours):
    """Pair along `order` (units sorted by pool, then score) in two sweeps.

    Returns (n,) weight of each treated unit's match, and (n,) weight that each control received.
    """
    run, run_pool, run_score, run_weight, run_size = runs_of(order, score, carries, pool, weight)
    received = np.zeros(run_weight.size)
    treated = np.zeros(order.size)
    reuse = np.zeros(order.size)
    for k in range(order.size):
        i = order[k]
        if not carries[i]:
            continue
        first, after = run[k] + 1, run[k] + 1  # runs first … after - 1 are this unit's neighbours
        found, total = 0, 0.0
        while found < neighbours:
            left = distance(first - 1, run_pool, run_score, pool[i], score[i])
            right = distance(after, run_pool, run_score, pool[i], score[i])
            nearest = min(left, right)
            if nearest == np.inf or nearest > (caliper if found == 0 else company):
                break
            to = first - 1 if left <= right else after
            first, after = min(first, to), max(after, to + 1)
            found += run_size[to]
            total += run_weight[to]
        if found > 0:
            treated[i] = weight[i] * total / (weight[i] + total) * (1 + found) / found
            received[first:after] += treated[i] * run_weight[first:after] / total
    for k in range(order.size):
        i = order[k]
        if not carries[i]:
            reuse[i] = weight[i] * received[run[k]] / run_weight[run[k]]
    return treated, reuse


@njit(cache=True, nogil=True)
def add_moves(code, unit, we, moves, table):
    """Add to `table` (G, T·K), row `code[i]`, weighted residuals (n, K) times `moves[unit[i]]`."""
    n_out = we.shape[1]
    for i in range(code.size):
        for t in range(moves.shape[1]):
            a = moves[unit[i], t]
            if a != 0.0:
                for k in range(n_out):
                    table[code[i], t * n_out + k] += a * we[i, k]


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
