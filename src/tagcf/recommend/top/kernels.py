"""Compiled: the best k by a heap with the worst kept item at its root.

Of equal scores the smaller item stands first.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def before(score_a, a, score_b, b):
    """Whether item a is ranked before item b."""
    return score_a > score_b or (score_a == score_b and a < b)


@njit(cache=True, nogil=True)
def offer(values, items, size, s, i):
    """Put (s, i) into a heap of `size`, if it is among its best; returns the heap's size."""
    if size < items.size:
        at = size
        while at > 0 and before(values[(at - 1) // 2], items[(at - 1) // 2], s, i):
            values[at], items[at] = values[(at - 1) // 2], items[(at - 1) // 2]
            at = (at - 1) // 2
        values[at], items[at] = s, i
        return size + 1
    if size and before(s, i, values[0], items[0]):
        sift(values, items, size, s, i)
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
def best_first(values, items, size):
    """Put a heap into order, in place: heap sort, the worst goes to the back."""
    for end in range(size - 1, 0, -1):
        s, i = values[end], items[end]
        values[end], items[end] = values[0], items[0]
        sift(values, items, end, s, i)


@njit(cache=True, nogil=True)
def top_items(scores, items, values):
    """Best of scores (I,), as many as `items` has room for, best first; NaN is left out.

    Returns their number. O(I log k).
    """
    size = 0
    for i in range(scores.size):
        if not np.isnan(scores[i]):
            size = offer(values, items, size, scores[i], i)
    best_first(values, items, size)
    return size
