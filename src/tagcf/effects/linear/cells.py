"""One additive statistic: sums per cell and cross-products of the controls.

Everything linear in tags comes from these sums, because tags do not vary within a cell. Sums of
parts of the log add up to the sums of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.basis import expand
from tagcf.effects.linear.design import Design
from tagcf.types import Codes, EventBatch, EventLog, Floats


@dataclass(frozen=True, slots=True)
class CellSums:
    """Weighted sums. C cells, P control columns, K outcomes that share their weights."""

    rows: Floats  # (C,) number of rows, unweighted
    weight: Floats  # (C,)
    x: Floats  # (C, P)
    y: Floats  # (C, K)
    xx: Floats  # (P, P)
    xy: Floats  # (P, K)
    yy: Floats  # (K,)

    def discount(self, share: Floats) -> CellSums:
        """Let the mean of each cell count for a share (C,) of its rows.

        What varies within a cell keeps its full weight, so that this is generalised least squares
        with a random effect for each cell (Fuller and Battese 1973) from the same sums.
        """
        safe = np.where(self.weight > 0, self.weight, 1.0)[:, None]
        mean_x, mean_y = self.x / safe, self.y / safe
        lost = (1.0 - share)[:, None]
        return replace(
            self,
            weight=self.weight * share,
            x=self.x * share[:, None],
            y=self.y * share[:, None],
            xx=self.xx - mean_x.T @ (self.x * lost),
            xy=self.xy - mean_x.T @ (self.y * lost),
            yy=self.yy - (mean_y * self.y * lost).sum(axis=0),
        )

    def __add__(self, other: CellSums) -> CellSums:
        return CellSums(
            self.rows + other.rows,
            self.weight + other.weight,
            self.x + other.x,
            self.y + other.y,
            self.xx + other.xx,
            self.xy + other.xy,
            self.yy + other.yy,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """The used rows of one batch, as arrays of a regression."""

    cell: Codes  # (n,)
    x: Floats  # (n, P)
    y: Floats  # (n, K)
    w: Floats  # (n,)
    clusters: Codes  # (n, C)
    user: Codes  # (n,)


def block_of(log: EventLog, batch: EventBatch, design: Design, outcomes: tuple[int, ...]) -> Block:
    """Pick the used rows of a batch: those of the design that have the outcomes measured."""
    keep = design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)
    return Block(
        cell=design.cells(log, batch, keep),
        x=expand(design.basis, batch.covariates[keep]),
        y=batch.outcomes[keep][:, list(outcomes)],
        w=batch.weights[keep, outcomes[0]] * design.rows.standing(batch)[keep],
        clusters=batch.clusters[keep],
        user=batch.user[keep],
    )


def sum_block(block: Block, n_cells: int) -> CellSums:
    """Sums of one block of rows."""
    rows = np.bincount(block.cell, minlength=n_cells).astype(float)
    by_cell = sum_matrix(block.cell, block.w, n_cells)
    weighted = block.x * block.w[:, None]
    return CellSums(
        rows=rows,
        weight=total_by(block.cell, block.w, n_cells),
        x=by_cell @ block.x,
        y=by_cell @ block.y,
        xx=weighted.T @ block.x,
        xy=weighted.T @ block.y,
        yy=(block.w[:, None] * block.y**2).sum(axis=0),
    )


def sum_cells(log: EventLog, design: Design, outcomes: tuple[int, ...]) -> CellSums:
    """Sums over the whole log, one block in memory at a time."""
    n_cells, n_controls = len(design.cell_keys), len(design.basis.names)
    total = CellSums(
        rows=np.zeros(n_cells),
        weight=np.zeros(n_cells),
        x=np.zeros((n_cells, n_controls)),
        y=np.zeros((n_cells, len(outcomes))),
        xx=np.zeros((n_controls, n_controls)),
        xy=np.zeros((n_controls, len(outcomes))),
        yy=np.zeros(len(outcomes)),
    )
    for batch in log.batches():
        total = total + sum_block(block_of(log, batch, design, outcomes), n_cells)
    return total


def total_by(code: NDArray[np.integer], weight: Floats, n_codes: int) -> Floats:
    """(n_codes,) sum of weights by code."""
    return np.asarray(np.bincount(code, weights=weight, minlength=n_codes), dtype=np.float64)


def sum_matrix(code: NDArray[np.integer], weight: Floats, n_codes: int) -> sparse.csr_array:
    """(n_codes, n) matrix that sums rows by code: ``sum_matrix(c, w, C) @ x``."""
    rows = np.arange(code.size)
    return sparse.csr_array((weight, (code, rows)), shape=(n_codes, code.size))
