"""Sums per item and per user, gathered batch by batch: all that the response model needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.counterfactual.repeats import sample_pairs
from tagcf.types import Codes, EventBatch, EventLog, Floats


@dataclass(slots=True)
class AxisSums:
    """Sums of one axis (items or users) over the rows seen so far; all (A, K).

    With weight w and outcome y of a row: `weight` Σw, `value` Σwy, `square` Σwy²,
    `rows` the number of rows with w > 0.
    `pair_square` is Σ (Σw)² over the members of the other axis it met: Σw² where none was
    met twice, and corrected by the average share of repeats where some were.
    """

    weight: Floats
    value: Floats
    square: Floats
    pair_square: Floats
    rows: Floats


@dataclass(frozen=True, slots=True)
class Sums:
    """All sums of a log, of outcomes about `origin`. K outcomes."""

    items: AxisSums
    users: AxisSums
    origin: Floats  # (K,)
    lone: Floats  # (K,) Σw² of rows whose user is unknown: each counts as a user of its own


def gather(log: EventLog) -> Sums:
    """Sum the outcomes per item and per user, in one pass.

    The origin is the mean of the first rows with data: without it the sums of squares of an
    outcome far from 0 would cancel.
    """
    n_outcomes = len(log.outcomes)
    items, users = _empty(len(log.items), n_outcomes), _empty(len(log.users), n_outcomes)
    of_items, of_users = (sample_pairs(log.n_rows, by_item=by_item) for by_item in (True, False))
    origin, lone = np.full(n_outcomes, np.nan), np.zeros(n_outcomes)
    for batch in log.batches():
        outcomes, weights = measured(batch)
        here = weights.sum(0)
        first = np.isnan(origin) & (here > 0)
        origin[first] = (outcomes * weights).sum(0)[first] / here[first]
        about = np.where(weights > 0, outcomes - origin, 0.0)
        _add_rows(items, batch.item, about, weights)
        _add_rows(users, batch.user, about, weights)
        lone += (weights[batch.user < 0] ** 2).sum(0)
        of_items.add(batch, weights)
        of_users.add(batch, weights)
    items.pair_square *= of_items.factor(n_outcomes)
    users.pair_square *= of_users.factor(n_outcomes)
    return Sums(items, users, np.nan_to_num(origin), lone)


def _empty(size: int, n_outcomes: int) -> AxisSums:
    return AxisSums(*(np.zeros((size, n_outcomes)) for _ in range(5)))


def measured(batch: EventBatch) -> tuple[Floats, Floats]:
    """Return outcomes and weights (n, K) with what was not measured as 0, 0."""
    known = (batch.weights > 0) & ~np.isnan(batch.outcomes) & (batch.item >= 0)[:, None]
    return np.where(known, batch.outcomes, 0.0), np.where(known, batch.weights, 0.0)


def _add_rows(sums: AxisSums, code: Codes, outcomes: Floats, weights: Floats) -> None:
    """Add the rows whose `code` is known to the sums, in place."""
    known = code >= 0
    code, outcomes, weights = code[known], outcomes[known], weights[known]
    weighted = weights * outcomes
    add_at(sums.weight, code, weights)
    add_at(sums.value, code, weighted)
    add_at(sums.square, code, weighted * outcomes)
    add_at(sums.pair_square, code, weights**2)
    add_at(sums.rows, code, (weights > 0).astype(np.float64))


def add_at(target: Floats, code: Codes, values: Floats) -> None:
    """Do ``target[code] += values`` with repeated codes, in the time of the rows."""
    n_outcomes = target.shape[1]
    flat = code.astype(np.int64)[:, None] * n_outcomes + np.arange(n_outcomes)
    np.add.at(target.reshape(-1), flat.reshape(-1), values.reshape(-1))


def overall_mean(sums: AxisSums) -> Floats:
    """Return the weighted mean of all rows (K,), 0 without rows."""
    total = sums.weight.sum(0)
    mean: Floats = np.divide(sums.value.sum(0), total, out=np.zeros_like(total), where=total > 0)
    return mean


def means(sums: AxisSums) -> Floats:
    """Return the mean per group (A, K), NaN where it has no row."""
    return np.divide(
        sums.value, sums.weight, out=np.full_like(sums.value, np.nan), where=sums.weight > 0
    )
