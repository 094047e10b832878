"""Compiled loops over scores: one pass a row, whatever the model."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rank_rows(scores, indptr, seen, allowed, target, rank, top):
    """Rank each row's target among the items allowed and unseen, and list the first ones.

    scores (B, I); seen: items of row r at indptr[r]:indptr[r + 1]; allowed (I,); target (B,), -1
    for none. Fills rank (B,): 1 + larger + equal / 2, infinite for a target that is not ranked; and
    top (B, K): best first, of equal scores the smaller item, -1 where there are no more.
    Returns the first row with a score that is not finite, else -1.
    """
    n_rows, n_items = scores.shape
    depth = top.shape[1]
    seen_by = np.full(n_items, -1, np.int64)
    best = np.empty(depth, np.float32)
    for r in range(n_rows):
        for e in range(indptr[r], indptr[r + 1]):
            seen_by[seen[e]] = r
        goal = target[r]
        known = goal >= 0 and allowed[goal] and seen_by[goal] != r
        own = scores[r, goal] if known else np.float32(0)
        larger = equal = filled = 0
        for i in range(n_items):
            score = scores[r, i]
            if not np.isfinite(score):
                return r
            if seen_by[i] == r or not allowed[i]:
                continue
            larger += score > own
            equal += score == own
            if filled == depth and score <= best[depth - 1]:
                continue
            place = min(filled, depth - 1)
            while place > 0 and best[place - 1] < score:
                best[place] = best[place - 1]
                top[r, place] = top[r, place - 1]
                place -= 1
            best[place] = score
            top[r, place] = i
            filled = min(filled + 1, depth)
        top[r, filled:] = -1
        rank[r] = 1 + larger + (equal - 1) / 2 if known else np.inf
    return -1
