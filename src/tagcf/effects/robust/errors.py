"""Errors of average effects: leave-one-item-out influence, two-way with the users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.effects.joint.fit import cluster_axes
from tagcf.effects.linear.cells import Block, block_of, sum_matrix, total_by
from tagcf.effects.linear.clustered import Errors
from tagcf.effects.linear.design import Design
from tagcf.effects.robust.influence import Weighting, effective_clusters, leave_out_moves
from tagcf.effects.robust.outcome import OutcomeModel
from tagcf.types import Codes, EventLog, Floats

MOST_CLUSTERS = 65_536  # more clusters of an axis are merged: coarser, still valid


@dataclass(frozen=True, slots=True)
class CellResiduals:
    """What the outcome's model leaves, by cell."""

    residual: Floats  # (C, K) weighted sums, of the linear model
    weight: Floats  # (C,) rows that the mean of each cell counts for
    share: Floats  # (C,) of its rows


@dataclass(frozen=True, slots=True)
class _RowSums:
    """What only rows can tell. K outcomes, G clusters, T tags, C cells."""

    moves: list[Floats]  # per axis that cells straddle: (K, G, T)
    pair_ee: Floats  # (K, C) Σ over (cluster, cell) pairs of (Σ w e)²


def robust_errors(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    weighting: Weighting,
    model: OutcomeModel,
    cells: CellResiduals,
    coef: Floats,
) -> Errors:
    """Two-way clustered errors (Cameron, Gelbach and Miller 2011) with effective clusters.

    Of the covariance only the variances are filled in.
    """
    crossing, nested = cluster_axes(log, design)
    n_out, n_tags = len(outcomes), coef.shape[0]
    axes = [np.unique(one, return_inverse=True)[1].astype(np.int32) for one in nested]
    items = [_item_moves(design, weighting, model, cells, coef, axis) for axis in axes]
    rows = _row_sums(log, design, outcomes, weighting, model, cells.share, crossing)
    moves = [*items, *rows.moves]
    one_way = [(one**2).sum(axis=1) for one in moves]
    variance = np.sum(one_way, axis=0)
    if len(one_way) > 1:
        both = variance - _counted_twice(weighting, cells, axes, rows)
        variance = np.maximum(both, np.max(one_way, axis=0))
    own = axes or [np.arange(len(cells.weight), dtype=np.int32)]
    counted = [effective_clusters(weighting, cells.weight, axis) for axis in own]
    effective = np.tile(np.min([one for one, _ in counted], axis=0), (n_out, 1))
    users = _effective_crossing(rows.moves, effective)
    cov = np.zeros((n_out, n_tags, n_tags))
    cov[:, np.arange(n_tags), np.arange(n_tags)] = variance
    return Errors(
        cov=cov,
        df=np.maximum(np.minimum(effective, users) - 1.0, 1.0),
        effective=effective,
        crossing_effective=users,
        largest_leverage=np.max([largest for _, largest in counted], axis=0),
        inflation=np.ones(len(cells.weight)),
        moves=tuple(moves),
    )


def _item_moves(
    design: Design,
    weighting: Weighting,
    model: OutcomeModel,
    cells: CellResiduals,
    coef: Floats,
    axis: Codes,
) -> Floats:
    """(K, G, T) moves of the estimates as each cluster is left out."""
    count = int(axis.max(initial=0)) + 1
    each = [
        leave_out_moves(
            weighting,
            model.left(cells.residual, cells.weight, k),
            weighting.model_share(model.toggled is not None, cells.weight)
            * (model.effects(k) - coef[:, k]),
            cells.weight,
            axis,
            design.cell_group,
            design.n_groups,
        )
        for k in range(coef.shape[1])
    ]
    return np.asarray(np.stack(each) * np.sqrt(max(count - 1, 1) / count))


def _row_sums(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    weighting: Weighting,
    model: OutcomeModel,
    share: Floats,
    crossing: tuple[int, ...],
) -> _RowSums:
    """Sum linear residuals of rows by the clusters that cells straddle.

    What a flexible learner adds varies between cells only: it is no part of what users share, and
    what it takes off a user's own sum comes off again with the pairs.
    """
    n_cells, n_tags = weighting.h.shape
    counts = [min(log.clusters[axis].n_clusters, MOST_CLUSTERS) for axis in crossing]
    moves = [np.zeros((len(outcomes), count, n_tags)) for count in counts]
    pair_ee = np.zeros((len(outcomes), n_cells))
    if not crossing:
        return _RowSums([], pair_ee)
    h = weighting.h * share[:, None]
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        we = model.residuals(block, design.cell_group) * block.w[:, None]
        for at, axis in enumerate(crossing):
            code = block.clusters[:, axis] % counts[at]
            for k in range(len(outcomes)):
                shape = (counts[at], n_cells)
                by_cell = sparse.csr_array((we[:, k], (code, block.cell)), shape=shape)
                moves[at][k] += by_cell @ h
        if len(crossing) == 1:
            pair_ee += _pair_squares(block, block.clusters[:, crossing[0]], we, n_cells).T
    for at, one in enumerate(moves):
        used = int((np.abs(one).sum(axis=(0, 2)) > 0).sum())
        moves[at] = one * np.sqrt(used / max(used - 1, 1))
    return _RowSums(moves, pair_ee)


def _pair_squares(block: Block, across: Codes, we: Floats, n_cells: int) -> Floats:
    """(C, K) squares over (cluster, cell) pairs; pairs that return in a later batch count anew."""
    keys = across.astype(np.int64) * n_cells + block.cell
    _, first, pair = np.unique(keys, return_index=True, return_inverse=True)
    sums = sum_matrix(pair, np.ones(pair.size), first.size) @ we
    cell = block.cell[first]
    squares = [total_by(cell, sums[:, k] ** 2, n_cells) for k in range(we.shape[1])]
    return np.stack(squares, axis=1)


def _counted_twice(
    weighting: Weighting, cells: CellResiduals, axes: list[Codes], rows: _RowSums
) -> Floats:
    """(K, T) variance that both ways count; nothing where cells straddle two axes (errs wide)."""
    n_out = cells.residual.shape[1]
    if len(axes) == 2:
        crossed = np.unique(np.stack(axes), axis=1, return_inverse=True)[1].ravel()
        count = int(crossed.max(initial=0)) + 1
        each = [
            sum_matrix(crossed, cells.residual[:, k], count) @ weighting.h for k in range(n_out)
        ]
        return np.asarray((np.stack(each) ** 2).sum(axis=1))
    if len(rows.moves) == 1:
        return np.asarray(rows.pair_ee @ (weighting.h * cells.share[:, None]) ** 2)
    return np.zeros((n_out, weighting.h.shape[1]))


def _effective_crossing(every: list[Floats], nested: Floats) -> Floats:
    """(K, T) effective clusters of the axes that cells straddle, from the moves themselves.

    Squares of normal moves have a kurtosis of 3, so that G equal clusters would count as G / 3.
    """
    fewest = np.full(nested.shape, np.inf)
    for moves in every:
        squares = moves**2
        count = (squares.sum(axis=2) > 0).sum(axis=1)[:, None]
        total = squares.sum(axis=1)
        effective = 3 * total**2 / np.maximum((squares**2).sum(axis=1), 1e-300)
        fewest = np.minimum(fewest, np.minimum(effective, count))
    return fewest
