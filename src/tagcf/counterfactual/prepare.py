"""What every question needs, got ready once: fits in the order of the tags, names, support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from scipy import sparse
from scipy.special import stdtrit

from tagcf.counterfactual.model import ResponseModel, bounds
from tagcf.counterfactual.names import IdIndex, TagNames, index_ids, index_tags
from tagcf.counterfactual.support import Support, learn_support
from tagcf.types import (
    Codes,
    Effect,
    Estimand,
    Floats,
    IdMap,
    JointFit,
    Mask,
    TagEffects,
    TagMatrix,
)

DEFAULT_THRESHOLD = 0.5
UPPER = 0.975  # intervals are 95%


@dataclass(frozen=True, slots=True)
class AlignedFit:
    """A `JointFit` in the order of the tag matrix; 0 and unusable for tags it does not have."""

    outcome: str
    estimand: Estimand
    position: int  # among the outcomes of the response model; -1: derived
    low: float  # lowest and highest possible value of the outcome
    high: float
    baseline: float
    coef: Floats  # (T,)
    cov: Floats  # (T, T)
    se: Floats  # (T,) root of the covariance's diagonal
    quantile: Floats  # (T,) t(.975) at the effective degrees of freedom of each tag
    estimated: Mask  # (T,) the fit has the tag
    usable: Mask  # (T,) its verdict is not "cannot tell"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Effects, tags and response model, ready to answer a question in well under a millisecond."""

    effects: TagEffects
    tags: TagMatrix
    model: ResponseModel
    fits: dict[tuple[str, Estimand], AlignedFit]
    carried: sparse.csr_array  # (I, T)
    support: Support
    names: TagNames
    items: IdIndex
    users: IdIndex
    model_item: Codes  # (I,) position of the tag matrix' items in the model; -1: never shown
    refused: dict[tuple[str, str, Estimand], Effect]  # verdict "cannot tell"
    related: Mask  # (T, T) t is above u in the tag tree or graph, or below it

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Outcomes that have a joint fit, in its order."""
        return tuple(dict.fromkeys(outcome for outcome, _ in self.fits))


def prepare(
    effects: TagEffects,
    tags: TagMatrix,
    model: ResponseModel,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    descendants: Mapping[str, frozenset[str]] | None = None,
) -> Prepared:
    """Get ready to answer questions.

    Parameters
    ----------
    threshold
        Strength from which an item carries a tag: that of the effects' run.
    descendants
        Tag to the tags that it causes, beside the parents of the tag tree; total effects of
        a tag and of its descendant overlap.
    """
    carried = tags.carried(threshold)
    return Prepared(
        effects=effects,
        tags=tags,
        model=model,
        fits={(fit.outcome, fit.estimand): _align(fit, tags, model) for fit in effects.joint},
        carried=carried,
        support=learn_support(carried),
        names=index_tags(tags.tags),
        items=index_ids(tags.items),
        users=index_ids(model.users),
        model_item=_positions(tags.items, model.items),
        refused={
            (effect.tag, effect.outcome, effect.estimand): effect
            for effect in effects.effects
            if effect.verdict == "cannot tell"
            and effect.segment is None
            and effect.method == "joint"
        },
        related=_related(tags, descendants or {}),
    )


def _positions(of: IdMap, among: IdMap) -> Codes:
    """Position of each id of one map in another; -1 where it has none."""
    found = pc.index_in(of.ids, value_set=among.ids).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int32)


def _align(fit: JointFit, tags: TagMatrix, model: ResponseModel) -> AlignedFit:
    of_slug = {slug: at for at, slug in enumerate(fit.tags)}
    at = np.array([of_slug.get(tag.slug, -1) for tag in tags.tags], dtype=np.int64)
    known = at >= 0
    # The tag that the fit does not have reads position -1 and is blanked.
    coef = np.where(known, fit.coef[at], 0.0)
    cov = np.where(known[:, None] & known, fit.cov[np.ix_(at, at)], 0.0)
    df = np.where(known, fit.df[at], np.nan)
    finite = np.isfinite(coef) & np.isfinite(np.diag(cov)) & (df > 0)
    position = model.position(fit.outcome)
    share = (0.0, 1.0) if fit.kind in ("binary", "rate") else (-np.inf, np.inf)
    low, high = bounds(model.outcomes[position]) if position >= 0 else share
    return AlignedFit(
        outcome=fit.outcome,
        estimand=fit.estimand,
        position=position,
        low=low,
        high=high,
        baseline=fit.baseline,
        coef=np.where(finite, coef, 0.0),
        cov=np.where(finite[:, None] & finite, cov, 0.0),
        se=np.sqrt(np.where(finite, np.diag(cov), 0.0).clip(0)),
        quantile=np.asarray(stdtrit(np.where(df > 0, df, 1.0), UPPER)),
        estimated=known,
        usable=known & finite & fit.usable[at],
    )


def _related(tags: TagMatrix, descendants: Mapping[str, frozenset[str]]) -> Mask:
    """(T, T) pairs of tags of which one stands above the other."""
    of_slug = {tag.slug: at for at, tag in enumerate(tags.tags)}
    parents = {tag.slug: tag.parent for tag in tags.tags}
    related = np.zeros((len(of_slug), len(of_slug)), dtype=bool)
    for slug, at in of_slug.items():
        above, seen = parents[slug], {slug}
        while above is not None and above not in seen:
            seen.add(above)
            if above in of_slug:
                related[at, of_slug[above]] = related[of_slug[above], at] = True
            above = parents.get(above)
        for below in descendants.get(slug, ()):
            if below in of_slug:
                related[at, of_slug[below]] = related[of_slug[below], at] = True
    return related
