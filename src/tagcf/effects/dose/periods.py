"""User-periods: who was there, what they were shown at random, and who came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.basis import expand, make_basis
from tagcf.effects.linear.design import Survey
from tagcf.effects.linear.passes import over_log
from tagcf.types import EventBatch, EventLog, Floats, Mask, Outcome

DAY = 86_400.0
QUIET = 6 * 3_600.0  # seconds without a row that pass for an ordinary lull
SAME_WEIGHT = 1e-6  # weights that differ by less are equal up to how they were written
# Rows of the recommender's choice × periods that are counted: so much a user's usual takes in
# memory, and more would not take away what biases them.
MOST_CHOSEN = 20_000_000
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: the users counted don't follow the order

Integers = NDArray[np.int64]
Shown = Literal["random", "chosen", "any"]


@dataclass(frozen=True, slots=True)
class Periods:
    """User-periods with full follow-up. N periods, I items, P controls."""

    returned: Floats  # (N,) 0/1
    user: Integers  # (N,)
    period: Integers  # (N,) which period of the log it is, from 0
    counts: sparse.csr_array  # (N, I) impressions of each item
    # (N, I) the same, each impression weighted by 1 / its logged probability;
    # the very same object as `counts` where all weights are equal.
    weighted: sparse.csr_array
    controls: Floats  # (N, P) columns of the users' own covariates
    dropped: int  # periods without full follow-up
    left_out: int  # rows whose time or user is unknown
    effective_rows: float  # (Σw)² / Σw² over the impressions


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Where periods begin and end, and until when a return after them counts."""

    start: float  # midnight (UTC) before the first row, epoch seconds
    length: float  # seconds
    follow: float  # seconds
    followed: int  # periods whose whole follow-up lies before the log's end
    all: int  # periods with rows


def gather_periods(
    log: EventLog, outcome: Outcome, seen: Survey, *, shown: Shown = "random"
) -> Periods:
    """Cut the log into user-periods, see who came back, and count what they were shown.

    Parameters
    ----------
    shown
        Which impressions are counted: random ones, the recommender's own (of so many users that
        these times the periods stay within `MOST_CHOSEN`), or any.

    Notes
    -----
    Periods are counted from midnight (UTC) before the first row. A period is used if its whole
    follow-up lies before the log's end, see `observed_until`. Rows without a time or a user are
    left out; a log that does not tell users apart has no periods. One pass; memory holds two
    bytes per user and period, the users' own covariates, and the counted impressions.
    """
    calendar = _calendar(outcome, seen)
    own = tuple(at for at, covariate in enumerate(log.covariates) if covariate.source == "users")
    n_users = len(log.users)
    chosen = (seen.n_rows - seen.n_rows_random) * max(calendar.followed, 1)
    which = _Which(shown, MOST_CHOSEN / max(chosen, 1) if shown == "chosen" else 1.0)

    def add(visits: _Visits, batch: EventBatch) -> None:
        visits.add(calendar, own, batch, which)

    visits = over_log(log, lambda: _Visits.nothing(n_users, calendar, len(own)), add)
    used = np.flatnonzero(visits.present[:, : calendar.followed].ravel())
    user, period = used // max(calendar.followed, 1), used % max(calendar.followed, 1)
    counts, weighted, effective = visits.shown.count(
        user * calendar.all + period, period, len(log.items)
    )
    covariates = np.zeros((user.size, len(log.covariates)))
    covariates[:, own] = visits.covariates[user]
    return Periods(
        returned=visits.returned[user, period].astype(float),
        user=user,
        period=period,
        counts=counts,
        weighted=weighted,
        controls=expand(make_basis(log.covariates, seen.sample, 3, own), covariates),
        dropped=int(visits.present[:, calendar.followed :].sum()),
        left_out=visits.left_out,
        effective_rows=effective,
    )


def _calendar(outcome: Outcome, seen: Survey) -> _Calendar:
    start = float(np.floor(seen.first_ts / DAY) * DAY)
    length, follow = outcome.period_days * DAY, outcome.days * DAY
    followed = int(np.floor((observed_until(seen) - follow - start) / length + 1e-9))
    return _Calendar(
        start, length, follow, max(followed, 0), int((seen.last_ts - start) // length) + 1
    )


def observed_until(seen: Survey) -> float:
    """Time (epoch seconds) up to which the log would show a return.

    The end of the last calendar day (UTC) if the last row falls within `QUIET` of it and rows are
    on average no further apart than that: then the rest of the day is a lull. Else the last row.
    """
    midnight = (np.floor(seen.last_ts / DAY) + 1) * DAY
    gap = (seen.last_ts - seen.first_ts) / max(seen.n_rows, 1)
    whole = midnight - seen.last_ts <= QUIET and gap <= QUIET
    return float(midnight if whole else seen.last_ts)


@dataclass(frozen=True, slots=True)
class _Which:
    """Impressions that are counted."""

    shown: Shown
    share: float  # of the users

    def of(self, batch: EventBatch, rows: Mask) -> Mask:
        """(n,) whether each of these rows is counted."""
        if self.shown == "any" or batch.randomized is None:
            return np.ones(int(rows.sum()), dtype=bool)
        if self.shown == "random":
            return batch.randomized[rows]
        counted = ~batch.randomized[rows]
        if self.share < 1.0:
            drawn = batch.user[rows].astype(np.uint64) * _MIX >> np.uint64(11)
            counted &= drawn < self.share * 2.0**53
        return np.asarray(counted)


@dataclass(slots=True)
class _Visits:
    """What one pass adds up; U users, G periods."""

    present: Mask  # (U, G)
    returned: Mask  # (U, G) seen again after the period, in time
    covariates: Floats  # (U, p) the users' own, 0 where the user was not seen
    shown: _Shown
    left_out: int = 0

    @staticmethod
    def nothing(n_users: int, calendar: _Calendar, n_own: int) -> _Visits:
        """Sums over no rows."""
        return _Visits(
            present=np.zeros((n_users, calendar.all), dtype=bool),
            returned=np.zeros((n_users, calendar.all), dtype=bool),
            covariates=np.zeros((n_users, n_own)),
            shown=_Shown([], [], []),
        )

    def add(
        self, calendar: _Calendar, own: tuple[int, ...], batch: EventBatch, which: _Which
    ) -> None:
        """Add a batch, in place."""
        known = np.isfinite(batch.ts) & (batch.user >= 0) & (len(self.present) > 1)
        self.left_out += int((~known).sum())
        user, ts = batch.user[known].astype(np.int64), batch.ts[known]
        period = ((ts - calendar.start) // calendar.length).astype(np.int64)
        self.present[user, period] = True
        for back in range(1, int(np.ceil(calendar.follow / calendar.length)) + 1):
            before = period - back
            end = calendar.start + (before + 1) * calendar.length
            counts = (before >= 0) & (ts < end + calendar.follow)
            self.returned[user[counts], before[counts]] = True
        self.covariates[user] = batch.covariates[known][:, own]
        counted = (period < calendar.followed) & which.of(batch, known)
        weigh = which.shown == "random"
        self.shown.add(batch, known, counted, user * calendar.all + period, weigh=weigh)

    def __add__(self, other: _Visits) -> _Visits:
        there = np.asarray(other.present.any(axis=1))[:, None]
        return _Visits(
            self.present | other.present,
            self.returned | other.returned,
            np.where(there, other.covariates, self.covariates),
            self.shown + other.shown,
            self.left_out + other.left_out,
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    """Impressions counted so far, a block for each batch."""

    units: list[Integers]
    items: list[Integers]
    chances: list[Floats]  # logged probability, NaN unknown

    def add(
        self, batch: EventBatch, known: Mask, counted: Mask, units: Integers, *, weigh: bool
    ) -> None:
        """Keep the counted ones of a batch's known rows."""
        self.units.append(units[counted])
        self.items.append(batch.item[known][counted].astype(np.int64))
        if weigh and batch.propensity is not None:
            self.chances.append(batch.propensity[known][counted])
        else:
            self.chances.append(np.full(int(counted.sum()), np.nan))

    def __add__(self, other: _Shown) -> _Shown:
        return _Shown(
            self.units + other.units, self.items + other.items, self.chances + other.chances
        )

    def count(
        self, keys: Integers, period: Integers, n_items: int
    ) -> tuple[sparse.csr_array, sparse.csr_array, float]:
        """(N, I) how often each unit was shown each item: plain, weighted; effective number."""
        row = np.searchsorted(keys, np.concatenate([np.empty(0, np.int64), *self.units]))
        item = np.concatenate([np.empty(0, np.int64), *self.items])
        weight = inverse_weights(np.concatenate([np.empty(0), *self.chances]), period[row])
        shape = (keys.size, n_items)
        counts = sparse.csr_array((np.ones(row.size), (row, item)), shape=shape)
        if np.abs(weight - 1.0).max(initial=0.0) <= SAME_WEIGHT:
            return counts, counts, float(row.size)
        effective = float(weight.sum() ** 2 / (weight**2).sum())
        return counts, sparse.csr_array((weight, (row, item)), shape=shape), effective


def inverse_weights(chance: Floats, period: Integers) -> Floats:
    """(n,) 1 / probability of each impression, with mean 1 in each period; 1 where unknown.

    Weights are cut at √n times the median, n being their number: the rate at which cutting does
    not bias in the limit (Ionides 2008, truncated importance sampling). The median, because one
    absurd probability would carry the mean away.

    Parameters
    ----------
    chance
        (n,) logged probabilities, NaN unknown.
    period
        (n,) from 0.
    """
    with np.errstate(invalid="ignore"):
        known = (chance > 0) & np.isfinite(chance)
    weight = np.ones(chance.size)
    if not known.any():
        return weight
    at, inverse = period[known], 1.0 / chance[known]
    inverse = np.minimum(inverse, np.median(inverse) * np.sqrt(inverse.size))
    mean = np.bincount(at, weights=inverse) / np.maximum(np.bincount(at), 1)
    weight[known] = inverse / mean[at]
    return weight
