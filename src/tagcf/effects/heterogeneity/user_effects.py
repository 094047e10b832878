"""Effects for one user: θ_t + δ_t'u, with u a few uncorrelated features of the user.

Tags, minus their mean within each group, are crossed with the users' factors, and the outcome
without groups, controls and average effects is regressed on the products (the R-learner of Nie
and Wager 2021 with linear nuisances). Directions along which the effects differ are found by
reduced-rank regression, as many as cross-validation over users bears out; errors are two-way (items
or authors × users) with a leverage correction along items. What a user's effects differ by is
shrunken toward the average with intervals that hold on average over the tags (Armstrong, Kolesár
and Plagborg-Møller 2022).

The answer is the mean effect over users with the same features: two users alike in these get the
same answer, and what sets them apart beyond that is not in the interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from tagcf.effects.heterogeneity.answers import UserEffect
from tagcf.effects.heterogeneity.features import UserFactors, user_factors
from tagcf.effects.heterogeneity.ground import Ground
from tagcf.effects.heterogeneity.rank import Rank, choose_rank, fold_grams
from tagcf.effects.heterogeneity.user_errors import covariance, inflation_of
from tagcf.effects.heterogeneity.user_sums import (
    Normal,
    memory_needed,
    normal_equations,
    sum_residuals,
    sum_users,
)
from tagcf.effects.joint.fit import cluster_axes
from tagcf.effects.linear.solve import tell_apart
from tagcf.effects.multiplicity import ALPHA, critical_value
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Floats, IdMap, JointFit, Mask, Reason

FOLDS = 10
FEWEST_USERS = 50
MOST_MEMORY = 4 * 2**30  # bytes


@dataclass(frozen=True, slots=True)
class UserEffects:
    """Effects on one outcome by user features. T tags, F factors."""

    outcome: str
    tags: tuple[str, ...]
    users: IdMap
    factors: UserFactors
    average: Floats  # (T,) what the joint estimator says
    average_se: Floats  # (T,) as wide as its t interval
    told: Mask  # (T,)
    coef: Floats  # (F, T)
    cov: Floats  # (T, F, F)
    df: Floats  # (T,)
    rank: Rank | None  # None: nothing to tell users apart by


def user_effects(ground: Ground, joint: tuple[JointFit, ...]) -> tuple[UserEffects, ...]:
    """Fit what effects differ by from user to user, for every logged outcome asked for.

    Parameters
    ----------
    joint
        Direct joint fits of the same log, e.g. ``TagEffects.joint``: the averages.

    Raises
    ------
    EstimationError
        Too many items, tags or features to hold in memory.
    """
    factors = user_factors(ground.task.log, ground.design.rows)
    of_outcome = {fit.outcome: fit for fit in joint if fit.estimand == "direct"}
    found: list[UserEffects] = []
    for outcomes in _that_fit(ground, factors):
        names = [ground.task.log.outcomes[at].name for at in outcomes]
        if factors.values.shape[1] == 0 or factors.n_users < FEWEST_USERS:
            found += [_average_only(ground, factors, of_outcome[name]) for name in names]
            continue
        fits = [of_outcome[name] for name in names]
        found += _fit(ground, factors, outcomes, fits)
    return tuple(found)


def _that_fit(ground: Ground, factors: UserFactors) -> list[tuple[int, ...]]:
    """Outcomes that share their weights together, or one by one where memory asks for it."""
    design, log = ground.design, ground.task.log
    groups = ground.weight_groups()
    if factors.values.shape[1] == 0:
        return groups
    shape = (len(design.cell_keys), ground.task.carried.shape[1], factors.values.shape[1])
    need = [
        memory_needed(*shape, len(design.basis.names), count, len(log.users), FOLDS)
        for count in (1, max(map(len, groups), default=1))
    ]
    if need[0] > MOST_MEMORY:
        facts = {"need": round(need[0] / 2**30, 1), "most": round(MOST_MEMORY / 2**30, 1)}
        raise EstimationError("error.user_effects_too_large", **facts)
    return groups if need[1] <= MOST_MEMORY else [(at,) for one in groups for at in one]


def effects_for_user(model: UserEffects, user: str) -> tuple[UserEffect, ...]:
    """Effects of all tags that can be told on users with the features of this one.

    Raises
    ------
    UnknownNameError
        The log does not have the user.
    """
    at = int(model.users.find([user])[0])
    if at < 0:
        near = [str(one) for one in model.users.ids[:1000].to_pylist()]
        raise UnknownNameError("error.unknown_user", name=user, hint=did_you_mean(user, near))
    estimate, low, high = _shrunken(model, at)
    reason = _why_average(model, at)
    return tuple(
        UserEffect(
            tag=model.tags[t],
            outcome=model.outcome,
            user=user,
            average=float(model.average[t]),
            estimate=float(estimate[t]),
            ci_low=float(low[t]),
            ci_high=float(high[t]),
            rank=rank_of(model),
            n_users=model.factors.n_users,
            reason=reason,
        )
        for t in np.flatnonzero(model.told)
    )


def rank_of(model: UserEffects) -> int:
    """Directions that the effects differ along; 0: no more than the average is known."""
    return 0 if model.rank is None else model.rank.directions.shape[1]


def _why_average(model: UserEffects, user: int) -> Reason | None:
    if model.factors.values.shape[1] == 0:
        return Reason("reason.no_user_features")
    if model.rank is None:
        facts = (("n", model.factors.n_users), ("need", FEWEST_USERS))
        return Reason("reason.few_users_to_compare", facts)
    if rank_of(model) == 0:
        return Reason("reason.only_average_known")
    if not model.factors.seen[user]:
        return Reason("reason.user_not_seen")
    return None


def _shrunken(model: UserEffects, user: int) -> tuple[Floats, Floats, Floats]:
    """(T,) estimate and interval.

    Along the directions found, differences are shrunken by how much they vary over the tags;
    across them, differences are taken to be 0 and how much they may vary widens the interval: along
    the user's own direction, since one that was missed may hold all that is left.
    """
    own = model.average_se**2
    if model.rank is None or not model.factors.seen[user]:
        half = stats.norm.ppf(1 - ALPHA / 2) * model.average_se
        return model.average, model.average - half, model.average + half
    u = model.factors.values[user]
    projected = model.rank.directions @ (model.rank.directions.T @ u)
    widened = stats.t.ppf(1 - ALPHA / 2, model.df) / stats.norm.ppf(1 - ALPHA / 2)
    noise = np.einsum("f,tfg,g->t", projected, model.cov, projected) * widened**2
    spread = most = 0.0
    for direction in model.rank.directions.T:
        found, bound = _varies(model, direction)
        spread += (direction @ u) ** 2 * found
        most += (direction @ u) ** 2 * bound
    weight = np.where(noise > 0, spread / np.maximum(spread + noise, 1e-300), 0.0)
    error = np.maximum(own + weight**2 * noise, 1e-300)
    left = u - projected
    length = float(np.sqrt(left @ left))
    missed = _varies(model, left / length)[1] if length > 0 else 0.0
    unseen = (1 - weight) ** 2 * most + length**2 * missed
    half = critical_value(unseen / error) * np.sqrt(error)
    estimate = model.average + weight * (projected @ model.coef)
    return estimate, estimate - half, estimate + half


def _varies(model: UserEffects, direction: Floats) -> tuple[float, float]:
    """Variance of the true differences over tags along a direction (F,), and a bound for it.

    Per unit of a factor; by moments, with precision as weight. The bound adds what could be there
    by chance: the directions were chosen because differences along them look large.
    """
    told = model.told
    if not told.any():
        return 0.0, 0.0
    gap = direction @ model.coef[:, told]
    noise = np.einsum("f,tfg,g->t", direction, model.cov[told], direction)
    precision = 1.0 / np.maximum(noise, 1e-300)
    typical = float(precision @ noise / precision.sum())
    ratio = float(precision @ gap**2 / precision.sum()) / typical
    chance = 2 * float(precision @ noise**2) / float(precision @ noise) / noise.size
    crowd = len(model.coef) / int(told.sum())
    found = typical * _spike(ratio, crowd)
    return found, max(typical * (ratio - 1), 0.0) + chance


def _spike(ratio: float, crowd: float) -> float:
    """True variance behind a leading direction's, both in units of the noise.

    The largest of many noisy variances is too large even where nothing is there: Baik, Ben Arous
    and Péché (2005), with `crowd` directions for each tag.
    """
    gap = ratio - 1 - crowd
    inside = gap**2 - 4 * crowd
    return (gap + np.sqrt(inside)) / 2 if gap > 0 and inside > 0 else 0.0


def _average_only(ground: Ground, factors: UserFactors, fit: JointFit) -> UserEffects:
    n_tags, n_factors = len(fit.tags), factors.values.shape[1]
    return UserEffects(
        outcome=fit.outcome,
        tags=fit.tags,
        users=ground.task.log.users,
        factors=factors,
        average=fit.coef,
        average_se=_as_wide_as_t(fit),
        told=fit.usable,
        coef=np.zeros((n_factors, n_tags)),
        cov=np.zeros((n_tags, n_factors, n_factors)),
        df=fit.df,
        rank=None,
    )


def _as_wide_as_t(fit: JointFit) -> Floats:
    """(T,) the normal error whose interval is as wide as the t interval."""
    widened = stats.t.ppf(1 - ALPHA / 2, fit.df) / stats.norm.ppf(1 - ALPHA / 2)
    return np.asarray(np.sqrt(np.maximum(np.diag(fit.cov), 0.0)) * widened)


def _fit(
    ground: Ground, factors: UserFactors, outcomes: tuple[int, ...], joint: list[JointFit]
) -> list[UserEffects]:
    log, design, values = ground.task.log, ground.design, factors.values
    tags = ground.task.carried[design.cell_item]
    sums = sum_users(log, design, outcomes, values)
    normal = normal_equations(sums, tags, design)
    kept = _kept(normal, ground.columns)
    n_tags, q = kept.size, 1 + values.shape[1]
    constant = _solve(normal, kept & (np.arange(q) == 0)[:, None])[0]
    full, inverse = _solve(normal, np.tile(kept, (q, 1)))
    # Not kept by name: the sums by fold are the largest of all.
    grams = fold_grams(
        sum_residuals(log, design, outcomes, values, normal, constant, FOLDS), normal.d
    )
    ranks = [choose_rank(grams, k, kept) for k in range(len(outcomes))]
    left = sum_residuals(log, design, outcomes, values, normal, full, 1)
    _, nested = cluster_axes(log, design)
    inflation = inflation_of(sums.vv, normal.d, inverse)
    axes = nested or (design.cell_item,)
    cov = [covariance(left, k, normal, inverse, axes, inflation) for k in range(len(outcomes))]
    return [
        UserEffects(
            outcome=fit.outcome,
            tags=fit.tags,
            users=log.users,
            factors=factors,
            average=fit.coef,
            average_se=_as_wide_as_t(fit),
            told=fit.usable & kept,
            coef=full[n_tags:, k].reshape(q - 1, n_tags),
            cov=cov[k][:, 1:, 1:],
            df=fit.df,
            rank=ranks[k],
        )
        for k, fit in enumerate(joint)
    ]


def _kept(normal: Normal, columns: Mask) -> Mask:
    """(T,) tags that can be told apart, by their average effects' part of the Gram."""
    n_tags = columns.size
    gram = normal.gram[:n_tags, :n_tags]
    return tell_apart(gram, np.diag(gram).copy(), columns & (np.diag(gram) > 0))[0]


def _solve(normal: Normal, columns: Mask) -> tuple[Floats, Floats]:
    """Coefficients (q·T, K) and inverse Gram; 0 where `columns` (q, T) leaves a column out."""
    at = np.flatnonzero(columns.ravel())
    inverse = np.zeros_like(normal.gram)
    if at.size:
        block = normal.gram[np.ix_(at, at)]
        inverse[np.ix_(at, at)] = linalg.pinvh(block, rtol=1e-10)
    return inverse @ normal.cross, inverse
