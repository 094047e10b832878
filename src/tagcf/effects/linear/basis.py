"""Controls as columns of a design matrix: natural cubic splines, dummies, missing indicators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tagcf.effects.linear.kernels import expand_terms
from tagcf.types import Covariate, Floats

FEW_VALUES = 3  # a number with at most so many values is kept linear
MOST = float(np.finfo(np.float64).max)
REACH = 5.0  # interquartile ranges beyond the outer half percents


@dataclass(frozen=True, slots=True)
class Term:
    """How one covariate becomes columns: knots of a number, or the levels of a category."""

    position: int  # column of EventBatch.covariates
    name: str
    knots: tuple[float, ...] = ()  # number: empty = linear
    center: float = 0.0
    scale: float = 1.0
    levels: tuple[int, ...] = ()  # category: codes with a dummy of their own
    low: float = -MOST  # values beyond count as missing: a corrupt row must not decide
    high: float = MOST
    category: bool = False
    missing: bool = False  # one more column: the value was missing


@dataclass(frozen=True, slots=True)
class Basis:
    """All terms. `names` has one entry per column of `expand`'s result."""

    terms: tuple[Term, ...]
    names: tuple[str, ...]


def make_basis(
    covariates: tuple[Covariate, ...], sample: Floats, n_knots: int, positions: tuple[int, ...]
) -> Basis:
    """Choose knots at quantiles and dummies by frequency, from a sample of rows.

    Parameters
    ----------
    covariates
        All covariates of the log, in the order of `sample`'s columns.
    sample
        (m, p) rows drawn evenly from the log.
    n_knots
        Knots of the natural cubic spline of each number; below 3 numbers stay linear.
    positions
        Which covariates to use.
    """
    terms = tuple(_term(covariates[at], at, sample[:, at], n_knots) for at in positions)
    return Basis(terms, tuple(name for term in terms for name in _names(term)))


def _term(covariate: Covariate, position: int, values: Floats, n_knots: int) -> Term:
    if covariate.kind == "category":
        codes, counts = np.unique(values[values >= 0].astype(int), return_counts=True)
        # The most frequent level is the reference.
        levels = (
            tuple(int(code) for code in np.delete(codes, counts.argmax())) if codes.size else ()
        )
        missing = bool((values < 0).any())
        return Term(position, covariate.name, levels=levels, category=True, missing=missing)
    known = values[np.isfinite(values)]
    missing = known.size < values.size
    if known.size == 0:
        return Term(position, covariate.name, missing=True)
    low, high = _limits(known)
    inside = (known >= low) & (known <= high)
    missing |= not inside.all()
    known = known[inside]
    center, scale = float(known.mean()), float(known.std()) or 1.0
    knots = _knots((known - center) / scale, n_knots)
    return Term(position, covariate.name, knots, center, scale, low=low, high=high, missing=missing)


def _limits(values: Floats) -> tuple[float, float]:
    """Ends of what a number may be: some interquartile ranges beyond all but its last half percent.

    A single value of 10⁸ in a column of hours would otherwise own the column's whole variance.
    """
    least, first, third, most = np.quantile(values, [0.005, 0.25, 0.75, 0.995])
    width = third - first or most - least
    if width <= 0:
        return -MOST, MOST
    return float(least - REACH * width), float(most + REACH * width)


def _knots(values: Floats, n_knots: int) -> tuple[float, ...]:
    """Outer quantiles .05 and .95, the rest evenly between (Harrell 2001, section 2.4.5)."""
    if n_knots < 3 or np.unique(values).size <= FEW_VALUES:
        return ()
    at = np.linspace(0.05, 0.95, n_knots)
    knots = np.unique(np.quantile(values, at))
    return tuple(float(knot) for knot in knots) if knots.size >= 3 else ()


def _names(term: Term) -> list[str]:
    if term.category:
        names = [f"{term.name}={level}" for level in term.levels]
    else:
        names = [term.name, *(f"{term.name}~{k}" for k in range(1, max(len(term.knots) - 1, 1)))]
    return [*names, f"{term.name}?"] if term.missing else names


def expand(basis: Basis, covariates: Floats) -> Floats:
    """Return the (n, P) design columns of (n, p) covariates; missing numbers go to the mean."""
    columns = np.zeros((covariates.shape[0], len(basis.names)))
    if basis.terms:
        arguments = (covariates, *_arrays(basis), columns)
        expand_terms(*arguments)
    return columns


@lru_cache(maxsize=16)
def _arrays(basis: Basis) -> tuple[np.ndarray, ...]:
    """Arguments of `expand_terms` between the covariates and the columns."""
    widths = [len(_names(term)) for term in basis.terms]
    first = np.cumsum([0, *widths[:-1]])
    knots = np.full((len(widths), max(len(term.knots) for term in basis.terms) + 1), np.nan)
    highest = max((max(term.levels, default=0) for term in basis.terms), default=0)
    levels = np.full((len(widths), highest + 1), -1)
    missing = np.full(len(widths), -1)
    for t, term in enumerate(basis.terms):
        knots[t, : len(term.knots)] = term.knots
        levels[t, list(term.levels)] = first[t] + np.arange(len(term.levels))
        if term.missing:
            missing[t] = first[t] + widths[t] - 1
    return (
        np.array([-1 if term.category else len(term.knots) for term in basis.terms]),
        np.array([term.position for term in basis.terms]),
        np.array([term.center for term in basis.terms]),
        np.array([term.scale for term in basis.terms]),
        np.array([[term.low, term.high] for term in basis.terms]),
        first,
        missing,
        knots,
        levels,
    )
