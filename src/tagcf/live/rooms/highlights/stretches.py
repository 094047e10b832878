"""A room's time on air as dense arrays, and what is usual in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from tagcf.live.rooms.seconds import COUNTED, Seconds
from tagcf.types import Floats, Mask

PAUSE = 120  # seconds without anybody that end a stretch
SHORTEST = 180  # seconds of a stretch that are too few to know what is usual


@dataclass(frozen=True, slots=True)
class Stretch:
    """One room on air without a long pause; T seconds, B of `COUNTED`."""

    room: int
    start: int  # epoch second
    counts: Floats  # (T, B) weighted
    viewers: Floats  # (T,)

    def __len__(self) -> int:
        return len(self.viewers)


def stretches(seconds: Seconds) -> Iterator[Stretch]:
    """Cut counted seconds where rooms pause."""
    if len(seconds) == 0:
        return
    new = (np.diff(seconds.room) != 0) | (np.diff(seconds.second) > PAUSE)
    for rows in np.split(np.arange(len(seconds)), np.flatnonzero(new) + 1):
        start = int(seconds.second[rows[0]])
        length = int(seconds.second[rows[-1]]) - start + 1
        if length < SHORTEST:
            continue
        at = seconds.second[rows] - start
        counts, viewers = np.zeros((length, len(COUNTED))), np.zeros(length)
        counts[at] = seconds.weighted[rows]
        viewers[at] = seconds.viewers[rows]
        yield Stretch(int(seconds.room[rows[0]]), start, counts, viewers)


def usual(stretch: Stretch, burst: Mask, reach: float, gap: int, prior: float) -> Floats:
    """(T, B) counts that are to be expected of these viewers around that time.

    Rates per viewer are smoothed by a normal kernel of standard deviation `reach` seconds, without
    the nearest `gap` seconds on both sides and without what `burst` (T,) marks. Each behaviour's
    is drawn to that of all together by `prior` expected counts, and that to the stretch's mean:
    an empirical Bayes estimate of a Gamma-Poisson rate at both steps.
    """
    kept = (~burst).astype(np.float64)
    counts, viewers = stretch.counts * kept[:, None], stretch.viewers * kept
    mean = counts.sum(axis=0) / max(float(viewers.sum()), 1.0)
    expected = stretch.viewers[:, None] * mean + 1e-9
    x = np.arange(-int(3 * reach), int(3 * reach) + 1)
    kernel = np.exp(-0.5 * (x / reach) ** 2)
    kernel[np.abs(x) < gap] = 0
    around = _smooth(counts, kernel)
    ought = _smooth(expected * kept[:, None], kernel)
    level = (around.sum(axis=1) + prior) / (ought.sum(axis=1) + prior)
    own = (around + prior * level[:, None]) / (ought + prior)
    rates: Floats = expected * own
    return rates


def _smooth(columns: Floats, kernel: Floats) -> Floats:
    """Convolve columns (T, B) along time; as long as they were, whatever the kernel's length."""
    full = fftconvolve(columns, kernel[:, None], mode="full", axes=0)
    begin = len(kernel) // 2
    smooth: Floats = np.maximum(full[begin : begin + len(columns)], 0.0)
    return smooth
