"""A tag shrunken toward its kin: the tags under its nearest ancestor that holds enough of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from tagcf.effects.heterogeneity.answers import ParentShrinkage
from tagcf.effects.multiplicity import ALPHA, FEWEST_TO_LEARN_FROM, Target, shrink
from tagcf.types import Floats, JointFit, Tag


def toward_parents(fits: Sequence[JointFit], tags: Sequence[Tag]) -> tuple[ParentShrinkage, ...]:
    """Shrink each tag that can be told toward the mean effect of its kin.

    Kin are the tags below the parent; where fewer than three of them can be told, below the
    parent's parent, and so on; at last all tags. The weight of the kin is learnt from all tags
    together, the interval covers 95% on average over them whatever the distribution of the
    effects (Armstrong, Kolesár and Plagborg-Møller 2022).

    Parameters
    ----------
    fits
        Joint fits, e.g. ``TagEffects.joint``; direct ones are used.
    tags
        All tags, with their parents.
    """
    by_slug = {tag.slug: tag for tag in tags}
    found: list[ParentShrinkage] = []
    for fit in fits:
        if fit.estimand == "direct":
            found += _shrunken(fit, by_slug)
    return tuple(found)


def _shrunken(fit: JointFit, by_slug: dict[str, Tag]) -> list[ParentShrinkage]:
    told = np.flatnonzero(fit.usable & (np.diag(fit.cov) > 0))
    if told.size < FEWEST_TO_LEARN_FROM:
        return []
    slugs = [fit.tags[at] for at in told]
    estimate, cov = fit.coef[told], fit.cov[np.ix_(told, told)]
    above = [lineage(by_slug[slug], by_slug) for slug in slugs]
    kin = [_kin(above, at) for at in range(told.size)]
    weights = np.stack([_mean_of(members, cov) for _, members in kin])
    centre = weights @ estimate
    # t intervals are wider than normal ones: shrink with the normal error that is as wide.
    widened = stats.t.ppf(1 - ALPHA / 2, fit.df[told]) / stats.norm.ppf(1 - ALPHA / 2)
    cov = cov * np.outer(widened, widened)
    error = np.sqrt(np.einsum("ts,su,tu->t", weights, cov, weights))
    se = np.sqrt(np.diag(cov))
    shrunk, low, high = shrink(estimate, se, Target(centre, np.minimum(error, se)))
    return [
        ParentShrinkage(
            tag=slug,
            outcome=fit.outcome,
            ancestor=kin[at][0],
            n_kin=len(kin[at][1]),
            kin_effect=float(centre[at]),
            estimate=float(estimate[at]),
            shrunk=float(shrunk[at]),
            low=float(low[at]),
            high=float(high[at]),
        )
        for at, slug in enumerate(slugs)
    ]


def lineage(tag: Tag, by_slug: dict[str, Tag]) -> list[str]:
    """Parent, its parent, and so on as far as they are known, and at last the facet."""
    chain: list[str] = []
    parent = tag.parent
    while parent is not None and parent not in chain:
        chain.append(parent)
        parent = by_slug[parent].parent if parent in by_slug else None
    return chain if tag.facet in chain else [*chain, tag.facet]


def _kin(above: list[list[str]], at: int) -> tuple[str | None, list[int]]:
    """Nearest ancestor under which enough tags can be told, and these tags."""
    for ancestor in above[at]:
        members = [other for other, chain in enumerate(above) if ancestor in chain]
        if len(members) >= FEWEST_TO_LEARN_FROM:
            return ancestor, members
    return None, list(range(len(above)))


def _mean_of(members: list[int], cov: Floats) -> Floats:
    """(m,) weights of a mean by precision over the members."""
    weights = np.zeros(len(cov))
    weights[members] = 1.0 / np.diag(cov)[members]
    return np.asarray(weights / weights.sum())
