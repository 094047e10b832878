"""Memory and time of a journal of a million media; writes `results/media_journal.json`.

The journal is made: a million readings such as a short video gives (seven tags, five sources
missing). No media are read. Measured, each in a process of its own, one thread: finding out which
items are read already, and putting their readings into the tables that are written and fused::

    OMP_NUM_THREADS=1 python -m benchmarks.media_journal
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import measure, run_child
from benchmarks.record import write_result
from tagcf.tags.evidence import Content
from tagcf.tags.journal import line_of
from tagcf.tags.media.opened import Media
from tagcf.tags.readings import Journal, tables

ITEMS = 1_000_000
_TAGS = ("camping", "dogs", "food", "vivid-color", "vertical-video", "fast-pace", "narration")
_LOST = ("speech", "voice-tone", "image-labels", "facial-expression", "natural-sound")


def contents(folder: Path) -> Iterator[Content]:
    """Items whose files are all the same absent one, so that no time goes into a real disk."""
    for k in range(ITEMS):
        yield Content(f"item{k}", media=Media(folder / f"{k}.mp4", within=folder))


def reading(k: int) -> dict[str, Any]:
    """Return one item's reading as the journal keeps it."""
    fact = {"key": "media.measured_colourfulness", "facts": [["value", 52.5 + k % 40]]}
    found = [
        {
            "tag": tag,
            "strength": 0.8,
            "confidence": 0.7,
            "source": "ocr" if place < 3 else "frames",
            "evidence": {
                "quote": f"Camping with my dog, part {k}" if place < 3 else None,
                "start_s": 0.5,
                "end_s": 9.5,
                "fact": None if place < 3 else fact,
            },
        }
        for place, tag in enumerate(_TAGS)
    ]
    missing = [
        {"source": source, "reason": {"key": "sound.no_natural_sound", "facts": []}}
        for source in _LOST
    ]
    sources = ["frames", "ocr", "sound", "audio-kind", *_LOST]
    read = {"found": found, "missing": missing, "offered": []}
    return {"item": f"item{k}", "sources": sources, "reading": read}


def write_journal(path: Path) -> None:
    """Write all lines, without waiting for the disk after each."""
    with Journal(path, "1") as journal:
        keys = [journal.key(one) for one in contents(path.parent)]
    with path.open("wb") as file:
        for k, key in enumerate(keys):
            file.write(line_of(key, reading(k)))


def one_part(path: Path, part: str) -> dict[str, Any]:
    """Measure one part of a run in which everything has been read already."""

    def known() -> int:
        with Journal(path, "1") as journal:
            return sum(content in journal for content in contents(path.parent))

    def tabled() -> int:
        with Journal(path, "1") as journal:
            told = tables(journal.read(contents(path.parent)))
        return told.found.height

    done = measure(known if part == "known" else tabled, 1)
    return {"count": done.value, "cpu_s": round(done.cpu, 1), "extra_mb": round(done.extra_mb)}


def main() -> None:
    """Measure and write the result; or, in a child, one part."""
    if len(sys.argv) > 1:
        order = json.loads(sys.argv[1])
        print(json.dumps(one_part(Path(order["path"]), order["task"])))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "readings.jsonl"
        write_journal(path)
        result: dict[str, Any] = {"items": ITEMS, "journal_mb": round(path.stat().st_size / 1e6)}
        for part in ("known", "tables"):
            result[part] = run_child(
                sys.executable, "benchmarks.media_journal", part, path=str(path)
            )
    write_result("media_journal", result)


if __name__ == "__main__":
    main()
