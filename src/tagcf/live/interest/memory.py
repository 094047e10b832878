"""Zeroed arrays that are reserved at their full size and take memory only where they are touched.

Nothing is ever copied to grow: a row's pages come with its first event. Pages of 2 MB, where the
system gives them, spare the random updates most of their address translations.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LINE = 64  # bytes that memory is fetched by


def reserved(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Array of zeros in memory of its own, of which only what is written to is really taken."""
    item = np.dtype(dtype)
    n = int(np.prod(shape, dtype=np.int64))
    if not n:
        return np.zeros(shape, item)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    memory = mmap.mmap(-1, n * item.itemsize, flags=flags)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, item, n).reshape(shape)
