"""Clustered errors: leave-one-cluster-out (CR3), two-way, with effective clusters.

Tags are attributes of items, so that the effective sample is items, not impressions. Along an
axis that nests the tags (item, author, stratum) the coefficients are recomputed without each
cluster in turn, in closed form: Bell and McCaffrey (2002); MacKinnon, Nielsen and Webb (2023).
Two ways are put together after Cameron, Gelbach and Miller (2011). Degrees of freedom count
clusters by their weight in the estimate: Satterthwaite (1946); Carter, Schnepel and Steigerwald
(2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.scores import ScoreSums
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, Floats

LEVERAGE_LIMIT = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Errors:
    """Covariance and effective sample of the joint coefficients. T tags, K outcomes."""

    cov: Floats  # (K, T, T)
    df: Floats  # (K, T) degrees of freedom of a t
    effective: Floats  # (K, T) effective clusters along the axis that nests the tags
    crossing_effective: Floats  # (K, T) … along the axes that cells straddle (users)
    largest_leverage: Floats  # (T,) largest share of one cluster in a coefficient's weights
    inflation: Floats  # (C,) by how much leaving a cell out exceeds its plain score
    moves: tuple[Floats, ...]  # per axis: (K, G, T) what each cluster adds; squares sum to variance


@dataclass(frozen=True, slots=True)
class _Spread:
    """Variance of a cell's mean residual: noise / weight + between."""

    noise: Floats  # (K,)
    between: Floats  # (K,)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What every part of the covariance is made of."""

    sums: CellSums
    part: Partialled
    solved: Solution
    scores: ScoreSums
    cell_group: Codes
    hat: Floats  # (C, T) partialled tags of each cell, controls at the cell's mean
    influence: Floats  # (C, T) what a unit of weighted residual moves the coefficients by
    cell_scores: Floats  # (K, C, T) Σ w e (partialled tags)
    share: Floats  # (C,) how much the mean of a cell counts
    columns: Floats  # (C, T + P) `hat` beside the cells' mean controls
    carried: Floats  # (C, T + P) `columns` times the inverse Gram of both

    @property
    def inflation(self) -> Floats:
        """(C,) factor by which leaving a cell out exceeds its plain score: 1 / (1 - leverage).

        Leaving out a part of a fixed-effect group moves the group's mean, too: for one cell both
        downdates are of rank one (Sherman and Morrison 1950).
        """
        weight = self.sums.weight
        rest = self.part.group_weight[self.cell_group] - weight
        alone = rest <= 1e-12 * weight  # the cell is its whole group: nothing is compared with it
        factor = np.where(alone, 1.0, (rest + weight) / np.where(alone, 1.0, rest))
        own = np.einsum("ct,ct->c", self.influence, self.hat)
        controls = np.einsum("cp,cp->c", self.part.cell_x @ self.part.xx_inverse, self.part.cell_x)
        leverage = factor * weight * (own + controls)
        return np.asarray(factor * _inverse_gap(leverage))


def clustered_errors(
    sums: CellSums,
    part: Partialled,
    solved: Solution,
    scores: ScoreSums,
    cell_group: Codes,
    nested: tuple[Codes, ...],
    kind: Literal["CR3", "CR1"],
    share: Floats,
) -> Errors:
    """Covariance of the joint coefficients.

    Parameters
    ----------
    sums, scores
        Both with the same `share`.
    share
        (C,) as in `CellSums.discount`.
    nested
        Cluster codes (C,) of the cells, for each axis that nests them.
    kind
        See `Joint`.
    """
    hat = part.cell_tags - part.cell_x @ part.projection
    n_out = solved.coef.shape[1]
    pieces = _Pieces(
        sums=sums,
        part=part,
        solved=solved,
        scores=scores,
        cell_group=cell_group,
        hat=hat,
        influence=hat @ solved.inverse,
        cell_scores=np.stack([_cell_scores(part, scores, k) for k in range(n_out)]),
        share=share,
        columns=np.hstack([hat, part.cell_x]),
        carried=np.hstack([hat @ solved.inverse, part.cell_x @ part.xx_inverse]),
    )
    leave_out = kind == "CR3"
    every: list[Floats] = []  # (K, G, T) per axis
    for cluster in nested:
        moves = _moves(pieces, cluster) if leave_out else _plain_moves(pieces, cluster)
        count = moves.shape[1]
        every.append(moves * np.sqrt((count - 1) / count if leave_out and count > 1 else 1.0))
    for crossing in scores.crossing:
        used = int((np.abs(crossing).sum(axis=(0, 2)) > 0).sum())
        factor = used / (used - 1) if leave_out and used > 1 else 1.0
        every.append(crossing @ solved.inverse * np.sqrt(factor))
    meats = [np.matmul(moves.transpose(0, 2, 1), moves) for moves in every]
    spread = _spread(pieces)
    axes = nested or (np.arange(len(sums.weight), dtype=np.int32),)
    counted = [_effective(pieces, spread, axis) for axis in axes]
    effective = np.min([one for one, _ in counted], axis=0)
    largest = np.max([share for _, share in counted], axis=0)
    crossing_effective = _effective_crossing(every[len(nested) :], effective)
    return Errors(
        cov=_combine(meats, _counted_twice(pieces, nested), floor=leave_out),
        df=np.maximum(np.minimum(effective, crossing_effective) - 1.0, 1.0),
        effective=effective,
        crossing_effective=crossing_effective,
        largest_leverage=largest,
        moves=tuple(every),
        inflation=pieces.inflation,
    )


def _inverse_gap(leverage: Floats) -> Floats:
    """1 / (1 - leverage), finite also where a cluster decides a coefficient alone."""
    return np.asarray(1.0 / np.maximum(1.0 - np.minimum(leverage, LEVERAGE_LIMIT), 1e-9))


def _cell_scores(part: Partialled, scores: ScoreSums, k: int) -> Floats:
    """(C, T) Σ w e (partialled tags) of each cell."""
    return np.asarray(part.cell_tags * scores.e[k][:, None] - scores.ex[k] @ part.projection)


def _plain_moves(pieces: _Pieces, cluster: Codes) -> Floats:
    """(K, G, T) scores of the clusters, on the scale of the coefficients."""
    codes, position = np.unique(cluster, return_inverse=True)
    n_out, _, n_tags = pieces.cell_scores.shape
    total = np.zeros((n_out, codes.size, n_tags))
    for k in range(n_out):
        np.add.at(total[k], position, pieces.cell_scores[k])
    return np.asarray(total @ pieces.solved.inverse)


def _moves(pieces: _Pieces, cluster: Codes) -> Floats:
    """(K, G, T) how far the coefficients move when each cluster is left out."""
    n_out, _, n_tags = pieces.cell_scores.shape
    codes, position = np.unique(cluster, return_inverse=True)
    moves = np.zeros((n_out, codes.size, n_tags))
    order = np.flatnonzero(pieces.sums.weight > 0)
    order = order[np.argsort(position[order], kind="stable")]
    starts = np.searchsorted(position[order], np.arange(codes.size))
    sizes = np.diff(np.append(starts, order.size))
    single = order[starts[sizes == 1]]
    moves[:, position[single]] = _move_single(pieces, single)
    for at in np.flatnonzero(sizes > 1):
        cells = order[starts[at] : starts[at] + sizes[at]]
        moves[:, at] = _move_several(pieces, cells)
    return moves


def _move_single(pieces: _Pieces, cells: NDArray[np.integer]) -> Floats:
    """(K, m, T) moves for clusters of one cell."""
    own = np.einsum("kc,ct->kct", pieces.scores.e[:, cells], pieces.hat[cells])
    within = pieces.cell_scores[:, cells] - own
    inflate = pieces.inflation[cells][None, :, None]
    return np.asarray((own * inflate + within) @ pieces.solved.inverse)


def _move_several(pieces: _Pieces, cells: NDArray[np.integer]) -> Floats:
    """(K, T) move for one cluster of several cells, controls and tags re-estimated together.

    B⁻¹R'(I - RB⁻¹R')⁻¹e with the block-diagonal B of partialled tags and controls, by eigenvalues
    so that it stays finite; or (B - R'R)⁻¹R'e where the cluster has more cells than columns. Rows
    of R are the cells, scaled by the root of their weight, and one more for each group of which
    the cluster is only a part, since that group's mean moves with it.
    """
    sums, part, scores = pieces.sums, pieces.part, pieces.scores
    root = np.sqrt(sums.weight[cells])
    mix = [np.diag(root)]  # rows of R as combinations of the cells
    for group in np.unique(pieces.cell_group[cells]):
        inside = pieces.cell_group[cells] == group
        rest = part.group_weight[group] - sums.weight[cells[inside]].sum()
        if rest > 1e-12 * part.group_weight[group]:
            mix.append((inside * sums.weight[cells] / np.sqrt(rest))[None])
    mixed = np.concatenate(mix)
    rows, carried = mixed @ pieces.columns[cells], mixed @ pieces.carried[cells]
    e = (mixed / sums.weight[cells]) @ scores.e[:, cells].T
    within = pieces.cell_scores[:, cells].sum(axis=1)
    within = within - np.einsum("ct,kc->kt", pieces.hat[cells], scores.e[:, cells])
    own = within @ pieces.solved.inverse
    n_tags = pieces.hat.shape[1]
    if len(rows) <= rows.shape[1]:
        values, vectors = np.linalg.eigh(carried @ rows.T)
        adjusted = vectors @ (_inverse_gap(values)[:, None] * (vectors.T @ e))
        return np.asarray((carried[:, :n_tags].T @ adjusted).T + own)
    half = _root(linalg.block_diag(pieces.solved.inverse, part.xx_inverse))
    values, vectors = np.linalg.eigh(half @ (rows.T @ rows) @ half)
    shares = vectors.T @ (half @ (rows.T @ e))
    moved = half @ (vectors @ (_inverse_gap(values)[:, None] * shares))
    return np.asarray(moved[:n_tags].T + own)


def _root(inverse: Floats) -> Floats:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(inverse)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _combine(meats: list[Floats], both: Floats, *, floor: bool) -> Floats:
    """Two ways: V₁ + V₂ - V₁₂, with `floor` never below the larger of the two on the diagonal."""
    if len(meats) == 1:
        return meats[0]
    cov = np.sum(meats, axis=0) - both
    if not floor:
        return np.asarray(cov)
    diagonal = np.einsum("ktt->kt", cov)
    one_way = np.max([np.einsum("ktt->kt", meat) for meat in meats], axis=0)
    positive = diagonal > 0
    lift = np.sqrt(np.maximum(one_way / np.where(positive, diagonal, 1.0), 1.0)) * positive
    lifted = cov * lift[:, :, None] * lift[:, None, :]
    at = np.arange(cov.shape[1])
    lifted[:, at, at] = np.maximum(diagonal, one_way)
    return np.asarray(lifted)


def _counted_twice(pieces: _Pieces, nested: tuple[Codes, ...]) -> Floats:
    """(K, T, T) what two axes both count: their intersection.

    Two axes that cells straddle have no closed form here: nothing is taken off, which errs on the
    wide side.
    """
    scores, n_tags = pieces.scores, pieces.hat.shape[1]
    if len(nested) == 2:
        crossed = np.unique(np.stack(nested), axis=1, return_inverse=True)[1].ravel()
        moves = _plain_moves(pieces, crossed.astype(np.int32))
        return np.asarray(np.matmul(moves.transpose(0, 2, 1), moves))
    if len(scores.crossing) == 1:
        return np.stack([_pair_cov(pieces, k) for k in range(len(scores.see))])
    return np.zeros((len(scores.see), n_tags, n_tags))


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


def _pair_cov(pieces: _Pieces, k: int) -> Floats:
    """(T, T) sandwich over (user, cell) pairs: what the two ways count twice."""
    scores, part, hat = pieces.scores, pieces.part, pieces.hat
    cross = hat.T @ (scores.pair_ex[k] @ part.projection)
    meat = (
        (hat * scores.pair_ee[k][:, None]).T @ hat
        - cross
        - cross.T
        + part.projection.T @ scores.pair_xx[k] @ part.projection
    )
    return np.asarray(pieces.solved.inverse @ meat @ pieces.solved.inverse)


def _spread(pieces: _Pieces) -> _Spread:
    """Noise within cells and variance between them, by moments (Swamy and Arora 1972)."""
    sums, scores, cell_group = pieces.sums, pieces.scores, pieces.cell_group
    used = sums.weight > 0
    weight = sums.weight[used] / pieces.share[used]  # of all rows
    mean = scores.e[:, used] / sums.weight[used]
    between_ss = (weight * mean**2).sum(axis=1)
    rows, cells = sums.rows[used].sum(), int(used.sum())
    within = np.maximum(scores.see - between_ss, 0.0)
    free = max(cells - np.unique(cell_group[used]).size, 1)
    average = weight.sum() / max(cells, 1)
    noise = within / max(rows - cells, 1.0) if rows > cells else np.zeros(len(scores.see))
    between = np.maximum(between_ss / free - noise, 0.0) / max(average, 1e-300)
    if rows <= cells:  # one row a cell: the two cannot be told apart
        between = between_ss / free / max(average, 1e-300)
    return _Spread(noise, between)


def _effective(pieces: _Pieces, spread: _Spread, cluster: Codes) -> tuple[Floats, Floats]:
    """(K, T) effective clusters (Σγ)²/Σγ², and (T,) the largest cluster's share of the weights."""
    sums, influence = pieces.sums, pieces.influence
    _, position = np.unique(cluster, return_inverse=True)
    n_out = len(spread.noise)
    effective = np.ones((n_out, influence.shape[1]))
    squares = (influence * sums.weight[:, None]) ** 2
    for k in range(n_out):
        variance = spread.between[k] + spread.noise[k] * pieces.share / np.where(
            sums.weight > 0, sums.weight, 1.0
        )
        gamma = np.zeros((position.max() + 1, influence.shape[1]))
        np.add.at(gamma, position, squares * variance[:, None])
        effective[k] = gamma.sum(axis=0) ** 2 / np.maximum((gamma**2).sum(axis=0), 1e-300)
    share = np.zeros((position.max() + 1, influence.shape[1]))
    np.add.at(share, position, influence**2 * sums.weight[:, None])
    largest = share.max(axis=0) / np.maximum(share.sum(axis=0), 1e-300)
    return effective, largest
