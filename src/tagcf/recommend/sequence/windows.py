"""Training sequences cut into windows and batched by length, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.histories import Histories


@dataclass(frozen=True, slots=True)
class Batch:
    """B sequences of at most L + 1 events; what stands behind a shorter one is no event."""

    item: NDArray[np.int64]  # (B, L + 1)
    real: NDArray[np.bool_]  # (B, L + 1)


def windows(
    train: Histories, length: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(start, stop) of windows of at most `length` + 1 events that hold every target.

    A sequence that fits is one window. A longer one is cut at places that differ each time, and
    its last events have a window of their own, so that they are learnt from with all that may be
    known of what came before them.
    """
    user = np.flatnonzero(train.sizes >= 2)
    first, stop = train.indptr[user], train.indptr[user + 1]
    long = stop - first > length + 1
    offset = np.where(long, rng.integers(1, length, user.size), 0)
    count = np.maximum(-(-(stop - first - 1 - offset) // length), 1)
    order = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    end = np.repeat(stop - offset, count) - order * length
    start = np.maximum(np.repeat(first, count), end - length - 1)
    start = np.concatenate([start, stop[long] - length - 1])
    return start, np.concatenate([end, stop[long]])


def batches(
    train: Histories, length: int, targets: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """One epoch: batches of about so many targets, of sequences about equally long."""
    start, stop = windows(train, length, rng)
    size = stop - start - 1
    order = np.argsort(size + rng.uniform(-0.5, 0.5, size.size), kind="stable")
    filled = np.cumsum(size[order]) // targets
    parts = np.split(order, np.flatnonzero(np.diff(filled)) + 1)
    for at in rng.permutation(len(parts)):
        part = parts[at]
        place = np.arange(int(size[part].max(initial=0)) + 1)
        real = place <= size[part][:, None]
        item = train.item[np.where(real, start[part][:, None] + place, 0)]
        yield Batch(item.astype(np.int64), real)
