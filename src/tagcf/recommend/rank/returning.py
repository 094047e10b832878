"""Return: what one more impression of an item adds to the chance that a user is back in time.

A user's own record says who comes back; what an item adds is far below what its own rows can
tell, unless its tags tell it. Only random impressions count for items: what the recommender or
the user chose goes with users who come back anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.effects.dose.periods import gather_periods
from tagcf.effects.linear.design import Survey
from tagcf.recommend.rank.calibrate import Bins, Calibration, Curve, calibrate
from tagcf.recommend.rank.shrink import Record, posterior, spread_of, sure_spread
from tagcf.types import Codes, EventLog, Floats, Outcome

FEWEST_PERIODS = 20
DOUBT = 0.25  # variance, before looking, of the share of terms that is borne out


@dataclass(frozen=True, slots=True)
class ReturnHead:
    """Chance of return = curve(mean + user) + item."""

    mean: float
    user: Floats  # (U + 1,) the last one is an unknown user
    item: Floats  # (I + 1,) per impression, the tags' terms included
    upheld: float  # share of the tags' terms that random impressions bear out
    curve: Curve
    calibration: Calibration

    def predict(self, users: Codes, items: Codes) -> Floats:
        """(n,) chances of pairs; NaN where the log told nothing."""
        return np.clip(self.curve(self.mean + self.user[users]) + self.item[items], 0.0, 1.0)


def fit_return(log: EventLog, outcome: Outcome, seen: Survey, term: Floats) -> ReturnHead:
    """Fit on user-periods that were followed to their end.

    Parameters
    ----------
    term
        (I,) what the tags of each item add per impression.
    """
    n_users = len(log.users)
    nothing = Curve(np.empty(0), np.empty(0), 0.0, 1.0)
    item = np.append(term, 0.0)
    periods = gather_periods(log, outcome, seen) if _timed(seen) else None
    if periods is None or periods.returned.size < FEWEST_PERIODS:
        unknown = Calibration(np.nan, np.nan, 0.0)
        return ReturnHead(np.nan, np.zeros(n_users + 1), item, 1.0, nothing, unknown)
    y, user = periods.returned, periods.user
    mean = float(y.mean())
    count = np.bincount(user, minlength=n_users).astype(float)
    record = _users(y - mean, user, count, mean * (1 - mean))
    spread = spread_of(record)
    of_user = posterior(record, spread, np.zeros_like(record.mean)).mean[:, 0]
    upheld = 1.0
    if log.has_randomized:
        left = y - mean - of_user[user]
        left = (
            left - (np.bincount(periods.period, left) / np.bincount(periods.period))[periods.period]
        )
        upheld = _upheld(periods.counts, left, term)
        item = np.append(term * upheld, 0.0)
        item[:-1] += _items(periods.counts, left, item[:-1])
    curve, calibration = _calibrated(y, user, mean, count, float(spread[0]))
    return ReturnHead(mean, np.append(of_user, 0.0), item, upheld, curve, calibration)


def _timed(seen: Survey) -> bool:
    return bool(np.isfinite(seen.first_ts) and np.isfinite(seen.last_ts))


def _users(left: Floats, user: np.ndarray, count: Floats, noise: float) -> Record:
    total = np.bincount(user, left, len(count))
    some = count > 0
    mean = np.divide(total, count, out=np.zeros_like(total), where=some)
    variance = np.divide(noise, count, out=np.full_like(total, np.inf), where=some)
    return Record(mean[:, None], variance[:, None])


def _upheld(counts: sparse.csr_array, left: Floats, term: Floats) -> float:
    """How much of the tags' terms shows in the periods' random impressions, from 0 to 1.

    The slope of what is left of return on the doses that the terms foretell, shrunken towards 1:
    terms that other rows taught too large are taken back, none is enlarged. No test of the terms:
    where these same periods taught them, the slope leans towards 1.
    """
    shown = np.asarray(counts.sum(axis=0)).ravel()
    total = float(shown.sum())
    if total <= 0 or not term.any():
        return 1.0
    dose = counts @ (term - shown @ term / total)
    precision = float(dose @ dose) / max(float(left.var()), 1e-12)
    told = float(dose @ left) / max(float(left.var()), 1e-12)
    return float(np.clip((told + 1.0 / DOUBT) / (precision + 1.0 / DOUBT), 0.0, 1.0))


def _items(counts: sparse.csr_array, left: Floats, term: Floats) -> Floats:
    """(I,) what items add beyond their tags' terms: slopes on their random impressions.

    The terms' own errors are no reason to believe the slopes more: both come from these periods.
    """
    left = left - counts @ (term - term.mean())
    exposed = np.asarray(counts.power(2).sum(axis=0)).ravel()
    slope = np.divide(counts.T @ left, exposed, out=np.zeros(term.size), where=exposed > 0)
    noise = float(left.var())
    variance = np.divide(noise, exposed, out=np.full(term.size, np.inf), where=exposed > 0)
    record = Record(slope[:, None], variance[:, None])
    known = np.isfinite(variance)
    centre = np.zeros_like(record.mean)
    if known.any():
        centre += np.average(slope[known], weights=exposed[known])
    spread = sure_spread(Record(record.mean - centre, record.variance))
    return np.asarray(posterior(record, spread, centre).mean[:, 0] - centre[:, 0])


def _calibrated(
    y: Floats, user: np.ndarray, mean: float, count: Floats, spread: float
) -> tuple[Curve, Calibration]:
    """Judge each period by the user's earlier ones: later ones are there only for who returned."""
    noise = max(mean * (1 - mean), 1e-9)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)[user]
    before = np.arange(user.size) - first  # periods come by user, then in time
    total = np.concatenate([[0.0], np.cumsum(y - mean)])
    earlier = total[:-1] - total[first]
    raw = mean + earlier * spread / (spread * before + noise)
    half = (user % 2).astype(bool)
    bins = [Bins.over(float(raw.mean()), float(raw.std())) for _ in range(2)]
    for which in (0, 1):
        at = half == bool(which)
        bins[which].add(raw[at], y[at], np.ones(int(at.sum())))
    return calibrate(bins, 0.0, 1.0)
