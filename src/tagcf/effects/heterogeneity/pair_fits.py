"""Solve for the interactions of many pairs of tags without leaving out those that matter.

A pair's column is correlated with those of other pairs, most with those that share a tag with it
or whose tags go together. A fit that leaves a true one out hands its effect to its neighbours.
All pairs are therefore held against one another where the items allow it. Where they do not, the
pairs are cut into blocks of neighbours, and solved for twice: first to find candidates, then with
all candidates held in every block, the second answer being the one that is told. Candidates are
chosen generously, and chosen for more than one outcome at once, as what must not be missing, not
as what is claimed (Belloni, Chernozhukov and Hansen 2014): every pair is tested in the last round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from tagcf.effects.heterogeneity.ground import Ground
from tagcf.effects.joint.fit import Fit, fit_joint, outcome_reason
from tagcf.effects.multiplicity import false_discovery
from tagcf.types import Floats, Mask, Reason

CANDIDATE = 0.3  # q below which a pair is held in every block
ROUNDS = 2  # with candidates held
ITEMS_PER_COLUMN = 5
MOST_VALUES = 50_000_000  # items × columns of one fit, to bound the memory
ITEMS_AT_ONCE = 8_192

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Solved:
    """Interactions of all pairs on one outcome. (P,) each."""

    estimate: Floats
    se: Floats  # NaN where the items do not tell the pair
    df: Floats
    effective: Floats
    crossing: Floats
    unique_share: Floats
    kept: Mask
    why: Reason | None  # the outcome does not vary

    @property
    def p(self) -> Floats:
        """(P,) NaN where there is no error."""
        return np.asarray(2 * stats.t.sf(np.abs(self.estimate) / self.se, self.df))


def solve_pairs(
    ground: Ground, pairs: Positions, outcomes: tuple[int, ...], most: int
) -> list[Solved]:
    """Solve for pairs (P, 2), as one `Solved` for each outcome.

    Parameters
    ----------
    most
        Pairs in one fit, at most.
    """
    room, held = _room(ground, most), np.array([], dtype=np.intp)
    if len(pairs) <= room:
        together = [np.arange(len(pairs))] if len(pairs) else []
        return _solve_blocks(ground, pairs, outcomes, together, held)
    order = _neighbours(ground, pairs)
    solved = _solve_blocks(ground, pairs, outcomes, _cut(order, room), held)
    for _ in range(ROUNDS):
        candidates = _candidates(solved, room // 2)
        if np.isin(candidates, held).all():
            break
        held = candidates
        solved = _solve_blocks(ground, pairs, outcomes, _cut(order, room - held.size), held)
    return solved


def _room(ground: Ground, most: int) -> int:
    """Pairs that one fit takes: five items a column, and a bounded memory."""
    items, held = int(ground.shown.sum()), int(ground.columns.sum())
    by_items = max(items // ITEMS_PER_COLUMN - held, items // 20)
    by_memory = MOST_VALUES // max(len(ground.task.carried), 1) - held
    return max(min(most, by_items, by_memory), 2)


def _cut(order: Positions, size: int) -> list[Positions]:
    """Blocks of about the same size, at most `size`."""
    return np.array_split(order, -(-len(order) // size))


def _candidates(solved: list[Solved], most: int) -> Positions:
    """Pairs that may be there on any of the outcomes, the clearest first where too many."""
    least = np.min([np.nan_to_num(false_discovery(one.p), nan=1.0) for one in solved], axis=0)
    best = np.argsort(least, kind="stable")[:most]
    return np.sort(best[least[best] < CANDIDATE])


def _neighbours(ground: Ground, pairs: Positions) -> Positions:
    """Order (P,) in which pairs with correlated columns come after one another.

    By average linkage on the correlations that the single tags leave.
    """
    carried = ground.task.carried[ground.shown]
    mean = carried.mean(axis=0)
    single = np.flatnonzero(ground.columns)
    width = single.size + len(pairs)
    gram = np.zeros((width, width))
    for start in range(0, len(carried), ITEMS_AT_ONCE):
        some = carried[start : start + ITEMS_AT_ONCE] - mean
        columns = np.hstack([some[:, single], _products(some, pairs)])
        gram += columns.T @ columns
    across = gram[: single.size, single.size :]
    left = (
        gram[single.size :, single.size :]
        - across.T @ linalg.pinvh(gram[: single.size, : single.size]) @ across
    )
    scale = np.sqrt(np.maximum(np.diag(left), 1e-12))
    far = np.clip(1.0 - np.abs(left / np.outer(scale, scale)), 0.0, 1.0)
    np.fill_diagonal(far, 0.0)
    tree = hierarchy.linkage(squareform(far, checks=False), method="average")
    return np.asarray(hierarchy.leaves_list(tree), dtype=np.intp)


def _products(centred: Floats, pairs: Positions) -> Floats:
    return np.asarray(centred[:, pairs[:, 0]] * centred[:, pairs[:, 1]])


def _solve_blocks(
    ground: Ground,
    pairs: Positions,
    outcomes: tuple[int, ...],
    blocks: list[Positions],
    held: Positions,
) -> list[Solved]:
    """Fit each block together with the pairs that are held everywhere."""
    fits = []
    for block in blocks:
        beside = np.setdiff1d(held, block)
        fits.append(_fit(ground, pairs[np.concatenate([block, beside])], outcomes))
    return [_collected(ground, fits, blocks, k, len(pairs)) for k in range(len(outcomes))]


def _fit(ground: Ground, pairs: Positions, outcomes: tuple[int, ...]) -> Fit:
    task = ground.task
    centred = task.carried - task.carried[ground.shown].mean(axis=0)
    return fit_joint(
        task.log,
        np.hstack([task.carried, _products(centred, pairs)]),
        ground.design,
        outcomes,
        ground.using,
        np.concatenate([ground.columns, np.ones(len(pairs), dtype=bool)]),
    )


def _collected(
    ground: Ground, fits: list[Fit], blocks: list[Positions], k: int, n_pairs: int
) -> Solved:
    """Each pair's numbers from the fit of its own block."""
    n_tags = ground.task.carried.shape[1]

    def joined(of_fit: list[Floats]) -> Floats:
        out = np.zeros(n_pairs)
        for block, values in zip(blocks, of_fit, strict=True):
            out[block] = values[n_tags : n_tags + block.size]
        return out

    kept = joined([fit.solved.kept.astype(float) for fit in fits]) > 0
    variance = joined([np.diag(fit.errors.cov[k]) for fit in fits])
    varies = all(fit.varies[k] for fit in fits)
    return Solved(
        estimate=joined([fit.solved.coef[:, k] for fit in fits]),
        se=np.sqrt(np.where(kept & (variance > 0), variance, np.nan)),
        df=joined([fit.errors.df[k] for fit in fits]),
        effective=joined([fit.errors.effective[k] for fit in fits]),
        crossing=joined([fit.errors.crossing_effective[k] for fit in fits]),
        unique_share=joined([fit.solved.unique_share for fit in fits]),
        kept=kept,
        why=None if varies else outcome_reason(fits[0].sums),
    )
