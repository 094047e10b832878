"""The units that matching compares: items within their fixed-effect group, not impressions.

Rows of a popular item share its unseen quality, and quality makes popular: matched row by row,
each treated item would count by its popularity and the neighbour that it finds would not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import Block, block_of, total_by
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.item_effects import cell_residuals
from tagcf.effects.linear.kernels import add_vectors
from tagcf.effects.linear.scores import fitted_by_cell, residuals
from tagcf.effects.matching.exact import ExactColumn, exact_columns, levels_of
from tagcf.effects.methods import Matching
from tagcf.types import Codes, EventLog, Floats, Mask


@dataclass(frozen=True, slots=True)
class MatchUnits:
    """Cells, or parts of cells by columns matched exactly. n units, P controls, K outcomes."""

    cell: NDArray[np.integer]  # (n,)
    key: NDArray[np.int64]  # (n,) sorted: cell · levels + level
    exact: tuple[ExactColumn, ...]
    n_levels: int
    weight: Floats  # (n,) what a unit counts: its rows' weight times their share in the joint fit
    row_weight: Floats  # (n,) summed weight of its rows
    rows: Floats  # (n,) about how many rows it has
    x: Floats  # (n, P) mean controls minus their group's mean
    e: Floats  # (n, K) mean residuals of the joint fit
    pool: NDArray[np.int64]  # (n,) pool that no match leaves: fixed-effect group and exact level
    group: NDArray[np.integer]  # (n,) fixed-effect group
    tags: NDArray[np.float32]  # (n, T) tags; in groups: minus their group's mean
    carried: Mask  # (n, T)
    popularity: Floats  # (n,) log of the item's rows in the cell; in groups: minus their mean
    within: Floats  # (P,) variance of each control within units
    grouped: bool  # matches stay within strata or authors


@dataclass(frozen=True, slots=True)
class UnitRows:
    """Rows of one batch with their residuals."""

    unit: NDArray[np.integer]  # (n,)
    block: Block
    e: Floats  # (n, K)


def gather_units(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fit: Fit, using: Matching
) -> MatchUnits:
    """Take units off the joint fit's sums; columns matched exactly need one more pass."""
    exact = exact_columns(log, design, using)
    n_levels = int(np.prod([column.n_levels for column in exact], dtype=np.int64))
    if exact:
        key, weight, x, e = _unit_sums(log, design, outcomes, fit, exact, n_levels)
    else:
        key = np.flatnonzero(fit.sums.weight > 0)
        weight, x = fit.sums.weight[key], fit.sums.x[key]
        e = cell_residuals(fit.sums, fit.part, fit.solved, design.cell_group)[key]
    cell = key // n_levels
    group = design.cell_group[cell]
    means = x / weight[:, None]
    counted = weight * fit.share[cell]
    grouped = design.absorbs is not None
    tags = fit.tags[cell]
    popularity = np.log(np.maximum(fit.sums.rows[cell], 1.0))
    if grouped:
        popularity -= _group_means(group, counted, popularity, design.n_groups)[group]
    squares = np.diag(fit.sums.xx) - (weight[:, None] * means**2).sum(axis=0)
    return MatchUnits(
        cell=cell,
        key=key,
        exact=exact,
        n_levels=n_levels,
        weight=counted,
        row_weight=weight,
        rows=np.maximum(fit.sums.rows[cell] * weight / fit.sums.weight[cell], 1.0),
        x=means - fit.part.group_x[group],
        e=e / weight[:, None],
        pool=(group.astype(np.int64) if grouped else 0) * n_levels + key % n_levels,
        group=group,
        tags=(fit.part.cell_tags[cell] if grouped else tags).astype(np.float32),
        carried=tags > 0,
        popularity=popularity,
        within=np.maximum(squares, 0.0) / weight.sum(),
        grouped=grouped,
    )


def rows_of_units(
    log: EventLog, design: Design, outcomes: tuple[int, ...], fit: Fit, units: MatchUnits
) -> Iterator[UnitRows]:
    """Read the rows once more, a batch at a time."""
    for block, e, level in _rows(log, design, outcomes, fit, units.exact):
        key = block.cell.astype(np.int64) * units.n_levels + level
        yield UnitRows(np.searchsorted(units.key, key), block, e)


def _rows(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    exact: tuple[ExactColumn, ...],
) -> Iterator[tuple[Block, Floats, NDArray[np.int64]]]:
    """Rows, their residuals (n, K), and their level of the columns matched exactly (n,)."""
    fitted = fitted_by_cell(fit.part, fit.solved)
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        e = residuals(block, fit.part, fit.solved, design.cell_group[block.cell], fitted)
        keep = design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)
        yield block, e, levels_of(exact, batch.covariates, keep)


def _unit_sums(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    exact: tuple[ExactColumn, ...],
    n_levels: int,
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Keys, and sums of weight, controls and residuals, of cells × levels that have rows."""
    keys, parts = [], []
    for block, e, level in _rows(log, design, outcomes, fit, exact):
        key, at = np.unique(block.cell.astype(np.int64) * n_levels + level, return_inverse=True)
        w = block.w[:, None]
        keys.append(key)
        parts.append(_summed(at, np.hstack([w, w * block.x, w * e]), key.size))
    key, at = np.unique(np.concatenate(keys), return_inverse=True)
    sums = _summed(at, np.concatenate(parts), key.size)
    n_controls = fit.sums.x.shape[1]
    return key, sums[:, 0], sums[:, 1 : 1 + n_controls], sums[:, 1 + n_controls :]


def _summed(code: NDArray[np.integer], values: Floats, n_codes: int) -> Floats:
    total = np.zeros((n_codes, values.shape[1]))
    add_vectors(code, values, total)
    return total


def _group_means(group: Codes, weight: Floats, values: Floats, n_groups: int) -> Floats:
    total = total_by(group, weight, n_groups)
    return total_by(group, weight * values, n_groups) / np.where(total > 0, total, 1.0)
