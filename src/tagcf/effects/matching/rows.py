"""The rows that matching compares, held in memory and thinned to a bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import block_of
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.scores import fitted_by_cell, residuals
from tagcf.effects.matching.kernels import weighted_moments
from tagcf.effects.methods import Matching
from tagcf.types import Codes, EventLog, Floats


@dataclass(frozen=True, slots=True)
class MatchRows:
    """Rows held for matching. n rows, P controls, K outcomes."""

    cell: Codes  # (n,)
    x: NDArray[np.float32]  # (n, P) controls; within strata: minus their stratum's mean
    e: Floats  # (n, K) residuals of the joint fit
    w: Floats  # (n,)
    axes: tuple[NDArray[np.integer], ...]  # codes of one cluster axis, or of two and their pairs
    exact: NDArray[np.int64]  # (n,) exact-matching cell
    x_sum: Floats  # (P,) weighted sum of the controls
    x_squares: Floats  # (P,) … of their squares
    thinned: int  # one row in so many was kept


@dataclass(frozen=True, slots=True)
class MatchBlock:
    """Rows of one batch, as `MatchRows`."""

    cell: Codes
    x: NDArray[np.float32]
    e: Floats
    w: Floats
    clusters: Codes
    exact: NDArray[np.int64]


def match_blocks(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fit: Fit, using: Matching
) -> Iterator[MatchBlock]:
    """Read the rows, a batch at a time."""
    bins = exact_bins(log, design, using)
    fitted = fitted_by_cell(fit.part, fit.solved)
    stratified = design.absorbs == "stratum"
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        keep = design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)
        group = design.cell_group[block.cell]
        e = residuals(block, fit.part, fit.solved, group, fitted)
        x = block.x - fit.part.group_x[group] if stratified else block.x
        start = group.astype(np.int64) if stratified else np.zeros(len(e), np.int64)
        exact = _exact_cells(start, batch.covariates[keep], bins)
        yield MatchBlock(block.cell, x.astype(np.float32), e, block.w, block.clusters, exact)


def gather_rows(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fit: Fit, using: Matching
) -> MatchRows:
    """Read the rows once more, thinned evenly to at most `max_rows`."""
    step = max(1, -(-int(fit.sums.rows.sum()) // using.max_rows))
    parts: list[tuple[np.ndarray, ...]] = []
    seen = 0
    for block in match_blocks(log, design, outcomes, fit, using):
        at = slice((-seen) % step, None, step)
        seen += len(block.w)
        every = (block.cell, block.x, block.e, block.w, block.clusters, block.exact)
        # Copies, where rows are thinned: a view would keep the whole batch in memory.
        parts.append(tuple(one[at].copy() if step > 1 else one for one in every))
    cell, x, e, w, clusters, exact = (np.concatenate(part) for part in zip(*parts, strict=True))
    total, squares = weighted_moments(x, w[None])
    axes = _dense_axes(clusters)
    return MatchRows(cell, x, e, w, axes, exact, total[0], squares[0], step)


def _dense_axes(clusters: Codes) -> tuple[NDArray[np.integer], ...]:
    """Cluster axes that have several clusters, dense from 0, and with two of them their pairs."""
    every = [clusters[:, axis].astype(np.int64) for axis in range(clusters.shape[1])]
    axes = [axis - axis.min() for axis in every if axis.size and axis.max() > axis.min()]
    if not axes:
        return (np.arange(len(clusters)),)
    if len(axes) == 2:
        keys = axes[0] * (axes[1].max() + 1) + axes[1]
        axes.append(np.unique(keys, return_inverse=True)[1])
    return tuple(axes)


def exact_bins(log: EventLog, design: Design, using: Matching) -> list[tuple[int, Floats | int]]:
    """For each covariate matched exactly: its position, and inner bin edges or number of levels."""
    found: list[tuple[int, Floats | int]] = []
    for at, covariate in enumerate(log.covariates):
        if covariate.name not in using.exact:
            continue
        if covariate.kind == "category":
            found.append((at, len(covariate.levels)))
            continue
        known = design.sample[:, at]
        known = known[np.isfinite(known)]
        inner = np.linspace(0, 1, using.bins + 1)[1:-1]
        found.append((at, np.unique(np.quantile(known, inner)) if known.size else known))
    return found


def n_exact_cells(design: Design, bins: list[tuple[int, Floats | int]]) -> int:
    """Cells that `_exact_cells` may name."""
    count = design.n_groups if design.absorbs == "stratum" else 1
    for _, edges in bins:
        count *= edges + 1 if isinstance(edges, int) else edges.size + 2
    return count


def _exact_cells(
    start: NDArray[np.int64], covariates: Floats, bins: list[tuple[int, Floats | int]]
) -> NDArray[np.int64]:
    """(n,) cells that no match crosses; a missing value is a level of its own."""
    cells = start
    for at, edges in bins:
        values = covariates[:, at]
        if isinstance(edges, int):
            cells = cells * (edges + 1) + (values.astype(np.int64) + 1)
        else:
            level = np.where(np.isfinite(values), np.searchsorted(edges, values) + 1, 0)
            cells = cells * (edges.size + 2) + level
    return cells
