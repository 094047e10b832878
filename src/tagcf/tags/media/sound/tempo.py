"""Tempo and density of onsets from how onset strength repeats itself.

The onset strength of windows of twelve seconds is correlated with itself; the lag that repeats
best, weighted by how usual its tempo is (Ellis 2007, "Beat tracking by dynamic programming",
section 3.2), is the beat. A pulse that repeats every half second repeats every second, too: which
of the two a listener would tap is a matter of taste. The one nearer to 120 beats a minute is
given, and the runner-up of half or double tempo beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from tagcf.types import Floats

SLOWEST, FASTEST = 40.0, 220.0  # beats a minute looked for
USUAL, OCTAVES = 120.0, 1.0  # middle and width of the weight that tempos get
WINDOW_S, EVERY_S = 12.0, 6.0
SHORTEST_S = 4.0  # sounds below this have no tempo
LOCAL_S = 1.0  # onsets stand out from the mean of this time
ONSET = 0.1  # decades of power, mean over bands, that an onset must stand out by
WEAK = 0.02  # what stands out by less is no rhythm
BLUR = 2.0  # frames: beats are not placed to 10 ms
APART_S = 0.06  # onsets nearer than this are one
WINDOWS_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class Tempo:
    """The beat of a sound."""

    bpm: float  # beats a minute
    other_bpm: float | None  # half or double of it, if that repeats at least half as well
    confidence: float  # 0..1: correlation of the onset strength with itself, one beat later


def tempo(onset: NDArray[np.float32], step: float) -> Tempo | None:
    """Find the beat in (n,) onset strengths `step` seconds apart; None where nothing repeats."""
    if len(onset) * step < SHORTEST_S:
        return None
    repeats = _repeats(onset, step)
    lags = np.arange(len(repeats))
    first, last = int(60 / FASTEST / step), min(int(60 / SLOWEST / step) + 1, len(lags) // 2 - 1)
    inside = lags[first : last + 1]
    bpm = 60 / (inside * step)
    usual = np.exp(-0.5 * (np.log2(bpm / USUAL) / OCTAVES) ** 2)
    scores = (repeats[inside] + 0.5 * repeats[2 * inside]) / 1.5 * usual
    best = int(inside[scores.argmax()])
    confidence = float(np.clip(repeats[best - 1 : best + 2].max(), 0, 1))
    if confidence <= 0:
        return None
    period = _refined(repeats, best) * step
    octaves = [lag for lag in (round(best / 2), best * 2) if first <= lag <= last]
    also = [lag for lag in octaves if repeats[lag - 1 : lag + 2].max() >= 0.5 * confidence]
    other = max(also, key=lambda lag: float(scores[lag - first]), default=None)
    factor = None if other is None else (2.0 if other < best else 0.5)
    return Tempo(60 / period, factor and 60 / period * factor, confidence)


def onsets(onset: NDArray[np.float32], step: float) -> NDArray[np.intp]:
    """Frames at which something begins to sound."""
    from scipy.signal import find_peaks  # a second to load

    apart = max(1, round(APART_S / step))
    return find_peaks(_standing_out(onset, step), height=ONSET, distance=apart)[0]


def _standing_out(onset: NDArray[np.float32], step: float) -> Floats:
    """Onset strength above its mean of one second."""
    exact = onset.astype(np.float64)
    return np.asarray(exact - uniform_filter1d(exact, round(LOCAL_S / step)))


def _repeats(onset: NDArray[np.float32], step: float) -> Floats:
    """Correlation of the onset strength with itself by lag, mean over windows, 1 at lag 0.

    A window counts by its energy; lags that fewer products fall on are made up for.
    """
    above = _standing_out(onset, step)
    above = gaussian_filter1d(np.where(above > WEAK, above, 0), BLUR)
    size = min(round(WINDOW_S / step), len(above))
    windows = np.lib.stride_tricks.sliding_window_view(above, size)[:: round(EVERY_S / step)]
    transform = fft.next_fast_len(2 * size, real=True)
    total, energy = np.zeros(size), 0.0
    for start in range(0, len(windows), WINDOWS_AT_A_TIME):
        part = windows[start : start + WINDOWS_AT_A_TIME]
        centred = part - part.mean(axis=1, keepdims=True)
        power = np.abs(fft.rfft(centred, transform, axis=1)) ** 2
        total += fft.irfft(power, transform, axis=1)[:, :size].sum(axis=0)
        energy += float((centred**2).sum())
    if not energy:
        return total
    repeats = total / energy * size / (size - np.arange(size))
    return np.asarray(repeats[: size * 3 // 4])


def _refined(repeats: Floats, lag: int) -> float:
    """Lag in fractions of a step: from the highest multiple of it that still repeats well."""
    best = _peak(repeats, lag)
    for multiple in (2, 3, 4):
        near = round(best * multiple)
        if near + multiple + 1 >= len(repeats):
            break
        around = repeats[near - multiple : near + multiple + 1]
        place = near - multiple + int(around.argmax())
        if repeats[place] < 0.5 * repeats[lag]:
            break
        best = _peak(repeats, place) / multiple
    return best


def _peak(values: Floats, place: int) -> float:
    """Top of the parabola through three neighbours."""
    if not 0 < place < len(values) - 1:
        return float(place)
    left, middle, right = values[place - 1 : place + 2]
    curve = left - 2 * middle + right
    return place + (float(np.clip((left - right) / (2 * curve), -0.5, 0.5)) if curve < 0 else 0.0)
