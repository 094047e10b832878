"""All tags of an outcome at once: family-wise p-values and simultaneous intervals.

Multiplier bootstrap of max |t| over clusters (Chernozhukov, Chetverikov and Kato 2013): every
cluster's contribution to every coefficient is known from the fit; it is given a random sign, along
each axis of clusters, and the coefficients' moves are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.effects.multiplicity import ALPHA, false_discovery
from tagcf.types import Floats, Mask

DRAWS = 2_000
BLOCK = 500


@dataclass(frozen=True, slots=True)
class Simultaneous:
    """Of all told tags of an outcome; NaN elsewhere. T tags."""

    p: Floats  # (T,) family-wise
    low: Floats  # (T,)
    high: Floats  # (T,)


def multiplier_draws(moves: Sequence[Floats], seed: int, draws: int = DRAWS) -> Floats:
    """(draws, T) standardised moves of the coefficients under random signs of the clusters.

    Parameters
    ----------
    moves
        Per axis (G, T): what each cluster adds to the coefficients.
    """
    random = np.random.default_rng(seed)
    total = np.zeros((draws, moves[0].shape[1]), dtype=np.float32)
    for start in range(0, draws, BLOCK):
        some = slice(start, min(start + BLOCK, draws))
        for axis in moves:
            signs = random.integers(0, 2, (some.stop - start, axis.shape[0]), dtype=np.int8)
            total[some] += (2 * signs - 1).astype(np.float32) @ axis.astype(np.float32)
    spread = total.std(axis=0)
    return np.asarray(total / np.where(spread > 0, spread, 1.0), dtype=np.float64)


def simultaneous(
    estimate: Floats, se: Floats, df: Floats, told: Mask, draws: Floats
) -> Simultaneous:
    """Adjust p-values and intervals for all told tags being looked at together.

    A t with few degrees of freedom is put on the normal scale by its own p first, and the common
    critical value back on the scale of each t.
    """
    none = np.full(estimate.shape, np.nan)
    told = told & np.isfinite(estimate) & (se > 0)
    if not told.any():
        return Simultaneous(none, none.copy(), none.copy())
    largest = np.sort(np.abs(draws[:, told]).max(axis=1))
    own = stats.t.logsf(np.abs(estimate[told]) / se[told], df[told])
    z = -stats.norm.ppf(np.exp(own))
    p, low, high = none, none.copy(), none.copy()
    reached = largest.size - np.searchsorted(largest, z)
    p[told] = (1 + reached) / (1 + largest.size)
    critical = float(np.quantile(largest, 1 - ALPHA))
    half = stats.t.isf(stats.norm.sf(critical), df[told]) * se[told]
    low[told], high[told] = estimate[told] - half, estimate[told] + half
    return Simultaneous(p, low, high)


def by_dependent(p: Floats) -> Floats:
    """Adjusted p-values of Benjamini and Yekutieli (2001), valid under any dependence."""
    q = false_discovery(p)
    tests = int(np.isfinite(p).sum())
    return np.asarray(np.minimum(q * (1.0 / np.arange(1, max(tests, 1) + 1)).sum(), 1.0))
