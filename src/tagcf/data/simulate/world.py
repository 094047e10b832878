"""A simulated platform: its log and tags as any other, and the truth that others lack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate.exposure import (
    HOUR_SHARE,
    Returns,
    Shown,
    policy_probabilities,
    quality_doses,
    return_doses,
    return_probability,
    show,
    usual_dose,
)
from tagcf.data.simulate.outcomes import (
    KINDS,
    Mechanism,
    draw_effects,
    draw_outcomes,
    hour_term,
    mean_outcome,
    predictor_of,
)
from tagcf.data.simulate.platform import (
    CITY_TIERS,
    Audience,
    Catalogue,
    Platform,
    design_tags,
    gather_audience,
    stock_catalogue,
)
from tagcf.data.simulate.sector import Sector, read_sector
from tagcf.data.simulate.truth import true_effects
from tagcf.types import Codes, EventLog, Floats, IdMap, Outcome, TagMatrix

BUCKETS = ("plain", "boosted")


@dataclass(frozen=True, slots=True)
class World:
    """A simulated platform with known effects.

    `log` and `tags` are what an estimator may see; everything else is the truth.
    `truth` has the columns tag, outcome, segment, estimand, effect, population.
    """

    sector: Sector
    mechanism: Mechanism
    shown: Shown
    drawn: Floats  # (n, K) outcomes, in the order of log.outcomes
    returns: Returns
    log: EventLog
    tags: TagMatrix
    truth: pl.DataFrame

    @property
    def settings(self) -> Platform:
        """The settings it was made from."""
        return self.mechanism.settings

    @property
    def null_tags(self) -> tuple[str, ...]:
        """Slugs of the tags without any effect of their own, on any outcome, for anybody."""
        null = self.mechanism.design.null
        return tuple(tag.slug for tag, none in zip(self.tags.tags, null, strict=True) if none)

    def policy(self, users: ArrayLike) -> Floats:
        """(n, I) chance that the policy (not the random share) shows each item to each user."""
        return policy_probabilities(self.mechanism, _codes(users))

    def expected(
        self,
        users: ArrayLike,
        items: ArrayLike,
        carried: ArrayLike | None = None,
        hour: ArrayLike | None = None,
    ) -> Floats:
        """Return the true expected outcomes of user-item pairs under any tags.

        Parameters
        ----------
        users, items
            (n,) dense codes.
        carried
            (n, T) which tags the item carries in the question; default: its own.
        hour
            (n,) hour of day; default: averaged over the hours in which people watch.

        Returns
        -------
        (n, K) in the order of ``log.outcomes``.
        """
        predictor, link = self._predictor(users, items, carried), self.settings.link
        if hour is not None:
            return mean_outcome(predictor + hour_term(_codes(hour))[:, None], link)
        mean = np.zeros_like(predictor)
        for term, share in zip(hour_term(np.arange(24)), HOUR_SHARE, strict=True):
            mean += share * mean_outcome(predictor + term, link)
        return mean

    def draw(
        self, users: ArrayLike, items: ArrayLike, carried: ArrayLike | None = None, seed: int = 0
    ) -> Floats:
        """(n, K) fresh outcomes of user-item pairs under any tags, at random hours."""
        rng = np.random.default_rng(seed)
        predictor = self._predictor(users, items, carried)
        hour = hour_term(rng.choice(24, len(predictor), p=HOUR_SHARE))
        return draw_outcomes(mean_outcome(predictor + hour[:, None], self.settings.link), rng)

    def expected_return(
        self, users: ArrayLike, items: ArrayLike, carried: ArrayLike | None = None
    ) -> Floats:
        """Return the true chance (n,) that users return after a week of seeing these items.

        Parameters
        ----------
        users
            (n,) dense codes.
        items
            (n, m) dense codes of what the user saw in the week, as often as seen; -1 where
            it was fewer than m.
        carried
            (n, m, T) which tags they carry in the question; default: their own.
        """
        user, item, made = _codes(users), _codes(items), self.mechanism
        held = made.catalogue.carried[item] if carried is None else np.asarray(carried)
        theta = made.sizes.theta_return[made.audience.city_tier[user]]
        doses = np.einsum("nmt,nt->nm", held - made.catalogue.prevalence, theta)
        doses += quality_doses(made.catalogue)[item]
        doses -= usual_dose(made, return_doses(made), user, self.policy(user))[:, None]
        dose = np.where(item >= 0, doses, 0.0).sum(axis=1)
        return return_probability(made.sizes.return_base[user], dose)

    def _predictor(self, users: ArrayLike, items: ArrayLike, carried: ArrayLike | None) -> Floats:
        user, item = _codes(users), _codes(items)
        held = self.mechanism.catalogue.carried[item] if carried is None else np.asarray(carried)
        return predictor_of(self.mechanism, user, item, held)


def simulate(settings: Platform | None = None) -> World:
    """Make a platform with known tag effects; the same settings give the same world.

    Raises
    ------
    SettingsError
        A setting of `Platform` outside its range.
    """
    settings = settings or Platform()
    sector = read_sector(settings.sector)
    seeds = np.random.SeedSequence(settings.seed).spawn(7)
    stream = [np.random.default_rng(seed) for seed in seeds]
    design = design_tags(settings, sector, stream[0])
    catalogue = stock_catalogue(settings, design, stream[1])
    audience = gather_audience(settings, sector, stream[2])
    sizes = draw_effects(settings, design, catalogue, audience, stream[3])
    mechanism = Mechanism(settings, design, catalogue, audience, sizes)
    shown, returns = show(mechanism, seeds[4])
    predictor = predictor_of(mechanism, shown.user, shown.item, catalogue.carried[shown.item])
    predictor += hour_term(shown.hour)[:, None]
    drawn = draw_outcomes(mean_outcome(predictor, settings.link), stream[5])
    items = _named("i", settings.items)
    return World(
        sector=sector,
        mechanism=mechanism,
        shown=shown,
        drawn=drawn,
        returns=returns,
        log=_log(mechanism, sector, shown, drawn, items),
        tags=tags_from_arrays(items, catalogue.carried, design.tags, source="simulated"),
        truth=true_effects(mechanism, sector.outcomes, stream[6]),
    )


def author_names(catalogue: Catalogue) -> list[str]:
    """Return the ids (A,) of the authors."""
    return [f"a{k:05d}" for k in range(len(catalogue.author_quality))]


def tier_names() -> list[str]:
    """Return the labels (S,) of the city tiers."""
    return [str(tier + 1) for tier in range(CITY_TIERS)]


def bucket_names(audience: Audience, user: Codes) -> NDArray[np.object_]:
    """Return the labels (n,) of the random bucket of these users."""
    return np.asarray(BUCKETS, dtype=np.object_)[audience.boosted[user].astype(np.int32)]


def _named(prefix: str, count: int) -> IdMap:
    return IdMap(pa.array([f"{prefix}{k:06d}" for k in range(count)], pa.string()))


def _codes(values: ArrayLike) -> Codes:
    return np.asarray(values, dtype=np.int32)


def _log(
    mechanism: Mechanism, sector: Sector, shown: Shown, drawn: Floats, items: IdMap
) -> EventLog:
    catalogue, audience = mechanism.catalogue, mechanism.audience
    tiers = np.asarray(tier_names(), dtype=np.object_)
    ages = np.asarray(sector.age_bands, dtype=np.object_)
    *logged, returned = sector.outcomes
    return log_from_arrays(
        user=shown.user,
        item=shown.item,
        users=_named("u", mechanism.settings.users),
        items=items,
        ts=shown.ts,
        outcomes=dict(zip(logged, drawn.T, strict=True)),
        kinds=dict(zip(logged, KINDS, strict=True)),
        derived=(Outcome(returned, "binary", derive="return"),),
        covariates={
            "duration_s": catalogue.duration_s[shown.item],
            "hour": shown.hour,
            "user_activity": audience.user_activity[shown.user],
        },
        segments={
            "city_tier": tiers[audience.city_tier[shown.user]],
            "age_band": ages[audience.age_band[shown.user]],
        },
        author=np.asarray(author_names(catalogue), dtype=np.object_)[catalogue.author],
        randomized=shown.randomized,
        propensity=shown.propensity,
        instruments={"bucket": (bucket_names(audience, shown.user), (sector.instrument,))},
        simulated=True,
    )
