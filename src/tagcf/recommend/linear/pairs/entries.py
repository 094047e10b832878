"""Addends of the sums over users, made of blocks of users so that they fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, distinct
from tagcf.recommend.linear.fit import Sums
from tagcf.recommend.linear.pairs.kernels import bag_entries, count_pairs, pair_entries

PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Entries:
    """Addends of the two tables, of some users."""

    gram_row: NDArray[np.int64]
    gram_column: NDArray[np.int64]
    gram: Sums
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    cross: Sums


def entries(histories: Histories, design: Design) -> Iterator[Entries]:
    """Yield the addends of blocks of users, of about `PAIRS_AT_ONCE` each."""
    own = histories if design.ordered else distinct(histories)
    weight = design.row_weights(own)
    reach = np.minimum(own.sizes, design.reach)
    effort = np.cumsum(own.sizes * reach) * len(design.windows) ** 2
    start = 0
    while start < len(own):
        done = effort[start - 1] if start else 0
        stop = int(np.searchsorted(effort, done + PAIRS_AT_ONCE, side="right"))
        stop = max(stop, start + 1)
        lo, hi = own.indptr[start], own.indptr[stop]
        yield _entries(own.users(slice(start, stop)), weight[lo:hi], design)
        start = stop


def _entries(part: Histories, weight: NDArray[np.float64], design: Design) -> Entries:
    if not design.ordered:
        kept = np.minimum(part.sizes, design.reach)
        size = int(np.sum(kept * (kept + 1) // 2))
        row, column, value = np.empty((3, size), np.int64)
        bag_entries(part.indptr, part.item, design.reach, row, column, value)
        none = np.zeros(0, np.int64)
        return Entries(row, column, value, none, none, none)
    lengths, decays = design.lengths, design.decays
    size, crossed = count_pairs(part.indptr, lengths)
    gram_row, gram_column, gram = np.empty((3, size), np.int64)
    row, column, cross = np.empty((3, crossed), np.int64)
    n = part.n_items
    pair_entries(
        part.indptr, part.item, weight, lengths, decays, n,
        gram_row, gram_column, gram, row, column, cross,
    )  # fmt: skip
    return Entries(gram_row, gram_column, gram, row, column, cross)
