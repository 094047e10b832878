"""Which event keys came lately: exact over the last so many new events."""

from __future__ import annotations

import numpy as np

from tagcf.live.log import kernels
from tagcf.types import Mask
from tagcf.types.live import Keys


class Seen:
    """The keys of the last `window` new events; takes 24 to 40 bytes of memory a key."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.forget()

    def forget(self) -> None:
        """Forget every key."""
        size = max(4, 1 << (2 * self.window - 1).bit_length())  # never full
        self._table = np.zeros(size, np.uint64)
        self._ring = np.zeros(self.window, np.uint64)
        self._state = np.zeros(2, np.int64)

    def fresh(self, keys: Keys) -> Mask:
        """Remember the keys (n,); returns which of them are new, also within the batch."""
        fresh = np.empty(len(keys), np.bool_)
        kernels.remember(self._table, self._ring, self._state, keys, fresh)
        return fresh
