"""Folds for cross-fitting that hold whole items, or whole authors, and sums by fold.

Features repeat on every row of an item: with folds of rows a flexible learner looks the item up in
the folds that it is trained on, and the answer is wrong however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.cells import Block, CellSums, block_of, sum_matrix, total_by
from tagcf.effects.linear.design import Design
from tagcf.types import Codes, EventLog, Floats


@dataclass(frozen=True, slots=True)
class FoldSums:
    """Sums of all rows, and what cannot be told from cells by fold. F folds, P controls."""

    total: CellSums
    fold: Codes  # (C,) fold of each cell
    xx: Floats  # (F, P, P)
    xy: Floats  # (F, P, K)
    yy: Floats  # (F, K)

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
    n_cells, n_x, n_y = len(design.cell_keys), len(design.basis.names), len(outcomes)
    cells = _Cells(np.zeros(n_cells), np.zeros(n_cells), np.zeros((n_cells, n_x + n_y)))
    gram = np.zeros((n_folds, n_x + n_y, n_x + n_y))
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        columns = cells.add(block)
        for one in range(n_folds):
            inside = fold[block.cell] == one
            some = columns[inside]
            gram[one] += (some * block.w[inside, None]).T @ some
    xx, xy = gram[:, :n_x, :n_x], gram[:, :n_x, n_x:]
    yy = np.einsum("fkk->fk", gram[:, n_x:, n_x:])
    total = CellSums(
        rows=cells.rows,
        weight=cells.weight,
        x=cells.columns[:, :n_x],
        y=cells.columns[:, n_x:],
        xx=xx.sum(axis=0),
        xy=xy.sum(axis=0),
        yy=yy.sum(axis=0),
    )
    return FoldSums(total, fold, xx, xy, yy)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Running sums by cell, added to in place."""

    rows: Floats
    weight: Floats
    columns: Floats

    def add(self, block: Block) -> Floats:
        """Add a block; its controls beside its outcomes are returned for what else they serve."""
        n_cells = len(self.rows)
        columns = np.hstack([block.x, block.y])
        self.rows[:] += np.bincount(block.cell, minlength=n_cells)
        self.weight[:] += total_by(block.cell, block.w, n_cells)
        self.columns[:] += sum_matrix(block.cell, block.w, n_cells) @ columns
        return columns
