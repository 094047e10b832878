"""What is usual of segments like this one: a rate that depends on length, size, hour and offer.

A quasi-Poisson regression with a log link over all segments of the platform (McCullagh and Nelder
1989, ch. 9) with a level for every host, so that what hosts owe to themselves is not taken for the
size of their rooms. Only its slopes are used: levels come from the segments compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.hosts.between import FEWEST_INFORMED, variance_between
from tagcf.live.hosts.measures import Measured
from tagcf.live.rooms.segments import RoomSegments
from tagcf.types import Floats, Mask

ROUNDS, HALVINGS, LIMIT = 50, 30, 30.0
RIDGE = 4.0  # information of a slope before any data: a standard deviation of 0.5
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Usual:
    """Expected rates of segments and how well their slopes are known. G segments, P features."""

    rate: Floats  # (G,) expected, up to one factor
    features: Floats  # (G, P) standardised
    covariance: Floats  # (P, P) of the slopes, clusters are hosts
    vary: float | None = None  # variance between segments of one host, relative; None: not known


def describe_segments(segments: RoomSegments, viewers: Floats) -> Floats:
    """(G, P) what a segment cannot help: length, viewers at its start, hour, product, price."""
    hour = 2 * np.pi * (segments.start % DAY) / DAY
    selling = np.array([one is not None for one in segments.product_id], np.float64)
    price = np.where(selling > 0, np.log(np.maximum(np.nan_to_num(segments.price), 0.01)), np.nan)
    priced = np.isfinite(segments.price) & (selling > 0)
    level = float(price[priced].mean()) if priced.any() else 0.0
    return np.column_stack(
        [
            np.log(np.maximum(segments.end - segments.start, 1.0)),
            np.log1p(viewers),
            np.sin(hour),
            np.cos(hour),
            selling,
            segments.offer.astype(np.float64),
            np.where(priced, price - level, 0.0),
        ]
    )


def fit_usual(
    measured: Measured, described: Floats, host: NDArray[np.int64], chosen: Mask
) -> Usual:
    """Fit the slopes of one measure on the segments chosen.

    Parameters
    ----------
    described
        (G, P) as `describe_segments` gives them.
    host
        (G,) codes of hosts, whose segments are not independent of each other.
    """
    used = chosen & (measured.chance > 0)
    centre = described[used].mean(axis=0) if used.any() else np.zeros(described.shape[1])
    scale = described[used].std(axis=0) if used.any() else np.ones(described.shape[1])
    x = (described - centre) / np.where(scale > 1e-9, scale, 1.0)
    x = np.where(scale > 1e-9, np.clip(x, -4.0, 4.0), 0.0)
    codes, which = np.unique(host[used], return_inverse=True)
    sums = _Sums(x[used], measured.total[used], measured.chance[used], which, len(codes))
    beta, inverse = _solve(sums, float(measured.spread))
    mean, centred = sums.fitted(beta)
    scores = np.zeros((len(codes), x.shape[1]))
    np.add.at(scores, which, (sums.total - mean)[:, None] * centred)
    correction = len(codes) / max(len(codes) - 1, 1)
    level = np.log(max(float(sums.total.sum()), 0.5) / max(float(sums.chance.sum()), 1e-9))
    rate = np.exp(np.clip(level + x @ beta, -LIMIT, LIMIT))
    vary, informed = variance_between(sums.total, mean, float(measured.spread), len(codes))
    covariance = correction * inverse @ (scores.T @ scores) @ inverse
    return Usual(rate, x, covariance, vary if informed >= FEWEST_INFORMED else None)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Segments used, and their hosts. Levels of hosts are profiled out: they are always fitted."""

    x: Floats
    total: Floats
    chance: Floats
    host: NDArray[np.int64]
    hosts: int

    def fitted(self, beta: Floats) -> tuple[Floats, Floats]:
        """Means (n,) at the best level of each host, and features (n, P) less their mean there."""
        even = self.chance * np.exp(np.clip(self.x @ beta, -LIMIT, LIMIT))
        per_host = np.bincount(self.host, even, self.hosts)
        level = np.bincount(self.host, self.total, self.hosts) / np.maximum(per_host, 1e-300)
        mean = even * level[self.host]
        middle = np.zeros((self.hosts, self.x.shape[1]))
        np.add.at(middle, self.host, even[:, None] * self.x)
        middle /= np.maximum(per_host, 1e-300)[:, None]
        return mean, self.x - middle[self.host]

    def likelihood(self, beta: Floats) -> float:
        """Log likelihood of a Poisson variable with the levels profiled out."""
        mean, _ = self.fitted(beta)
        return float(self.total @ np.log(np.maximum(mean, 1e-300)))


def _solve(sums: _Sums, spread: float) -> tuple[Floats, Floats]:
    """Slopes by Newton's method, and the inverse of their information."""
    n = sums.x.shape[1]
    penalty = np.eye(n) * (RIDGE * spread)
    beta = np.zeros(n)
    best = sums.likelihood(beta)
    information = penalty
    for _ in range(ROUNDS):
        mean, centred = sums.fitted(beta)
        information = (centred * mean[:, None]).T @ centred + penalty
        move = np.linalg.solve(information, centred.T @ (sums.total - mean) - penalty @ beta)
        for _ in range(HALVINGS):
            there = beta + move
            gain = sums.likelihood(there) - float(there @ penalty @ there) / 2 - best
            if gain >= 0:
                break
            move /= 2
        if gain < 0:
            break
        beta, best = beta + move, best + gain
        if np.abs(move).max() < 1e-7:
            break
    inverse: Floats = np.asarray(np.linalg.inv(information), np.float64)
    return beta, inverse
