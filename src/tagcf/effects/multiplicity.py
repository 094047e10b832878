"""Hundreds of tags are hundreds of tests: false discovery and shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats
from scipy.special import ndtr

from tagcf.types import Floats

ALPHA = 0.05
SPOTS = np.exp(np.concatenate([[0.0], np.linspace(1e-3, 12.0, 300)]))  # where the bias may lie
FEWEST_TO_LEARN_FROM = 3  # with fewer tags nothing is shrunken


def false_discovery(p: Floats) -> Floats:
    """Adjusted p-values of Benjamini and Hochberg (1995); NaN stays NaN and is not counted.

    Parameters
    ----------
    p
        (m,) p-values of one family.
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    if not known.size:
        return q
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * order.size / np.arange(1, order.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


@dataclass(frozen=True, slots=True)
class Target:
    """What estimates are shrunken towards, with its own error. Tags by position."""

    value: Floats  # (m,)
    se: Floats  # (m,)


def claims_level(claims: int, tests: int) -> float:
    """Level at which intervals of picked tags cover 95% of them, whatever rule picked them.

    ``.05 · claims / tests``: false coverage rate of Benjamini and Yekutieli (2005).
    """
    return ALPHA * max(claims, 1) / max(tests, 1)


def shrink(
    estimate: Floats, se: Floats, target: Target | None = None, level: float = ALPHA
) -> tuple[Floats, Floats, Floats]:
    """Empirical-Bayes estimates with intervals that hold whatever the effects' distribution.

    Effects are taken as drawn around `target` with an unknown variance, estimated by maximum
    likelihood. The interval is that of Armstrong, Kolesár and Plagborg-Møller (2022, section 2,
    second moment only): it covers 95% on average over the tags without assuming normal effects.
    The error of the target goes into the interval; estimates are taken to be parts of it, so that
    what they deviate by has the variance ``se² - target.se²`` (Hausman 1978).

    Parameters
    ----------
    estimate, se
        (m,) estimates and standard errors; NaN where there is none.
    target
        0 without error unless given.
    level
        The intervals cover all but this share.

    Returns
    -------
    shrunk, low, high
        (m,) each.
    """
    zero = np.zeros_like(estimate)
    target = target or Target(zero, zero)
    known = np.isfinite(estimate) & np.isfinite(se) & (se > 0)
    known &= np.isfinite(target.value) & np.isfinite(target.se)
    shrunk, low, high = (np.full(estimate.shape, np.nan) for _ in range(3))
    if known.sum() < FEWEST_TO_LEARN_FROM:
        half = stats.norm.ppf(1 - level / 2) * se
        return estimate.copy(), estimate - half, estimate + half
    centre, own = target.value[known], target.se[known] ** 2
    gap = estimate[known] - centre
    noise = np.maximum(se[known] ** 2 - own, 0.1 * se[known] ** 2)
    spread = max(_spread(gap, noise), 1e-4 * float(np.median(noise)))
    weight = spread / (spread + noise)
    error = own + weight**2 * noise
    shrunk[known] = centre + weight * gap
    half = critical_value((1 - weight) ** 2 * spread / error, level) * np.sqrt(error)
    low[known], high[known] = shrunk[known] - half, shrunk[known] + half
    return shrunk, low, high


def _spread(gap: Floats, noise: Floats) -> float:
    """Variance of the effects by maximum likelihood, corrected upwards for being estimated."""

    def minus_log_likelihood(log_spread: float) -> float:
        total = np.exp(log_spread) + noise
        return float(0.5 * np.sum(np.log(total) + gap**2 / total))

    scale = float(np.log(np.mean(noise)))
    best = optimize.minimize_scalar(
        minus_log_likelihood, bounds=(scale - 9.0, scale + 9.0), method="bounded"
    )
    spread = float(np.exp(best.x))
    # Positive lower bound as in their section 3.2: twice the mean weighted noise, per tag.
    weights = 1.0 / noise
    floor = 2 * np.sum(weights**2 * noise**2) / (np.sum(weights) * np.sum(weights * noise))
    return max(spread, float(floor))


def critical_value(bias: Floats, level: float = ALPHA) -> Floats:
    """Half-width, in standard errors, that covers all but `level` for the worst such bias.

    Parameters
    ----------
    bias
        (m,) its mean square, in squared standard errors.
    """
    grid, values = _critical_table(float(f"{level:.3g}"))
    clipped = np.clip(bias, np.exp(grid[0]), np.exp(grid[-1]))
    return np.asarray(np.interp(np.log(clipped), grid, values))


@lru_cache(maxsize=256)
def _critical_table(level: float) -> tuple[Floats, Floats]:
    grid = np.linspace(np.log(1e-3), np.log(1e4), 81)
    return grid, np.array([_critical(float(np.exp(at)), level) for at in grid])


def _critical(bias: float, level: float) -> float:
    """Solve for the half-width; the worst case has two points, one of them 0 (Lemma B.2)."""

    def excess(half: float) -> float:
        spots = bias * SPOTS
        root = np.sqrt(spots)
        missed = ndtr(-half - root) + ndtr(root - half)
        at_zero = 2 * ndtr(-half)
        return float(np.max(at_zero + (bias / spots) * (missed - at_zero))) - level

    upper = 10.0 + 5.0 * np.sqrt(bias)
    while excess(upper) > 0:
        upper *= 2
    return float(optimize.brentq(excess, 1.0, upper))
