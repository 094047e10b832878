"""A Gaussian field over tags: how much tags that are alike tell of one another.

Mean and variances are learnt by maximum likelihood from estimates with errors (kriging with
measurement errors; Rasmussen and Williams 2006, chapters 2 and 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, stats

from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class Field:
    """What was learnt from the lenders. m lenders."""

    mean: float
    shares: Floats  # (3,) variance by parent, facet, meaning
    own: float  # variance of each tag's own
    stretch: float  # half-width of a 95% interval in standard deviations


def learn(estimate: Floats, noise: Floats, kernels: Sequence[Floats]) -> Field:
    """Learn mean and variances of the effects by maximum likelihood, and calibrate.

    Parameters
    ----------
    estimate, noise
        (m,) estimates and their variances.
    kernels
        (m, m) each, as in `Likeness`.
    """
    scale = float(np.median(noise)) + float(np.var(estimate))

    def minus_log_likelihood(logs: Floats) -> tuple[float, Floats]:
        return _minus_log_likelihood(np.exp(logs) * scale, estimate, noise, kernels)

    starts = [np.array([-2.0, -2.0, -2.0, -1.0]), np.array([-6.0, -6.0, -6.0, -1.0])]
    bounds = [(-12.0, 4.0)] * 4
    best = min(
        (optimize.minimize(minus_log_likelihood, x, jac=True, bounds=bounds) for x in starts),
        key=lambda one: float(one.fun),
    )
    variance = np.exp(best.x) * scale
    # Never below what could be there by chance: with few lenders none is seen too easily.
    chance = float(np.median(noise)) * np.sqrt(2 / estimate.size)
    variance[3] = max(variance[3], chance)
    cov = _covariance(variance, kernels, noise)
    mean, _ = _mean(linalg.cholesky(cov, lower=True), estimate)
    hidden = _when_hidden(cov, estimate)
    return Field(mean, variance[:3], float(variance[3]), _stretch(hidden))


def _minus_log_likelihood(
    variance: Floats, estimate: Floats, noise: Floats, kernels: Sequence[Floats]
) -> tuple[float, Floats]:
    """Value at the best mean, and the gradient (4,) by the logarithms of the variances."""
    factor = linalg.cholesky(_covariance(variance, kernels, noise), lower=True)
    _, residual = _mean(factor, estimate)
    half = linalg.solve_triangular(factor, np.eye(estimate.size), lower=True)
    inverse, weighted = half.T @ half, half.T @ residual
    gap = inverse - np.outer(weighted, weighted)
    slope = np.array([*(float((gap * kernel).sum()) for kernel in kernels), float(np.trace(gap))])
    value = float(np.log(np.diag(factor)).sum() + 0.5 * residual @ residual)
    return value, np.asarray(0.5 * variance * slope)


def _covariance(variance: Floats, kernels: Sequence[Floats], noise: Floats) -> Floats:
    shared = sum(share * kernel for share, kernel in zip(variance, kernels, strict=False))
    return np.asarray(shared + np.diag(variance[3] + noise))


def _mean(factor: Floats, estimate: Floats) -> tuple[float, Floats]:
    """Generalised least squares mean, and whitened residuals."""
    ones = linalg.solve_triangular(factor, np.ones_like(estimate), lower=True)
    values = linalg.solve_triangular(factor, estimate, lower=True)
    mean = float(ones @ values / (ones @ ones))
    return mean, np.asarray(values - mean * ones)


def _when_hidden(cov: Floats, estimate: Floats) -> Floats:
    """(m,) standardised errors of predicting each estimate from the others.

    In closed form with the mean re-estimated, too: Dubrule (1983).
    """
    m = estimate.size
    bordered = np.zeros((m + 1, m + 1))
    bordered[:m, :m], bordered[m, :m], bordered[:m, m] = cov, 1.0, 1.0
    inverse = linalg.inv(bordered)[:m, :m]
    return np.asarray((inverse @ estimate) / np.sqrt(np.diag(inverse)))


def _stretch(hidden: Floats) -> float:
    """The half-width that 95% of hidden tags stay within, never below that of a t.

    The t's degrees of freedom leave out the four variances that were learnt.
    """
    rank = min(int(np.ceil((1 - ALPHA) * (hidden.size + 1))), hidden.size)
    least = float(stats.t.ppf(1 - ALPHA / 2, hidden.size - 4))
    return max(float(np.sort(np.abs(hidden))[rank - 1]), least)


def predict(
    field: Field,
    estimate: Floats,
    noise: Floats,
    kernels: Sequence[Floats],
    across: Sequence[Floats],
) -> tuple[float, float, Floats]:
    """Mean, variance and weights (m,) of the prediction for a tag outside the lenders.

    Parameters
    ----------
    across
        (m,) kernels of the tag with the lenders.
    """
    variance = np.append(field.shares, field.own)
    cov = _covariance(variance, kernels, noise)
    shared = np.asarray(sum(s * k for s, k in zip(field.shares, across, strict=True)))
    inverse = linalg.inv(cov)
    ones = np.ones(estimate.size)
    total = float(ones @ inverse @ ones)
    missing = 1.0 - float(shared @ inverse @ ones)
    weights = inverse @ (shared + ones * missing / total)  # sums to 1: universal kriging
    prior = float(field.shares.sum()) + field.own
    error = prior - float(shared @ inverse @ shared) + missing**2 / total
    return float(weights @ estimate), max(error, 1e-300), np.asarray(weights)
