"""How often a count would come by chance, looked at every second.

Counts are mixed Poisson: the rate is a gamma variable, of a mean from the room's own past and a
spread from how little is known of it and how much rates wander. A window is judged whenever an
event ends it. The expected number of such ends, in an hour, at which the window holds n events or
more is exact (the Palm formula): the rate of events times the chance of n - 1 others, under the
rate's distribution weighted by the rate itself, which is a gamma of one more in shape. No further
correction for looking every second is needed, however windows overlap.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from tagcf.types import Floats

HOUR = 3600.0


def rises_an_hour(count: Floats, expected: Floats, shape: Floats, window: Floats) -> Floats:
    """(n,) times an hour that an event ends a window of `count` events or more, by chance.

    Parameters
    ----------
    expected, shape
        Mean of the window's count, and shape of the gamma variable that its rate is.
    window
        Seconds.
    """
    others = np.maximum(count - 1.0, 0.0)
    more = shape + 1.0
    share = _at_least(others, expected * more / shape, more)
    times: Floats = expected / window * HOUR * share
    return times


def falls_an_hour(count: Floats, expected: Floats, shape: Floats, every: float) -> Floats:
    """(n,) at most so many times an hour is a count this low by chance, looked at every so often.

    Windows that overlap are counted as if they did not (Boole), which is on the safe side.
    """
    at_most: Floats = np.asarray(
        1.0 - _at_least(np.floor(count) + 1.0, expected, shape), np.float64
    )
    return at_most * HOUR / every


def _at_least(count: Floats, mean: Floats, shape: Floats) -> Floats:
    """Chance that a negative binomial variable is `count` or more."""
    mean = np.maximum(mean, 1e-12)
    more = np.asarray(special.betainc(np.maximum(count, 1e-12), shape, mean / (mean + shape)))
    share = more.astype(np.float64)
    certain: Floats = np.where(count <= 0, 1.0, share)
    return certain
