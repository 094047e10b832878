"""Numbers that every fit counts as missing: so far do they lie outside what their column holds.

Which ones these are `tagcf.effects.linear.basis` decides, from the same sample of rows as in a fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.linear.basis import Term, make_basis
from tagcf.effects.linear.passes import over_log
from tagcf.effects.linear.seen import Sample
from tagcf.types import Covariate, EventBatch, EventLog, Floats


@dataclass(frozen=True, slots=True)
class FarValues:
    """Values of one covariate outside of [low, high]."""

    covariate: Covariate
    low: float
    high: float
    rows: int  # of the log; an item's value counts in each of its rows
    least: float | None  # the lowest one below `low`; None: none is
    most: float | None  # the highest one above `high`


def far_values(log: EventLog) -> tuple[FarValues, ...]:
    """Count the far values of every covariate that has some. Two passes over the log."""
    numbers = tuple(at for at, one in enumerate(log.covariates) if one.kind == "number")
    if not numbers:
        return ()
    sample = over_log(log, lambda: Sample.of_so_many(log.n_rows), Sample.add)
    terms = make_basis(log.covariates, sample.drawn(), 0, numbers).terms
    beyond = over_log(log, lambda: _Beyond.nothing(len(terms)), lambda b, rows: b.add(terms, rows))
    return tuple(
        FarValues(
            covariate=log.covariates[term.position],
            low=term.low,
            high=term.high,
            rows=int(beyond.rows[at]),
            least=float(beyond.least[at]) if np.isfinite(beyond.least[at]) else None,
            most=float(beyond.most[at]) if np.isfinite(beyond.most[at]) else None,
        )
        for at, term in enumerate(terms)
        if beyond.rows[at]
    )


@dataclass(frozen=True, slots=True)
class _Beyond:
    """Sums over rows, t terms."""

    rows: Floats  # (t,)
    least: Floats  # (t,) inf: no value is below
    most: Floats  # (t,) -inf: no value is above

    @staticmethod
    def nothing(n_terms: int) -> _Beyond:
        return _Beyond(np.zeros(n_terms), np.full(n_terms, np.inf), np.full(n_terms, -np.inf))

    def add(self, terms: tuple[Term, ...], batch: EventBatch) -> None:
        for at, term in enumerate(terms):
            values = batch.covariates[:, term.position]
            values = values[np.isfinite(values)]
            below, above = values[values < term.low], values[values > term.high]
            self.rows[at] += below.size + above.size
            self.least[at] = min(self.least[at], below.min(initial=np.inf))
            self.most[at] = max(self.most[at], above.max(initial=-np.inf))

    def __add__(self, other: _Beyond) -> _Beyond:
        return _Beyond(
            self.rows + other.rows,
            np.minimum(self.least, other.least),
            np.maximum(self.most, other.most),
        )
