"""Rosenbaum's Γ: how unequal two like items' odds of carrying the tag may be.

Items are paired with their neighbour in the score (what controls and other tags predict of the
tag), within fixed-effect groups and without looking at who carries the tag; pairs in which one
does and the other does not are kept. Each item is in one pair at most, so that items, not
impressions, are what is compared. Outcomes enter as residuals of the model without the tag
(Rosenbaum 2002, "Covariance adjustment"), and the statistic is the signed rank of the
standardised differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.effects.multiplicity import ALPHA
from tagcf.effects.sensitivity.reduced import Reduced
from tagcf.types import Floats

FEWEST_PAIRS = 10  # below, the normal approximation of the signed rank is poor


@dataclass(frozen=True, slots=True)
class ItemPairs:
    """Cells of the pairs, position by position."""

    carrier: NDArray[np.integer]
    other: NDArray[np.integer]


def pair_items(reduced: Reduced, t: int) -> ItemPairs:
    """Pair the items of a fit for one tag."""
    some = np.flatnonzero(reduced.used)
    score = reduced.tags[some, t] - reduced.own[some, t]
    order = some[np.lexsort((score, reduced.group[some]))]
    group = reduced.group[order]
    size = np.bincount(group)
    rank = np.arange(order.size) - np.repeat((np.cumsum(size) - size)[size > 0], size[size > 0])
    first = np.flatnonzero(rank % 2 == 0)
    first = first[first + 1 < order.size]
    first = first[group[first] == group[first + 1]]
    a, b = order[first], order[first + 1]
    carries = reduced.tags[:, t] > 0
    a_only, b_only = carries[a] & ~carries[b], carries[b] & ~carries[a]
    return ItemPairs(
        carrier=np.concatenate([a[a_only], b[b_only]]),
        other=np.concatenate([b[a_only], a[b_only]]),
    )


def pair_differences(residual: Floats, weight: Floats, pairs: ItemPairs) -> Floats:
    """(m,) differences of the pairs' mean residuals in units of their precision.

    Parameters
    ----------
    residual
        (C,) weighted residual sums of the model without the tag.
    weight
        (C,) how much each cell counts.
    """
    one, two = weight[pairs.carrier], weight[pairs.other]
    gap = residual[pairs.carrier] / one - residual[pairs.other] / two
    return np.asarray(gap * np.sqrt(one * two / (one + two)))


def signed_rank_gamma(differences: Floats, alpha: float = ALPHA) -> float:
    """Largest Γ at which the signed-rank test still rejects, on the side of its own sign.

    At Γ a pair's chance of a positive difference is at most λ = Γ / (1 + Γ), and the statistic's
    mean and variance are at most λ Σr and λ (1 - λ) Σr² (Rosenbaum 2002, section 4.3.3): solve for
    the λ at which the two-sided p equals `alpha`.

    Returns
    -------
    float
        1 where the test does not reject even without bias; NaN with too few pairs.
    """
    known = differences[differences != 0]
    if known.size < FEWEST_PAIRS:
        return float("nan")
    ranks = stats.rankdata(np.abs(known))
    total, squares = float(ranks.sum()), float((ranks**2).sum())
    positive = float(ranks[known > 0].sum())
    statistic = max(positive, total - positive)
    c2 = float(stats.norm.ppf(1 - alpha / 2)) ** 2
    a, b, c = total**2 + c2 * squares, 2 * statistic * total + c2 * squares, statistic**2
    chance = (b - np.sqrt(max(b**2 - 4 * a * c, 0.0))) / (2 * a)
    return float(max(chance / (1 - chance), 1.0))
