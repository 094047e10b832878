"""Anderson–Rubin sets of one coefficient among several, the others concentrated out.

For a value b of the one coefficient, the statistic is the least that any values of the others
reach, g(β)'Ω(β)⁻¹g(β) with the clustered Ω of the null (continuous updating: Hansen, Heaton and
Yaron 1996; minimised by Gauss–Newton steps with the derivative of Kleibergen 2005). It is held
against χ² with as many degrees of freedom as instruments less the other coefficients: valid
however weak the others are identified under one variance (Guggenberger, Kleibergen, Mavroeidis
and Chen 2012); that it also covers with clusters is simulated in the tests. No grid over the
others: each value costs a few solves of the size of the instruments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from scipy.linalg import lapack

from tagcf.effects.instruments.anderson_rubin import FittingSet
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Floats

MOST_STEPS = 60  # Gauss–Newton steps of one minimisation
CLOSE = 1e-7  # gain of a step, in units of the statistic, below which it stops
MOST_DAMP = 1e6  # Levenberg's damping beyond which it stops, too
REACH = 9.0  # the search goes to sinh(REACH) ≈ 4,000 standard errors either side
POINTS = 32  # on the way there
FAR = 4.0  # the search ends where the statistic is so many times the limit


@dataclass(frozen=True, slots=True)
class Products:
    """Moments of L independent instruments with E endogenous variables and, last, the outcome."""

    total: Floats  # (L, E + 1)
    products: Floats  # (E + 1, L, E + 1, L) of cluster sums

    def at(self, weights: Floats) -> tuple[float, Floats, Floats]:
        """Statistic of a combination of the variables, its gradient and curvature."""
        n_z, n_d = self.total.shape
        on = (weights @ self.products.reshape(n_d, -1)).reshape(n_z, n_d, n_z)
        gap = self.total @ weights
        lower, failed = lapack.dpotrf(weights @ on, lower=1)
        if failed:
            return np.inf, np.zeros(n_d), np.eye(n_d)
        u = lapack.dpotrs(lower, gap, lower=1)[0]
        slope = self.total - (u @ on.reshape(n_z, -1)).reshape(n_d, n_z).T
        half = lapack.dtrtrs(lower, slope, lower=1)[0]
        return float(gap @ u), 2 * slope.T @ u, 2 * half.T @ half


@dataclass(frozen=True, slots=True)
class Least:
    """A minimum of the statistic over the free variables' weights."""

    value: float
    weights: Floats  # (E + 1,)


def least(products: Products, start: Floats, free: Floats) -> Least:
    """Minimise from a start; `free` (E + 1,) marks the weights that may move."""
    weights, at = start.copy(), np.flatnonzero(free)
    value, gradient, curvature = products.at(weights)
    damp = 1e-9
    for _ in range(MOST_STEPS if at.size else 0):
        hessian = curvature[at][:, at]
        hessian.flat[:: at.size + 1] *= 1 + damp
        _, move, failed = lapack.dposv(hessian, -gradient[at])
        if failed:
            damp = max(damp * 10, 1e-4)
            if damp > MOST_DAMP:
                break
            continue
        trial = weights.copy()
        trial[at] += move
        found = products.at(trial)
        if found[0] < value:
            gained = value - found[0]
            weights, (value, gradient, curvature) = trial, found
            damp = max(damp / 10, 1e-9)
            if gained < CLOSE * max(value, 1.0):
                break
        else:
            damp = max(damp * 10, 1e-4)
            if damp > MOST_DAMP:
                break
    return Least(value, weights)


def concentrated_set(products: Products, position: int, coef: Floats, cov: Floats) -> FittingSet:
    """Find the set of one coefficient from an estimate outwards.

    Parameters
    ----------
    products
        Of instruments of which none is a combination of others.
    position
        Which coefficient.
    coef, cov
        (E,) estimates and (E, E) their covariance: where to look, and in what steps.
    """
    n_z, n_d = len(products.total), coef.size
    degrees = max(n_z - n_d + 1, 1)
    limit = float(stats.chi2.ppf(1 - ALPHA, degrees))
    nan = float("nan")
    free = np.append(np.ones(n_d), 0.0)
    best = least(products, np.append(-coef, 1.0), free)
    free[position] = 0.0
    follow = cov[:, position] / max(float(cov[position, position]), 1e-300)

    def profile(value: float, near: Least) -> Least:
        start = near.weights.copy()
        start[:n_d] -= follow * (value + near.weights[position])
        start[position] = -value
        along = least(products, start, free)
        if along.value <= limit:
            return along
        again = near.weights.copy()
        again[position] = -value
        return min(along, least(products, again, free), key=lambda one: one.value)

    p = float(stats.chi2.sf(profile(0.0, best).value, degrees))
    if rank_statistic(products) <= limit:
        return FittingSet(nan, nan, bounded=False, empty=False, p=p)
    if best.value > limit:
        return FittingSet(nan, nan, bounded=True, empty=True, p=nan)
    se = float(np.sqrt(max(cov[position, position], 0.0))) or 1e-9
    ends = [_end(profile, best, position, sign * se, limit) for sign in (-1, 1)]
    if not np.isfinite(ends).all():
        return FittingSet(nan, nan, bounded=False, empty=False, p=p)
    return FittingSet(ends[0], ends[1], bounded=True, empty=False, p=p)


Profile = Callable[[float, Least], Least]


def _end(profile: Profile, best: Least, position: int, step: float, limit: float) -> float:
    """Outer end of the set on one side; infinite where the search does not find it."""
    centre = -float(best.weights[position])
    values = centre + step * np.sinh(np.linspace(0.0, REACH, POINTS))
    near, inside, outside = best, (centre, best), None
    for value in values[1:]:
        near = profile(float(value), near)
        if near.value <= limit:
            inside, outside = (float(value), near), None
        elif outside is None:
            outside = float(value)
        if near.value > FAR * limit:
            break
    if outside is None:
        return float("inf")
    within, known = inside
    return float(
        optimize.brentq(
            lambda value: profile(value, known).value - limit,
            within,
            outside,
            xtol=1e-4 * abs(step),
        )
        if profile(within, known).value < limit
        else within
    )


def rank_statistic(products: Products) -> float:
    """Least statistic of any combination of the endogenous variables alone.

    Below the limit, far out values of the coefficients are not rejected, and no set has ends.
    """
    n_d = products.total.shape[1] - 1
    found = []
    for held in range(n_d):
        start, free = np.zeros(n_d + 1), np.append(np.ones(n_d), 0.0)
        start[held], free[held] = 1.0, 0.0
        found.append(least(products, start, free).value)
    return min(found)
