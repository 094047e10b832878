"""Shrunken deviations of items and users: empirical Bayes, one axis at a time or crossed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.counterfactual.components import Components
from tagcf.counterfactual.sums import AxisSums, add_at, means, measured
from tagcf.types import EventLog, Floats

# Sweeps of the crossed fit end when no deviation moves by more than this share of the spread
# between users; each sweep reads the log twice.
_TOLERANCE = 1e-2
_MAX_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Deviations:
    """Shrunken deviations of one axis from the mean, and their posterior variances; (A, K)."""

    value: Floats
    variance: Floats


def noise_of_means(sums: AxisSums, noise: Floats, other: Floats) -> Floats:
    """Return the variance of each group's mean (A, K): its rows' noise, and the other axis'."""
    seen = sums.weight > 0
    weight = np.where(seen, sums.weight, 1.0)
    return np.where(seen, noise / weight + other * sums.pair_square / weight**2, np.inf)


def shrink(means: Floats, noise: Floats, spread: Floats) -> tuple[Floats, Deviations]:
    """Return the precision-weighted mean over groups, and each group's shrunken deviation from it.

    Parameters
    ----------
    means, noise
        (A, K) mean of a group and the variance of that mean; NaN, inf without rows.
    spread
        (K,) variance of the groups' true means.

    Returns
    -------
    tuple
        (K,) centre, and deviations (A + 1, K) whose last row is a group never seen.
    """
    seen = np.isfinite(noise)
    precision = np.where(seen, 1.0 / np.maximum(spread + noise, 1e-30), 0.0)
    total = precision.sum(0)
    filled = np.where(seen, means, 0.0)
    centre = np.divide(
        (precision * filled).sum(0), total, out=np.zeros_like(total), where=total > 0
    )
    kept = spread * precision  # share of a deviation that is not noise
    value = np.where(seen, kept * (filled - centre), 0.0)
    variance = spread * (1.0 - kept)
    return centre, Deviations(
        np.vstack([value, np.zeros_like(spread)]), np.vstack([variance, spread])
    )


def crossed(
    log: EventLog, items: AxisSums, users: AxisSums, components: Components
) -> tuple[Floats, Deviations, Deviations]:
    """Fit the crossed model by backfitting: its mean (K,), item and user deviations.

    The mean is collapsed into each step, without which the sweeps crawl (Ghosh, Hastie &
    Owen, "Backfitting for large scale crossed random effects regressions", Annals of
    Statistics 50, 2022).
    """
    item_noise = noise_of_means(items, components.noise, np.zeros_like(components.user))
    user_noise = noise_of_means(users, components.noise, np.zeros_like(components.item))
    mean, item = shrink(means(items), item_noise, components.item)
    user_value = np.zeros((len(log.users) + 1, len(mean)))
    if not np.any(components.user > 0):
        return mean, item, Deviations(user_value, np.zeros_like(user_value))
    for _ in range(_MAX_SWEEPS):
        seen = _other_axis(log, users, item.value, by_item=False)
        _, user = shrink(means(users) - seen, user_noise, components.user)
        seen = _other_axis(log, items, user.value, by_item=True)
        mean, item = shrink(means(items) - seen, item_noise, components.item)
        moved = np.abs(user.value - user_value).max(0)
        user_value = user.value
        if np.all(moved <= _TOLERANCE * np.sqrt(components.user)):
            break
    return (
        mean,
        _widen(item, items, components.item, user.variance),
        _widen(user, users, components.user, item.variance),
    )


def _widen(own: Deviations, sums: AxisSums, spread: Floats, others: Floats) -> Deviations:
    """Add what is not known of the other axis' members to the posterior variances.

    A BLUP keeps the share k of its group's mean, so that an error of variance v in each of
    the other axis' deviations adds k² v Σw²/(Σw)².
    """
    kept = np.divide(
        spread - own.variance, spread, out=np.zeros_like(own.variance), where=spread > 0
    )
    weight = np.where(sums.weight > 0, sums.weight, 1.0)
    concentration = np.vstack([sums.pair_square / weight**2, np.zeros_like(spread)])
    return Deviations(own.value, own.variance + kept**2 * concentration * others[:-1].mean(0))


def _other_axis(log: EventLog, sums: AxisSums, deviations: Floats, *, by_item: bool) -> Floats:
    """Return the mean deviation (A, K) of the other axis over the rows of each item (or user)."""
    total = np.zeros_like(sums.weight)
    for batch in log.batches():
        _, weights = measured(batch)
        code, other = (batch.item, batch.user) if by_item else (batch.user, batch.item)
        known = code >= 0
        # Index -1, an unknown user, reads the last row: deviation 0.
        add_at(total, code[known], weights[known] * deviations[other[known]])
    return np.divide(total, sums.weight, out=np.zeros_like(total), where=sums.weight > 0)
