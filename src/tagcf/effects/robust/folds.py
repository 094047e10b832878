"""Folds for cross-fitting that hold whole items, or whole authors, and sums by fold.

Features repeat on every row of an item: with folds of rows a flexible learner looks the item up in
the folds that it is trained on, and the answer is wrong however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.cells import CellSums, add_block, blocks_of, empty_sums
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.passes import over_log
from tagcf.types import Codes, EventBatch, EventLog, Floats


@dataclass(frozen=True, slots=True)
class FoldSums:
    """Sums of all rows, and what cannot be told from cells by fold. F folds, P controls."""

    total: CellSums
    fold: Codes  # (C,) fold of each cell
    xx: Floats  # (F, P, P)
    xy: Floats  # (F, P, K)
    yy: Floats  # (F, K)

    def __add__(self, other: FoldSums) -> FoldSums:
        return FoldSums(
            self.total + other.total,
            self.fold,
            self.xx + other.xx,
            self.xy + other.xy,
            self.yy + other.yy,
        )

    def without(self, one: int) -> CellSums:
        """Sums of the rows of all other folds."""
        rest = (self.fold != one).astype(float)
        total = self.total
        return CellSums(
            rows=total.rows * rest,
            weight=total.weight * rest,
            x=total.x * rest[:, None],
            y=total.y * rest[:, None],
            xx=total.xx - self.xx[one],
            xy=total.xy - self.xy[one],
            yy=total.yy - self.yy[one],
        )


def cell_folds(log: EventLog, design: Design, n_folds: int) -> Codes:
    """(C,) fold of each cell: an author's cells share one, where authors are known.

    Authors (or items) are dealt out by their number of cells, so that folds are of like size.
    """
    unit = design.cell_item.astype(np.int64)
    if log.item_author is not None and log.n_authors >= 2 * n_folds:
        author = log.item_author[design.cell_item].astype(np.int64)
        unit = np.where(author < 0, log.n_authors + unit, author)
    return deal(unit, n_folds)


def deal(unit: NDArray[np.integer], n_folds: int) -> Codes:
    """(C,) fold of each cell from the unit that it belongs to: largest first, back and forth."""
    _, position, count = np.unique(unit, return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    there_and_back = np.concatenate([np.arange(n_folds), np.arange(n_folds)[::-1]])
    fold = np.empty(count.size, dtype=np.int32)
    fold[order] = np.resize(there_and_back, count.size)
    return fold[position]


def sum_folds(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fold: Codes, n_folds: int
) -> FoldSums:
    """Sum the log once, by cell and by fold."""

    def empty() -> FoldSums:
        total, n_y = empty_sums(design, len(outcomes)), len(outcomes)
        n_x = total.x.shape[1]
        xx, xy = np.zeros((n_folds, n_x, n_x)), np.zeros((n_folds, n_x, n_y))
        return FoldSums(total, fold, xx, xy, np.zeros((n_folds, n_y)))

    def add(sums: FoldSums, batch: EventBatch) -> None:
        for block in blocks_of(log, batch, design, outcomes):
            add_block(sums.total, block)
            of_row = fold[block.cell]
            for one in range(n_folds):
                inside = of_row == one
                x, y, w = block.x[inside], block.y[inside], block.w[inside, None]
                sums.xx[one] += (x * w).T @ x
                sums.xy[one] += (x * w).T @ y
                sums.yy[one] += (w * y**2).sum(axis=0)

    return over_log(log, empty, add)
