"""Where in a file the records of hashed keys begin: sixteen bytes each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RECENT = 65_536  # places kept as a dictionary before they are sorted in


class Places:
    """A map from 64-bit hashes to positions; the newest position of a hash counts."""

    def __init__(self) -> None:
        self._hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)  # (n,) ascending
        self._offsets: NDArray[np.int64] = np.zeros(0, np.int64)  # (n,)
        self._recent: dict[int, int] = {}

    def __len__(self) -> int:
        self._sort_in()
        return len(self._hashes)

    def add(self, key: int, offset: int) -> None:
        """Set the position of a hash."""
        self._recent[key] = offset
        if len(self._recent) >= max(_RECENT, len(self._hashes) // 8):
            self._sort_in()

    def find(self, key: int) -> int | None:
        """Return the position of a hash, if there is one."""
        if key in self._recent:
            return self._recent[key]
        wanted = np.uint64(key)
        at = int(np.searchsorted(self._hashes, wanted))
        known = at < len(self._hashes) and self._hashes[at] == wanted
        return int(self._offsets[at]) if known else None

    def _sort_in(self) -> None:
        if not self._recent:
            return
        count = len(self._recent)
        new = np.fromiter(self._recent.keys(), np.uint64, count)
        hashes = np.concatenate([new, self._hashes])  # `unique` keeps the first: the newest
        offsets = np.concatenate(
            [np.fromiter(self._recent.values(), np.int64, count), self._offsets]
        )
        self._hashes, first = np.unique(hashes, return_index=True)
        self._offsets = offsets[first]
        self._recent = {}
