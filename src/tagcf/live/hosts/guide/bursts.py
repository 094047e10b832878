"""How many acts come together: likes come in runs of one person, and are not so many people.

The variance over the mean of counts of half a minute, from differences of neighbouring ones (von
Neumann 1941), so that a rate that wanders slowly adds little to it.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from tagcf.types import Floats

BLOCK = 30  # seconds
DELAY = 3  # blocks: a window that is being judged says nothing of what is usual
KEPT = 0.98  # of what was seen, after each block
WORTH = 5.0  # differences that all rooms together are worth for one


class Bursts:
    """Measures it for all rooms at once; R rooms."""

    def __init__(self, rooms: int) -> None:
        # Counts, viewer-seconds of the block that runs, and of the one before it.
        self._running, self._last = np.zeros((2, rooms)), np.zeros((2, rooms))
        self._seen = np.zeros((3, rooms))  # squares, sums, and number of differences
        self._waiting: deque[Floats] = deque()
        self._all = np.ones(2)

    def grow(self, rooms: int) -> None:
        """Make room for more rooms."""
        self._running, self._last = _wider(self._running, rooms), _wider(self._last, rooms)
        self._seen = _wider(self._seen, rooms)
        self._waiting = deque(_wider(one, rooms) for one in self._waiting)

    def forget(self, row: int) -> None:
        """Empty the place of a room."""
        for one in (self._running, self._last, self._seen, *self._waiting):
            one[:, row] = 0.0

    def add(self, second: int, count: Floats, viewers: Floats) -> None:
        """Take in one second of the first rooms."""
        n = len(count)
        self._running[0, :n] += count
        self._running[1, :n] += viewers
        if second % BLOCK != BLOCK - 1:
            return
        both = (self._running[1] > 0) & (self._last[1] > 0)
        grown = self._running[1] / np.where(both, self._last[1], 1.0)
        # Scaled to the same audience, a difference of two Poisson counts has this variance.
        off = self._running[0] - grown * self._last[0]
        mean = self._running[0] + grown**2 * self._last[0]
        self._waiting.append(np.where(both, np.stack([off**2, mean, mean > 0]), 0.0))
        if len(self._waiting) > DELAY:
            found = self._waiting.popleft()
            self._seen = np.where(self._running[1] > 0, KEPT * self._seen + found, 0.0)
            self._all = self._all + found[:2].sum(axis=1)
        self._last, self._running = self._running, np.zeros_like(self._running)

    def size(self) -> Floats:
        """(R,) variance over mean, 1 by pure chance; drawn towards that of all rooms."""
        squares, sums, n = self._seen
        own = squares / np.where(sums > 0, sums, 1.0)
        usual = float(self._all[0] / self._all[1])
        size: Floats = np.maximum((n * own + WORTH * usual) / (n + WORTH), 1.0)
        return size


def _wider(array: Floats, rooms: int) -> Floats:
    wider = np.zeros((len(array), rooms))
    wider[:, : array.shape[1]] = array
    return wider
