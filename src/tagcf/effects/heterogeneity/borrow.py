"""Few-shot answers: what tags on too few items may do, borrowed from tags that can be told.

The effects of tags are taken as a Gaussian field over the tag tree and the tags' meaning: a mean,
variances shared by children of one parent, by tags of one facet and by tags that mean alike, and
a variance of each tag's own. All are learnt from the tags that can be told, each with its own
error (`tagcf.effects.heterogeneity.field`). A tag's own noisy estimate, where there is one, is one
more datum.

Intervals are calibrated by hiding each lender in turn: they are stretched until 95% of the hidden
tags' estimates lie within (conformal; Barber, Candès, Ramdas and Tibshirani 2021, section 2).
What is borrowed never becomes a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from tagcf.effects.heterogeneity.answers import BorrowedEffect
from tagcf.effects.heterogeneity.field import Field, learn, predict
from tagcf.effects.heterogeneity.hiding import hide_in_turn
from tagcf.effects.heterogeneity.likeness import Likeness, likeness
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Effect, Floats, Reason, Tag

FEWEST_LENDERS = 10
MOST_NAMED = 5
LEAST_EFFECTIVE = 3.0  # effective items from which a tag's own estimate counts at all


def borrowed_effects(
    effects: Sequence[Effect], tags: Sequence[Tag], *, embed: bool | None = None
) -> tuple[BorrowedEffect, ...]:
    """Answer for every tag that is refused for its few items.

    Parameters
    ----------
    effects
        Joint, direct effects for everybody, e.g. ``TagEffects.effects``; others are passed over.
    tags
        All tags, with parents and names.
    embed
        As in `likeness`.
    """
    kept = [
        one
        for one in effects
        if (one.method, one.estimand, one.segment) == ("joint", "direct", None)
    ]
    by_slug = {tag.slug: tag for tag in tags}
    found: list[BorrowedEffect] = []
    for outcome in dict.fromkeys(one.outcome for one in kept):
        own = [one for one in kept if one.outcome == outcome and one.tag in by_slug]
        lenders = [one for one in own if one.verdict != "cannot tell" and _known(one)]
        wanted = [one for one in own if _too_few(one)]
        if wanted:
            alike = likeness([by_slug[one.tag] for one in lenders + wanted], embed=embed)
            found += _borrow(lenders, wanted, alike)
    return tuple(found)


def _too_few(effect: Effect) -> bool:
    few = {"reason.few_items", "reason.few_effective", "reason.on_no_item"}
    return effect.reason is not None and effect.reason.key in few


def _known(effect: Effect) -> bool:
    return effect.estimate is not None and effect.se is not None and effect.se > 0


def _numbers(lenders: Sequence[Effect]) -> tuple[Floats, Floats]:
    """(m,) estimates and the variances of their errors."""
    estimate = np.array([one.estimate for one in lenders], dtype=float)
    return estimate, np.array([_error(one) ** 2 for one in lenders])


def _borrow(lenders: list[Effect], wanted: list[Effect], alike: Likeness) -> list[BorrowedEffect]:
    if len(lenders) < FEWEST_LENDERS:
        reason = Reason("reason.few_lenders", (("n", len(lenders)), ("need", FEWEST_LENDERS)))
        return [_nothing(one, len(lenders), reason) for one in wanted]
    estimate, noise = _numbers(lenders)
    m = len(lenders)
    kernels = [kernel[:m, :m] for kernel in alike.kernels]
    field = learn(estimate, noise, kernels)
    coverage = hide_in_turn(estimate, noise, kernels).coverage(estimate, noise)
    return [
        _answer(one, m + at, lenders, alike, field, estimate, noise, coverage)
        for at, one in enumerate(wanted)
    ]


def _error(effect: Effect) -> float:
    """The normal error whose interval is as wide as the effect's own."""
    if effect.ci_low is None or effect.ci_high is None:
        return np.inf
    return (effect.ci_high - effect.ci_low) / (2 * float(stats.norm.ppf(1 - ALPHA / 2)))


def _answer(
    effect: Effect,
    at: int,
    lenders: list[Effect],
    alike: Likeness,
    field: Field,
    estimate: Floats,
    noise: Floats,
    coverage: float,
) -> BorrowedEffect:
    m = len(lenders)
    kernels = [kernel[:m, :m] for kernel in alike.kernels]
    across = [kernel[at, :m] for kernel in alike.kernels]
    value, variance, weights = predict(field, estimate, noise, kernels, across)
    own_weight = 0.0
    if _known(effect) and effect.estimate is not None and effect.effective_items >= LEAST_EFFECTIVE:
        own_weight = variance / (variance + _error(effect) ** 2)
        value = (1 - own_weight) * value + own_weight * effect.estimate
        variance = (1 - own_weight) * variance
    half = field.stretch * float(np.sqrt(variance))
    first = np.argsort(-np.abs(weights), kind="stable")[:MOST_NAMED]
    return BorrowedEffect(
        tag=effect.tag,
        outcome=effect.outcome,
        value=value,
        low=value - half,
        high=value + half,
        own_weight=round(own_weight, 4),
        n_items=effect.n_treated_items,
        n_lenders=m,
        lenders=tuple((lenders[one].tag, round(float(weights[one]), 4)) for one in first),
        hidden_coverage=round(coverage, 4),
        reason=effect.reason,
    )


def _nothing(effect: Effect, n_lenders: int, reason: Reason) -> BorrowedEffect:
    return BorrowedEffect(
        tag=effect.tag,
        outcome=effect.outcome,
        value=None,
        low=None,
        high=None,
        own_weight=0.0,
        n_items=effect.n_treated_items,
        n_lenders=n_lenders,
        lenders=(),
        hidden_coverage=None,
        reason=reason,
    )


def hidden_answers(
    effects: Sequence[Effect], tags: Sequence[Tag], outcome: str, *, embed: bool | None = None
) -> tuple[tuple[str, float, float], ...]:
    """Answer for each lender as if it had no data: its slug and the interval, for checks.

    Everything is learnt anew without the lender, calibration included.
    """
    by_slug = {tag.slug: tag for tag in tags}
    told = [
        one
        for one in effects
        if one.outcome == outcome
        and (one.method, one.estimand, one.segment) == ("joint", "direct", None)
        and one.verdict != "cannot tell"
        and _known(one)
    ]
    if len(told) < FEWEST_LENDERS:
        return ()
    hidden = hide_in_turn(
        *_numbers(told), likeness([by_slug[one.tag] for one in told], embed=embed).kernels
    )
    low, high = hidden.value - hidden.half, hidden.value + hidden.half
    return tuple((one.tag, float(low[at]), float(high[at])) for at, one in enumerate(told))
