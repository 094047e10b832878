"""Errors of matched estimates: two-way clustered influences, and how many clusters they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.effects.joint.fit import Fit, cluster_axes
from tagcf.effects.linear.cells import total_by
from tagcf.effects.linear.clustered import crossed_codes
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.kernels import add_vectors
from tagcf.effects.linear.scores import most_clusters
from tagcf.effects.matching.contrast import Contrast, effective_number
from tagcf.effects.matching.kernels import add_moves
from tagcf.effects.matching.units import MatchUnits, rows_of_units
from tagcf.types import Codes, EventLog, Floats


@dataclass(frozen=True, slots=True)
class MatchErrors:
    """Errors of one tag's estimate. K outcomes."""

    se: Floats  # (K,)
    df: Floats  # (K,)
    effective: float  # clusters that nest items, by their share in the variance
    crossing_effective: Floats  # (K,) clusters that items straddle (users)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Along the axes that cells straddle: sums over rows. T tags."""

    along: tuple[Floats, ...]  # per axis: (T, K) variance
    pairs: Floats  # (T, K) what the (cluster, item) pairs make up of it
    effective: Floats  # (T, K)


def errors_of(
    contrasts: Sequence[Contrast],
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    units: MatchUnits,
) -> list[MatchErrors]:
    """Sum influences by cluster, along items (or authors, strata) and along users."""
    crossing_axes, nested = cluster_axes(log, design)
    crossing = _crossing(contrasts, log, design, outcomes, fit, units, crossing_axes)
    found = []
    for t, contrast in enumerate(contrasts):
        along = [_squares(contrast, fit, design, code) for code in nested]
        taken = np.zeros(len(outcomes))
        if len(nested) == 2:
            taken = _squares(contrast, fit, design, crossed_codes(nested))
        elif nested and len(crossing.along) == 1:
            taken = crossing.pairs[t]
        along += [axis[t] for axis in crossing.along]
        total = np.sum(along, axis=0) - (taken if len(along) > 1 else 0.0)
        effective = min(
            _effective(contrast, fit, units, code)
            for code in nested or (np.arange(len(fit.share), dtype=np.int32),)
        )
        found.append(
            MatchErrors(
                se=np.sqrt(np.maximum(total, np.max(along, axis=0))),
                df=np.maximum(np.minimum(effective, crossing.effective[t]) - 1.0, 1.0),
                effective=effective,
                crossing_effective=crossing.effective[t],
            )
        )
    return found


def _squares(contrast: Contrast, fit: Fit, design: Design, cluster: Codes) -> Floats:
    """(K,) variance along an axis that nests cells."""
    lift = _lift(fit, design, cluster)[:, None]
    moves = contrast.influence * lift - contrast.gap
    total = np.zeros((int(cluster.max()) + 1, moves.shape[1]))
    add_vectors(cluster, moves, total)
    used = np.unique(cluster[fit.sums.weight > 0]).size
    return np.asarray((total**2).sum(axis=0) * used / max(used - 1, 1))


def _lift(fit: Fit, design: Design, cluster: Codes) -> Floats:
    """(C,) by how much residuals fall short of errors.

    By their leverage in the joint fit, as in CR3. A mean of their group that is taken off them
    matters only where clusters cut through groups: within one, matched and controls cancel it.
    """
    group, weight = design.cell_group, fit.sums.weight * fit.share
    rest = fit.part.group_weight[group] - weight
    alone = rest <= 1e-12 * weight
    factor = np.where(alone, 1.0, (rest + weight) / np.where(alone, 1.0, rest))
    used = np.flatnonzero(weight > 0)
    low, high = np.full(design.n_groups, cluster.max() + 1), np.full(design.n_groups, -1)
    np.minimum.at(low, group[used], cluster[used])
    np.maximum.at(high, group[used], cluster[used])
    cut = (low < high)[group]
    return np.asarray(fit.errors.inflation / factor * np.where(cut, np.sqrt(factor), 1.0))


def _effective(contrast: Contrast, fit: Fit, units: MatchUnits, cluster: Codes) -> float:
    """Clusters by the variance that each adds if all rows were alike (Satterthwaite 1946)."""
    n_cells = len(fit.share)
    weight = total_by(units.cell, contrast.side, n_cells) - contrast.spread
    counted = fit.sums.weight * fit.share
    variance = np.where(counted > 0, weight**2 / np.where(counted > 0, counted, 1.0), 0.0)
    return effective_number(total_by(cluster, variance, int(cluster.max()) + 1))


def _crossing(
    contrasts: Sequence[Contrast],
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    units: MatchUnits,
    axes: tuple[int, ...],
) -> Crossing:
    """Sum over rows; more clusters than memory holds are merged: coarser, still valid.

    A pair of a user and an item that returns in a later batch counts anew.
    """
    n_tags, n_out = len(contrasts), len(outcomes)
    pairs = np.zeros((len(units.cell), n_out))
    if not axes:
        return Crossing((), np.zeros((n_tags, n_out)), np.full((n_tags, n_out), np.inf))
    most = most_clusters(n_tags, n_out)
    tables = [
        np.zeros((min(log.clusters[axis].n_clusters + 1, most), n_tags * n_out)) for axis in axes
    ]
    moves = _per_row(contrasts, fit, units)
    for rows in rows_of_units(log, design, outcomes, fit, units):
        we = rows.block.w[:, None] * rows.e
        for axis, table in zip(axes, tables, strict=True):
            code = rows.block.clusters[:, axis] % len(table)
            add_moves(code, rows.unit, we, moves, table)
        if len(axes) == 1:
            code = rows.block.clusters[:, axes[0]].astype(np.int64)
            found, at = np.unique(code * len(units.cell) + rows.unit, return_inverse=True)
            own = np.zeros((found.size, n_out))
            add_vectors(at, we, own)
            add_vectors(found % len(units.cell), own**2, pairs)
    shaped = [table.reshape(len(table), n_tags, n_out) for table in tables]
    return Crossing(
        along=tuple(_with_count((table**2).sum(axis=0), table) for table in shaped),
        pairs=moves.T**2 @ pairs,
        effective=np.min([_effective_crossing(table) for table in shaped], axis=0),
    )


def _per_row(contrasts: Sequence[Contrast], fit: Fit, units: MatchUnits) -> Floats:
    """(n, T) what a unit of weighted residual of a row moves each estimate by."""
    of_cell = np.where(fit.sums.weight > 0, fit.sums.weight, 1.0)
    return np.stack(
        [one.side / units.row_weight - (one.spread / of_cell)[units.cell] for one in contrasts],
        axis=1,
    )


def _with_count(squares: Floats, table: Floats) -> Floats:
    count = int((table != 0).any(axis=(1, 2)).sum())
    return np.asarray(squares * count / max(count - 1, 1))


def _effective_crossing(table: Floats) -> Floats:
    """(T, K) effective clusters; squares of normal sums have a kurtosis of 3."""
    count = np.count_nonzero(table, axis=0)
    squares = table**2
    total, fourth = squares.sum(axis=0), (squares**2).sum(axis=0)
    return np.asarray(np.minimum(3 * total**2 / np.maximum(fourth, 1e-300), count))
