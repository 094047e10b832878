"""What an impression leads to: effect sizes, the linear predictor, links, and draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from tagcf.data.simulate.platform import (
    CITY_TIERS,
    Audience,
    Catalogue,
    Platform,
    TagDesign,
    affinity,
)
from tagcf.types import Codes, Floats, Mask, OutcomeKind

# In the order opening, finishing, seconds spent, approval, depth.
KINDS: tuple[OutcomeKind, ...] = ("binary", "binary", "real", "binary", "count")
BASE = np.array([0.40, 0.45, 18.0, 0.35, 2.0])  # typical value
SLOPE = np.array([0.22, 0.22, 6.0, 0.22, 0.7])  # units of the outcome per unit of the predictor
LINEAR_SLOPE = np.array([0.14, 0.14, 6.0, 0.14, 0.7])  # under "identity", to clip rarely
AUTHOR = np.array([0.40, 0.35, 0.40, 0.45, 0.40])  # of author quality
SUITS = np.array([0.45, 0.35, 0.35, 0.45, 0.35])  # of affinity
ITEM_SHARED, ITEM_OWN, USER_OWN = 0.15, 0.18, 0.30  # standard deviations of random effects
STANDING = 0.15  # active users respond more
HOUR = 0.12
BINARY = np.array([kind == "binary" for kind in KINDS])
AT_ZERO = np.where(  # the link's argument that gives BASE
    BINARY, logit(np.where(BINARY, BASE, 0.5)), np.log(np.expm1(BASE / SLOPE))
)
N_LOGGED = len(KINDS)
SECONDS_SHAPE = 4.0  # gamma noise: the standard deviation is half of the mean


@dataclass(frozen=True, slots=True)
class EffectSizes:
    """What tags, items and users do, on the predictor's scale.

    S city tiers, T tags, K outcomes, I items, U users.
    """

    theta: Floats  # (S, T, K)
    theta_return: Floats  # (S, T) change of the probability to return, per impression
    item: Floats  # (I, K) random effects of items
    user: Floats  # (U, K) random effects of users
    return_base: Floats  # (U,)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """All that is settled before the first impression: what makes outcomes happen."""

    settings: Platform
    design: TagDesign
    catalogue: Catalogue
    audience: Audience
    sizes: EffectSizes


def draw_effects(
    settings: Platform,
    design: TagDesign,
    catalogue: Catalogue,
    audience: Audience,
    rng: np.random.Generator,
) -> EffectSizes:
    """Draw effects: exactly zero for null tags, and averaging over users to the overall effect."""
    n, active = settings.tags, ~design.null
    # Many tags share the room that few would have, so that predictors stay in range.
    room = min(1.0, float(np.sqrt(12 / max(1, active.sum()))))
    direction = np.where(rng.random(n) < 0.7, 1, -1)[:, None]
    sign = direction * np.where(rng.random((n, N_LOGGED)) < 0.15, -1, 1)
    theta = sign * rng.uniform(0.10, 0.50, (n, N_LOGGED)) * room * active[:, None]
    weekly = 7 * settings.impressions_per_user_day
    dose = room * float(np.sqrt(20 / max(20.0, weekly)))
    theta_return = direction[:, 0] * 0.005 * 8 ** rng.random(n) * dose * active
    shift = _tier_shifts(audience.city_tier, n, rng)
    own = rng.normal(size=(settings.items, N_LOGGED))
    own_user = rng.normal(size=(settings.users, N_LOGGED))
    tier_level = np.array([0.10, 0.0, -0.10])[audience.city_tier]
    standing = settings.loyalty * audience.standing
    return EffectSizes(
        theta=theta * (1 + shift[:, :, None]),
        theta_return=theta_return * (1 + shift),
        item=ITEM_SHARED * catalogue.quality[:, None] + ITEM_OWN * own,
        user=STANDING * standing[:, None] + tier_level[:, None] + USER_OWN * own_user,
        return_base=0.55
        + 0.06 * standing
        + 0.2 * tier_level
        + 0.03 * rng.normal(size=settings.users),
    )


def _tier_shifts(city_tier: Codes, n_tags: int, rng: np.random.Generator) -> Floats:
    """(S, T) relative change of each effect by city tier; zero on average over users."""
    share = np.bincount(city_tier, minlength=CITY_TIERS) / len(city_tier)
    shift = rng.uniform(-0.5, 0.5, (CITY_TIERS, n_tags))
    return shift - share @ shift


def predictor_of(mechanism: Mechanism, user: Codes, item: Codes, carried: Mask) -> Floats:
    """(n, K) linear predictor of user-item pairs under the tags (n, T), without the hour."""
    catalogue, audience, sizes = mechanism.catalogue, mechanism.audience, mechanism.sizes
    spread = mechanism.settings.taste_heterogeneity
    suits = affinity(audience.tastes[user], catalogue.topics[item], spread)
    predictor: Floats = (
        sizes.user[user]
        + sizes.item[item]
        + catalogue.author_quality[catalogue.author[item], None] * AUTHOR
        + length_terms(catalogue.duration_s)[item]
        + suits[:, None] * SUITS
    )
    tier, prevalence = audience.city_tier[user], catalogue.prevalence
    for s, theta in enumerate(sizes.theta):
        rows = tier == s
        predictor[rows] += (carried[rows] - prevalence) @ theta
    return predictor


def length_terms(duration_s: Floats) -> Floats:
    """(n, K) what length does: fewer finish, seconds grow and level off, the rest is untouched."""
    terms = np.zeros((len(duration_s), N_LOGGED))
    terms[:, 1] = 1.1 - 2.4 * duration_s / (duration_s + 25)
    terms[:, 2] = 2.2 * (1 - np.exp(-duration_s / 30)) - 1.0
    return terms


def hour_term(hour: ArrayLike) -> Floats:
    """(n,) the evening bump, in every outcome."""
    term: Floats = HOUR * np.cos(2 * np.pi * (np.asarray(hour, dtype=np.float64) - 21) / 24)
    return term


def mean_outcome(predictor: Floats, link: str) -> Floats:
    """(n, K) expected outcomes of predictors (n, K); BASE where the predictor is 0."""
    if link == "identity":
        linear = BASE + LINEAR_SLOPE * predictor
        lowest = np.where(BINARY, 0.01, 0.05 * BASE)
        return np.clip(linear, lowest, np.where(BINARY, 0.99, np.inf))
    mean = np.empty_like(predictor)
    mean[:, BINARY] = expit(predictor[:, BINARY] + AT_ZERO[BINARY])
    mean[:, ~BINARY] = SLOPE[~BINARY] * np.logaddexp(0, predictor[:, ~BINARY] + AT_ZERO[~BINARY])
    return mean


def draw_outcomes(mean: Floats, rng: np.random.Generator) -> Floats:
    """(n, K) outcomes with these means: coins, gamma seconds, Poisson counts."""
    drawn = np.empty_like(mean)
    drawn[:, BINARY] = rng.random((len(mean), int(BINARY.sum()))) < mean[:, BINARY]
    drawn[:, 2] = rng.gamma(SECONDS_SHAPE, mean[:, 2] / SECONDS_SHAPE)
    drawn[:, 4] = rng.poisson(mean[:, 4])
    return drawn
