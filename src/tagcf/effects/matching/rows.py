"""The rows that matching compares, held in memory and thinned to a bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import block_of
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.scores import residuals
from tagcf.effects.methods import Matching
from tagcf.types import Codes, EventLog, Floats


@dataclass(frozen=True, slots=True)
class MatchRows:
    """Rows held for matching. n rows, P controls, K outcomes."""

    cell: Codes  # (n,)
    x: Floats  # (n, P) controls; within strata: minus their stratum's mean
    e: Floats  # (n, K) residuals of the joint fit
    w: Floats  # (n,)
    clusters: Codes  # (n, C)
    exact: NDArray[np.int64]  # (n,) exact-matching cell
    x_sum: Floats  # (P,) weighted sum of the controls
    x_squares: Floats  # (P,) … of their squares
    thinned: int  # one row in so many was kept


def gather_rows(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fit: Fit, using: Matching
) -> MatchRows:
    """Read the rows once more, thinned evenly to at most `max_rows`."""
    step = max(1, -(-int(fit.sums.rows.sum()) // using.max_rows))
    bins = _bins(log, design, using)
    parts: list[tuple[np.ndarray, ...]] = []
    seen = 0
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        keep = design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)
        group = design.cell_group[block.cell]
        e = residuals(block, fit.part, fit.solved, group)
        stratified = design.absorbs == "stratum"
        x = block.x - fit.part.group_x[group] if stratified else block.x
        start = group.astype(np.int64) if stratified else np.zeros(len(e), np.int64)
        exact = _exact_cells(start, batch.covariates[keep], bins)
        at = slice((-seen) % step, None, step)
        seen += len(e)
        parts.append((block.cell[at], x[at], e[at], block.w[at], block.clusters[at], exact[at]))
    cell, x, e, w, clusters, exact = (np.concatenate(part) for part in zip(*parts, strict=True))
    return MatchRows(cell, x, e, w, clusters, exact, w @ x, w @ x**2, step)


def _bins(log: EventLog, design: Design, using: Matching) -> list[tuple[int, Floats | int]]:
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
