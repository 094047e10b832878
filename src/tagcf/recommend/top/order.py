"""The best of many scores, and scores in order: ties always as they stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Codes, Floats

SAMPLED = 16  # every so many-th score is in the sample
FEW = 10  # times the items asked for: so many are sorted at once
LOWEST = np.finfo(np.float32).min


def best(scores: NDArray[np.float32], n: int) -> Codes:
    """At most n items of largest score, best first, equal ones in their order; −inf is left out."""
    near, _ = near_best(scores, n)
    return first_of(near, scores[near], n)


def near_best(scores: NDArray[np.float32], n: int) -> tuple[NDArray[np.int64], float]:
    """Items among which are the best n, in rising order, and the score that they all reach."""
    sample = scores[::SAMPLED]  # tells where about the edge is
    place = sample.size - 2 * (n // SAMPLED) - SAMPLED
    if place > 0:
        edge = max(np.partition(sample, place)[place], LOWEST)
        near = np.flatnonzero(scores >= edge)
        if n <= near.size < scores.size // 2:
            return near, float(edge)
    return np.flatnonzero(scores > -np.inf), float(LOWEST)


def first_of(items: NDArray[np.integer], score: NDArray[np.float32], n: int) -> Codes:
    """At most n of some items, of largest (m,) score and best first; −inf is left out."""
    if FEW * n < score.size:
        edge = np.partition(score, score.size - n)[score.size - n]
        above, level = np.flatnonzero(score > edge), np.flatnonzero(score == edge)
        if level.size > n - above.size:  # of those at the edge, the first
            level = level[np.argsort(items[level], kind="stable")[: n - above.size]]
        kept = np.concatenate([above, level])
        items, score = items[kept], score[kept]
    # Score, falling, and item as one number: sorting these is fast. 0 makes of −0 a 0.
    bits = (score + np.float32(0)).view(np.int32).astype(np.int64)
    rank = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    there = score > -np.inf
    key = (-rank << 32) + items
    return (np.sort(key if there.all() else key[there])[:n] & 0xFFFFFFFF).astype(np.int32)


def falling(score: Floats) -> NDArray[np.int64]:
    """(n,) places from the largest score on; equal ones keep their order."""
    order = np.argsort(-score)  # many times as fast as a stable sort
    other = np.diff(score[order]) != 0
    if other.all():
        return order
    run = np.concatenate([[0], np.cumsum(other)])  # of equal ones: sorted by place within
    return np.sort((run << 32) + order) & 0xFFFFFFFF
