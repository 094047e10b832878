"""Confidence sets of Anderson and Rubin (1949): they hold however weak the instrument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from tagcf.effects.instruments.stage_sums import inverse
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Floats

REACH = 10.0  # the search goes to sinh(REACH) ≈ 11,000 standard errors either side
GRID = np.sinh(np.linspace(-REACH, REACH, 401))  # .05 se apart at the estimate, 1 se at 20 se


@dataclass(frozen=True, slots=True)
class FittingSet:
    """Values of one coefficient that the instruments do not reject, by their outer ends."""

    low: float  # NaN where the set is empty or has no ends
    high: float
    bounded: bool
    empty: bool  # no value fits: the instruments contradict one another
    p: float  # of no effect; NaN where the set is empty


def fitting_set(
    zy: Floats,
    zd: Floats,
    covariance: Callable[[float, float], Floats],
    rank: int,
    centre: float,
    se: float,
) -> FittingSet:
    """Find the set by scanning the line around an estimate, then refining.

    Parameters
    ----------
    zy, zd
        (L,) instruments with the outcome and with the endogenous variable.
    covariance
        ``covariance(a, b)``: (L, L) covariance of Z'(a·D + b·Y).
    rank
        Instruments that are not combinations of others.
    centre, se
        An estimate and its standard error: where to look first, and in what steps.
    """
    limit = float(stats.chi2.ppf(1 - ALPHA, max(rank, 1)))

    def excess(value: float) -> float:
        return _quadratic(zy - value * zd, covariance(-value, 1.0)) - limit

    p = float(stats.chi2.sf(excess(0.0) + limit, max(rank, 1)))
    nan = float("nan")
    # Far out the statistic tends to that of the first stage: bounded if that rejects.
    if _quadratic(zd, covariance(1.0, 0.0)) <= limit:
        return FittingSet(nan, nan, False, False, p)
    step = se if np.isfinite(se) and se > 0 else max(abs(centre), 1.0) * 1e-9
    at, over = _scan(excess, centre + step * GRID)
    inside = np.flatnonzero(over <= 0)
    if not inside.size:
        return FittingSet(nan, nan, True, True, nan)
    first, last = int(inside[0]), int(inside[-1])
    if first == 0 or last == len(at) - 1:
        return FittingSet(nan, nan, False, False, p)
    low = float(optimize.bisect(excess, at[first - 1], at[first]))
    high = float(optimize.bisect(excess, at[last], at[last + 1]))
    return FittingSet(low, high, True, False, p)


def _quadratic(gap: Floats, covariance: Floats) -> float:
    return float(gap @ inverse(covariance) @ gap)


def _scan(excess: Callable[[float], float], grid: Floats) -> tuple[Floats, Floats]:
    """Values on the grid and at the minima between its points, in order of the argument."""
    over = np.array([excess(value) for value in grid])
    low = np.flatnonzero((over[1:-1] <= over[:-2]) & (over[1:-1] <= over[2:])) + 1
    for k in low:
        best = optimize.minimize_scalar(
            excess, bounds=(grid[k - 1], grid[k + 1]), method="bounded", options={"xatol": 1e-12}
        )
        grid, over = np.append(grid, best.x), np.append(over, best.fun)
    order = np.argsort(grid, kind="stable")
    return grid[order], over[order]
