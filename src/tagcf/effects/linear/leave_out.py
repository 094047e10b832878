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
from scipy import linalg

from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.concentration import Concentration, spread_of, sum_runs
from tagcf.effects.linear.kernels import add_vectors
from tagcf.effects.linear.scores import ScoreSums, hat_rows, most_clusters
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, Floats

LEVERAGE_LIMIT = 1.0 - 1e-9

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


def along_axis(pieces: Pieces, cluster: Codes, axis: int, *, leave_out: bool) -> Axis:
    """Sum over the clusters of one axis that nests the cells.

    Parameters
    ----------
    cluster
        (C,) codes.
    axis
        Which of `ScoreSums.nested` belongs to it.
    """
    sums, scores = pieces.sums, pieces.scores
    n_tags, n_out = pieces.solved.coef.shape
    n_codes = int(cluster.max(initial=-1)) + 1
    width = -(-n_codes // most_clusters(n_tags, n_out))  # neighbours merged to bound the memory
    meat, moved = np.zeros((n_out, n_tags, n_tags)), np.zeros((n_out, n_tags, n_tags))
    precision = pieces.part.tags.precision
    merged = np.zeros((n_out, -(-n_codes // width), n_tags), precision)
    alone_moves: list[tuple[int, Floats]] = []
    inflation = np.ones(len(cluster))
    concentration = Concentration.empty(n_tags)
    count = np.unique(cluster[sums.weight > 0]).size if leave_out else 0
    inverse = pieces.solved.inverse.astype(precision)
    for block in _blocks(pieces, cluster, inverse):
        inflation[block.cells] = block.inflation
        share = pieces.share[block.cells]
        concentration.add(sums.weight[block.cells], share, block.influence, block.starts)
        single, several = _scores(pieces, block, scores.nested[axis], leave_out=leave_out)
        at = block.codes // width
        for k in range(n_out):
            meat[k] += single[k].T @ single[k]
            add_vectors(at, single[k], merged[k])
        if several:
            moves = np.stack([move for _, move in several])  # (clusters, K, T)
            for k in range(n_out):
                moved[k] += moves[:, k].T @ moves[:, k]
            alone_moves += [(int(at[where]), move) for where, move in several]
    factor = (count - 1) / count if leave_out and count > 1 else 1.0
    for k in range(n_out):
        merged[k] = merged[k] @ inverse
    for where, move in alone_moves:
        merged[:, where] += move
    merged *= np.sqrt(factor).astype(precision)
    inverse = pieces.solved.inverse
    spread = spread_of(sums, scores, pieces.share, pieces.part.tags.group)
    effective, largest = concentration.told(spread)
    return Axis(
        cov=factor * (inverse @ meat @ inverse + moved),
        effective=effective,
        largest=largest,
        inflation=inflation,
        moves=merged,
    )


def _blocks(pieces: Pieces, cluster: Codes, inverse: Floats) -> Iterator[_Block]:
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
            inflation=_inflation(pieces, cells, hat, influence),
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
    x = part.cell_x[cells]
    own = np.einsum("ct,ct->c", influence, hat, dtype=np.float64)
    controls = np.einsum("cp,cp->c", x @ part.xx_inverse, x)
    return np.asarray(factor * _inverse_gap(factor * weight * (own + controls)))


def _inverse_gap(leverage: Floats) -> Floats:
    """1 / (1 - leverage), finite also where a cluster decides a coefficient alone."""
    return np.asarray(1.0 / np.maximum(1.0 - np.minimum(leverage, LEVERAGE_LIMIT), 1e-9))


def _scores(
    pieces: Pieces, block: _Block, by_cluster: Floats, *, leave_out: bool
) -> tuple[list[Floats], list[tuple[int, Floats]]]:
    """Scores (c, T) per outcome, and moves (K, T) of clusters that need a solution of their own.

    What varies within cells moves the coefficients through the controls alone; it has no leverage
    to speak of and is added as it is.
    """
    part = pieces.part
    precision = block.hat.dtype
    e = pieces.scores.e[block.cells]
    sizes = np.diff(np.append(block.starts, block.cells.size))
    alone = np.repeat(sizes == 1, sizes)
    weighted = np.where(alone & leave_out, block.inflation, 1.0)[:, None] * e
    projection = part.projection.astype(precision)
    scores = []
    for k in range(e.shape[1]):
        own = block.hat * weighted[:, k, None].astype(precision)
        own = sum_runs(own, block.starts)
        explained = sum_runs(part.cell_x[block.cells] * e[:, k, None], block.starts)
        within = explained - by_cluster[block.codes, k]
        scores.append(own + within.astype(precision) @ projection)
    if not leave_out or alone.all():
        return scores, []
    several = []
    for at in np.flatnonzero(sizes > 1):
        inside = slice(block.starts[at], block.starts[at] + sizes[at])
        plain = np.stack(
            [score[at] - e[inside, k] @ block.hat[inside] for k, score in enumerate(scores)]
        )
        several.append((int(at), _move_several(pieces, block, inside, plain)))
        for score in scores:
            score[at] = 0.0
    return scores, several


def _move_several(pieces: Pieces, block: _Block, inside: slice, within: Floats) -> Floats:
    """(K, T) move for one cluster of several cells, controls and tags re-estimated together.

    B⁻¹R'(I - RB⁻¹R')⁻¹e with the block-diagonal B of partialled tags and controls, by eigenvalues
    so that it stays finite; or (B - R'R)⁻¹R'e where the cluster has more cells than columns. Rows
    of R are the cells, scaled by the root of their weight, and one more for each group of which
    the cluster is only a part, since that group's mean moves with it.
    """
    part, inverse = pieces.part, pieces.solved.inverse
    cells = block.cells[inside]
    weight, x = pieces.sums.weight[cells], part.cell_x[cells]
    columns = np.hstack([block.hat[inside], x])
    carried = np.hstack([block.influence[inside], x @ part.xx_inverse])
    mixed = _mix(part, cells, weight)
    rows, carried = mixed @ columns, mixed @ carried
    e = (mixed / weight) @ pieces.scores.e[cells]
    own = within @ inverse
    n_tags = inverse.shape[0]
    if len(rows) <= rows.shape[1]:
        values, vectors = np.linalg.eigh(carried @ rows.T)
        adjusted = vectors @ (_inverse_gap(values)[:, None] * (vectors.T @ e))
        return np.asarray((carried[:, :n_tags].T @ adjusted).T + own)
    half = _root(linalg.block_diag(inverse, part.xx_inverse))
    values, vectors = np.linalg.eigh(half @ (rows.T @ rows) @ half)
    shares = vectors.T @ (half @ (rows.T @ e))
    moved = half @ (vectors @ (_inverse_gap(values)[:, None] * shares))
    return np.asarray(moved[:n_tags].T + own)


def _mix(part: Partialled, cells: Positions, weight: Floats) -> Floats:
    """Rows of R as combinations of the cells (m,)."""
    groups = part.tags.group[cells]
    mix = [np.diag(np.sqrt(weight))]
    for group in np.unique(groups):
        own = groups == group
        rest = part.group_weight[group] - weight[own].sum()
        if rest > 1e-12 * part.group_weight[group]:
            mix.append((own * weight / np.sqrt(rest))[None])
    return np.concatenate(mix)


def _root(inverse: Floats) -> Floats:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(inverse)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
