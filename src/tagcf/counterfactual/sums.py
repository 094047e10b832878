"""Sums per item and per user, gathered batch by batch: all that the response model needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.types import Codes, EventBatch, EventLog, Floats


@dataclass(slots=True)
class AxisSums:
    """Sums of one axis (items or users) over the rows seen so far; all (A, K).

    With weight w and outcome y of a row: `weight` Σw, `value` Σwy, `square` Σwy²,
    `weight_square` Σw², `rows` the number of rows with w > 0.
    """

    weight: Floats
    value: Floats
    square: Floats
    weight_square: Floats
    rows: Floats


def gather(log: EventLog) -> tuple[AxisSums, AxisSums, Floats]:
    """Sum the outcomes per item and per user, about an origin near their mean.

    The origin (K,) is the mean of the first rows with data: without it the sums of squares
    of an outcome far from 0 would cancel.
    """
    n_outcomes = len(log.outcomes)
    items, users = _empty(len(log.items), n_outcomes), _empty(len(log.users), n_outcomes)
    origin = np.full(n_outcomes, np.nan)
    for batch in log.batches():
        outcomes, weights = measured(batch)
        here = weights.sum(0)
        first = np.isnan(origin) & (here > 0)
        origin[first] = (outcomes * weights).sum(0)[first] / here[first]
        about = np.where(weights > 0, outcomes - origin, 0.0)
        _add_rows(items, batch.item, about, weights)
        _add_rows(users, batch.user, about, weights)
    return items, users, np.nan_to_num(origin)


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
    add_at(sums.weight_square, code, weights**2)
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
