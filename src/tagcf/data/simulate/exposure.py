"""Who sees what, when: a policy that shows people what they like, a random share, and returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tagcf.data.simulate.outcomes import Mechanism
from tagcf.data.simulate.platform import TOPICS, Catalogue, Platform
from tagcf.types import Codes, Floats, Mask

START = 1_736_121_600  # Monday 2025-01-06 00:00 UTC
DAY = 86_400
PULL = 0.9  # how much the policy follows affinity
BOOST = 1.0  # log-odds that the bucket adds to items with the instrument's tag
QUALITY_RETURN = 0.003  # of author and item quality, per impression
COMEBACK = 0.25  # weekly chance that an absent user shows up again
FIRST_WEEK = 0.85  # share of users present in the first week
RETURN_RANGE = (0.02, 0.98)
POLICY_CELLS = 4_000_000  # user × item cells of the policy held in memory at once
# Impressions by hour of day: quiet nights, a bump at noon, a larger one in the evening.
HOUR_SHARE = np.array(
    [2, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5, 7, 6, 4, 4, 4, 5, 6, 7, 9, 10, 8, 4], dtype=np.float64
)
HOUR_SHARE /= HOUR_SHARE.sum()


@dataclass(frozen=True, slots=True)
class Shown:
    """Impressions in the order of time. n rows."""

    user: Codes
    item: Codes
    ts: Floats  # epoch seconds, whole
    hour: Codes
    randomized: Mask
    propensity: Floats


@dataclass(frozen=True, slots=True)
class Returns:
    """Every user-week with impressions, and whether the user came back in the week after."""

    user: Codes
    week: Codes
    probability: Floats
    returned: Mask


def policy_probabilities(mechanism: Mechanism, users: Codes) -> Floats:
    """(n, I) chance that the policy shows each item to these users; rows sum to one.

    Softmax over all items of popularity + PULL·affinity + BOOST·(bucket × instrument's tag).
    """
    design, catalogue, audience = mechanism.design, mechanism.catalogue, mechanism.audience
    spread = PULL * mechanism.settings.taste_heterogeneity / np.sqrt(TOPICS)
    score = spread * audience.tastes[users] @ catalogue.topics.T + catalogue.popularity
    score += BOOST * np.outer(audience.boosted[users], catalogue.carried[:, design.instrument])
    score -= score.max(axis=1, keepdims=True)
    np.exp(score, out=score)
    score /= score.sum(axis=1, keepdims=True)
    probabilities: Floats = score
    return probabilities


def show(mechanism: Mechanism, seed: np.random.SeedSequence) -> tuple[Shown, Returns]:
    """Draw all impressions, week by week, because who is there depends on the week before."""
    doses = return_doses(mechanism)
    blocks = list(_user_blocks(mechanism.settings))
    shown: list[Shown] = []
    stays: list[Returns] = []
    for users, stream in zip(blocks, seed.spawn(len(blocks)), strict=True):
        block_shown, block_stays = _show_block(mechanism, doses, users, stream)
        shown += block_shown
        stays += block_stays
    return _in_time_order(shown), Returns(
        user=np.concatenate([stay.user for stay in stays]),
        week=np.concatenate([stay.week for stay in stays]),
        probability=np.concatenate([stay.probability for stay in stays]),
        returned=np.concatenate([stay.returned for stay in stays]),
    )


def return_doses(mechanism: Mechanism) -> Floats:
    """(S, I) what one impression of an item adds to the chance that a user of a tier returns."""
    catalogue = mechanism.catalogue
    tags = (catalogue.carried - catalogue.prevalence) @ mechanism.sizes.theta_return.T
    return tags.T + quality_doses(catalogue)


def quality_doses(catalogue: Catalogue) -> Floats:
    """(I,) the part of `return_doses` that is not due to tags."""
    return QUALITY_RETURN * (catalogue.author_quality[catalogue.author] + catalogue.quality)


def return_probability(base: Floats, dose: ArrayLike) -> Floats:
    """Linear, clipped where it must be."""
    chance: Floats = np.clip(base + np.asarray(dose), *RETURN_RANGE)
    return chance


def _user_blocks(settings: Platform) -> Iterator[Codes]:
    size = max(1, POLICY_CELLS // settings.items)
    for start in range(0, settings.users, size):
        yield np.arange(start, min(start + size, settings.users), dtype=np.int32)


def usual_dose(mechanism: Mechanism, doses: Floats, users: Codes, policy: Floats) -> Floats:
    """(n,) mean dose of an impression in each user's own mixture of policy and random items."""
    of_user = doses[mechanism.audience.city_tier[users]]  # (n, I)
    share = mechanism.settings.random_share
    usual: Floats = share * of_user.mean(axis=1)
    usual += (1 - share) * np.einsum("ni,ni->n", policy, of_user)
    return usual


def _show_block(
    mechanism: Mechanism, doses: Floats, users: Codes, seed: np.random.SeedSequence
) -> tuple[list[Shown], list[Returns]]:
    """Impressions and returns of some users, a pair for each week."""
    rng = np.random.default_rng(seed)
    settings, n = mechanism.settings, len(users)
    policy = policy_probabilities(mechanism, users)
    beyond_usual = doses[mechanism.audience.city_tier[users]]
    beyond_usual -= usual_dose(mechanism, doses, users, policy)[:, None]
    ladder = _ladder(policy)
    present = rng.random(n) < FIRST_WEEK
    shown: list[Shown] = []
    stays: list[Returns] = []
    for week in range(-(-settings.days // 7)):
        days = min(7, settings.days - 7 * week)
        count = np.maximum(1, rng.poisson(mechanism.audience.rate[users] * days)) * present
        row = np.repeat(np.arange(n, dtype=np.int32), count)
        randomized = rng.random(len(row)) < settings.random_share
        item = _draw_items(ladder, row, randomized, rng)
        propensity = np.where(randomized, 1 / settings.items, policy[row, item])
        ts, hour = _draw_times(len(row), week, days, rng)
        shown.append(Shown(users[row], item, ts, hour, randomized, propensity))
        dose = np.bincount(row, beyond_usual[row, item], minlength=n)
        chance = return_probability(mechanism.sizes.return_base[users], dose)
        again = rng.random(n) < np.where(present, chance, COMEBACK)
        there = np.flatnonzero(present)
        weeks = np.full(len(there), week, dtype=np.int32)
        stays.append(Returns(users[there], weeks, chance[there], again[there]))
        present = again
    return shown, stays


def _ladder(policy: Floats) -> Floats:
    """(n, I) cumulative chances, those of user r in (r, r + 1]: one search serves all users."""
    ladder = np.cumsum(policy, axis=1)
    ladder[:, -1] = 1.0
    ladder += np.arange(len(policy))[:, None]
    return ladder


def _draw_items(ladder: Floats, row: Codes, randomized: Mask, rng: np.random.Generator) -> Codes:
    """(n,) items: uniform where randomised, else from the policy of the user in `row`."""
    n_items = ladder.shape[1]
    item = rng.integers(0, n_items, len(row), dtype=np.int32)
    chosen = row[~randomized].astype(np.int64)
    found = np.searchsorted(ladder.ravel(), chosen + rng.random(len(chosen)), side="right")
    item[~randomized] = np.minimum(found - chosen * n_items, n_items - 1)
    return item


def _draw_times(n: int, week: int, days: int, rng: np.random.Generator) -> tuple[Floats, Codes]:
    """Return whole epoch seconds (n,) and their hour of day (n,)."""
    hour = rng.choice(24, n, p=HOUR_SHARE).astype(np.int32)
    day = 7 * week + rng.integers(0, days, n)
    ts = START + day * DAY + hour * 3600 + rng.integers(0, 3600, n)
    return ts.astype(np.float64), hour


def _in_time_order(parts: list[Shown]) -> Shown:
    """Join and sort; the first impression stands exactly at the start, where week 0 begins."""
    ts = np.concatenate([part.ts for part in parts])
    order = np.argsort(ts, kind="stable")
    ts, hour = ts[order], np.concatenate([part.hour for part in parts])[order]
    ts[:1], hour[:1] = START, 0
    return Shown(
        user=np.concatenate([part.user for part in parts])[order],
        item=np.concatenate([part.item for part in parts])[order],
        ts=ts,
        hour=hour,
        randomized=np.concatenate([part.randomized for part in parts])[order],
        propensity=np.concatenate([part.propensity for part in parts])[order],
    )
