"""How many times its siblings: the ratio of a tag's effect to its siblings' mean (Fieller 1954)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from tagcf.effects.heterogeneity.answers import SiblingComparison
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Floats, JointFit, Reason, Tag

FEWEST_SIBLINGS = 2


@dataclass(frozen=True, slots=True)
class RatioSet:
    """Ratios that the data do not reject: between `low` and `high`, outside of them, or all."""

    shape: Literal["interval", "outside", "everything"]
    low: float
    high: float


def fieller(
    above: float, below: float, var_above: float, var_below: float, shared: float, df: float
) -> RatioSet:
    """Solve (above - ρ·below)² ≤ t²·Var(above - ρ·below) for ρ.

    Parameters
    ----------
    shared
        Covariance of the two estimates.

    Notes
    -----
    Fieller, E. C. (1954), Some problems in interval estimation. The set is bounded only where the
    denominator differs from zero at the same level.
    """
    t = float(stats.t.ppf(1 - ALPHA / 2, df))
    a = below**2 - t**2 * var_below
    b = above * below - t**2 * shared
    c = above**2 - t**2 * var_above
    inside = b**2 - a * c
    if inside <= 0 or a == 0:  # a > 0 always has two roots: the ratio itself is in the set
        return RatioSet("everything", -np.inf, np.inf)
    root = np.sqrt(inside)
    low, high = sorted(((b - root) / a, (b + root) / a))
    return RatioSet("interval" if a > 0 else "outside", float(low), float(high))


def sibling_comparisons(
    fits: Sequence[JointFit], tags: Sequence[Tag], wanted: Sequence[str]
) -> tuple[SiblingComparison, ...]:
    """Compare tags with the other children of their parent.

    Parameters
    ----------
    fits
        Joint fits with their covariances, e.g. ``TagEffects.joint``; direct ones are used.
    tags
        All tags, with their parents.
    wanted
        Slugs of the tags to compare.

    Returns
    -------
    One comparison per fit and wanted tag. Siblings that cannot be told themselves do not count.
    """
    by_slug = {tag.slug: tag for tag in tags}
    direct = [fit for fit in fits if fit.estimand == "direct"]
    return tuple(_compare(fit, by_slug[slug], by_slug) for fit in direct for slug in wanted)


def _compare(fit: JointFit, tag: Tag, by_slug: dict[str, Tag]) -> SiblingComparison:
    usable = {slug for slug, told in zip(fit.tags, fit.usable, strict=True) if told}
    siblings = tuple(
        slug
        for slug in fit.tags
        if slug in usable
        and slug != tag.slug
        and tag.parent is not None
        and by_slug[slug].parent == tag.parent
    )

    def refused(key: str, **facts: str | int) -> SiblingComparison:
        reason = Reason(key, tuple(facts.items()))
        return SiblingComparison(tag.slug, tag.parent, siblings, fit.outcome, reason)

    if tag.parent is None:
        return refused("reason.no_parent")
    if tag.slug not in usable:
        return refused("reason.not_told_itself")
    if len(siblings) < FEWEST_SIBLINGS:
        return refused("reason.few_siblings", n=len(siblings), need=FEWEST_SIBLINGS)
    own = fit.tags.index(tag.slug)
    mean = np.zeros(len(fit.tags))
    mean[[fit.tags.index(slug) for slug in siblings]] = 1 / len(siblings)
    return _ratio(fit, tag, siblings, own, mean)


def _ratio(
    fit: JointFit, tag: Tag, siblings: tuple[str, ...], own: int, mean: Floats
) -> SiblingComparison:
    above, below = float(fit.coef[own]), float(mean @ fit.coef)
    df = float(min(fit.df[own], fit.df[mean > 0].min()))
    found = fieller(
        above,
        below,
        float(fit.cov[own, own]),
        float(mean @ fit.cov @ mean),
        float(fit.cov[own] @ mean),
        df,
    )
    bounded = np.isfinite(found.low)
    limit = None
    if found.shape == "outside":
        facts = (("low", f"{found.low:+.2f}"), ("high", f"{found.high:+.2f}"))
        limit = Reason("reason.ratio_outside", facts)
    elif found.shape == "everything":
        limit = Reason("reason.ratio_everything")
    return SiblingComparison(
        tag=tag.slug,
        parent=tag.parent,
        siblings=siblings,
        outcome=fit.outcome,
        effect=above,
        siblings_effect=below,
        ratio=above / below if found.shape == "interval" else None,
        shape=found.shape,
        low=found.low if bounded else None,
        high=found.high if bounded else None,
        reason=limit,
    )
