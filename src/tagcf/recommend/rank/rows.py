"""Which rows count, and for how much: random exposure, logged propensities, halves of the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tagcf.effects.linear.design import Survey
from tagcf.recommend.rank.position import Places
from tagcf.types import EventBatch, EventLog, Floats, Mask

HALVES = 2
ENOUGH_RANDOM = 2_000  # random rows that suffice to learn from where propensities are not logged
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: halves don't follow the log's order


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch as the ranker reads it. n rows, K outcomes."""

    batch: EventBatch
    half: Mask  # (n,) which half of the log
    random: Mask  # (n,) exposure was random
    y: Floats  # (n, K) 0 where not measured
    weight: Floats  # (n, K) impressions × inverse propensity; 0 where not measured
    noise: Floats  # (n, K) impressions × inverse propensity², for the variance of sums
    inverse: Floats  # (n,) inverse propensity


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the log's rows came to be shown.

    `reference` is the propensity whose rows count one; None where none is logged.
    """

    reference: float | None
    clip: float
    n_random: int
    places: Places | None = None

    @property
    def random_alone(self) -> bool:
        """Chosen rows have no known chance, and random rows are enough without them."""
        return self.reference is None and self.n_random >= ENOUGH_RANDOM


def look_at_exposure(
    log: EventLog, seen: Survey, clip: float, places: Places | None = None
) -> Exposure:
    """Find the propensity that counts one: the usual one of random rows, else the median."""
    random: list[Floats] = []
    every: list[Floats] = []
    for batch in log.batches():
        if batch.propensity is None:
            break
        known = np.isfinite(batch.propensity) & (batch.propensity > 0)
        every.append(batch.propensity[known][:4096])
        if batch.randomized is not None:
            random.append(batch.propensity[known & batch.randomized][:4096])
    chances = np.concatenate(random or [np.empty(0)])
    chances = chances if chances.size else np.concatenate(every or [np.empty(0)])
    reference = float(np.median(chances)) if chances.size else None
    return Exposure(reference, clip, seen.n_rows_random, places)


def read_rows(log: EventLog, exposure: Exposure) -> Iterator[Rows]:
    """Read the log once, with what each row counts for.

    Weights are the reference over the row's propensity, cut at `clip`; sums of them are divided
    by their own weights wherever they are used (self-normalised). Rows without a logged chance
    count one. With places, outcomes are those at the first place.
    """
    start = 0
    for batch in log.batches():
        known = (batch.weights > 0) & np.isfinite(batch.outcomes) & (batch.item >= 0)[:, None]
        inverse = _inverse(batch, exposure)
        impressions = np.where(known, batch.weights, 0.0)
        left = 1.0 if exposure.places is None else exposure.places.of(batch)
        number = np.arange(start, start + batch.n_rows, dtype=np.uint64) * _MIX
        start += batch.n_rows
        yield Rows(
            batch=batch,
            half=(number >> np.uint64(63)).astype(np.bool_),
            random=_random(batch),
            y=np.where(known, batch.outcomes, 0.0) / left,
            weight=impressions * inverse[:, None] * left**2,
            noise=impressions * inverse[:, None] ** 2 * left**2,
            inverse=inverse,
        )


def _random(batch: EventBatch) -> Mask:
    if batch.randomized is None:
        return np.zeros(batch.n_rows, dtype=np.bool_)
    return batch.randomized


def _inverse(batch: EventBatch, exposure: Exposure) -> Floats:
    inverse = np.ones(batch.n_rows)
    if batch.propensity is None or exposure.reference is None:
        return inverse
    known = np.isfinite(batch.propensity) & (batch.propensity > 0)
    ratio = exposure.reference / np.where(known, batch.propensity, exposure.reference)
    return np.asarray(np.minimum(ratio, exposure.clip))
