"""One pass over the samples: level, spectrum, onsets and pitch of every hundredth of a second.

Ten seconds are worked on at a time, so that memory beyond the samples grows only by 28 bytes a
frame (10 MB an hour).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tagcf.tags.media.sound.pitch import LOOKS_AT, yin

Samples = NDArray[np.float32]

RATE = 16_000  # samples a second, as `Media.audio` gives them
HOP = 160  # samples from frame to frame: 10 ms
STEP = HOP / RATE
WINDOW = 512  # samples a spectrum is taken of: 32 ms
PITCH_EVERY = 2  # pitch is looked for in every second frame
BLOCK = 1000  # frames worked on at a time
QUIETEST = 1e-7  # power (-70 dBFS) of a band below which changes are no onsets
BANDS = 32
RISE = 2  # frames over which a rise of level counts as an onset: the overlap of windows
VOICE = (300.0, 3400.0)  # Hz: where vowels are loud and rumble is not


@dataclass(frozen=True, slots=True)
class SoundFrames:
    """What was measured of each frame; n frames `STEP` seconds apart."""

    power: NDArray[np.float32]  # (n,) mean square of the samples; full-scale square wave: 1
    voice_power: NDArray[np.float32]  # (n,) the share of it between 300 and 3400 Hz
    onset: NDArray[np.float32]  # (n,) rise of level, mean over mel bands, in decades of power
    centroid: NDArray[np.float32]  # (n,) Hz, mean frequency weighted by power
    flatness: NDArray[np.float32]  # (n,) geometric over arithmetic mean of the spectrum, 0..1
    pitch: NDArray[np.float32]  # (ceil(n / 2),) Hz, 0 where unvoiced; every second frame

    def __len__(self) -> int:
        return len(self.power)


def sound_frames(samples: Samples) -> SoundFrames:
    """Measure every frame of (m,) samples; what is shorter than a window is padded by silence."""
    parts = [_block(block, before) for block, before in _blocks(samples)]
    power, voice, onset, centroid, flatness, pitch = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return SoundFrames(power, voice, onset, centroid, flatness, pitch)


def _blocks(samples: Samples) -> Iterator[tuple[Samples, int]]:
    """Stretches of samples and how many of their first frames only serve the onsets."""
    frames = max(1, 1 + (len(samples) - WINDOW) // HOP)
    for start in range(0, frames, BLOCK):
        before = min(start, RISE)
        first, end = start - before, min(start + BLOCK, frames)
        needed = (end - 1 - first) * HOP + LOOKS_AT
        block = samples[first * HOP : first * HOP + needed]
        yield np.pad(block, (0, needed - len(block))), before


def _block(block: Samples, before: int) -> tuple[NDArray[np.float32], ...]:
    spectral = block[: len(block) - LOOKS_AT + WINDOW]
    frames = np.lib.stride_tricks.sliding_window_view(spectral, WINDOW)[::HOP]
    window, mel, frequency = _window(), _mel(), _frequency()
    spectrum = fft.rfft(frames * window, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    level = np.log10(np.maximum(power @ mel, QUIETEST))
    rise = np.zeros(len(level), np.float32)
    rise[RISE:] = np.maximum(level[RISE:] - level[:-RISE], 0).mean(axis=1)
    audible = power[:, 1:]
    total = audible.sum(axis=1) + np.float32(1e-20)
    band = (frequency >= VOICE[0]) & (frequency <= VOICE[1])
    flat = np.exp(np.log(audible + np.float32(1e-20)).mean(axis=1)) / (total / audible.shape[1])
    pitch = yin(block[before * HOP :], HOP * PITCH_EVERY)
    columns = (total, power[:, band].sum(axis=1), rise, audible @ frequency[1:] / total, flat)
    return (*(column[before:].astype(np.float32) for column in columns), pitch)


@cache
def _window() -> NDArray[np.float32]:
    """Hann window, scaled so that the power of the bins sums to the mean square."""
    window = np.hanning(WINDOW + 1)[:-1]
    scale = np.sqrt(2 / (WINDOW * (window**2).sum()))
    return np.asarray(window * scale, np.float32)


@cache
def _frequency() -> NDArray[np.float32]:
    return np.fft.rfftfreq(WINDOW, 1 / RATE).astype(np.float32)


@cache
def _mel() -> NDArray[np.float32]:
    """(257, 32) weights of triangular bands, evenly spaced on the mel scale (O'Shaughnessy)."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), BANDS + 2) / 2595) - 1)
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    frequency = _frequency()[:, None]
    rising, falling = (frequency - low) / (peak - low), (high - frequency) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
