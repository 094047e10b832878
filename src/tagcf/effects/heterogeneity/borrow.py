"""Few-shot answers: what tags on too few items may do, borrowed from tags that can be told.

The effects of tags are taken as a Gaussian field over the tag tree and the tags' meaning: a mean,
variances shared by children of one parent, by tags of one facet and by tags that mean alike, and
a variance of each tag's own. All are learnt by maximum likelihood from the tags that can be told,
each with its own error (kriging with measurement errors; Rasmussen and Williams 2006, chapters 2
and 5). A tag's own noisy estimate, where there is one, is one more datum.

Intervals are calibrated by hiding each lender in turn: they are stretched until 95% of the hidden
tags' estimates lie within (conformal; Barber, Candès, Ramdas and Tibshirani 2021, section 2).
What is borrowed never becomes a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, stats

from tagcf.effects.heterogeneity.likeness import Likeness, likeness
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import BorrowedEffect, Effect, Floats, Reason, Tag

FEWEST_LENDERS = 10
MOST_NAMED = 5
LEAST_EFFECTIVE = 3.0  # effective items from which a tag's own estimate counts at all


@dataclass(frozen=True, slots=True)
class Field:
    """What was learnt from the lenders. m lenders."""

    mean: float
    shares: Floats  # (3,) variance by parent, facet, meaning
    own: float  # variance of each tag's own
    stretch: float  # half-width of a 95% interval in standard deviations
    hidden: Floats  # (m,) standardised errors of the lenders when hidden


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


def _borrow(lenders: list[Effect], wanted: list[Effect], alike: Likeness) -> list[BorrowedEffect]:
    if len(lenders) < FEWEST_LENDERS:
        reason = Reason("reason.few_lenders", (("n", len(lenders)), ("need", FEWEST_LENDERS)))
        return [_nothing(one, len(lenders), reason) for one in wanted]
    estimate = np.array([one.estimate for one in lenders], dtype=float)
    noise = np.array([_error(one) ** 2 for one in lenders])
    m = len(lenders)
    field = learn(estimate, noise, tuple(kernel[:m, :m] for kernel in alike.kernels))
    return [
        _answer(one, m + at, lenders, alike, field, estimate, noise)
        for at, one in enumerate(wanted)
    ]


def _error(effect: Effect) -> float:
    """The normal error whose interval is as wide as the effect's own."""
    if effect.ci_low is None or effect.ci_high is None:
        return np.inf
    return (effect.ci_high - effect.ci_low) / (2 * float(stats.norm.ppf(1 - ALPHA / 2)))


def learn(estimate: Floats, noise: Floats, kernels: Sequence[Floats]) -> Field:
    """Learn mean and variances of the effects by maximum likelihood, and calibrate.

    Parameters
    ----------
    estimate, noise
        (m,) estimates and their variances.
    kernels
        (m, m) each, as in `Likeness`.
    """
    scale = float(np.median(noise)) + float(np.var(estimate))

    def minus_log_likelihood(logs: Floats) -> float:
        cov = _covariance(np.exp(logs) * scale, kernels, noise)
        factor = linalg.cholesky(cov, lower=True)
        _, residual = _mean(factor, estimate)
        return float(np.log(np.diag(factor)).sum() + 0.5 * residual @ residual)

    starts = [np.array([-2.0, -2.0, -2.0, -1.0]), np.array([-6.0, -6.0, -6.0, -1.0])]
    bounds = [(-12.0, 4.0)] * 4
    best = min(
        (optimize.minimize(minus_log_likelihood, x, bounds=bounds) for x in starts),
        key=lambda one: float(one.fun),
    )
    variance = np.exp(best.x) * scale
    # Never below what could be there by chance: with few lenders none is seen too easily.
    chance = float(np.median(noise)) * np.sqrt(2 / estimate.size)
    variance[3] = max(variance[3], chance)
    cov = _covariance(variance, kernels, noise)
    mean, _ = _mean(linalg.cholesky(cov, lower=True), estimate)
    hidden = _when_hidden(cov, estimate)
    return Field(mean, variance[:3], float(variance[3]), _stretch(hidden), hidden)


def _covariance(variance: Floats, kernels: Sequence[Floats], noise: Floats) -> Floats:
    shared = sum(share * kernel for share, kernel in zip(variance, kernels, strict=False))
    return np.asarray(shared + np.diag(variance[3] + noise))


def _mean(factor: Floats, estimate: Floats) -> tuple[float, Floats]:
    """Generalised least squares mean, and whitened residuals."""
    ones = linalg.solve_triangular(factor, np.ones_like(estimate), lower=True)
    values = linalg.solve_triangular(factor, estimate, lower=True)
    mean = float(ones @ values / (ones @ ones))
    return mean, np.asarray(values - mean * ones)


def _when_hidden(cov: Floats, estimate: Floats) -> Floats:
    """(m,) standardised errors of predicting each estimate from the others.

    In closed form with the mean re-estimated, too: Dubrule (1983).
    """
    m = estimate.size
    bordered = np.zeros((m + 1, m + 1))
    bordered[:m, :m], bordered[m, :m], bordered[:m, m] = cov, 1.0, 1.0
    inverse = linalg.inv(bordered)[:m, :m]
    return np.asarray((inverse @ estimate) / np.sqrt(np.diag(inverse)))


def _stretch(hidden: Floats) -> float:
    """The half-width that 95% of hidden tags stay within, never below that of a t.

    The t's degrees of freedom leave out the four variances that were learnt.
    """
    rank = min(int(np.ceil((1 - ALPHA) * (hidden.size + 1))), hidden.size)
    least = float(stats.t.ppf(1 - ALPHA / 2, hidden.size - 4))
    return max(float(np.sort(np.abs(hidden))[rank - 1]), least)


def predict(
    field: Field,
    estimate: Floats,
    noise: Floats,
    kernels: Sequence[Floats],
    across: Sequence[Floats],
) -> tuple[float, float, Floats]:
    """Mean, variance and weights (m,) of the prediction for a tag outside the lenders.

    Parameters
    ----------
    across
        (m,) kernels of the tag with the lenders.
    """
    variance = np.append(field.shares, field.own)
    cov = _covariance(variance, kernels, noise)
    shared = np.asarray(sum(s * k for s, k in zip(field.shares, across, strict=True)))
    inverse = linalg.inv(cov)
    ones = np.ones(estimate.size)
    total = float(ones @ inverse @ ones)
    missing = 1.0 - float(shared @ inverse @ ones)
    weights = inverse @ (shared + ones * missing / total)  # sums to 1: universal kriging
    prior = float(field.shares.sum()) + field.own
    error = prior - float(shared @ inverse @ shared) + missing**2 / total
    return float(weights @ estimate), max(error, 1e-300), np.asarray(weights)


def _answer(
    effect: Effect,
    at: int,
    lenders: list[Effect],
    alike: Likeness,
    field: Field,
    estimate: Floats,
    noise: Floats,
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
        hidden_coverage=round(float(np.mean(np.abs(field.hidden) <= field.stretch)), 4),
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
    found = []
    for at, one in enumerate(told):
        lenders = told[:at] + told[at + 1 :]
        if len(lenders) < FEWEST_LENDERS:
            return ()
        alike = likeness([by_slug[other.tag] for other in (*lenders, one)], embed=embed)
        estimate = np.array([other.estimate for other in lenders], dtype=float)
        noise = np.array([_error(other) ** 2 for other in lenders])
        m = len(lenders)
        kernels = [kernel[:m, :m] for kernel in alike.kernels]
        field = learn(estimate, noise, kernels)
        across = [kernel[m, :m] for kernel in alike.kernels]
        value, variance, _ = predict(field, estimate, noise, kernels, across)
        half = field.stretch * float(np.sqrt(variance))
        found.append((one.tag, value - half, value + half))
    return tuple(found)
