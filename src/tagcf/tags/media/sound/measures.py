"""All that is measured of a sound without any weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.tags.media.sound.loudness import loudness
from tagcf.tags.media.sound.prosody import Prosody, prosody
from tagcf.tags.media.sound.spectrum import RATE, STEP, Samples, SoundFrames, sound_frames
from tagcf.tags.media.sound.tempo import Tempo, onsets, tempo

SILENT_DBFS = -50.0  # tenths of a second below this are silence


@dataclass(frozen=True, slots=True)
class SoundMeasures:
    """Measures of a whole sound. Levels are relative to full scale (dBFS)."""

    duration_s: float
    rms_dbfs: float
    peak_dbfs: float
    level_range_db: float  # 5th to 95th percentile of the tenths of a second that are not silent
    loudness_lufs: float | None  # EBU R 128 gating; None: nothing louder than -70 LUFS
    loudness_range_lu: float | None  # EBU Tech 3342; None: shorter than 3 s
    silence_share: float  # of the time below -50 dBFS, 0..1
    tempo: Tempo | None
    onsets_per_s: float
    brightness_hz: float  # mean frequency, weighted by power
    flatness: float  # 0 tone … 1 white noise, mean weighted by power
    voice: Prosody  # of all that sounds, speech or not


@dataclass(frozen=True, slots=True)
class Heard:
    """A sound measured: the frames, for those who look at a part, and the whole."""

    frames: SoundFrames
    measures: SoundMeasures


def measure_sound(samples: Samples) -> Heard:
    """Measure (n,) mono samples in -1..1, 16,000 a second.

    Takes time in proportion to their number, and beside them memory of a ten-second block and
    28 bytes for each hundredth of a second.
    """
    frames = sound_frames(samples)
    loud = loudness(samples, RATE)
    audible = loud.tenths[loud.tenths > SILENT_DBFS]
    low, high = np.percentile(audible, [5, 95]) if len(audible) else (0.0, 0.0)
    measures = SoundMeasures(
        duration_s=len(samples) / RATE,
        rms_dbfs=loud.rms,
        peak_dbfs=loud.peak,
        level_range_db=float(high - low),
        loudness_lufs=loud.integrated,
        loudness_range_lu=loud.range,
        silence_share=1 - len(audible) / max(len(loud.tenths), 1),
        tempo=tempo(frames.onset, STEP),
        onsets_per_s=len(onsets(frames.onset, STEP)) / max(len(frames) * STEP, STEP),
        brightness_hz=_weighted(frames.centroid, frames.power),
        flatness=_weighted(frames.flatness, frames.power),
        voice=prosody(frames),
    )
    return Heard(frames, measures)


def _weighted(values: NDArray[np.float32], power: NDArray[np.float32]) -> float:
    total = float(power.sum(dtype=np.float64))
    return float((values * power).sum(dtype=np.float64)) / total if total > 1e-12 else 0.0
