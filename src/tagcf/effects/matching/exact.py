"""Columns matched exactly: categories by level, numbers in quantile bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.design import Design
from tagcf.effects.methods import Matching
from tagcf.types import EventLog, Floats, Mask


@dataclass(frozen=True, slots=True)
class ExactColumn:
    """One column. A missing value is a level of its own."""

    position: int  # among the log's covariates
    n_levels: int
    edges: Floats | None  # inner bin edges of a number; None: a category


def exact_columns(log: EventLog, design: Design, using: Matching) -> tuple[ExactColumn, ...]:
    """Choose the bins of the columns that the method names, by quantiles of the sample."""
    found: list[ExactColumn] = []
    for at, covariate in enumerate(log.covariates):
        if covariate.name not in using.exact:
            continue
        if covariate.kind == "category":
            found.append(ExactColumn(at, len(covariate.levels) + 1, None))
            continue
        known = design.sample[:, at]
        known = known[np.isfinite(known)]
        inner = np.linspace(0, 1, using.bins + 1)[1:-1]
        edges = np.unique(np.quantile(known, inner)) if known.size else known
        found.append(ExactColumn(at, edges.size + 2, edges))
    return tuple(found)


def levels_of(exact: tuple[ExactColumn, ...], covariates: Floats, keep: Mask) -> NDArray[np.int64]:
    """(n_kept,) level of all columns together."""
    level = np.zeros(int(keep.sum()), dtype=np.int64)
    for column in exact:
        values = covariates[keep, column.position]
        if column.edges is None:
            own = values.astype(np.int64) + 1
        else:
            own = np.where(np.isfinite(values), np.searchsorted(column.edges, values) + 1, 0)
        level = level * column.n_levels + own
    return level
