"""How active users are, as a segment: what works for those who rarely come.

How often somebody is in the log may itself be an effect of what the log showed them, so counting
all of a user's rows would condition on the outcome. Activity is taken either from a column of the
users' own, measured before the log; or from the first part of the log, and then only the rows
after it are left to estimate on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tagcf.errors import EstimationError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Codes, EventBatch, EventLog, Floats, Segment

NAME = "activity"
LEVELS = ("low", "middle", "high")
FIRST_PART = 0.25  # of the log's time, in which users are counted


def with_activity(log: EventLog, column: str | None = None) -> EventLog:
    """Split the users in three by activity: the log with one more segment, ``activity``.

    Parameters
    ----------
    column
        A numeric covariate that is the users' own (measured before the log, e.g. impressions a
        day in the month before). Without it, rows in the first quarter of the log's time are
        counted and left out; who was not there yet counts as low.

    Raises
    ------
    UnknownNameError
        The log has no such covariate.
    EstimationError
        The column is not a number of the users' own; or there is none and the log has no time;
        or users cannot be told apart.
    """
    if not len(log.users):
        raise EstimationError("error.no_users_for_activity")
    if column is not None:
        return _with_segment(log, _thirds(_own_values(log, column)), start=-np.inf)
    counts, start = _early_rows(log)
    return _with_segment(log, _thirds(counts), start)


def _own_values(log: EventLog, column: str) -> Floats:
    """(U,) the covariate by user; NaN for users without a value."""
    names = [one.name for one in log.covariates]
    if column not in names:
        hint = did_you_mean(column, names)
        raise UnknownNameError("error.unknown_covariate", name=column, hint=hint)
    at = names.index(column)
    if log.covariates[at].kind != "number":
        raise EstimationError("error.activity_not_own", name=column)
    low, high = np.full(len(log.users), np.inf), np.full(len(log.users), -np.inf)
    for batch in log.batches():
        known = (batch.user >= 0) & np.isfinite(batch.covariates[:, at])
        np.minimum.at(low, batch.user[known], batch.covariates[known, at])
        np.maximum.at(high, batch.user[known], batch.covariates[known, at])
    found = np.isfinite(low)
    if not found.any() or (low[found] != high[found]).any():
        raise EstimationError("error.activity_not_own", name=column)
    return np.where(found, low, np.nan)


def _early_rows(log: EventLog) -> tuple[Floats, float]:
    """(U,) rows in the first part of the log, and the time at which that part ends."""
    first, last = np.inf, -np.inf
    for batch in log.batches():
        known = batch.ts[np.isfinite(batch.ts)]
        if known.size:
            first, last = min(first, float(known.min())), max(last, float(known.max()))
    if not last > first:
        raise EstimationError("error.no_time_for_activity")
    end = first + FIRST_PART * (last - first)
    counts = np.zeros(len(log.users))
    for batch in log.batches():
        early = (batch.ts < end) & (batch.user >= 0)
        counts += np.bincount(batch.user[early], minlength=counts.size)
    return counts, end


def _thirds(values: Floats) -> Codes:
    """(U,) 0, 1, 2 by thirds of the users, equal values together; -1 without a value."""
    known = np.isfinite(values)
    ordered = np.sort(values[known])
    middle = (
        np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    ) / 2
    place = np.floor(middle / max(ordered.size, 1) * len(LEVELS))
    codes = np.clip(np.nan_to_num(place), 0, len(LEVELS) - 1)
    return np.where(known, codes, -1).astype(np.int32)


def _with_segment(log: EventLog, level: Codes, start: float) -> EventLog:
    """The log from `start` on, with the users' level as its last segment."""

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            kept = batch if start == -np.inf else batch.rows(batch.ts >= start)
            own = np.where(kept.user >= 0, level[kept.user], -1).astype(np.int32)
            yield replace(kept, segments=np.column_stack([kept.segments, own]))

    return replace(
        log,
        segments=(*log.segments, Segment(NAME, LEVELS)),
        user_segments=np.column_stack([log.user_segments, level]).astype(np.int32),
        n_rows=sum(batch.n_rows for batch in batches()),
        batches=batches,
    )
