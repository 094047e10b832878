"""The rows that matching compares, held in memory and thinned to a bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.cells import block_of
from tagcf.effects.design import Design
from tagcf.effects.joint import Fit
from tagcf.effects.methods import Matching
from tagcf.effects.scores import residuals
from tagcf.types import Codes, EventLog, Floats


@dataclass(frozen=True, slots=True)
class MatchRows:
    """Rows held for matching. n rows, P controls, K outcomes."""

    cell: Codes  # (n,)
    x: Floats  # (n, P) controls; within strata: minus their stratum's mean
    e: Floats  # (n, K) residuals of the joint fit
    w: Floats  # (n,)
    clusters: Codes  # (n, C)
    others: Floats  # (n, T) tags; within strata: minus their stratum's mean
    exact: NDArray[np.int64]  # (n,) exact-matching cell
    thinned: int  # one row in so many was kept


def gather_rows(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fit: Fit, using: Matching
) -> MatchRows:
    """Read the rows once more, thinned evenly to at most `max_rows`."""
    total = int(fit.sums.rows.sum())
    step = max(1, -(-total // using.max_rows))
    names = [covariate.name for covariate in log.covariates]
    bins = [(names.index(name), using.bins) for name in using.exact if name in names]
    edges: dict[int, Floats] = {}
    parts: list[tuple[np.ndarray, ...]] = []
    seen = 0
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        keep = design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)
        group = design.cell_group[block.cell]
        e = residuals(block, fit.part, fit.solved, group)
        exact = (
            group.astype(np.int64) if design.absorbs == "stratum" else np.zeros(len(e), np.int64)
        )
        for position, n_bins in bins:
            values = batch.covariates[keep, position]
            if position not in edges:
                known = values[np.isfinite(values)]
                inner = np.linspace(0, 1, n_bins + 1)[1:-1]
                edges[position] = np.unique(np.quantile(known, inner)) if known.size else known
            exact = exact * (n_bins + 1) + np.searchsorted(edges[position], values)
        x = block.x - fit.part.group_x[group] if design.absorbs == "stratum" else block.x
        at = slice((-seen) % step, None, step)
        seen += len(e)
        parts.append((block.cell[at], x[at], e[at], block.w[at], block.clusters[at], exact[at]))
    cell, x, e, w, clusters, exact = (np.concatenate(part) for part in zip(*parts, strict=True))
    tags = fit.part.cell_tags if design.absorbs == "stratum" else fit.tags
    return MatchRows(cell, x, e, w, clusters, tags[cell], exact, step)
