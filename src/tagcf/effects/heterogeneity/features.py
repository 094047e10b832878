"""What is known of users, as a few uncorrelated numbers each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.effects.linear.design import Rows
from tagcf.types import EventLog, Floats, Mask

MOST_FACTORS = 8
LEAST_SHARE = 1e-6  # of the features' variance: a factor with less repeats the others
MOST_LEVELS = 30  # of one category; rarer levels count as the mean


@dataclass(frozen=True, slots=True)
class UserFactors:
    """Principal components of the users' features. F factors."""

    values: Floats  # (U, F) mean 0 and variance 1 over the users seen
    names: tuple[str, ...]  # the features behind them
    seen: Mask  # (U,) users with rows

    @property
    def n_users(self) -> int:
        """Users with rows."""
        return int(self.seen.sum())


def user_factors(log: EventLog, rows: Rows, most: int = MOST_FACTORS) -> UserFactors:
    """Principal components of segments and covariates that are the users' own.

    A column is a user's own where it is the same in all of the user's rows. Outcomes play no part
    in the components, so that what is estimated on them is not picked by them.
    """
    low, high, seen = _ranges(log, rows)
    columns: list[Floats] = []
    names: list[str] = []
    for at, covariate in enumerate(log.covariates):
        own = low[seen, at] == high[seen, at]
        if not own.size or not own.all():
            continue
        values = np.where(np.isfinite(low[:, at]), low[:, at], np.nan)
        columns += _dummies(values, seen) if covariate.kind == "category" else [values]
        names.append(covariate.name)
    for at, segment in enumerate(log.segments):
        codes = log.user_segments[:, at]
        if (codes[seen] >= 0).any():
            columns += _dummies(codes.astype(float), seen)
            names.append(segment.name)
    values = _components(columns, seen, most)
    return UserFactors(values, tuple(names), seen)


def _ranges(log: EventLog, rows: Rows) -> tuple[Floats, Floats, Mask]:
    """(U, p) smallest and largest value of each covariate over a user's rows, and who has rows."""
    shape = (len(log.users), len(log.covariates))
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    seen = np.zeros(shape[0], dtype=bool)
    for batch in log.batches():
        keep = rows.mask(batch) & (batch.user >= 0)
        user, values = batch.user[keep], batch.covariates[keep]
        values = np.where(np.isfinite(values), values, np.inf)  # a missing value is missing always
        np.minimum.at(low, user, values)
        np.maximum.at(high, user, values)
        seen[user] = True
    return low, high, seen


def _dummies(codes: Floats, seen: Mask) -> list[Floats]:
    """Return 0/1 columns of all levels but the most frequent one."""
    levels, counts = np.unique(codes[seen & (codes >= 0)], return_counts=True)
    order = np.argsort(-counts, kind="stable")[1:MOST_LEVELS]
    return [np.where(codes < 0, np.nan, codes == levels[at]) for at in order]


def _components(columns: list[Floats], seen: Mask, most: int) -> Floats:
    if not columns:
        return np.empty((seen.size, 0))
    values = np.stack(columns, axis=1)
    known = np.isfinite(values) & seen[:, None]
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, 0.0)
    centred = np.where(known, filled - filled.sum(axis=0) / count, 0.0)  # unknown: the mean
    spread = np.sqrt((centred**2).sum(axis=0) / max(int(seen.sum()), 1))
    scaled = centred[:, spread > 0] / spread[spread > 0]
    if not scaled.shape[1]:
        return np.empty((seen.size, 0))
    variance, axes = linalg.eigh(scaled.T @ scaled / max(int(seen.sum()), 1))
    kept = np.argsort(-variance)[:most]
    kept = kept[variance[kept] > LEAST_SHARE * variance.sum()]
    return np.asarray(scaled @ axes[:, kept] / np.sqrt(variance[kept]))
