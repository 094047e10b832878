"""A rate against a usual one: ratios with intervals for small counts and clustered viewers.

Counts are over-dispersed; an interval of one segment's rate is that of a Poisson count of so much
less information (Jeffreys' prior). What it is compared with has an error of its own, and the two
are put together by the distances to their limits (MOVER: Donner and Zou 2012).

Segments of one host vary without anything having happened. Against the host's own past, the
interval is therefore a prediction interval: of the ratio to one usual segment of the host, not to
their mean. Against peers it is that of the ratio to their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.live.hosts.answers import Against, Comparison, Lack
from tagcf.live.hosts.between import WORTH, shrunk, variance_between
from tagcf.live.hosts.measures import Measured
from tagcf.live.hosts.usual import Usual
from tagcf.live.hosts.visits import Viewing
from tagcf.types import Floats

FEWEST_VIEWERS = 8
FEWEST_SEGMENTS = 5  # to compare with
FEWEST_HOSTS = 4
FEWEST_EVENTS = 5.0  # behind what is compared with, over-dispersion taken off
NORMAL = float(stats.norm.ppf(0.975))
NOTHING = float("nan")


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with the limits of its 95% interval."""

    value: float
    centre: float  # of the interval; above 0 even where nothing happened
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Level:
    """The level that a segment is compared with: a factor on `Usual.rate`, on a log scale."""

    log: float
    reach: float  # half-width of its 95% interval; of a usual segment's, for the own past
    segments: int
    hosts: int


def rate_of(total: float, chance: float, spread: float) -> Rate:
    """Interval of a rate from an over-dispersed count."""
    k, unit = total / spread, spread / chance
    ends = unit * np.asarray(stats.gamma.ppf([0.025, 0.5, 0.975], k + 0.5))
    low, centre, high = ends.tolist()
    value = total / chance
    return Rate(
        value, value if k >= 1 else float(centre), float(low) if k > 0 else 0.0, float(high)
    )


def own_level(
    measured: Measured,
    usual: Usual,
    viewing: Viewing,
    rows: NDArray[np.int64],
    target: int,
) -> Level | Lack:
    """Level of a usual segment of the same host; clusters are viewers.

    Its reach holds the error of the mean and how far the host's segments vary beyond chance; where
    they are few, that is drawn towards what is usual on the platform.
    """
    rows = rows[measured.chance[rows] > 0]
    if len(rows) < FEWEST_SEGMENTS:
        return "segments"
    total = float(measured.total[rows].sum())
    if total / float(measured.spread) < FEWEST_EVENTS:
        return "events"
    expected = float((usual.rate * measured.chance)[rows].sum())
    factor = total / expected
    inside = np.isin(viewing.segment, rows)
    user, segment = viewing.user[inside], viewing.segment[inside]
    off = measured.num[inside] - factor * usual.rate[segment] * measured.den[inside]
    by_user = np.bincount(user, weights=off)
    error = max(float(np.square(by_user).sum()), total * float(measured.spread)) / total**2
    weight = (usual.rate * measured.chance)[rows] / expected
    error += _slopes_error(usual, target, rows, weight)
    spread = float(measured.spread)
    own, n = variance_between(measured.total[rows], weight * total, spread, 1)
    vary = shrunk(own, n, usual.vary) * (1.0 + float(np.square(weight).sum()))
    known = n - 1 + (0.0 if usual.vary is None else WORTH)
    quantile = float(stats.t.ppf(0.975, max(known, 1.0)))
    reach = float(np.hypot(NORMAL * np.sqrt(error), quantile * np.sqrt(vary)))
    return Level(float(np.log(factor)), reach, len(rows), 1)


def peer_level(
    measured: Measured,
    usual: Usual,
    host: NDArray[np.int64],
    weight: Floats,
    target: int,
) -> Level | Lack:
    """Level of other hosts' segments, weighted by how alike they are; clusters are hosts.

    Parameters
    ----------
    weight
        (G,) 0 where a segment is not compared with.
    target
        Row of the segment that is compared; -1: a whole host, alike in all.
    """
    rows = np.flatnonzero((weight > 0) & (measured.chance > 0))
    if len(rows) < FEWEST_SEGMENTS:
        return "segments"
    w = weight[rows]
    expected = w * (usual.rate * measured.chance)[rows]
    total = float((w * measured.total[rows]).sum())
    sampling = float(measured.spread) * float((w**2 * measured.total[rows]).sum())
    if sampling == 0 or total**2 / sampling < FEWEST_EVENTS:
        return "events"
    factor = total / float(expected.sum())
    _, which = np.unique(host[rows], return_inverse=True)
    share = np.bincount(which, weights=expected) / float(expected.sum())
    effective = 1.0 / float(np.square(share).sum())
    if len(share) < FEWEST_HOSTS or effective < FEWEST_HOSTS / 2:
        return "hosts"
    off = np.bincount(which, weights=w * measured.total[rows] - factor * expected)
    # Hosts with a large share fit themselves: CR2 for a weighted mean (Bell and McCaffrey 2002).
    error = float((np.square(off) / np.maximum(1 - share, 0.05)).sum())
    error = max(error, sampling) / total**2
    if target >= 0:
        error += _slopes_error(usual, target, rows, expected / expected.sum())
    quantile = float(stats.t.ppf(0.975, max(effective - 1, 1)))
    return Level(float(np.log(factor)), quantile * float(np.sqrt(error)), len(rows), len(share))


def _slopes_error(usual: Usual, target: int, rows: NDArray[np.int64], weight: Floats) -> float:
    """Variance that the slopes add where the target is not at the middle of its comparison."""
    away = usual.features[target] - weight @ usual.features[rows]
    return float(away @ usual.covariance @ away)


def compare(
    against: Against,
    rate: Rate,
    base: float,
    level: Level | Lack,
    viewers: int,
    *,
    alike: bool = True,
) -> Comparison:
    """Set a rate against `base` times the level; `side` and `q` are still open.

    Where nothing happened and nothing was to be expected, the ratio is not known, only that it lies
    between 0 and the upper limit.

    Parameters
    ----------
    base
        `Usual.rate` of the segment.
    """
    if not isinstance(level, Level):
        return _untold(against, level, alike=alike)
    usual = base * float(np.exp(level.log))
    if viewers < FEWEST_VIEWERS:
        return _untold(against, "viewers", usual, level, alike=alike)
    d = float(np.log(rate.centre / usual))
    below = NOTHING if rate.low == 0 else float(np.log(rate.centre / rate.low))
    low = -np.inf if rate.low == 0 else d - float(np.hypot(below, level.reach))
    high = d + float(np.hypot(np.log(rate.high / rate.centre), level.reach))
    reach = d - low if d > 0 else high - d
    p = 1.0 if not np.isfinite(reach) else 2 * float(stats.norm.sf(NORMAL * abs(d) / reach))
    ratio = NOTHING if rate.value == 0 and d > 0 else float(np.exp(d))
    ratios = (ratio, float(np.exp(low)), float(np.exp(high)))
    return Comparison(
        against, usual, *ratios, p, NOTHING, "cannot tell", "wide", level.segments, level.hosts,
        alike,
    )  # fmt: skip


def _untold(
    against: Against,
    lack: Lack,
    usual: float = NOTHING,
    level: Level | None = None,
    *,
    alike: bool,
) -> Comparison:
    segments, hosts = (0, 0) if level is None else (level.segments, level.hosts)
    return Comparison(
        against, usual, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, "cannot tell", lack,
        segments, hosts, alike,
    )  # fmt: skip
