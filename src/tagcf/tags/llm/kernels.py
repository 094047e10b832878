"""Compiled loops: leaders among near-duplicates, greedy set cover."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True)
def leaders_of(starts: NDArray[np.int64], near: NDArray[np.int32]) -> NDArray[np.int32]:
    """Leader of each name; a name without one among its neighbours leads itself.

    Parameters
    ----------
    starts
        (n + 1,) where the neighbours of a name begin in `near`.
    near
        Neighbours that stand before the name, nearest first.
    """
    n = len(starts) - 1
    leader = np.empty(n, np.int32)
    for name in range(n):
        leader[name] = name
        for k in range(starts[name], starts[name + 1]):
            if leader[near[k]] == near[k]:
                leader[name] = near[k]
                break
    return leader


@numba.njit(cache=True)
def greedy_cover(
    item_starts: NDArray[np.int64],
    tags_of_item: NDArray[np.int32],
    tag_starts: NDArray[np.int64],
    items_of_tag: NDArray[np.int32],
    enough: int,
    most: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Take the tag that covers most items not covered yet, until `enough` are or `most` taken.

    Returns the tags taken and the number of items covered after each. Of equals the first wins.
    """
    tags, items = len(tag_starts) - 1, len(item_starts) - 1
    gain = np.empty(tags, np.int64)
    for tag in range(tags):
        gain[tag] = tag_starts[tag + 1] - tag_starts[tag]
    covered = np.zeros(items, np.bool_)
    taken = np.empty(min(tags, most), np.int32)
    reached = np.empty(min(tags, most), np.int64)
    count, total = 0, 0
    while count < len(taken) and total < enough:
        best = int(np.argmax(gain))
        if gain[best] == 0:
            break
        for k in range(tag_starts[best], tag_starts[best + 1]):
            item = items_of_tag[k]
            if not covered[item]:
                covered[item] = True
                total += 1
                for j in range(item_starts[item], item_starts[item + 1]):
                    gain[tags_of_item[j]] -= 1
        taken[count], reached[count] = best, total
        count += 1
    return taken[:count], reached[:count]
