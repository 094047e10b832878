"""Engagements of users in blocks: which items each engaged with, against what was to be expected.

A log of *chosen* items has only engagements (listens, purchases). A log of *shown* items has rows
that were not engaged with; there the rate of its item says what to expect of a row, so that what
a user was shown is not mistaken for what they like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.errors import EstimationError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Codes, EventBatch, EventLog, Floats

BLOCK_ROWS = 20_000_000  # rows in memory at once, 12 bytes each
PRIOR_ROWS = 10.0  # rows at the mean rate that an item's rate is shrunk with


@dataclass(frozen=True, slots=True)
class Reading:
    """How engagements are read from a log, and sums over all of it."""

    outcome: int  # column of the log's outcomes; -1: every row is an engagement
    positive: float  # engaged from this value on
    shown: bool  # there are rows without engagement
    item_rate: Floats  # (I,) shrunken share of rows engaged; 1 in a log of chosen items
    item_share: Floats  # (I,) share of all engagements
    user_rows: Codes  # (U,)
    user_engaged: Floats  # (U,)


@dataclass(frozen=True, slots=True)
class UserBlock:
    """All rows of users `first` … `first` + b - 1; those of user k stand at begins[k : k + 2]."""

    first: int
    begins: np.ndarray  # (b + 1,)
    item: Codes  # (n,)
    engaged: Floats  # (n,) rows engaged with that a row stands for
    base: Floats  # (n,) engagement to expect of anybody; empty in a log of chosen items


def read_engagement(
    log: EventLog, outcome: str | None = None, positive: float | None = None
) -> Reading:
    """Pass over the log once and say how its engagements are read.

    Parameters
    ----------
    outcome
        Name of the logged outcome that is an engagement; default the first. A log without
        outcomes counts every row.
    positive
        A row is engaged from this value on; default 1 for binary and count, 0.5 for rate.

    Raises
    ------
    UnknownNameError
        The log has no such outcome.
    EstimationError
        The outcome is real and `positive` is not given, or nobody engaged with anything.
    """
    column, threshold = _column(log, outcome, positive)
    rows, engaged = np.zeros(len(log.items)), np.zeros(len(log.items))
    user_rows = np.zeros(len(log.users), np.int64)
    user_engaged = np.zeros(len(log.users))
    for batch in log.batches():
        known, yes, weight = _rows(batch, column, threshold)
        item, user = batch.item[known], batch.user[known]
        rows += np.bincount(item, weight, len(rows))
        engaged += np.bincount(item, yes * weight, len(rows))
        user_rows += np.bincount(user, minlength=len(user_rows))
        user_engaged += np.bincount(user, yes * weight, len(user_rows))
    if not engaged.any():
        raise EstimationError("roles.nobody_engaged")
    mean = engaged.sum() / rows.sum()
    shown = bool(mean < 1 - 1e-9)
    rate = (engaged + PRIOR_ROWS * mean) / (rows + PRIOR_ROWS)
    return Reading(
        outcome=column,
        positive=threshold,
        shown=shown,
        item_rate=rate,
        item_share=engaged / engaged.sum(),
        user_rows=user_rows.astype(np.int32),
        user_engaged=user_engaged,
    )


def engaged_table(
    log: EventLog, outcome: str | None = None, positive: float | None = None
) -> sparse.csr_array:
    """(U, I) 0/1: who engaged with what, as `read_engagement` understands it.

    In memory at once, 12 bytes per pair; for the contexts of `tree.propose`.
    """
    column, threshold = _column(log, outcome, positive)
    shape = (len(log.users), len(log.items))
    pairs = [np.empty(0, np.int64)]
    for batch in log.batches():
        known, yes, _ = _rows(batch, column, threshold)
        place = batch.user[known].astype(np.int64) * shape[1] + batch.item[known]
        pairs.append(np.unique(place[yes > 0]))
    distinct = np.unique(np.concatenate(pairs))
    at = np.divmod(distinct, max(shape[1], 1))
    return sparse.csr_array((np.ones(len(distinct), np.float32), at), shape=shape)


def user_blocks(
    log: EventLog, reading: Reading, block_rows: int = BLOCK_ROWS
) -> Iterator[UserBlock]:
    """Yield all users in blocks of at most `block_rows` rows (or one user), one pass each."""
    ends = np.cumsum(reading.user_rows, dtype=np.int64)
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, before + block_rows, side="right")), first + 1)
        yield _block(log, reading, first, last)
        first = last


def _block(log: EventLog, reading: Reading, first: int, last: int) -> UserBlock:
    counts = reading.user_rows[first:last]
    begins = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    item = np.empty(begins[-1], np.int32)
    engaged = np.empty(begins[-1], np.float32)
    weight = np.empty(begins[-1], np.float32) if reading.shown else engaged
    free = begins[:-1].copy()
    for batch in log.batches():
        known, yes, stands_for = _rows(batch, reading.outcome, reading.positive)
        here = (batch.user[known] >= first) & (batch.user[known] < last)
        user = batch.user[known][here] - first
        order = np.argsort(user, kind="stable")
        at = _places(user[order], free)
        item[at] = batch.item[known][here][order]
        if reading.shown:
            weight[at] = stands_for[here][order]
        engaged[at] = (yes * stands_for)[here][order]
    base = weight * reading.item_rate[item] if reading.shown else np.empty(0)
    return UserBlock(first, begins, item, engaged, np.asarray(base, np.float32))


def _places(user: Codes, free: np.ndarray) -> np.ndarray:
    """Next free places of sorted users; takes them."""
    count = np.bincount(user, minlength=len(free))
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    at: np.ndarray = free[user] + np.arange(len(user)) - start[user]
    free += count
    return at


def _rows(batch: EventBatch, column: int, positive: float) -> tuple[np.ndarray, Floats, Floats]:
    """Rows of known users with a measured outcome: which, engaged or not, how many each is."""
    if column < 0:
        known = batch.user >= 0
        ones = np.ones(int(known.sum()))
        return known, ones, ones
    value, weight = batch.outcomes[:, column], batch.weights[:, column]
    known = (batch.user >= 0) & (weight > 0)
    return known, (value[known] >= positive).astype(np.float64), weight[known]


def _column(log: EventLog, outcome: str | None, positive: float | None) -> tuple[int, float]:
    if not log.outcomes and outcome is None:
        return -1, 1.0
    names = [one.name for one in log.outcomes]
    wanted = names[0] if outcome is None else outcome
    if wanted not in names:
        raise UnknownNameError(
            "roles.unknown_outcome",
            name=wanted,
            hint=did_you_mean(wanted, names),
            known=", ".join(names),
        )
    kind = log.outcomes[names.index(wanted)].kind
    if positive is None and kind == "real":
        raise EstimationError("roles.needs_positive", name=wanted)
    default = 0.5 if kind == "rate" else 1.0
    return names.index(wanted), default if positive is None else positive
