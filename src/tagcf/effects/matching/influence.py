"""What the histogram says of each tag, and the second pass: how each cluster moves that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.scores import most_clusters
from tagcf.effects.matching.bins import Bins, BinSums
from tagcf.effects.matching.kernels import add_influence
from tagcf.effects.matching.rows import match_blocks
from tagcf.effects.methods import Matching
from tagcf.types import EventLog, Floats


@dataclass(frozen=True, slots=True)
class BinAnswer:
    """What the histogram says, and what the second pass needs of it."""

    treated: Floats  # (T,) matched weight of the treated
    gap: Floats  # (T, K) residuals of the treated less those of their controls
    ratio: Floats  # (T, M) weight that a control stands for, per unit of its own; -1: no match
    centre: Floats  # (T, M, K) mean residual of the controls


@dataclass(frozen=True, slots=True)
class Moves:
    """Sums of the second pass."""

    along: tuple[Floats, ...]  # per axis, then pairs: (T, K) variance of the estimate
    by_cell: Floats  # (2, C, T) weight of the matched, and of their controls
    x: Floats  # (2, T, P) Σ weight·control
    x_squares: Floats  # (2, T, P)


def answer_of(sums: BinSums) -> BinAnswer:
    """Compare treated with controls bin by bin; a bin counts by its treated."""
    without, with_tag = sums.weight[:, :, 0], sums.weight[:, :, 1]
    both = (without > 0) & (with_tag > 0)
    safe = np.where(without > 0, without, 1.0)
    centre = sums.total[:, :, 0] / safe[:, :, None]
    matched = np.where(both, with_tag, 0.0)
    treated = matched.sum(axis=1)
    gaps = np.where(both[:, :, None], sums.total[:, :, 1] - matched[:, :, None] * centre, 0.0)
    return BinAnswer(
        treated=treated,
        gap=gaps.sum(axis=1) / np.maximum(treated, 1e-300)[:, None],
        ratio=np.where(both, with_tag / safe, -1.0),
        centre=centre,
    )


def moves_of(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    using: Matching,
    bins: Bins,
    answer: BinAnswer,
) -> Moves:
    """Sum influences by cluster; more clusters than memory holds are merged: coarser, still valid.

    A pair of clusters that returns in a later batch counts anew.
    """
    n_tags, n_out = answer.gap.shape
    used = [at for at, axis in enumerate(log.clusters) if axis.n_clusters > 1]
    sizes = [log.clusters[at].n_clusters + 1 for at in used] or [len(log.items)]
    most = min(most_clusters(n_tags, n_out), max(sizes))
    tables = np.zeros((len(sizes), most, n_tags * n_out))
    crossed = np.zeros(n_tags * n_out)
    by_cell = np.zeros((2, *bins.carried.shape))
    x, x_squares = (np.zeros((2, n_tags, bins.slope.shape[0])) for _ in range(2))
    for block in match_blocks(log, design, outcomes, fit, using):
        codes = (
            block.clusters[:, used].T.astype(np.int64) + 1
            if used
            else design.cell_item[block.cell].astype(np.int64)[None]
        )
        pair = _repeated(codes)
        pairs = np.zeros((int(pair.max(initial=-1)) + 1, n_tags * n_out))
        sides = np.zeros((2, len(block.w), n_tags), dtype=np.float32)
        add_influence(
            bins.scores(block), block.exact, block.cell, bins.carried, block.e, block.w,
            *bins.cuts, answer.ratio, answer.centre, answer.gap, fit.errors.inflation,
            codes % most, pair, tables, pairs, crossed, by_cell, sides,
        )  # fmt: skip
        crossed += (pairs**2).sum(axis=0)
        squares = block.x**2
        for side in range(2):
            x[side] += sides[side].T @ block.x
            x_squares[side] += sides[side].T @ squares
    scale = np.repeat(np.maximum(answer.treated, 1e-300), n_out) ** 2
    along = [_sum_of_squares(table) / scale for table in tables]
    if len(along) == 2:
        along.append(crossed / scale)
    shaped = tuple(one.reshape(n_tags, n_out) for one in along)
    return Moves(shaped, by_cell, x, x_squares)


def _repeated(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) place of each row's pair among pairs of several rows; -1 for the rest."""
    if len(codes) < 2:
        return np.full(codes.shape[1], -1)
    keys = codes[0] * (codes[1].max() + 1) + codes[1]
    _, inverse, count = np.unique(keys, return_inverse=True, return_counts=True)
    place = np.where(count > 1, np.cumsum(count > 1) - 1, -1)
    return np.asarray(place[inverse])


def _sum_of_squares(table: Floats) -> Floats:
    count = int((table != 0).any(axis=1).sum())
    return np.asarray((table**2).sum(axis=0) * count / max(count - 1, 1))
