"""Tempo and pitch of sounds of known truth; writes ``benchmarks/results/sound.json``.

Clicks and tones lie in white noise (30 dB below a click's peak). Time is of one minute of clicks,
a babbling voice and noise, one thread, beside librosa in the same run, with the same windows, hops
and bands. ``all_measures`` is all that TagCF takes of a sound, tempo and pitch among it. The hour
is an hour of the same in one piece::

    OMP_NUM_THREADS=1 python -m benchmarks.sound
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import measure, run_child
from benchmarks.record import shared_data, write_result
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.kind import kinds_of
from tagcf.tags.media.sound.measures import measure_sound
from tagcf.tags.media.sound.pitch import LOOKS_AT, yin
from tagcf.tags.media.sound.spectrum import RATE, STEP, sound_frames
from tagcf.tags.media.sound.tempo import tempo
from tagcf.tags.media.sound.voice import speech_probability

BENCH_PYTHON = Path(__file__).resolve().parents[1] / ".venv-bench" / "bin" / "python"
REPEATS = 3
TEMPOS = (45, 60, 75, 90, 96, 110, 120, 128.5, 140, 150, 170)
PITCHES = (70, 110, 165, 220, 330, 440, 660, 880)

Sound = NDArray[np.float32]


def seconds(duration: float) -> NDArray[np.float64]:
    """Times of the samples."""
    return np.arange(round(duration * RATE)) / RATE


def clicks(bpm: float, duration: float) -> NDArray[np.float64]:
    """Blips of 50 ms, so many a minute."""
    blip = 0.5 * np.sin(2 * np.pi * 1000 * seconds(0.05)) * np.exp(-seconds(0.05) / 0.006)
    sound = np.zeros(round(duration * RATE))
    for beat in np.arange(0.3, duration - 0.1, 60 / bpm):
        sound[round(beat * RATE) :][: len(blip)] += blip
    return sound


def made() -> dict[str, Sound]:
    """All sounds by name; the name tells the truth."""
    rng = np.random.default_rng(0)

    def noisy(sound: NDArray[np.float64]) -> Sound:
        return (sound + rng.normal(0, 0.016, len(sound))).astype(np.float32)

    sounds = {f"clicks {bpm}": noisy(clicks(bpm, 30)) for bpm in TEMPOS}
    tones = {f"tone {hz}": noisy(0.1 * np.sin(2 * np.pi * hz * seconds(2))) for hz in PITCHES}
    voice = sum(np.sin(2 * np.pi * 150 * k * seconds(60)) / k for k in range(1, 12))
    babble = 0.05 * voice * (1 - np.cos(2 * np.pi * 4 * seconds(60)))
    return sounds | tones | {"long": noisy(clicks(96, 60) + babble)}


def own(path: str) -> dict[str, Any]:
    """Tempo and pitch of every sound, time, and memory of an hour."""
    held = np.load(path)
    found: dict[str, Any] = {"tempo": {}, "pitch": {}}
    for name in held.files:
        kind, _, truth = name.partition(" ")
        measures = measure_sound(held[name]).measures
        if kind == "clicks" and measures.tempo is not None:
            found["tempo"][truth] = round(measures.tempo.bpm, 2)
        elif kind == "tone" and measures.voice.pitch_hz is not None:
            found["pitch"][truth] = round(measures.voice.pitch_hz, 2)
    long: Sound = held["long"]
    piece, last = 10 * RATE, len(long) - LOOKS_AT
    calls = {
        "tempo_cpu": lambda: tempo(sound_frames(long).onset, STEP),
        "pitch_cpu": lambda: [
            yin(long[k : k + piece + LOOKS_AT], 320) for k in range(0, last, piece)
        ],
        "all_measures_cpu": lambda: measure_sound(long),
        "voice_cpu": lambda: speech_probability(long),
        "kind_cpu": lambda: kinds_of(long),
    }
    for name, call in calls.items():
        call()  # weights are loaded, transforms planned
        found[name] = measure(call, REPEATS).cpu
    hour = np.tile(long, 60)
    done = measure(lambda: measure_sound(hour))
    found["hour"] = {"cpu_s": round(done.cpu, 2), "extra_mb": round(done.extra_mb)}
    return found


def worst(found: dict[str, float]) -> float:
    """Largest relative error of tempos or pitches, by the truth in their names."""
    return round(max(abs(value / float(truth) - 1) for truth, value in found.items()), 5)


def recorded() -> dict[str, Any]:
    """Measures of the recorded voices, whose words are known."""
    told: dict[str, Any] = {}
    for name, words in (("english.wav", "one two three"), ("chinese.flac", "砸自己的脚")):
        voice = measure_sound(Media(shared_data() / "media" / name).audio()).measures.voice
        rate = voice.syllables_per_s
        counted = None if rate is None else round(rate * voice.sounding_s)
        told[name] = {"said": words, "pitch_hz": round(voice.pitch_hz or 0), "syllables": counted}
    return told


def main() -> None:
    """Measure and write the result; or, in a child, our own part."""
    if len(sys.argv) > 1:
        print(json.dumps(own(json.loads(sys.argv[1])["path"])))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sounds.npz"
        np.savez(path, **made())  # type: ignore[arg-type]  # names are those of the arrays
        ours = run_child(sys.executable, "benchmarks.sound", "own", path=str(path))
        result: dict[str, Any] = {"own": ours, "recorded": recorded()}
        result["worst_error"] = {"own": {name: worst(ours[name]) for name in ("tempo", "pitch")}}
        if BENCH_PYTHON.exists():
            theirs = run_child(BENCH_PYTHON, "benchmarks.sound_peers", "sounds", path=str(path))
            result["librosa"] = theirs
            errors = {name: worst(theirs[name]) for name in ("tempo", "pitch")}
            result["worst_error"]["librosa"] = errors
            result["librosa_over_own"] = {
                name: round(theirs[name] / ours[name], 2) for name in ("tempo_cpu", "pitch_cpu")
            }
    write_result("sound", result)


if __name__ == "__main__":
    main()
