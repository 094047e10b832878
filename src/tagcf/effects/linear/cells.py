"""One additive statistic: sums per cell and cross-products of the controls.

Everything linear in tags comes from these sums, because tags do not vary within a cell. Sums of
parts of the log add up to the sums of the whole, and come off it again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.basis import expand
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.kernels import add_rows
from tagcf.effects.linear.passes import over_log_each
from tagcf.effects.linear.seen import row_hashes
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask

CACHED_ROWS = 4_096
STRANGERS = 1_024  # clusters of rows whose cluster is unknown: not one, or they would be one user


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
        if (share == 1.0).all():
            return self
        safe = np.where(self.weight > 0, self.weight, 1.0)[:, None]
        mean_x, mean_y = self.x / safe, self.y / safe
        x, y = self.x * share[:, None], self.y * share[:, None]
        return replace(
            self,
            weight=self.weight * share,
            x=x,
            y=y,
            xx=self.xx - self.x.T @ mean_x + x.T @ mean_x,
            xy=self.xy - self.x.T @ mean_y + x.T @ mean_y,
            yy=self.yy - (self.y * mean_y).sum(axis=0) + (y * mean_y).sum(axis=0),
        )

    def __add__(self, other: CellSums) -> CellSums:
        return CellSums(*(one + two for one, two in self._beside(other)))

    def __sub__(self, other: CellSums) -> CellSums:
        return CellSums(*(one - two for one, two in self._beside(other)))

    def _beside(self, other: CellSums) -> list[tuple[Floats, Floats]]:
        names = [field.name for field in fields(self)]
        return [(getattr(self, name), getattr(other, name)) for name in names]

    def to_bytes(self) -> bytes:
        """Arrays in numpy's own format, without pickle."""
        sink = io.BytesIO()
        np.savez(sink, **{field.name: getattr(self, field.name) for field in fields(self)})
        return sink.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> CellSums:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return CellSums(**{field.name: arrays[field.name] for field in fields(CellSums)})


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
    weight = batch.weights[:, outcomes[0]]
    used = design.rows.mask(batch) & (weight > 0)
    keep = slice(None) if used.all() else used  # views where all rows are used, no copies
    return Block(
        cell=design.cells(log, batch, keep),
        x=_columns(batch, design, keep),
        y=batch.outcomes[keep][:, list(outcomes)],
        w=weight[keep] * design.rows.standing(batch)[keep],
        clusters=_told_apart(log, batch, keep),
        user=batch.user[keep],
    )


def _columns(batch: EventBatch, design: Design, keep: Mask | slice) -> Floats:
    """(n, P) controls, and behind them the instruments' levels where the design has any."""
    x = expand(design.basis, batch.covariates[keep])
    if not design.instruments:
        return x
    levels = [
        batch.instruments[keep, at][:, None] == np.arange(1, count)
        for at, count in enumerate(design.instruments)
    ]
    return np.hstack([x, *levels])


def _told_apart(log: EventLog, batch: EventBatch, keep: Mask | slice) -> Codes:
    """(n, C) clusters; rows whose user is unknown are spread evenly over `STRANGERS` more."""
    clusters = batch.clusters[keep]
    if not clusters.size or clusters.min() >= 0:
        return clusters
    spread = row_hashes(batch)[keep] % np.uint64(STRANGERS)
    sizes = np.array([axis.n_clusters for axis in log.clusters], dtype=np.int32)
    return np.where(clusters < 0, sizes + spread.astype(np.int32)[:, None], clusters)


def blocks_of(
    log: EventLog, batch: EventBatch, design: Design, outcomes: tuple[int, ...]
) -> Iterator[Block]:
    """The used rows of a batch, as many at a time as a core's cache holds."""
    for start in range(0, batch.n_rows, CACHED_ROWS):
        yield block_of(log, batch.rows(slice(start, start + CACHED_ROWS)), design, outcomes)


def empty_sums(design: Design, n_outcomes: int) -> CellSums:
    """Sums over no rows."""
    n_cells, n_controls = len(design.cell_keys), design.n_columns
    return CellSums(
        rows=np.zeros(n_cells),
        weight=np.zeros(n_cells),
        x=np.zeros((n_cells, n_controls)),
        y=np.zeros((n_cells, n_outcomes)),
        xx=np.zeros((n_controls, n_controls)),
        xy=np.zeros((n_controls, n_outcomes)),
        yy=np.zeros(n_outcomes),
    )


def add_block(total: CellSums, block: Block) -> None:
    """Add the rows of a block to sums, in place."""
    add_rows(block.cell, block.w, block.x, block.y, total.rows, total.weight, total.x, total.y)
    alike = bool((block.w == 1.0).all())
    x = block.x if alike else block.x * block.w[:, None]
    np.add(total.xx, x.T @ block.x, out=total.xx)
    np.add(total.xy, x.T @ block.y, out=total.xy)
    np.add(total.yy, (block.w[:, None] * block.y**2).sum(axis=0), out=total.yy)


def sum_cells(log: EventLog, design: Design, outcomes: tuple[int, ...]) -> CellSums:
    """Sums over the whole log, one block in memory at a time."""
    return sum_cells_each(log, (design,), outcomes)[0]


def sum_cells_each(
    log: EventLog, designs: Sequence[Design], outcomes: tuple[int, ...]
) -> list[CellSums]:
    """Sums of several designs, as of all levels of a segment, in one pass."""
    starts = [partial(empty_sums, design, len(outcomes)) for design in designs]
    adds = [partial(_add_batch, log, design, outcomes) for design in designs]
    return over_log_each(log, starts, adds)


def _add_batch(
    log: EventLog, design: Design, outcomes: tuple[int, ...], total: CellSums, batch: EventBatch
) -> None:
    for block in blocks_of(log, batch, design, outcomes):
        add_block(total, block)


def total_by(code: NDArray[np.integer], weight: Floats, n_codes: int) -> Floats:
    """(n_codes,) sum of weights by code."""
    return np.asarray(np.bincount(code, weights=weight, minlength=n_codes), dtype=np.float64)


def distinct(code: NDArray[np.integer]) -> int:
    """How many different codes there are; codes are numbered from 0."""
    return int(np.count_nonzero(np.bincount(code)))


def sum_matrix(code: NDArray[np.integer], weight: Floats, n_codes: int) -> sparse.csr_array:
    """(n_codes, n) matrix that sums rows by code: ``sum_matrix(c, w, C) @ x``."""
    rows = np.arange(code.size)
    return sparse.csr_array((weight, (code, rows)), shape=(n_codes, code.size))
