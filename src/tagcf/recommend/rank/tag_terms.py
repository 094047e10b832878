"""Effects of tags as terms of the ranker: shrunken, with what they leave unsaid.

A toggle effect says what the tag itself does. Ranking asks what to expect of an item that carries
it, and quality that travels with a tag counts there (design 5.9). So the effects are the prior
mean of the tags' association with items' records under random exposure; how far the association
strays from them is learned (`stray`), and an item's own record overrules both as it grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.recommend.rank.kernels import quadratic_forms
from tagcf.recommend.rank.shrink import Record
from tagcf.types import Codes, Effect, Floats, TagEffects, TagMatrix

FEWEST_TAGS = 3  # with fewer there is no telling how far effects spread
SPREADS = 60  # standard deviations of effects that are tried
MOST_SPREAD = 3.0  # times the estimates' own size
STRAYS = np.concatenate([[0.0], np.exp(np.linspace(np.log(1e-6), np.log(1e1), 60))])


@dataclass(frozen=True, slots=True)
class TagTerms:
    """What each tag adds to each outcome. T tags, K outcomes (logged, then derived)."""

    weight: Floats  # (T, K)
    cov: Floats  # (K, T, T)
    centre: Floats  # (T,) share of items that carry the tag

    def of_items(self, carried: sparse.csr_array) -> tuple[Floats, Floats]:
        """(I, K) terms of items and the variance of their errors."""
        value = carried @ self.weight - self.centre @ self.weight
        variance = np.zeros_like(value)
        for k in range(value.shape[1]):
            if self.cov[k].any():
                variance[:, k] = quadratic_forms(
                    carried.indptr, carried.indices, self.cov[k], self.centre
                )
        return np.asarray(value), variance


def no_terms(n_tags: int, n_outcomes: int, centre: Floats) -> TagTerms:
    """Tags that add nothing."""
    return TagTerms(np.zeros((n_tags, n_outcomes)), np.zeros((n_outcomes, n_tags, n_tags)), centre)


def terms_of_effects(
    effects: TagEffects | None,
    tags: TagMatrix,
    outcomes: tuple[str, ...],
    n_logged: int,
    threshold: float,
) -> TagTerms:
    """Shrink effects by empirical Bayes, derived outcomes towards what logged ones foretell.

    Of a joint fit the whole covariance counts; of other methods each tag's own error. Effects that
    cannot be told, and tags without any, add nothing.
    """
    carried = tags.carried(threshold)
    centre = np.asarray(carried.mean(axis=0), dtype=np.float64).ravel()
    terms = no_terms(len(tags.tags), len(outcomes), centre)
    if effects is None:
        return terms
    position = {tag.slug: at for at, tag in enumerate(tags.tags)}
    for k, outcome in enumerate(outcomes):
        at, estimate, cov = _estimates(effects, outcome, position)
        if at.size < FEWEST_TAGS:
            continue
        logged = terms.weight[at, : n_logged if k >= n_logged else 0]
        terms.weight[at, k], terms.cov[k][np.ix_(at, at)] = shrunken(estimate, cov, logged)
    return terms


def shrunken(estimate: Floats, cov: Floats, logged: Floats) -> tuple[Floats, Floats]:
    """Posterior mean (m,) and covariance (m, m) of effects on one outcome.

    Effects on return are told by user-periods, far fewer than impressions; a tag that makes people
    finish and like may also bring them back. So the prior is ``N(logged · b, s · I)`` with
    ``b ~ N(0, t · I)``. Few tags tell little of s: answers are averaged over it by likelihood,
    each at its likeliest t, the prior of √s being flat (Gelman 2006); at the likeliest s alone,
    zero in many draws, they would be too sure. Errors of tags that come together count as they are.

    Parameters
    ----------
    estimate, cov
        (m,) and (m, m) of the effects to be shrunken.
    logged
        (m, K) shrunken effects on logged outcomes to borrow from; K = 0: towards zero.
    """
    scale = np.sqrt((logged**2).mean(axis=0))
    x = logged[:, scale > 0] / scale[scale > 0]
    values, vectors = np.linalg.eigh(cov)
    values = np.maximum(values, 1e-12 * float(values[-1]))
    y, x = vectors.T @ estimate, vectors.T @ x
    size = max(float(np.median(np.diag(cov))), float((estimate**2).mean()))
    spreads = np.linspace(0.0, MOST_SPREAD * np.sqrt(size), SPREADS) ** 2
    found = [_given_spread(y, x, values, spread) for spread in spreads.tolist()]
    fits = np.array([one.fit for one in found])
    weight = np.exp(fits - fits.max())
    weight /= weight.sum()
    mean = np.asarray(weight @ [one.mean for one in found])
    root = np.sqrt(weight)
    parts = [r * one.loose for r, one in zip(root, found, strict=True)]
    parts += [(r * (one.mean - mean))[:, None] for r, one in zip(root, found, strict=True)]
    turned = vectors @ np.hstack(parts)
    own = weight @ [one.own for one in found]
    return vectors @ mean, (vectors * own) @ vectors.T + turned @ turned.T


@dataclass(frozen=True, slots=True)
class _Answer:
    """Posterior at one spread; its covariance is ``diag(own) + loose·looseᵀ``."""

    fit: float  # log-likelihood up to a constant
    mean: Floats  # (m,)
    own: Floats  # (m,)
    loose: Floats  # (m, K)


def _given_spread(y: Floats, x: Floats, noise: Floats, spread: float) -> _Answer:
    """Posterior of true values of y (m,) around x·b, errors independent; b at its likeliest."""
    weight = 1.0 / (noise + spread)
    values, vectors = np.linalg.eigh((x * weight[:, None]).T @ x)
    values, turned = np.maximum(values, 0.0), vectors.T @ (x.T @ (weight * y))
    prior = (STRAYS * float((y**2).mean()))[:, None]
    gain = (0.5 * prior * turned**2 / (1.0 + prior * values)).sum(axis=1)
    gain -= 0.5 * np.log1p(prior * values).sum(axis=1)
    best = int(np.argmax(gain))
    slope = prior[best, 0] / (1.0 + prior[best, 0] * values)
    centre = x @ (vectors @ (slope * turned))
    kept = spread * weight
    loose = (1.0 - kept)[:, None] * (x @ vectors) * np.sqrt(slope)
    fit = 0.5 * float((np.log(weight) - weight * y**2).sum()) + float(gain[best])
    return _Answer(fit, centre + kept * (y - centre), kept * noise, loose)


def _estimates(
    effects: TagEffects, outcome: str, position: dict[str, int]
) -> tuple[np.ndarray, Floats, Floats]:
    """Positions, estimates and covariance of the tags that can be told."""
    for fit in effects.joint:
        if fit.outcome == outcome and fit.estimand == "direct":
            inside = [j for j, tag in enumerate(fit.tags) if fit.usable[j] and tag in position]
            at = np.array([position[fit.tags[j]] for j in inside], dtype=np.int64)
            return at, fit.coef[inside], fit.cov[np.ix_(inside, inside)]
    told: dict[int, Effect] = {}
    for effect in effects.effects:
        usable = effect.estimate is not None and effect.se is not None and effect.se > 0
        if usable and effect.outcome == outcome and effect.segment is None:
            told.setdefault(position.get(effect.tag, -1), effect)
    told.pop(-1, None)
    at = np.array(sorted(told), dtype=np.int64)
    estimate = np.array([told[one].estimate for one in at], dtype=np.float64)
    errors = np.array([told[one].se for one in at], dtype=np.float64)
    return at, estimate, np.diag(errors**2)


def stray(
    carried: sparse.csr_array, record: Record, variance: tuple[Floats, Floats], author: Codes
) -> Floats:
    """(T, K) by how much the tags' association with records departs from their terms.

    Generalised ridge on what the terms leave of the items' records, items of one author being
    alike; its variance by marginal likelihood (MacKay 1992, "Bayesian interpolation", section 4);
    zero where that is likelier.

    Parameters
    ----------
    record
        Of items, terms taken out; under random exposure or corrected to it.
    variance
        (K,) between items of an author, and between authors.
    author
        (I,) -1 unknown.
    """
    n_tags, n_outcomes = carried.shape[1], record.mean.shape[1]
    out = np.zeros((n_tags, n_outcomes))
    for k in range(n_outcomes):
        at = np.flatnonzero(np.isfinite(record.variance[:, k]))
        if at.size <= 3:
            continue
        own, shared = variance[0][k], variance[1][k]
        weight = 1.0 / np.maximum(own + record.variance[at, k], 1e-12)
        group = np.where(author[at] < 0, -1 - np.arange(at.size), author[at])
        _, group = np.unique(group, return_inverse=True)
        by_author = sparse.csr_array((weight, (group, np.arange(at.size))))
        ones = sparse.csr_array(np.ones((at.size, 1)))
        table = sparse.csr_array(sparse.hstack([ones, carried[at]]))
        sums, size = by_author @ table, np.bincount(group, weight)
        drop = shared / (1.0 + shared * size)
        weighted = table.multiply(weight[:, None]).tocsr()
        gram = (weighted.T @ table - sums.multiply(drop[:, None]).T @ sums).toarray()
        value = record.mean[at, k]
        cross = weighted.T @ value - sums.T @ (drop * (by_author @ value))
        # The intercept is free: it is swept out before the ridge.
        level = gram[0] / gram[0, 0]
        swept = gram[1:, 1:] - np.outer(gram[1:, 0], level[1:])
        out[:, k] = _likeliest(
            swept, np.asarray(cross[1:] - level[1:] * cross[0]), float(np.median(1.0 / weight))
        )
    return out


def _likeliest(gram: Floats, cross: Floats, unit: float) -> Floats:
    """Ridge coefficients (T,) under the prior variance with the largest marginal likelihood."""
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    turned = vectors.T @ cross
    prior = (STRAYS * unit)[:, None]
    fit = (0.5 * prior * turned**2 / (1.0 + prior * values)).sum(axis=1)
    best = float(prior[int(np.argmax(fit - 0.5 * np.log1p(prior * values).sum(axis=1))), 0])
    return np.asarray(vectors @ (best * turned / (1.0 + best * values)))
