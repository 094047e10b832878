"""Compiled: rules, each told by the items that carry its tag, on scores and on candidates."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_boost(items, strength, weight, scores):
    """scores[i] += weight · strength of the tag in item i; float32."""
    for k in range(items.size):
        scores[items[k]] += weight * np.float32(strength[k])


@njit(cache=True, nogil=True)
def boost_candidates(items, strength, weight, place, change):
    """change[p] = weight · strength of the tag in the candidate at p; `place` (I,) −1: none."""
    for k in range(items.size):
        at = place[items[k]]
        if at >= 0:
            change[at] = weight * strength[k]


@njit(cache=True, nogil=True)
def block_candidates(items, rule, place, blocked):
    """Put down a rule as what blocks the candidates that carry its tag; the first one stays."""
    for k in range(items.size):
        at = place[items[k]]
        if at >= 0 and blocked[at] < 0:
            blocked[at] = rule


@njit(cache=True, nogil=True)
def ranks_at(at, score, free):
    """(m,) ranks from 1 of the candidates at some places among the free ones; 0 of others.

    Of equal scores (n,) the earlier one stands first.
    """
    out = np.zeros(at.size, np.int64)
    for j in range(at.size):
        if not free[at[j]]:
            continue
        own, ahead = score[at[j]], 0
        for i in range(at[j]):
            ahead += free[i] and score[i] >= own
        for i in range(at[j] + 1, score.size):
            ahead += free[i] and score[i] > own
        out[j] = ahead + 1
    return out
