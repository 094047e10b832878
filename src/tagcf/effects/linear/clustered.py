"""Clustered errors: leave-one-cluster-out (CR3), two-way, with effective clusters.

Tags are attributes of items, so that the effective sample is items, not impressions. Along an
axis that nests the tags (item, author, stratum) the coefficients are recomputed without each
cluster in turn (`tagcf.effects.linear.clusters.leave_out`). Two ways are put together after
Cameron, Gelbach and Miller (2011). Degrees of freedom count clusters by their weight in the
estimate: Satterthwaite (1946); Carter, Schnepel and Steigerwald (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.clusters.axis import Pieces
from tagcf.effects.linear.clusters.concentration import effective_of_moves
from tagcf.effects.linear.clusters.leave_out import along_axis
from tagcf.effects.linear.clusters.plain_axis import plain_axis
from tagcf.effects.linear.scores import ScoreSums, crossing_scores
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Errors:
    """Covariance and effective sample of the joint coefficients. T tags, K outcomes."""

    cov: Floats  # (K, T, T)
    df: Floats  # (K, T) degrees of freedom of a t
    effective: Floats  # (K, T) effective clusters along the axis that nests the tags
    crossing_effective: Floats  # (K, T) … along the axes that cells straddle (users)
    largest_leverage: Floats  # (T,) largest share of one cluster in a coefficient's weights
    inflation: Floats  # (C,) by how much leaving a cell out exceeds its plain score
    # Per axis: (K, G, T) what each cluster adds; squares sum to the axis' variance, exactly where
    # no clusters had to be merged to bound the memory.
    moves: tuple[Floats, ...]


def clustered_errors(
    sums: CellSums,
    part: Partialled,
    solved: Solution,
    scores: ScoreSums,
    nested: tuple[Codes, ...],
    kind: Literal["CR3", "CR1"],
    share: Floats,
    pairs: Floats,
) -> Errors:
    """Covariance of the joint coefficients.

    Parameters
    ----------
    sums, scores
        Both with the same `share`.
    nested
        Cluster codes (C,) of the cells, for each axis that nests them.
    kind
        See `Joint`.
    share
        (C,) as in `CellSums.discount`.
    pairs
        (K, T, T) as `pair_squares` gives them.
    """
    leave_out = kind == "CR3"
    pieces = Pieces(sums, part, solved, scores, share, pairs)
    axes = nested or (np.arange(len(sums.weight), dtype=np.int32),)
    one_axis = along_axis if leave_out else plain_axis
    along = [one_axis(pieces, code, at) for at, code in enumerate(axes)]
    meats = [axis.cov for axis in along] if nested else []
    every = [axis.moves for axis in along] if nested else []
    first_crossing = len(every)
    for at in range(len(scores.crossing)):
        moves = _crossing_moves(pieces, at, leave_out=leave_out)
        every.append(moves)
        meats.append(np.stack([one.T @ one for one in moves]).astype(np.float64))
    effective = np.min([axis.effective for axis in along], axis=0)
    crossing_effective = np.min(
        [np.full_like(effective, np.inf), *map(_effective, every[first_crossing:])], axis=0
    )
    return Errors(
        cov=_combine(meats, _counted_twice(pieces, nested), floor=leave_out),
        df=np.maximum(np.minimum(effective, crossing_effective) - 1.0, 1.0),
        effective=effective,
        crossing_effective=crossing_effective,
        largest_leverage=np.max([axis.largest for axis in along], axis=0),
        moves=tuple(every),
        inflation=along[0].inflation,
    )


def _crossing_moves(pieces: Pieces, at: int, *, leave_out: bool) -> Floats:
    """(K, G, T) scores of clusters that cells straddle, on the scale of the coefficients.

    Leaving one out moves them by 1 / (1 - its share of the rows), about: of G equal clusters by
    G / (G - 1), as the usual factor has it.
    """
    scores, part = pieces.scores, pieces.part
    inverse = pieces.solved.inverse.astype(part.tags.precision)
    n_clusters, n_out, n_tags = scores.crossing[at].shape
    moves = np.empty((n_out, n_clusters, n_tags), part.tags.precision)
    for k in range(n_out):
        np.matmul(crossing_scores(scores, part, at, k), inverse, out=moves[k])
    used = int((moves != 0).any(axis=(0, 2)).sum())
    if leave_out and used > 1:
        share = scores.crossing_w[at][:, 0] / max(scores.crossing_w[at].sum(), 1e-300)
        factor = np.sqrt((used - 1) / used) / np.maximum(1.0 - share, 0.5)
        moves *= factor.astype(part.tags.precision)[:, None]
    return moves


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


def _counted_twice(pieces: Pieces, nested: tuple[Codes, ...]) -> Floats:
    """(K, T, T) what two axes both count: their intersection.

    Two axes that cells straddle have no closed form here: nothing is taken off, which errs on the
    wide side.
    """
    inverse, scores = pieces.solved.inverse, pieces.scores
    if len(nested) == 2:
        return plain_axis(pieces, crossed_codes(nested), 2).cov
    if len(scores.crossing) == 1:
        return np.asarray(inverse @ pieces.pairs @ inverse)
    return np.zeros((len(scores.see), *inverse.shape))


def crossed_codes(nested: tuple[Codes, ...]) -> Codes:
    """(C,) clusters of two axes at once."""
    return np.unique(np.stack(nested), axis=1, return_inverse=True)[1].ravel().astype(np.int32)


def _effective(moves: Floats) -> Floats:
    return effective_of_moves(moves)[0]
