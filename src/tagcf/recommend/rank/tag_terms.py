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

from tagcf.effects.linear.item_effects import between_variance
from tagcf.recommend.rank.kernels import quadratic_forms
from tagcf.recommend.rank.shrink import Record
from tagcf.types import Codes, Effect, Floats, TagEffects, TagMatrix

FEWEST_TAGS = 3  # with fewer there is no telling how far effects spread
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
    """Shrink effects by empirical Bayes: logged outcomes towards zero, derived ones towards these.

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
        centre_of = np.zeros(at.size)
        if k >= n_logged:
            centre_of = _borrowed(terms.weight[at, :n_logged], estimate, np.diag(cov))
        left = estimate - centre_of
        spread = between_variance(left, np.diag(cov), at.size)
        gain = spread * np.linalg.inv(spread * np.eye(at.size) + cov)
        terms.weight[at, k] = centre_of + gain @ left
        terms.cov[k][np.ix_(at, at)] = spread * (np.eye(at.size) - gain)
    return terms


def _borrowed(logged: Floats, estimate: Floats, noise: Floats) -> Floats:
    """(m,) what a tag's effects on logged outcomes let expect of its effect on a derived one.

    Return is told by user-periods, far fewer than impressions; a tag that makes people finish and
    like may also bring them back. Whether it does is learned over the tags, by a ridge whose
    variance is the likeliest; zero where that is likelier.

    Parameters
    ----------
    logged
        (m, K) shrunken effects on logged outcomes.
    estimate, noise
        (m,) of the derived outcome, and their squared errors.
    """
    size = np.sqrt((logged**2).mean(axis=0))
    x = logged[:, size > 0] / size[size > 0]
    weight = 1.0 / (noise + between_variance(estimate, noise, estimate.size))
    unit = float((estimate**2 - noise).mean()) if x.size else 0.0
    if unit <= 0:
        return np.zeros_like(estimate)
    gram = (x * weight[:, None]).T @ x
    return np.asarray(x @ _likeliest(gram, x.T @ (weight * estimate), unit))


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
