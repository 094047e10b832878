"""Bursts of behaviour against a room's own usual rates, by comparing explanations.

For every window three explanations of its counts compete: the room as usual, wandering a little; a
flood of one behaviour alone, such as a lottery's danmaku; and a highlight, in which most behaviours
rise together. Counts are over-dispersed (negative binomial), what is usual is measured around the
window per viewer, and the score is the log odds of a highlight against all else. Who acts en masse
has hardly any weight (see `rooms.seconds`), nor has a crowd that merely arrives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.rooms.highlights import kernels
from tagcf.live.rooms.highlights.stretches import Stretch, stretches, usual
from tagcf.live.rooms.seconds import COUNTED, Seconds
from tagcf.types import Floats, Mask

RISES = np.array([1.5, 1.9, 2.4, 3.1, 4.0, 5.2])
FLOODS = np.array([2.5, 4.0, 6.5, 10.0, 16.0, 26.0])
WANDERS, CHANCES = np.array([0.8, 1.0, 1.25]), np.log([0.2, 0.55, 0.25])
LENGTHS = np.array([15, 20, 25, 30, 40, 50, 60, 75, 90])
# Clicks on products, carts and purchases rise with what is sold, seldom with the crowd's mood.
TAKES_PART = np.array([0.85] * 7 + [0.1] * 3)


@dataclass(frozen=True, slots=True)
class Bursts:
    """How bursts are found. Values and `threshold` were chosen on simulated worlds of seeds ≥ 100.

    Parameters
    ----------
    threshold
        Log odds from which on a burst is told.
    reach, gap, prior
        Of what is usual: seconds around a window that count, seconds next to it that do not, and
        the expected counts by which rare behaviours are drawn to all.
    dispersion
        k of the negative binomial: rates wander by ``1 / sqrt(k)``.
    flood
        Log chance of a flood of one behaviour against that of a highlight.
    apart
        Seconds between two bursts.
    """

    threshold: float = 6.0
    reach: float = 100.0
    gap: int = 25
    prior: float = 4.0
    dispersion: float = 10.0
    flood: float = -3.0
    apart: int = 10
    masked: float = 6.0  # log odds of what is left out of the usual, in the second round
    blur: float = 0.6  # edges are medians over windows weighted by odds to this power


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst in a room; epoch seconds."""

    room: int  # position in `Seconds.rooms`
    start: int
    end: int
    score: float  # log odds
    counts: Floats  # (B,) weighted counts of `COUNTED` in it
    expected: Floats  # (B,) what would have been usual

    @property
    def lift(self) -> Floats:
        """(B,) times the usual; where little is usual, drawn towards 1."""
        lift: Floats = (self.counts + 1) / (self.expected + 1)
        return lift


def find_bursts(seconds: Seconds, using: Bursts | None = None) -> tuple[Burst, ...]:
    """Find bursts in counted seconds, looking both ways in time; in the order of room and start."""
    using = using or Bursts()
    found: list[Burst] = []
    for stretch in stretches(seconds):
        found += _in_stretch(stretch, using)
    return tuple(sorted(found, key=lambda one: (one.room, one.start)))


def _in_stretch(stretch: Stretch, using: Bursts) -> list[Burst]:
    none = np.zeros(len(stretch), np.bool_)
    expected = usual(stretch, none, using.reach, using.gap, using.prior)
    _, rise = _weigh(stretch, expected, using)
    marked = none.copy()
    for start, end, _ in _separate(rise, using.masked, using.apart):
        marked[max(0, start - 3) : end + 3] = True
    if marked.any():
        expected = usual(stretch, marked, using.reach, using.gap, using.prior)
    score, rise = _weigh(stretch, expected, using)
    return [
        _burst(stretch, expected, rise, window, using)
        for window in _separate(score, using.threshold, using.apart)
    ]


def _weigh(
    stretch: Stretch, expected: Floats, using: Bursts
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(L, T) log odds of a highlight against all else, and against the room as usual."""
    score = np.full((len(LENGTHS), len(stretch)), kernels.NOTHING)
    rise = score.copy()
    kernels.weigh(
        _running(stretch.counts),
        _running(expected),
        LENGTHS,
        TAKES_PART,
        np.full(len(COUNTED), using.dispersion),
        RISES,
        FLOODS,
        WANDERS,
        CHANCES,
        using.flood,
        score,
        rise,
    )
    return score, rise


def _running(columns: Floats) -> Floats:
    return np.concatenate([np.zeros((1, columns.shape[1])), columns.cumsum(axis=0)])


def _separate(
    score: NDArray[np.float32], threshold: float, apart: int
) -> list[tuple[int, int, float]]:
    """Start, end and score of the best windows that do not meet, best first."""
    left = score.copy()
    best, which = left.max(axis=0), left.argmax(axis=0)
    found: list[tuple[int, int, float]] = []
    while best[t := int(best.argmax())] >= threshold:
        start, end = t, t + int(LENGTHS[which[t]])
        found.append((start, end, float(best[t])))
        for i, length in enumerate(LENGTHS.tolist()):
            left[i, max(0, start - apart - length + 1) : end + apart] = kernels.NOTHING
        near = slice(max(0, start - apart - int(LENGTHS[-1])), end + apart)
        best[near], which[near] = left[:, near].max(axis=0), left[:, near].argmax(axis=0)
    return found


def _burst(
    stretch: Stretch,
    expected: Floats,
    rise: NDArray[np.float32],
    window: tuple[int, int, float],
    using: Bursts,
) -> Burst:
    """Give a window its edges: medians over all windows that meet it, weighted by their odds."""
    first, last, score = window
    starts = np.arange(max(0, first - 40), min(last, rise.shape[1]))
    ends = starts[None, :] + LENGTHS[:, None]
    odds = using.blur * rise[:, starts].astype(np.float64)
    odds[(ends <= first) | (ends > last + 40)] = -np.inf
    weight = np.exp(odds - odds.max())
    start = _weighted_median(starts, weight.sum(axis=0))
    end = max(_weighted_median(ends.ravel(), weight.ravel()), start + 10)
    inside = slice(start, end)
    return Burst(
        stretch.room,
        stretch.start + start,
        stretch.start + end,
        score,
        stretch.counts[inside].sum(axis=0),
        expected[inside].sum(axis=0),
    )


def _weighted_median(values: NDArray[np.int64], weight: Floats) -> int:
    order = np.argsort(values, kind="stable")
    reached = weight[order].cumsum()
    return int(values[order][np.searchsorted(reached, 0.5 * reached[-1])])


def bursting(bursts: tuple[Burst, ...], room: int, at: Floats) -> Mask:
    """(n,) whether a room is in one of its bursts at these times."""
    inside = np.zeros(len(at), np.bool_)
    for one in bursts:
        if one.room == room:
            inside |= (at >= one.start) & (at < one.end)
    return inside
