"""How somebody speaks: pitch, its movement, and syllables a second.

Syllables are counted as their nuclei (de Jong and Wempe 2009, "Praat script to detect syllable
nuclei"): peaks of the level that stand 2 dB above the dips beside them, within 25 dB of the
loudest, and voiced. Pauses of 0.3 s and more are no speaking time. The count is of sounds that
rise and fall, whoever makes them: it is a rate of *speech* only where somebody speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, uniform_filter1d

from tagcf.tags.media.sound.loudness import decibels
from tagcf.tags.media.sound.spectrum import PITCH_EVERY, STEP, SoundFrames
from tagcf.types import Floats, Mask

DIP_DB = 2.0  # how far a nucleus stands above the dips beside it
DIP_WITHIN_S = 2.0
RANGE_DB = 25.0  # how far below the loudest it may be
LOUDEST = 99  # percentile of the level taken as the loudest
SILENT_DBFS = -70.0
PAUSE_S = 0.3
NUCLEI_APART_S = 0.08
SMOOTH_S = 0.05
LEAST_VOICED = 5  # frames, of 20 ms, below which nothing is said of the pitch
LEAST_VOICING = 0.35  # share below which voicing was not heard well enough to count by
LEAST_S = 1.0  # speaking time below which nothing is said of its rate

Span = tuple[float, float]  # from and to, seconds


@dataclass(frozen=True, slots=True)
class Prosody:
    """How it sounds where it sounds."""

    sounding_s: float  # seconds, pauses of 0.3 s and more left out
    voiced_share: float  # of the sounding time
    pitch_hz: float | None  # median of the voiced frames; None: too few
    pitch_spread: float | None  # semitones from the 10th to the 90th percentile
    syllables_per_s: float | None  # nuclei per second of sounding time; None: cannot tell


def prosody(frames: SoundFrames, spans: Sequence[Span] | None = None) -> Prosody:
    """Measure the frames within spans; without spans all of them."""
    inside = covered(spans, len(frames)) if spans is not None else np.ones(len(frames), bool)
    if not inside.any():
        return Prosody(0.0, 0.0, None, None, None)
    level = _level(frames.power)
    sounding = _without_short_gaps(level > _floor(level[inside])) & inside
    voiced = np.repeat(frames.pitch > 0, PITCH_EVERY)[: len(frames)]
    seconds = float(sounding.sum() * STEP)
    pitch = frames.pitch[(frames.pitch > 0) & sounding[::PITCH_EVERY]]
    low, middle, high = (
        np.percentile(pitch, [10, 50, 90]) if len(pitch) >= LEAST_VOICED else (0.0, 0.0, 0.0)
    )
    from scipy.signal import find_peaks  # a second to load

    vowels = _level(frames.voice_power)
    peaks = find_peaks(
        vowels,
        height=_floor(vowels[inside]),
        prominence=DIP_DB,
        wlen=round(DIP_WITHIN_S / STEP),
        plateau_size=(None, round(DIP_WITHIN_S / STEP) // 2),  # a level that stays is no peak
        distance=round(NUCLEI_APART_S / STEP),
    )[0]
    nuclei = int((voiced & inside)[peaks].sum())
    share = float((voiced & sounding).sum() / max(sounding.sum(), 1))
    countable = seconds >= LEAST_S and share >= LEAST_VOICING
    return Prosody(
        sounding_s=seconds,
        voiced_share=share,
        pitch_hz=float(middle) or None,
        pitch_spread=float(12 * np.log2(high / low)) if low else None,
        syllables_per_s=nuclei / seconds if countable else None,
    )


def covered(spans: Sequence[Span], frames: int) -> Mask:
    """Which frames lie in a span."""
    inside = np.zeros(frames, bool)
    for start, end in spans:
        inside[round(start / STEP) : round(end / STEP)] = True
    return inside


def _level(power: NDArray[np.float32]) -> Floats:
    """Level in dBFS, smoothed over 50 ms."""
    return decibels(uniform_filter1d(power.astype(np.float64), round(SMOOTH_S / STEP)))


def _floor(level: Floats) -> float:
    return max(float(np.percentile(level, LOUDEST)) - RANGE_DB, SILENT_DBFS)


def _without_short_gaps(sounding: Mask) -> Mask:
    width = round(PAUSE_S / STEP)
    padded = np.pad(sounding, width)
    closed: NDArray[np.bool_] = binary_closing(padded, np.ones(width, bool))
    return closed[width:-width]
