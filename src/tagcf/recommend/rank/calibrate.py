"""Calibrated predictions: isotonic on rows that the prediction has not seen, and how far off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from tagcf.types import Floats

BINS = 1_000  # cells of the histogram that stands for the rows
REACH = 6.0  # deviations of the prediction that they span
LEVELS = 40  # groups of about equal weight that the regression is made of
REPORTED = 20  # groups of equal weight in the expected calibration error


@dataclass(frozen=True, slots=True)
class Curve:
    """A non-decreasing map, linear between its points, of slope one beyond them."""

    x: Floats  # (m,) increasing
    y: Floats  # (m,)
    low: float
    high: float

    def __call__(self, raw: ArrayLike) -> Floats:
        """Map raw predictions; the order of any two is kept or tied, beyond the ends kept."""
        values = np.asarray(raw, dtype=np.float64)
        if not self.x.size:
            return np.clip(values, self.low, self.high)
        mapped = np.interp(values, self.x, self.y)
        mapped += np.minimum(values - self.x[0], 0.0) + np.maximum(values - self.x[-1], 0.0)
        return np.clip(mapped, self.low, self.high)


@dataclass(slots=True)
class Bins:
    """Rows by their prediction, for one outcome: all that a curve needs."""

    edges: Floats  # (BINS - 1,)
    weight: Floats  # (BINS,)
    raw: Floats  # (BINS,) Σ w·prediction
    y: Floats  # (BINS,) Σ w·outcome

    @staticmethod
    def over(mean: float, spread: float) -> Bins:
        """Cells of equal width, as far as predictions of this mean and deviation reach."""
        inner = mean + max(spread, 1e-9) * np.linspace(-REACH, REACH, BINS - 1)
        return Bins(inner, *(np.zeros(BINS) for _ in range(3)))

    def add(self, raw: Floats, y: Floats, weight: Floats) -> None:
        """Add rows, in place."""
        cell = np.searchsorted(self.edges, raw, side="right")
        self.weight += np.bincount(cell, weight, self.y.size)
        self.raw += np.bincount(cell, weight * raw, self.y.size)
        self.y += np.bincount(cell, weight * y, self.y.size)

    def __add__(self, other: Bins) -> Bins:
        return Bins(self.edges, self.weight + other.weight, self.raw + other.raw, self.y + other.y)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How predictions of rows not seen agree with what happened.

    `error` is the expected calibration error (Naeini, Cooper and Hauskrecht 2015) of the
    calibrated prediction over groups of equal weight, `before` that of the raw one.
    """

    error: float
    before: float
    rows: float


def fit_curve(bins: Bins, low: float, high: float) -> Curve:
    """Isotonic regression on groups of cells, through the centre of each level.

    Levels are joined by lines (Jiang et al. 2011, "Smooth isotonic regression"), so that rankings
    keep their order within what pooling would tie.
    """
    if not bins.weight.any():
        return Curve(np.empty(0), np.empty(0), low, high)
    weight, raw, y = _grouped(bins, LEVELS)
    level = isotonic_regression(y / weight, weights=weight)
    starts = np.asarray(level.blocks)[:-1]
    mass = np.add.reduceat(weight, starts)
    x, height = np.add.reduceat(raw, starts) / mass, np.add.reduceat(y, starts) / mass
    keep = np.concatenate([[True], np.diff(x) > 1e-12])
    return Curve(x[keep], np.maximum.accumulate(height[keep]), low, high)


def _grouped(bins: Bins, n: int) -> tuple[Floats, Floats, Floats]:
    """Weight, prediction and outcome summed over at most n groups of about equal weight."""
    middle = np.cumsum(bins.weight) - 0.5 * bins.weight
    group = np.minimum((middle / bins.weight.sum() * n).astype(int), n - 1)
    sums = np.zeros((3, n))
    for at, one in enumerate((bins.weight, bins.raw, bins.y)):
        np.add.at(sums[at], group, one)
    some = sums[0] > 0
    return sums[0, some], sums[1, some], sums[2, some]


def calibrate(halves: Sequence[Bins], low: float, high: float) -> tuple[Curve, Calibration]:
    """The curve of both halves, unless curves do worse than the predictions as they are.

    On few rows a curve follows their noise: then predictions stay, within their bounds.
    """
    judged = calibration_of(halves, low, high)
    if judged.error > judged.before:
        none = np.empty(0)
        return Curve(none, none, low, high), replace(judged, error=judged.before)
    return fit_curve(halves[0] + halves[1], low, high), judged


def calibration_of(halves: Sequence[Bins], low: float, high: float) -> Calibration:
    """Judge each half by the curve of the other, in groups of about equal weight."""
    gaps, raws, total = 0.0, 0.0, 0.0
    for own, other in ((halves[0], halves[1]), (halves[1], halves[0])):
        curve = fit_curve(other, low, high)
        some = own.weight > 0
        if not some.any():
            continue
        said = np.zeros_like(own.y)
        said[some] = curve(own.raw[some] / own.weight[some]) * own.weight[some]
        calibrated = Bins(own.edges, own.weight, said, own.y)
        weight, told, y = _grouped(calibrated, REPORTED)
        gaps += float(np.abs(told - y).sum())
        raws += float(np.abs(_grouped(own, REPORTED)[1] - y).sum())
        total += float(weight.sum())
    scale = max(total, 1e-12)
    return Calibration(gaps / scale, raws / scale, total)
