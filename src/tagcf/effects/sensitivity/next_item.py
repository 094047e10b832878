"""Next-item exposure: the tags of an item as "causes" of what its user did just before.

The future cannot cause the past. What the joint model left unexplained of a user's previous
impression is put in the place of the outcome, and the tags of the present item are estimated upon
it, with the same controls, groups and clustered errors. Where items were shown at random the
answer is zero up to noise; where the recommender chose them, an answer other than zero is people
who respond more being shown more of the tag: confounding by taste (Lipsitch, Tchetgen Tchetgen and
Cohen 2010). Confounders of the *item* alone (an author's quality) are out of its sight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear.cells import block_of
from tagcf.effects.linear.design import Design, Rows
from tagcf.effects.linear.item_effects import cell_residuals
from tagcf.effects.linear.scores import residuals
from tagcf.effects.methods import Joint
from tagcf.types import EventBatch, EventLog, Floats, Mask

Past = Callable[[], Iterator[Floats]]  # (n, K) for each batch; NaN without a past

MOST_ROWS = 20_000_000  # of a log out of order, as many are sorted: others' users are left out
LEAST_SHARE = 0.2  # of rows that must have a previous one


def fit_next_item(
    log: EventLog, carried: Floats, design: Design, fit: Fit, using: Joint, columns: Mask
) -> Fit | None:
    """Fit the tags to the residual of the user's previous impression.

    Returns
    -------
    Fit or None
        None where the log does not tell users or times apart, or too few rows have a previous one.
    """
    in_order = time_ordered(log)
    if in_order is None:
        return None
    left = _left_over(design, fit)
    before = _carried_along(log, left) if in_order else _sorted_out(log, left)
    past = _past_log(log, fit, before)
    found = fit_joint(past, carried, design, fit.outcomes, using, columns)
    enough = found.sums.rows.sum() >= LEAST_SHARE * fit.sums.rows.sum()
    return found if enough and found.varies.any() else None


def time_ordered(log: EventLog) -> bool | None:
    """Whether every user's rows come in the order of time; None without users or times."""
    last = np.full(len(log.users) + 1, -np.inf)
    known, in_order = False, True
    for batch in log.batches():
        some = (batch.user >= 0) & np.isfinite(batch.ts)
        known |= bool(some.any())
        order = np.argsort(batch.user[some], kind="stable")
        user, ts = batch.user[some][order], batch.ts[some][order]
        first = np.append(True, user[1:] != user[:-1])[: user.size]
        in_order &= bool((first[1:] | (np.diff(ts) >= 0)).all())
        in_order &= bool((ts[first] >= last[user[first]]).all())
        np.maximum.at(last, user, ts)
    return in_order if known and len(log.users) > 1 else None


@dataclass(frozen=True, slots=True)
class _LeftOver:
    """What a fit leaves of the outcomes of any rows, its own or not."""

    design: Design
    fit: Fit
    mean: Floats  # (C, K) mean residual of each item

    def of(self, log: EventLog, batch: EventBatch) -> Floats:
        """(n, K) residuals minus their item's mean; NaN where the outcome is missing."""
        fit = self.fit
        block = block_of(log, batch, self.design, fit.outcomes)
        found = np.full((batch.n_rows, len(fit.outcomes)), np.nan)
        e = residuals(block, fit.part, fit.solved, self.design.cell_group[block.cell])
        found[batch.weights[:, fit.outcomes[0]] > 0] = e - self.mean[block.cell]
        return found


def _left_over(design: Design, fit: Fit) -> _LeftOver:
    sums = cell_residuals(fit.sums, fit.part, fit.solved, design.cell_group)
    mean = sums / np.where(fit.sums.weight > 0, fit.sums.weight, 1.0)[:, None]
    return _LeftOver(replace(design, rows=Rows()), fit, mean)


def _carried_along(log: EventLog, left: _LeftOver) -> Past:
    """Past of a log in order: the last residual of each user is carried from batch to batch."""

    def past() -> Iterator[Floats]:
        last = np.full((len(log.users), len(left.fit.outcomes)), np.nan, dtype=np.float32)
        for batch in log.batches():
            e = left.of(log, batch)
            before = np.full_like(e, np.nan)
            some = np.flatnonzero(batch.user >= 0)
            order = some[np.argsort(batch.user[some], kind="stable")]
            user = batch.user[order]
            first = np.append(True, user[1:] != user[:-1])[: user.size]
            follows = np.flatnonzero(~first)
            before[order[follows]] = e[order[follows - 1]]
            before[order[first]] = last[user[first]]
            end = np.append(user[1:] != user[:-1], True)[: user.size]
            last[user[end]] = e[order[end]]
            yield before

    return past


def _sorted_out(log: EventLog, left: _LeftOver) -> Past:
    """Past of a log out of order: users, times and residuals are sorted in memory."""
    step = -(-log.n_rows // MOST_ROWS)
    users, times, values, places = [], [], [], []
    start = 0
    for batch in log.batches():
        some = np.flatnonzero((batch.user >= 0) & (batch.user % step == 0) & np.isfinite(batch.ts))
        users.append(batch.user[some])
        times.append(batch.ts[some])
        values.append(left.of(log, batch)[some].astype(np.float32))
        places.append(start + some)
        start += batch.n_rows
    user, place = np.concatenate(users), np.concatenate(places)
    order = np.lexsort((np.concatenate(times), user))
    same = np.flatnonzero(user[order][1:] == user[order][:-1])
    value = np.concatenate(values)[order[same]]
    place = place[order[same + 1]]
    by_place = np.argsort(place)
    place, value = place[by_place], value[by_place]

    def past() -> Iterator[Floats]:
        start = 0
        for batch in log.batches():
            low, high = np.searchsorted(place, (start, start + batch.n_rows))
            before = np.full((batch.n_rows, value.shape[1]), np.nan)
            before[place[low:high] - start] = value[low:high]
            start += batch.n_rows
            yield before

    return past


def _past_log(log: EventLog, fit: Fit, past: Past) -> EventLog:
    """Put the past in the place of the fit's outcomes; rows without a past do not count."""
    at = list(fit.outcomes)

    def batches() -> Iterator[EventBatch]:
        for batch, before in zip(log.batches(), past(), strict=True):
            known = np.isfinite(before).all(axis=1, keepdims=True)
            outcomes, weights = batch.outcomes.copy(), batch.weights.copy()
            outcomes[:, at] = np.where(known, before, 0.0)
            weights[:, at] = np.where(known, weights[:, at], 0.0)
            yield replace(batch, outcomes=outcomes, weights=weights)

    return replace(log, batches=batches)
