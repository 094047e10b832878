"""What librosa says of the same sounds; run by `benchmarks.sound` in the peers' environment."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from benchmarks.measure import measure

REPEATS = 3
RATE = 16_000


def sounds(path: str) -> dict[str, Any]:
    """Tempo and pitch of every sound in a file of arrays, and what a long one takes.

    Windows, hops and bands are those of `tagcf.tags.media.sound`, so that the work is the same.
    """
    import librosa
    import numpy as np

    held = np.load(path)

    def tempo(sound: Any) -> float:
        onset = librosa.onset.onset_strength(y=sound, sr=RATE, hop_length=160, n_fft=512, n_mels=32)
        return float(librosa.feature.tempo(onset_envelope=onset, sr=RATE, hop_length=160)[0])

    def pitch(sound: Any) -> Any:
        return librosa.yin(sound, fmin=60, fmax=1000, sr=RATE, frame_length=1024, hop_length=320)

    found: dict[str, Any] = {"version": version("librosa"), "tempo": {}, "pitch": {}}
    for name in held.files:
        kind, _, truth = name.partition(" ")
        if kind == "clicks":
            found["tempo"][truth] = round(tempo(held[name]), 2)
        elif kind == "tone":
            found["pitch"][truth] = round(float(np.median(pitch(held[name]))), 2)
    long = held["long"]
    for name, call in (("tempo_cpu", tempo), ("pitch_cpu", pitch)):
        call(long[: 5 * RATE])  # numba compiles
        found[name] = measure(lambda call=call: call(long), REPEATS).cpu
    return found


def main() -> None:
    """Run the task of the command line."""
    order = json.loads(sys.argv[1])
    print(json.dumps(sounds(order["path"])))


if __name__ == "__main__":
    main()
