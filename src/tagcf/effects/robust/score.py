"""The chance that an item carries a tag, given its controls, its audience and all other tags.

One logit per tag, all tags at once. The Hessian of every one of them is at most Z'WZ/4 (Böhning
and Lindsay 1988), so that one Cholesky factor serves all tags and a step costs two matrix products;
steps are accelerated (Nesterov 1983) and restarted where they overshoot (O'Donoghue and Candès
2015). A tag's own column is kept at zero by a rank-one correction of the shared factor.

Fixed-effect groups (authors) enter by their own level, which makes the scores of a group add up to
its tags, and by columns that are differences from the group's mean. Groups in which a tag does not
vary tell nothing about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.special import expit, logit

from tagcf.types import Codes, Floats, Mask

Singles = NDArray[np.float32]

STEPS = 60  # at most
TOLERANCE = 1e-3  # largest move of a standardised slope at which steps end
FARTHEST = 8.0  # a group's level is kept within so many log-odds of its share
LEVEL_STEPS = 12  # Newton steps for the levels of groups that the slopes were not trained on


@dataclass(frozen=True, slots=True)
class ScoreData:
    """What the scores of all tags are fitted on. C cells, M columns, T tags, G groups."""

    columns: Singles  # (C, M) other tags, then controls: differences from the group, standardised
    own: Codes  # (T,) column of each tag itself; -1: it has none
    carries: Singles  # (C, T)
    weight: Singles  # (C,) mean 1 over the cells used
    group: sparse.csr_array  # (G, C) indicator
    cell_group: Codes  # (C,)
    share: Singles  # (G, T) of a group's weight that carries each tag
    informs: Mask  # (G, T) the tag varies in the group


def score_data(
    columns: Floats, own: Codes, carries: Floats, weight: Floats, cell_group: Codes, n_groups: int
) -> ScoreData:
    """Standardise the columns and look at the groups.

    Parameters
    ----------
    columns
        (C, M) differences from the group's mean.
    weight
        (C,) weight of each cell, 0 where it has no rows.
    """
    used = weight > 0
    weight = weight / weight[used].mean()
    spread = np.sqrt(np.maximum(weight @ columns**2 / weight.sum(), 0.0))
    standard = np.where(spread > 1e-9, columns / np.where(spread > 1e-9, spread, 1.0), 0.0)
    cells = np.arange(weight.size)
    group = sparse.csr_array(
        (used.astype(np.float32), (cell_group, cells)), shape=(n_groups, weight.size)
    )
    total = np.asarray(group @ weight)
    share = (group @ (carries * weight[:, None])) / np.where(total > 0, total, 1.0)[:, None]
    informs = (share > 1e-9) & (share < 1 - 1e-9)
    return ScoreData(
        columns=(standard * used[:, None]).astype(np.float32),
        own=own,
        carries=carries.astype(np.float32),
        weight=weight.astype(np.float32),
        group=group,
        cell_group=cell_group,
        share=share.astype(np.float32),
        informs=np.asarray(informs),
    )


def cross_fitted_scores(
    data: ScoreData, fold: Codes, n_folds: int, penalties: tuple[float, ...]
) -> Singles:
    """(C, T) scores; the slopes behind each come from the other folds.

    Parameters
    ----------
    penalties
        Ridges to choose from, for each tag by the likelihood of what was held out: 1 / the variance
        that the slope of a standardised column is thought to have, in units of one cell.
    """
    shape = (len(penalties), *data.carries.shape)
    scores = np.zeros(shape, dtype=np.float32)
    loss = np.zeros((len(penalties), shape[2]))
    for one in range(n_folds):
        held, rest = np.flatnonzero(fold == one), np.where(fold == one, 0.0, data.weight)
        slopes: Singles | None = None
        for at in np.argsort(penalties)[::-1]:  # from the strongest: each starts at the one before
            slopes = fit_slopes(data, rest, penalties[at], slopes)
            scores[at, held] = _levelled(data, held, slopes)
            loss[at] += _loss(data, held, scores[at, held])
    best = loss.argmin(axis=0)
    return np.asarray(np.take_along_axis(scores, best[None, None, :], axis=0)[0])


def _loss(data: ScoreData, held: NDArray[np.intp], scores: Singles) -> Floats:
    """(T,) negative log-likelihood of held-out cells in groups that tell."""
    likely = np.where(data.carries[held] > 0, scores, 1 - scores)
    counts = data.weight[held, None] * data.informs[data.cell_group[held]]
    return np.asarray(-(counts * np.log(np.maximum(likely, 1e-6))).sum(axis=0), dtype=float)


def fit_slopes(
    data: ScoreData, weight: Floats, penalty: float, start: Singles | None = None
) -> Singles:
    """(M, T) slopes of all logits, with a ridge on standardised columns.

    Parameters
    ----------
    weight
        (C,) weight of each cell; 0 for the fold that is left out.
    start
        Slopes to begin with.
    """
    some = np.flatnonzero(weight > 0)
    z, d, w = data.columns[some], data.carries[some], weight[some, None].astype(np.float32)
    group, group_of = data.group[:, some], data.cell_group[some]
    w = w * data.informs[group_of]
    shared = _shared_inverse(z, weight[some], penalty)
    level = logit(np.clip(data.share, 1e-4, 1 - 1e-4)).astype(np.float32)
    centre = level.copy()
    slopes = np.zeros((z.shape[1], d.shape[1]), np.float32) if start is None else start
    ahead, pace = slopes.copy(), np.ones(d.shape[1], dtype=np.float32)
    for _ in range(STEPS):
        chance = expit(z @ ahead + level[group_of])
        gap = w * (d - chance)
        move = _step(shared, z.T @ gap - np.float32(penalty) * ahead, data.own)
        level = _new_level(level, centre, group, gap, w * chance * (1 - chance))
        new = ahead + move
        onward = new - slopes
        overshot = (move * onward).sum(axis=0) < 0
        faster = np.where(overshot, 1.0, (1 + np.sqrt(1 + 4 * pace**2)) / 2).astype(np.float32)
        momentum = np.where(overshot, 0.0, (pace - 1) / faster).astype(np.float32)
        slopes, ahead, pace = new, new + momentum * onward, faster
        if np.abs(move).max(initial=0.0) < TOLERANCE:
            break
    return slopes


def _shared_inverse(z: Singles, weight: Floats, penalty: float) -> Singles:
    """(M, M) inverse of the bound on every tag's Hessian."""
    bound = ((z * weight[:, None].astype(np.float32)).T @ z).astype(float) / 4
    bound[np.diag_indices_from(bound)] += penalty
    inverse = linalg.cho_solve(linalg.cho_factor(bound), np.eye(len(bound)))
    return np.asarray(inverse, dtype=np.float32)


def _step(shared: Singles, gradient: Singles, own: Codes) -> Singles:
    """(M, T) steps with each tag's own column held at zero."""
    move = shared @ gradient
    with_own = np.flatnonzero(own >= 0)
    at = own[with_own]
    move[:, with_own] -= shared[:, at] * (move[at, with_own] / shared[at, at])
    move[at, with_own] = 0.0
    return np.asarray(move)


def _new_level(
    level: Singles, centre: Singles, group: sparse.csr_array, gap: Singles, curvature: Singles
) -> Singles:
    """(G, T) one Newton step for the levels of the groups."""
    move = (group @ gap) / np.maximum(group @ curvature, 1e-6)
    near = np.clip(level + np.clip(move, -1.0, 1.0), centre - FARTHEST, centre + FARTHEST)
    return np.asarray(near, dtype=np.float32)


def _levelled(data: ScoreData, held: NDArray[np.intp], slopes: Singles) -> Singles:
    """(m, T) scores of held-out cells: given slopes, each group at its own level."""
    index, d = data.columns[held] @ slopes, data.carries[held]
    group, group_of = data.group[:, held], data.cell_group[held]
    w = data.weight[held, None]
    total = np.asarray(group @ data.weight[held])
    share = (group @ (d * w)) / np.where(total > 0, total, 1.0)[:, None]
    level = logit(np.clip(share, 1e-4, 1 - 1e-4)).astype(np.float32)
    centre = level.copy()
    for _ in range(LEVEL_STEPS):
        chance = expit(index + level[group_of])
        level = _new_level(level, centre, group, w * (d - chance), w * chance * (1 - chance))
    return np.asarray(expit(index + level[group_of]), dtype=np.float32)
