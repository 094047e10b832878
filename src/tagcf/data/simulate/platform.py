"""Who and what is on the simulated platform: tags, items with their authors, users."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from tagcf.data.simulate.sector import SECTORS, Sector, SectorName, sector_tags
from tagcf.errors import SettingsError
from tagcf.types import Codes, Floats, Mask, Tag

TOPICS = 6  # latent tastes; each gives its name to a user role
ITEMS_PER_AUTHOR = 8
CAUSE = 1.6  # log-odds that a causing tag adds to the tag it causes
CITY_TIERS = 3
TOPIC_VARIANCE = 1.0  # of an item's topics, half of it its author's


@dataclass(frozen=True, slots=True)
class Platform:
    """Size and character of a simulated platform.

    Parameters
    ----------
    random_share
        Share of impressions that show a uniformly drawn item.
    confounding
        Multiplies everything that ties tags to quality, topics and length; 0 = none of it.
    link
        "logit": logistic for binary outcomes, softplus for seconds and counts;
        "identity": linear, clipped where it must be.
    zipf
        Exponent of item popularity by rank in the exposure policy; 0 = log-normal popularity.
    taste_heterogeneity
        Standard deviation over user-item pairs of how well the item suits the user.
    impressions_per_user_day
        Mean over users, of a day in a week in which the user is present.
    loyalty
        Multiplies what being active has to do with outcomes and return; 0 = nothing.
    """

    sector: SectorName = "video"
    users: int = 400
    items: int = 600
    tags: int = 24
    days: int = 28
    seed: int = 0
    random_share: float = 0.3
    confounding: float = 1.0
    link: Literal["logit", "identity"] = "logit"
    zipf: float = 0.0
    taste_heterogeneity: float = 1.0
    impressions_per_user_day: float = 5.0
    loyalty: float = 1.0

    def __post_init__(self) -> None:
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        limits = {
            "users": self.users >= 12,
            "items": self.items >= 16,
            "tags": 4 <= self.tags <= 1_000,
            "days": self.days >= 1,
            "seed": self.seed >= 0,
            "random_share": 0 <= self.random_share <= 1,
            "confounding": self.confounding >= 0,
            "zipf": self.zipf >= 0,
            "taste_heterogeneity": self.taste_heterogeneity >= 0,
            "impressions_per_user_day": self.impressions_per_user_day > 0,
            "loyalty": self.loyalty >= 0,
            "sector": self.sector in SECTORS,
            "link": self.link in ("logit", "identity"),
        }
        for name, holds in limits.items():
            if not holds:
                raise SettingsError("simulate.bad_setting", name=name, value=known[name])


@dataclass(frozen=True, slots=True)
class TagDesign:
    """How tags come to be on items. T tags; every number is on the log-odds scale."""

    tags: tuple[Tag, ...]
    base: Floats  # (T,) of a typical item
    gamma: Floats  # (T,) tie to author quality; 0 for about two thirds and for the instrument
    loadings: Floats  # (T, Q) tie to the item's topics
    stretch: Floats  # (T,) what the tag adds to log duration
    null: Mask  # (T,) the half without any effect of their own
    rare: Mask  # (T,)
    causes: tuple[tuple[int, int], ...]  # (parent, child)
    instrument: int

    @property
    def caused(self) -> tuple[int, ...]:
        """Tags that other tags cause, in the order of `causes`, which runs downstream."""
        return tuple(dict.fromkeys(child for _, child in self.causes))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Items and their authors. I items, A authors, Q topics."""

    author: Codes  # (I,)
    author_quality: Floats  # (A,) standard normal
    quality: Floats  # (I,) the item's own, independent of its tags
    topics: Floats  # (I, Q)
    popularity: Floats  # (I,) log weight in the exposure policy
    log_odds: Floats  # (I, T) of carrying each tag, before what other tags cause
    carried: Mask  # (I, T)
    prevalence: Floats  # (T,) share of the items that carry each tag
    duration_s: Floats  # (I,) seconds


@dataclass(frozen=True, slots=True)
class Audience:
    """Users. U users, Q topics."""

    city_tier: Codes  # (U,) 0..2 for tiers 1..3
    age_band: Codes  # (U,)
    tastes: Floats  # (U, Q) mean zero within each city tier
    rate: Floats  # (U,) impressions a day while present
    user_activity: Floats  # (U,) impressions a day before the log begins
    standing: Floats  # (U,) activity, standardised: ties being active to outcomes
    boosted: Mask  # (U,) random bucket

    @property
    def role(self) -> Codes:
        """(U,) the topic a user likes best."""
        best: NDArray[np.intp] = self.tastes.argmax(axis=1)
        return best.astype(np.int32)


def design_tags(settings: Platform, sector: Sector, rng: np.random.Generator) -> TagDesign:
    """Draw how common each tag is, what it is tied to, and which half has no effect."""
    tags, n = sector_tags(sector, settings.tags), settings.tags
    position = {tag.slug: t for t, tag in enumerate(tags)}
    causes = tuple(
        (position[parent], position[child])
        for parent, child in sector.causes
        if parent in position and child in position
    )
    instrument = position[sector.instrument]
    special = {instrument, *(t for edge in causes for t in edge)}
    free = np.array([t for t in rng.permutation(n) if t not in special], dtype=np.intp)
    # Tags on fewer than 50 items, to exercise refusals, only where 50 items are not most of all.
    n_rare = min(n // 12, len(free)) if settings.items >= 300 else 0
    rare = np.zeros(n, dtype=np.bool_)
    rare[free[:n_rare]] = True
    low = max(0.05, min(0.15, 80 / settings.items))
    prevalence = low * (0.35 / low) ** rng.random(n)
    prevalence[rare] = rng.uniform(6, 30, n_rare) / settings.items
    prevalence[instrument] = 0.25
    gamma = np.zeros(n)
    tied = rng.permutation([t for t in range(n) if t != instrument])[: max(1, round(n / 3))]
    gamma[tied] = rng.uniform(0.7, 1.1, len(tied)) * np.where(rng.random(len(tied)) < 0.75, 1, -1)
    loadings = np.zeros((n, TOPICS))
    loadings[np.arange(n), rng.integers(0, TOPICS, n)] = rng.uniform(0.4, 0.9, n)
    loadings[instrument] = 0
    stretch = np.zeros(n)
    longer = rng.permutation([t for t in range(n) if t != instrument])[: max(1, n // 6)]
    stretch[longer] = rng.uniform(0.25, 0.45, len(longer))
    gamma, loadings = gamma * settings.confounding, loadings * settings.confounding
    # What spreads the log-odds over items, or causes the tag, must not change how common it is.
    spread = (loadings**2).sum(axis=1) * TOPIC_VARIANCE + gamma**2
    base = logit(prevalence) * np.sqrt(1 + 0.346 * spread)
    for parent, child in causes:
        base[child] -= CAUSE * prevalence[parent]
    return TagDesign(
        tags=tags,
        base=base,
        gamma=gamma,
        loadings=loadings,
        stretch=stretch * settings.confounding,
        null=_draw_null(n, causes, instrument, rng),
        rare=rare,
        causes=causes,
        instrument=instrument,
    )


def _draw_null(
    n: int, causes: tuple[tuple[int, int], ...], instrument: int, rng: np.random.Generator
) -> Mask:
    """Half of the tags. The first cause is one of them: only what it causes has an effect."""
    active = {instrument} | {child for _, child in causes} | {parent for parent, _ in causes[1:2]}
    null = np.zeros(n, dtype=np.bool_)
    null[[parent for parent, _ in causes[:1]]] = True
    free = [t for t in rng.permutation(n) if t not in active and not null[t]]
    null[free[: n // 2 - int(null.sum())]] = True
    return null


def stock_catalogue(settings: Platform, design: TagDesign, rng: np.random.Generator) -> Catalogue:
    """Draw authors, their items, and which tags each item carries."""
    n = settings.items
    n_authors = max(2, n // ITEMS_PER_AUTHOR)
    author = np.sort(np.arange(n) % n_authors).astype(np.int32)
    author_quality = _standardised(rng.normal(size=n_authors))
    author_topics = rng.normal(size=(n_authors, TOPICS))
    topics = np.sqrt(TOPIC_VARIANCE / 2) * (author_topics[author] + rng.normal(size=(n, TOPICS)))
    log_odds = (
        design.base + topics @ design.loadings.T + author_quality[author, None] * design.gamma
    )
    luck = rng.random(log_odds.shape)
    carried = np.asarray(luck < expit(log_odds), dtype=np.bool_)
    settle_caused(design, carried, log_odds, luck, design.caused)
    for t in np.flatnonzero(carried.sum(axis=0) < 2):  # a tag on no item would not be a tag
        carried[np.argsort(luck[:, t])[:2], t] = True
    author_draw = settings.confounding * 0.6 * author_quality + 0.4 * rng.normal(size=n_authors)
    popularity = author_draw[author] + 0.4 * rng.normal(size=n)
    if settings.zipf > 0:
        rank = np.empty(n)
        rank[np.argsort(-popularity)] = np.arange(1, n + 1)
        popularity = -settings.zipf * np.log(rank)
    log_duration = np.log(18) + 0.5 * rng.normal(size=n) + carried @ design.stretch
    return Catalogue(
        author=author,
        author_quality=author_quality,
        quality=rng.normal(size=n),
        topics=topics,
        popularity=popularity,
        log_odds=log_odds,
        carried=carried,
        prevalence=carried.mean(axis=0),
        duration_s=np.round(np.clip(np.exp(log_duration), 3, 300), 1),
    )


def settle_caused(
    design: TagDesign, carried: Mask, log_odds: Floats, luck: Floats, caused: Iterable[int]
) -> None:
    """Decide in place, from luck in 0..1, which rows carry the caused tags, in this order."""
    for child in caused:
        parents = [parent for parent, other in design.causes if other == child]
        push = CAUSE * carried[:, parents].sum(axis=1)
        carried[:, child] = luck[:, child] < expit(log_odds[:, child] + push)


def gather_audience(settings: Platform, sector: Sector, rng: np.random.Generator) -> Audience:
    """Draw users. Tastes average to zero in every city tier, so that they favour no item."""
    n = settings.users
    city_tier = rng.permutation(np.arange(n) % CITY_TIERS).astype(np.int32)
    tastes = rng.normal(size=(n, TOPICS))
    for tier in range(CITY_TIERS):
        tastes[city_tier == tier] -= tastes[city_tier == tier].mean(axis=0)
    spread = rng.normal(size=n)
    rate = np.exp(0.3 * spread)
    rate *= settings.impressions_per_user_day / rate.mean()
    return Audience(
        city_tier=city_tier,
        age_band=rng.choice(len(sector.age_bands), n, p=[0.3, 0.35, 0.2, 0.15]).astype(np.int32),
        tastes=tastes,
        rate=rate,
        user_activity=np.round(rate * rng.lognormal(0, 0.15, n), 2),
        standing=_standardised(spread),
        boosted=rng.permutation(np.arange(n) % 2).astype(np.bool_),
    )


def affinity(tastes: Floats, topics: Floats, spread: float) -> Floats:
    """How well items suit users: tastes·topics, with standard deviation `spread` over pairs.

    Rows pair up: (n, Q) and (n, Q) give (n,).
    """
    suits: Floats = np.einsum("nq,nq->n", tastes, topics) * (spread / np.sqrt(TOPICS))
    return suits


def _standardised(values: Floats) -> Floats:
    standard: Floats = (values - values.mean()) / values.std()
    return standard
