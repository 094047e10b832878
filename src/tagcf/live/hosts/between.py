"""How far segments of one host vary beyond chance, as a variance of the ratio to what is expected.

Paule and Mandel's (1982) moment equation for a variance between groups, with squares that are cut
off as in Huber's (1981, ch. 5) proposal 2: a fifth of segments that stand out do not count as how
segments usually vary, so that they can still be told from the others.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, stats

from tagcf.types import Floats

CUT = 1.5  # standard deviations beyond which a segment counts no further
FEWEST_INFORMED = 3
WORTH = 10.0  # segments that the platform's variance counts for beside a host's own
MOST = 25.0  # variance of a ratio beyond which none is looked for
_USUAL = float(
    stats.norm.cdf(CUT)
    - stats.norm.cdf(-CUT)
    - 2 * CUT * stats.norm.pdf(CUT)
    + 2 * CUT**2 * stats.norm.sf(CUT)
)  # mean of the squares that are cut off, of a normal variable


def variance_between(
    total: Floats, expected: Floats, spread: float, levels: int
) -> tuple[float, int]:
    """Variance of segments' true ratios to what is expected, and how many segments tell of it.

    Parameters
    ----------
    total, expected
        (n,) counts and what they should be.
    spread
        Variance over mean of a count by chance.
    levels
        Means that were fitted to the same counts.
    """
    informed = expected >= spread  # fewer than one event's worth of information tells nothing
    n = int(informed.sum())
    if n < max(FEWEST_INFORMED, levels + 1):
        return 0.0, 0
    off = np.square(total[informed] / expected[informed] - 1.0)
    chance = spread / expected[informed]
    aim = _USUAL * (n - levels) / n

    def excess(variance: float) -> float:
        return float(np.minimum(off / (chance + variance), CUT**2).mean()) - aim

    if excess(0.0) <= 0:
        return 0.0, n
    if excess(MOST) >= 0:
        return MOST, n
    return float(optimize.brentq(excess, 0.0, MOST, xtol=1e-6)), n


def shrunk(own: float, informed: int, platform: float | None) -> float:
    """Variance of a host's segments, drawn towards the platform's where the host has few."""
    if platform is None:
        return own
    return (informed * own + WORTH * platform) / (informed + WORTH)
