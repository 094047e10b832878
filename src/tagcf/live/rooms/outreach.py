"""The moment to reach out: whether a word or an offer is worth it now, later, or not at all.

What an offer changes cannot be read from who bought: `Offer.odds` must come from an experiment, and
the advice is only as good as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import expit, logit

from tagcf.live.rooms.purchase.model import PurchaseIntent, design
from tagcf.live.rooms.purchase.moments import EVERY, FEATURE_NAMES, Moments
from tagcf.types import Floats

Advice = Literal["now", "later", "never", "capped"]
DAY = 86_400.0
REASONS = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered, and what it is worth.

    Parameters
    ----------
    odds
        Times the odds of a purchase with the offer (or word) against without, by experiment.
    margin
        Money earned by a purchase.
    discount
        Money given away in every purchase that takes the offer, also by who would have bought.
    disturbance
        Money that one interruption costs, in goodwill.
    """

    odds: float
    margin: float
    discount: float = 0.0
    disturbance: float = 0.05


@dataclass(frozen=True, slots=True)
class Outreach:
    """Advice for one user in one room at one time."""

    advice: Advice
    gain_now: float  # expected money, against leaving the user alone
    gain_later: float  # the same, a minute from now, times the chance to be still there
    probability: float  # of a purchase without reaching out
    because: tuple[tuple[str, float], ...]  # features and their part of the log-odds


class Reached:
    """Who was reached when; nobody too often."""

    def __init__(self, *, a_day: int = 3, apart: float = 1_800.0) -> None:
        self._a_day, self._apart = a_day, apart
        self._times: dict[int, list[float]] = {}

    def may(self, user: int, ts: float) -> bool:
        """Whether the user may be reached again."""
        recent = [at for at in self._times.get(user, []) if 0 <= ts - at < DAY]
        return len(recent) < self._a_day and all(ts - at >= self._apart for at in recent)

    def note(self, user: int, ts: float) -> None:
        """Remember that the user was reached."""
        recent = [at for at in self._times.get(user, []) if ts - at < DAY]
        self._times[user] = [*recent, ts]


def reach_out(
    moments: Moments,
    model: PurchaseIntent,
    offer: Offer,
    reached: Reached | None = None,
    *,
    leaving: float = 0.004,
) -> tuple[Outreach, ...]:
    """Advise for each of n moments, in their order; who is advised "now" counts as reached.

    Parameters
    ----------
    leaving
        Chance per second that a viewer goes, from the room's own rate.
    """
    reached = reached or Reached()
    chance = model.probability(moments)
    now = gain(chance, offer)
    stays = float(np.exp(-leaving * EVERY))
    later = stays * gain(model.probability(a_minute_on(moments)), offer)
    parts = contributions(model, moments)
    advised: list[Outreach] = []
    for k, (user, ts) in enumerate(zip(moments.user.tolist(), moments.ts.tolist(), strict=True)):
        advice = _advise(now[k], later[k], reached.may(user, ts))
        if advice == "now":
            reached.note(user, ts)
        top = np.argsort(-np.abs(parts[k]))[:REASONS].tolist()
        because = tuple((FEATURE_NAMES[j], float(parts[k, j])) for j in top)
        advised.append(Outreach(advice, float(now[k]), float(later[k]), float(chance[k]), because))
    return tuple(advised)


def gain(chance: Floats, offer: Offer) -> Floats:
    """(n,) expected money of reaching out against not: margins won, discounts, a nuisance."""
    p = np.clip(chance, 1e-9, 1 - 1e-9)
    after = expit(logit(p) + np.log(offer.odds))
    gained: Floats = after * (offer.margin - offer.discount) - p * offer.margin - offer.disturbance
    return gained


def a_minute_on(moments: Moments) -> Moments:
    """Return the same moments a minute later, if nothing happens but time."""
    features = moments.features.copy()
    dwell, silence = FEATURE_NAMES.index("dwell"), FEATURE_NAMES.index("silence")
    seconds = 60.0 * np.expm1(features[:, dwell]) + EVERY
    features[:, dwell] = np.log1p(seconds / 60.0)
    features[:, FEATURE_NAMES.index("dwell_90s")] = seconds > 90.0
    features[:, FEATURE_NAMES.index("asked")] *= np.exp(-EVERY / 300.0)
    features[:, silence] = np.log1p(np.expm1(features[:, silence] + 3.0) + EVERY) - 3.0
    return replace(moments, ts=moments.ts + EVERY, features=features)


def contributions(model: PurchaseIntent, moments: Moments) -> Floats:
    """(n, FEATURES) part of each feature in the log-odds: what changes if it were at its mean."""
    table = moments.features
    base = model.slope * model.logit(moments)
    parts = np.empty_like(table)
    mean = model.centre[: table.shape[1]]
    for j in range(table.shape[1]):
        usual = table.copy()
        usual[:, j] = mean[j]
        scores = (design(usual) - model.centre) / model.scale @ model.weights[:-1]
        parts[:, j] = base - model.slope * (scores + model.weights[-1])
    return parts


def _advise(now: float, later: float, allowed: bool) -> Advice:
    if max(now, later) <= 0:
        return "never"
    if later > now:
        return "later"
    return "now" if allowed else "capped"
