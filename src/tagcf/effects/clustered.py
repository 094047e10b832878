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

from tagcf.effects.cells import CellSums
from tagcf.effects.scores import ScoreSums
from tagcf.effects.solve import Partialled, Solution
from tagcf.types import Codes, Floats

LEVERAGE_LIMIT = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Errors:
    """Covariance and effective sample of the joint coefficients. T tags, K outcomes."""

    cov: Floats  # (K, T, T)
    df: Floats  # (K, T) degrees of freedom of a t
    effective: Floats  # (K, T) effective clusters along the axis that nests the tags
    largest_leverage: Floats  # (T,) largest share of one cluster in a coefficient's weights
    moves: tuple[Floats, ...]  # per axis: (K, G, T) what each cluster adds; squares sum to variance


@dataclass(frozen=True, slots=True)
class _Spread:
    """Variance of a cell's mean residual: noise / weight + between."""

    noise: Floats  # (K,)
    between: Floats  # (K,)


def clustered_errors(
    sums: CellSums,
    part: Partialled,
    solved: Solution,
    scores: ScoreSums,
    cell_group: Codes,
    nested: tuple[Codes, ...],
    kind: Literal["CR3", "CR1"],
) -> Errors:
    """Covariance of the joint coefficients.

    Parameters
    ----------
    nested
        Cluster codes (C,) of the cells, for each axis that nests them.
    kind
        See `Joint`.
    """
    hat = part.cell_tags - part.cell_x @ part.projection  # (C, T)
    influence = hat @ solved.inverse  # (C, T)
    n_out = solved.coef.shape[1]
    cell_scores = np.stack([_cell_scores(part, scores, k) for k in range(n_out)])  # (K, C, T)
    leave_out = kind == "CR3"
    every: list[Floats] = []  # (K, G, T) per axis
    for cluster in nested:
        moves = _moves(
            sums, part, solved, scores, hat, influence, cell_scores, cluster, cell_group, leave_out
        )
        count = moves.shape[1]
        every.append(moves * np.sqrt((count - 1) / count if leave_out and count > 1 else 1.0))
    for crossing in scores.crossing:
        used = int((np.abs(crossing).sum(axis=(0, 2)) > 0).sum())
        factor = used / (used - 1) if leave_out and used > 1 else 1.0
        every.append(crossing @ solved.inverse * np.sqrt(factor))
    meats = [np.matmul(moves.transpose(0, 2, 1), moves) for moves in every]
    cov = _combine(meats, solved, scores, part, hat, floor=leave_out)
    spread = _spread(sums, scores, cell_group)
    axis = nested[0] if nested else np.arange(len(sums.weight), dtype=np.int32)
    effective, largest = _effective(sums, influence, spread, axis)
    return Errors(cov, np.maximum(effective - 1.0, 1.0), effective, largest, tuple(every))


def _cell_scores(part: Partialled, scores: ScoreSums, k: int) -> Floats:
    """(C, T) Σ w e (partialled tags) of each cell."""
    return np.asarray(part.cell_tags * scores.e[k][:, None] - scores.ex[k] @ part.projection)


def _moves(
    sums: CellSums,
    part: Partialled,
    solved: Solution,
    scores: ScoreSums,
    hat: Floats,
    influence: Floats,
    cell_scores: Floats,
    cluster: Codes,
    cell_group: Codes,
    leave_out: bool,
) -> Floats:
    """(K, G, T) how far the coefficients move when each cluster is left out (or its score)."""
    n_out, _, n_tags = cell_scores.shape
    codes, position = np.unique(cluster, return_inverse=True)
    used = sums.weight > 0
    if not leave_out:
        total = np.zeros((n_out, codes.size, n_tags))
        for k in range(n_out):
            np.add.at(total[k], position, cell_scores[k])
        return total @ solved.inverse
    # Rows of R: cells of the cluster scaled by the root of their weight, plus one row for each
    # group of which the cluster is a part, since that group's mean moves too.
    root = np.sqrt(sums.weight)
    moves = np.zeros((n_out, codes.size, n_tags))
    order = np.flatnonzero(used)
    order = order[np.argsort(position[order], kind="stable")]
    starts = np.searchsorted(position[order], np.arange(codes.size))
    sizes = np.diff(np.append(starts, order.size))
    single = order[starts[sizes == 1]]
    moves[:, position[single]] = _move_single(
        sums, part, scores, hat, influence, cell_scores, cell_group, single, solved
    )
    for at in np.flatnonzero(sizes > 1):
        cells = order[starts[at] : starts[at] + sizes[at]]
        rows, e = _rows_of(sums, part, scores, hat, root, cells, cell_group)
        within = cell_scores[:, cells].sum(axis=1) - np.einsum(
            "ct,kc->kt", hat[cells], scores.e[:, cells]
        )
        moves[:, at] = _move_block(rows, e, within, solved)
    return moves


def _move_single(
    sums: CellSums,
    part: Partialled,
    scores: ScoreSums,
    hat: Floats,
    influence: Floats,
    cell_scores: Floats,
    cell_group: Codes,
    cells: NDArray[np.integer],
    solved: Solution,
) -> Floats:
    """(K, m, T) moves for clusters of one cell: rank one, Sherman–Morrison."""
    weight = sums.weight[cells]
    rest = part.group_weight[cell_group[cells]] - weight
    alone = rest <= 1e-12 * weight  # the cell is its whole group: nothing is compared with it
    factor = np.where(alone, 1.0, (rest + weight) / np.where(alone, 1.0, rest))
    leverage = factor * weight * np.einsum("ct,ct->c", influence[cells], hat[cells])
    inflate = factor / np.maximum(1.0 - np.minimum(leverage, LEVERAGE_LIMIT), 1.0 - LEVERAGE_LIMIT)
    own = np.einsum("kc,ct->kct", scores.e[:, cells], hat[cells])
    within = cell_scores[:, cells] - own
    return np.asarray((own * inflate[None, :, None] + within) @ solved.inverse)


def _rows_of(
    sums: CellSums,
    part: Partialled,
    scores: ScoreSums,
    hat: Floats,
    root: Floats,
    cells: NDArray[np.integer],
    cell_group: Codes,
) -> tuple[Floats, Floats]:
    """(m, T) rows of R and (m, K) residuals of a cluster of several cells."""
    rows = [hat[cells] * root[cells, None]]
    e = [(scores.e[:, cells] / root[cells]).T]
    for group in np.unique(cell_group[cells]):
        inside = cells[cell_group[cells] == group]
        rest = part.group_weight[group] - sums.weight[inside].sum()
        if rest > 1e-12 * part.group_weight[group]:
            rows.append((sums.weight[inside] @ hat[inside] / np.sqrt(rest))[None])
            e.append((scores.e[:, inside].sum(axis=1) / np.sqrt(rest))[None])
    return np.concatenate(rows), np.concatenate(e)


def _move_block(rows: Floats, e: Floats, within: Floats, solved: Solution) -> Floats:
    """(K, T) move for one cluster: A⁻¹R'(I - RA⁻¹R')⁻¹e, by eigenvalues so that it is finite."""
    hat_matrix = rows @ solved.inverse @ rows.T
    values, vectors = np.linalg.eigh(hat_matrix)
    inflate = 1.0 / np.maximum(1.0 - np.minimum(values, LEVERAGE_LIMIT), 1.0 - LEVERAGE_LIMIT)
    adjusted = vectors @ (inflate[:, None] * (vectors.T @ e))
    return np.asarray((adjusted.T @ rows + within) @ solved.inverse)


def _combine(
    meats: list[Floats],
    solved: Solution,
    scores: ScoreSums,
    part: Partialled,
    hat: Floats,
    *,
    floor: bool,
) -> Floats:
    """Two ways: V₁ + V₂ - V₁₂, with `floor` never below the larger of the two on the diagonal."""
    if len(meats) == 1:
        return meats[0]
    both = np.stack([_pair_cov(scores, part, hat, solved, k) for k in range(len(scores.see))])
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


def _pair_cov(scores: ScoreSums, part: Partialled, hat: Floats, solved: Solution, k: int) -> Floats:
    """(T, T) sandwich over (user, cell) pairs: what the two ways count twice."""
    cross = hat.T @ (scores.pair_ex[k] @ part.projection)
    meat = (
        (hat * scores.pair_ee[k][:, None]).T @ hat
        - cross
        - cross.T
        + part.projection.T @ scores.pair_xx[k] @ part.projection
    )
    return np.asarray(solved.inverse @ meat @ solved.inverse)


def _spread(sums: CellSums, scores: ScoreSums, cell_group: Codes) -> _Spread:
    """Noise within cells and variance between them, by moments (Swamy and Arora 1972)."""
    used = sums.weight > 0
    weight = sums.weight[used]
    mean = scores.e[:, used] / weight
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


def _effective(
    sums: CellSums, influence: Floats, spread: _Spread, cluster: Codes
) -> tuple[Floats, Floats]:
    """(K, T) effective clusters (Σγ)²/Σγ², and (T,) the largest cluster's share of the weights."""
    _, position = np.unique(cluster, return_inverse=True)
    n_out = len(spread.noise)
    effective = np.ones((n_out, influence.shape[1]))
    squares = (influence * sums.weight[:, None]) ** 2
    for k in range(n_out):
        variance = spread.between[k] + spread.noise[k] / np.where(sums.weight > 0, sums.weight, 1.0)
        gamma = np.zeros((position.max() + 1, influence.shape[1]))
        np.add.at(gamma, position, squares * variance[:, None])
        effective[k] = gamma.sum(axis=0) ** 2 / np.maximum((gamma**2).sum(axis=0), 1e-300)
    share = np.zeros((position.max() + 1, influence.shape[1]))
    np.add.at(share, position, influence**2 * sums.weight[:, None])
    largest = share.max(axis=0) / np.maximum(share.sum(axis=0), 1e-300)
    return effective, largest
