"""User-periods: who was there, what they were shown at random, and who came back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.basis import Basis, expand, make_basis
from tagcf.effects.linear.design import Survey
from tagcf.types import EventBatch, EventLog, Floats, Mask, Outcome

DAY = 86_400.0
QUIET = 6 * 3_600.0  # seconds without a row that pass for an ordinary lull
SAME_WEIGHT = 1e-6  # weights that differ by less are equal up to how they were written

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Periods:
    """User-periods with full follow-up. N periods, I items, P controls."""

    returned: Floats  # (N,) 0/1
    user: Integers  # (N,)
    period: Integers  # (N,) which period of the log it is, from 0
    counts: sparse.csr_array  # (N, I) random impressions of each item
    # (N, I) the same, each impression weighted by 1 / its logged probability;
    # the very same object as `counts` where all weights are equal.
    weighted: sparse.csr_array
    controls: Floats  # (N, P) columns of the users' own covariates
    dropped: int  # periods without full follow-up
    left_out: int  # rows whose time or user is unknown
    effective_rows: float  # (Σw)² / Σw² over the random impressions


def gather_periods(
    log: EventLog, outcome: Outcome, seen: Survey, *, randomized_only: bool = True
) -> Periods:
    """Cut the log into user-periods, see who came back, and count what they were shown.

    Periods are counted from midnight (UTC) before the first row. A period is used if its whole
    follow-up lies before the log's end, see `observed_until`. Rows without a time or a user are
    left out; a log that does not tell users apart has no periods. One pass; memory holds two
    bytes per user and period, and the counted impressions.
    """
    start = np.floor(seen.first_ts / DAY) * DAY
    length, follow = outcome.period_days * DAY, outcome.days * DAY
    n_periods = int(np.floor((observed_until(seen) - follow - start) / length + 1e-9))
    n_periods = max(n_periods, 0)
    n_all = int((seen.last_ts - start) // length) + 1
    n_users = len(log.users)
    present = np.zeros((n_users, n_all), dtype=bool)
    returned = np.zeros((n_users, n_all), dtype=bool)
    basis = _users_basis(log, seen)
    columns = np.zeros((n_users, len(basis.names)))
    shown = _Shown([], [], [])
    left_out = 0
    for batch in log.batches():
        known = np.isfinite(batch.ts) & (batch.user >= 0) & (n_users > 1)
        left_out += int((~known).sum())
        user, ts = batch.user[known].astype(np.int64), batch.ts[known]
        period = ((ts - start) // length).astype(np.int64)
        present[user, period] = True
        for back in range(1, int(np.ceil(follow / length)) + 1):
            before = period - back
            counts = (before >= 0) & (ts < start + (before + 1) * length + follow)
            returned[user[counts], before[counts]] = True
        columns[user] = expand(basis, batch.covariates[known])
        counted = period < n_periods
        if randomized_only and batch.randomized is not None:
            counted &= batch.randomized[known]
        shown.add(batch, known, counted, user * n_all + period, weigh=randomized_only)
    used = np.flatnonzero(present[:, :n_periods].ravel())
    user, period = used // max(n_periods, 1), used % max(n_periods, 1)
    counts, weighted, effective = shown.count(user * n_all + period, period, len(log.items))
    return Periods(
        returned=returned[user, period].astype(float),
        user=user,
        period=period,
        counts=counts,
        weighted=weighted,
        controls=columns[user],
        dropped=int(present[:, n_periods:].sum()),
        left_out=left_out,
        effective_rows=effective,
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


def _users_basis(log: EventLog, seen: Survey) -> Basis:
    own = tuple(at for at, covariate in enumerate(log.covariates) if covariate.source == "users")
    return make_basis(log.covariates, seen.sample, 3, own)


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
