"""Coefficients without each cluster in turn, in closed form, block by block.

Bell and McCaffrey (2002); MacKinnon, Nielsen and Webb (2023). A cluster is one cell (an item) or
several (an author's items); leaving it out re-estimates tags, controls and, where it is only a
part of a fixed-effect group, that group's mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.cells import CellSums, distinct
from tagcf.effects.linear.cluster_moves import ClusterCells, cluster_moves, inverse_gap
from tagcf.effects.linear.concentration import Concentration, spread_of, sum_runs
from tagcf.effects.linear.kernels import add_scaled, add_scaled_runs, add_vectors
from tagcf.effects.linear.scores import MOST_CLUSTERS, ScoreSums, hat_rows, most_clusters
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, Floats

SQUARED_TOGETHER = 2_048  # clusters

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the errors are made of."""

    sums: CellSums
    part: Partialled
    solved: Solution
    scores: ScoreSums
    share: Floats  # (C,) how much of its rows the mean of a cell counts for
    pairs: Floats  # (K, T, T) scores squared over (cluster, cell) pairs


@dataclass(frozen=True, slots=True)
class Axis:
    """One way of clustering. T tags, K outcomes."""

    cov: Floats  # (K, T, T)
    effective: Floats  # (K, T) effective clusters (Σγ)²/Σγ²
    largest: Floats  # (T,) largest cluster's share of the weights
    inflation: Floats  # (C,)
    moves: Floats  # (K, G, T)


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole clusters: m cells in the order of their clusters."""

    cells: Positions  # (m,)
    starts: Positions  # (c,) first cell of each cluster
    codes: Positions  # (c,) the clusters
    hat: Floats  # (m, T) partialled tags, controls at the cells' means
    influence: Floats  # (m, T) what a unit of weighted residual moves the coefficients by
    inflation: Floats  # (m,) 1 / (1 - leverage) of each cell alone


@dataclass(slots=True)
class _Squares:
    """Running sums of squares (K, T, T) of rows (K, ·, T); small blocks are squared together."""

    total: Floats  # (K, T, T)
    waiting: list[Floats]
    held: int = 0

    @staticmethod
    def empty(n_out: int, n_tags: int) -> _Squares:
        return _Squares(np.zeros((n_out, n_tags, n_tags)), [])

    def add(self, rows: Floats) -> None:
        """Add rows (K, ·, T)."""
        self.waiting.append(rows)
        self.held += rows.shape[1]
        if self.held >= SQUARED_TOGETHER:
            self.sum()

    def sum(self) -> Floats:
        """(K, T, T) sums over all rows added."""
        for k, total in enumerate(self.total):
            rows = [one[k] for one in self.waiting]
            if rows:
                every = np.concatenate(rows)
                np.add(total, every.T @ every, out=total)
        self.waiting, self.held = [], 0
        return self.total


def along_axis(pieces: Pieces, cluster: Codes, axis: int, *, leave_out: bool) -> Axis:
    """Sum over the clusters of one axis that nests the cells.

    Parameters
    ----------
    cluster
        (C,) codes.
    axis
        Which of `ScoreSums.nested` belongs to it.

    Notes
    -----
    Beyond `MOST_CLUSTERS` the squares are those of the merged clusters, as for clusters that cells
    straddle: as valid, with a chance error of about one percent.
    """
    sums, scores = pieces.sums, pieces.scores
    n_tags, n_out = pieces.solved.coef.shape
    n_codes = int(cluster.max(initial=-1)) + 1
    width = -(-n_codes // most_clusters(n_tags, n_out))  # neighbours merged to bound the memory
    one_by_one = n_codes <= MOST_CLUSTERS
    precision = pieces.part.tags.precision
    meat, moved = _Squares.empty(n_out, n_tags), _Squares.empty(n_out, n_tags)
    merged = np.zeros((n_out, -(-n_codes // width), n_tags), precision)
    merged_own = np.zeros_like(merged)  # of clusters with a solution of their own
    inflation = np.ones(len(cluster))
    concentration = Concentration.empty(n_tags)
    count = distinct(cluster[sums.weight > 0]) if leave_out else 0
    inverse = pieces.solved.inverse.astype(precision)
    by_cluster = scores.nested[axis] if scores.nested else None
    for block in _blocks(pieces, cluster, inverse, leave_out=leave_out):
        inflation[block.cells] = block.inflation
        share = pieces.share[block.cells]
        concentration.add(sums.weight[block.cells], share, block.influence, block.starts)
        at = block.codes // width
        if not one_by_one and by_cluster is None and block.starts.size == block.cells.size:
            weighted = pieces.scores.e[block.cells].astype(precision)
            if leave_out:
                weighted *= block.inflation[:, None].astype(precision)
            add_scaled(at, weighted, block.hat, merged)
            continue
        single, several, own = _scores(pieces, block, by_cluster, leave_out=leave_out)
        for k in range(n_out):
            add_vectors(at, single[k], merged[k])
            add_vectors(at[several], own[k], merged_own[k])
        if one_by_one:
            meat.add(single)
            moved.add(own)
    factor = (count - 1) / count if leave_out and count > 1 else 1.0
    for k in range(n_out):
        merged[k] = merged[k] @ inverse + merged_own[k]
    merged *= np.sqrt(factor).astype(precision)
    inverse = pieces.solved.inverse
    spread = spread_of(sums, scores, pieces.share, pieces.part.tags.group)
    effective, largest = concentration.told(spread)
    if one_by_one:
        cov = factor * (inverse @ meat.sum() @ inverse + moved.sum())
    else:
        cov = np.stack([one.T @ one for one in merged]).astype(np.float64)
    return Axis(
        cov=cov,
        effective=effective,
        largest=largest,
        inflation=inflation,
        moves=merged,
    )


def _blocks(
    pieces: Pieces, cluster: Codes, inverse: Floats, *, leave_out: bool
) -> Iterator[_Block]:
    """Cells that have weight, cluster after cluster, some thousand cells at a time."""
    weight = pieces.sums.weight
    order = np.flatnonzero(weight > 0)
    order = order[np.argsort(cluster[order], kind="stable")]
    starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    ends = np.append(starts[1:], order.size)
    first, most = 0, pieces.part.tags.block_cells
    while first < starts.size:
        last = max(np.searchsorted(ends, starts[first] + most, side="right"), first + 1)
        cells = order[starts[first] : ends[last - 1]]
        hat = hat_rows(pieces.part.tags, pieces.part, cells)
        influence = hat @ inverse
        yield _Block(
            cells=cells,
            starts=starts[first:last] - starts[first],
            codes=cluster[order[starts[first:last]]],
            hat=hat,
            influence=influence,
            inflation=(
                _inflation(pieces, cells, hat, influence) if leave_out else np.ones(cells.size)
            ),
        )
        first = int(last)


def _inflation(pieces: Pieces, cells: Positions, hat: Floats, influence: Floats) -> Floats:
    """(m,) factor by which leaving a cell out exceeds its plain score: 1 / (1 - leverage).

    Leaving out a part of a fixed-effect group moves the group's mean, too: for one cell both
    downdates are of rank one (Sherman and Morrison 1950).
    """
    part, weight = pieces.part, pieces.sums.weight[cells]
    rest = part.group_weight[part.tags.group[cells]] - weight
    alone = rest <= 1e-12 * weight  # the cell is its whole group: nothing is compared with it
    factor = np.where(alone, 1.0, (rest + weight) / np.where(alone, 1.0, rest))
    x = part.x_of(cells)
    own = np.einsum("ct,ct->c", influence, hat, dtype=np.float64)
    controls = np.einsum("cp,cp->c", x @ part.xx_inverse, x)
    return np.asarray(factor * inverse_gap(factor * weight * (own + controls)))


def _scores(
    pieces: Pieces, block: _Block, by_cluster: Floats | None, *, leave_out: bool
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Scores (K, c, T), which clusters need a solution of their own, and their moves (K, ·, T).

    What varies within cells moves the coefficients through the controls alone; it has no leverage
    to speak of and is added as it is.
    """
    part, precision = pieces.part, block.hat.dtype
    e = pieces.scores.e[block.cells]
    sizes = np.diff(np.append(block.starts, block.cells.size))
    several = (sizes > 1) & leave_out
    weighted = np.where(np.repeat(several, sizes), 0.0, 1.0)[:, None] * e
    if leave_out:
        weighted *= block.inflation[:, None]
    scores = np.zeros((e.shape[1], block.starts.size, block.hat.shape[1]), precision)
    add_scaled_runs(block.starts, weighted.astype(precision), block.hat, scores)
    if by_cluster is not None:
        x, projection = part.x_of(block.cells), part.projection.astype(precision)
        for k, score in enumerate(scores):
            explained = sum_runs(x * e[:, k, None], block.starts)
            within = (explained - by_cluster[block.codes, k]).astype(precision)
            np.add(score, within @ projection, out=score)
    if not several.any():
        return scores, several, np.empty((e.shape[1], 0, block.hat.shape[1]), precision)
    own = _moves_of_several(pieces, block, np.flatnonzero(several), sizes)
    own += scores[:, several] @ pieces.solved.inverse.astype(precision)
    scores[:, several] = 0.0
    return scores, several, own


def _moves_of_several(pieces: Pieces, block: _Block, which: Positions, sizes: Positions) -> Floats:
    """(K, ·, T) moves of clusters of several cells."""
    held = ClusterCells(
        cells=block.cells,
        starts=block.starts[which],
        sizes=sizes[which],
        weight=pieces.sums.weight[block.cells],
        e=pieces.scores.e[block.cells],
        hat=block.hat,
        influence=block.influence,
    )
    return np.ascontiguousarray(
        cluster_moves(pieces.part, pieces.solved.inverse, held).swapaxes(0, 1)
    )
