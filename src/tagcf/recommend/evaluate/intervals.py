"""How sure a mean or a difference between two models is: over users, and over seeds where random.

The variance of a difference is that of its users' mean plus, for each model with several seeds,
that of its seeds' mean; degrees of freedom after Welch and Satterthwaite. Each user's figures are
averaged over seeds first, so that luck of training counts once. (The seeds' share contains some
of the users', which errs on the wide side.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from tagcf.types import Floats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its standard error and its interval; NaN where one user cannot tell."""

    mean: float
    se: float
    low: float
    high: float


def mean_interval(by_seed: Floats) -> Interval:
    """Interval of a mean over users.

    Parameters
    ----------
    by_seed
        (S, M) figure of each user under each seed of training.
    """
    return _interval(by_seed.mean(0), [by_seed])


def paired_interval(first: Floats, second: Floats) -> Interval:
    """Interval of the mean of first − second, the same M users in both: (S, M) and (S', M)."""
    return _interval(first.mean(0) - second.mean(0), [first, second])


def _interval(by_user: Floats, sides: list[Floats]) -> Interval:
    mean = float(by_user.mean()) if by_user.size else np.nan
    parts = [_variance_of_mean(by_user)]
    parts += [_variance_of_mean(side.mean(1)) for side in sides if len(side) > 1]
    variance = sum(part[0] for part in parts)
    if not np.isfinite(variance):
        return Interval(mean, np.nan, np.nan, np.nan)
    weight = sum(part[0] ** 2 / part[1] for part in parts)
    freedom = variance**2 / weight if weight > 0 else parts[0][1]
    se = float(np.sqrt(variance))
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * se
    return Interval(mean, se, mean - half, mean + half)


def _variance_of_mean(values: Floats) -> tuple[float, float]:
    """Variance of the mean, and its degrees of freedom."""
    if values.size < 2:
        return np.nan, 1.0
    return float(values.var(ddof=1)) / values.size, values.size - 1.0
