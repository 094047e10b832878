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

from tagcf.effects.linear.cells import distinct
from tagcf.effects.linear.clusters.axis import Axis, Pieces, Squares
from tagcf.effects.linear.clusters.blocks import ClusterBlock, Positions, cluster_blocks
from tagcf.effects.linear.clusters.concentration import Concentration, spread_of, sum_runs
from tagcf.effects.linear.clusters.moves import ClusterCells, cluster_moves, inverse_gap
from tagcf.effects.linear.kernels import add_vectors
from tagcf.effects.linear.scores import MOST_CLUSTERS, hat_rows, most_clusters
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole clusters. m cells, c clusters."""

    of: ClusterBlock
    x: Floats  # (m, P) mean controls minus their group mean
    controls: Floats  # (m, P) those times their inverse Gram
    hat: Floats  # (m, T) partialled tags, controls at the cells' means
    influence: Floats  # (m, T) what a unit of weighted residual moves the coefficients by
    inflation: Floats  # (m,) 1 / (1 - leverage) of each cell alone


def along_axis(pieces: Pieces, cluster: Codes, axis: int) -> Axis:
    """Leave out the clusters of one axis that nests the cells, one after another.

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
    meat, moved = Squares.empty(n_out, n_tags), Squares.empty(n_out, n_tags)
    merged = np.zeros((n_out, -(-n_codes // width), n_tags), precision)
    merged_own = np.zeros_like(merged)  # of clusters with a solution of their own
    inflation = np.ones(len(cluster))
    concentration = Concentration.empty(n_tags)
    count = distinct(cluster[sums.weight > 0])
    by_cluster = scores.nested[axis] if scores.nested else None
    for block in _blocks(pieces, cluster):
        cells = block.of.cells
        inflation[cells] = block.inflation
        concentration.add(sums.weight[cells], pieces.share[cells], block.influence, block.of.starts)
        at, several = block.of.codes // width, block.of.sizes > 1
        single, own = _scores(pieces, block, several, by_cluster)
        for k in range(n_out):
            add_vectors(at[~several], single[k], merged[k])
            add_vectors(at[several], own[k], merged_own[k])
        if one_by_one:
            meat.add(single)
            moved.add(own)
    factor = (count - 1) / count if count > 1 else 1.0
    inverse = pieces.solved.inverse
    for k in range(n_out):
        merged[k] = merged[k] @ inverse.astype(precision) + merged_own[k]
    merged *= np.sqrt(factor).astype(precision)
    spread = spread_of(sums, scores, pieces.share, pieces.part.tags.group)
    effective, largest = concentration.told(spread)
    if one_by_one:
        cov = factor * (inverse @ meat.sum() @ inverse + moved.sum())
    else:
        cov = np.stack([one.T @ one for one in merged]).astype(np.float64)
    return Axis(cov, effective, largest, inflation, merged)


def _blocks(pieces: Pieces, cluster: Codes) -> Iterator[_Block]:
    """Cells that have weight, cluster after cluster, some thousand cells at a time."""
    part = pieces.part
    inverse = pieces.solved.inverse.astype(part.tags.precision)
    for block in cluster_blocks(pieces.sums.weight, cluster, part.tags.block_cells):
        x = part.x_of(block.cells)
        hat = hat_rows(part.tags, part, block.cells, x)
        influence = hat @ inverse
        controls = x @ part.xx_inverse.astype(x.dtype, copy=False)
        own = np.einsum("ct,ct->c", influence, hat) + np.einsum("cp,cp->c", controls, x)
        inflation = _inflation(pieces, block.cells, own)
        yield _Block(block, x, controls, hat, influence, inflation)


def _inflation(pieces: Pieces, cells: Positions | slice, own: Floats) -> Floats:
    """(m,) factor by which leaving a cell out exceeds its plain score: 1 / (1 - leverage).

    `own` (m,) is the leverage of a unit of weight.

    Leaving out a part of a fixed-effect group moves the group's mean, too: for one cell both
    downdates are of rank one (Sherman and Morrison 1950).
    """
    part, weight = pieces.part, pieces.sums.weight[cells]
    rest = part.group_weight[part.tags.group[cells]] - weight
    alone = rest <= 1e-12 * weight  # the cell is its whole group: nothing is compared with it
    factor = np.where(alone, 1.0, (rest + weight) / np.where(alone, 1.0, rest))
    return np.asarray(factor * inverse_gap(factor * weight * own))


def _scores(
    pieces: Pieces, block: _Block, several: NDArray[np.bool_], by_cluster: Floats | None
) -> tuple[Floats, Floats]:
    """Scores (K, ·, T) of single cells, and moves (K, ·, T) of clusters of several.

    What varies within cells moves the coefficients through the controls alone; it has no leverage
    to speak of and is added as it is.
    """
    of, precision = block.of, block.hat.dtype
    e = pieces.scores.e[of.cells]
    at = of.starts[~several]
    hat = block.hat if len(at) == len(block.hat) else block.hat[at]
    weighted = (e[at] * block.inflation[at, None]).astype(precision, copy=False)
    single = weighted.T[:, :, None] * hat
    own = np.empty((e.shape[1], 0, block.hat.shape[1]), precision)
    if several.any():
        own = _moves_of_several(pieces, block, np.flatnonzero(several), e)
    if by_cluster is not None:
        projection = pieces.part.projection.astype(precision)
        inverse = pieces.solved.inverse.astype(precision)
        for k in range(e.shape[1]):
            explained = sum_runs(block.x * e[:, k, None], of.starts)
            within = (explained - by_cluster[of.codes, k]).astype(precision) @ projection
            np.add(single[k], within[~several], out=single[k])
            np.add(own[k], within[several] @ inverse, out=own[k])
    return single, own


def _moves_of_several(pieces: Pieces, block: _Block, which: Positions, e: Floats) -> Floats:
    """(K, ·, T) moves of clusters of several cells."""
    held = ClusterCells(
        group=pieces.part.tags.group[block.of.cells],
        starts=block.of.starts[which],
        sizes=block.of.sizes[which],
        weight=pieces.sums.weight[block.of.cells],
        e=e,
        x=block.x,
        controls=block.controls,
        hat=block.hat,
        influence=block.influence,
    )
    return cluster_moves(pieces.part, pieces.solved.inverse, held)
