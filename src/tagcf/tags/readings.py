"""Readings of items kept on disk while media are read: a run that was stopped goes on.

``out/readings.jsonl`` holds one line per item, written when the item is done. A line that a crash
cut off is no valid JSON and is passed over. A line counts as long as the item's text and file, the
encoders and the vocabulary are what they were when it was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl
from pydantic import TypeAdapter, ValidationError

from tagcf.tags.evidence import Content, Encoder, Reading
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason

FILE = "readings.jsonl"
BLOCK = 4_096  # items in memory as rows

Schema = Mapping[str, type[pl.DataType]]

_FOUND = {
    "item_id": pl.String,
    "tag": pl.String,
    "source": pl.String,
    "strength": pl.Float32,
    "confidence": pl.Float32,
    "quote": pl.String,
    "start_s": pl.Float64,
    "end_s": pl.Float64,
    "fact": pl.String,
    "facts": pl.String,
}
_MISSING = {"item_id": pl.String, "source": pl.String, "reason": pl.String, "facts": pl.String}
_READABLE = {"item_id": pl.String, "source": pl.String}


@dataclass(frozen=True, slots=True)
class ItemReading:
    """What the encoders said of one item."""

    item: str
    sources: tuple[str, ...]  # of all encoders that were asked
    reading: Reading


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of many items, as tables."""

    # item_id, tag, source, strength, confidence, quote, start_s, end_s, fact (key of a sentence
    # that says a measured value), facts (JSON)
    found: pl.DataFrame
    missing: pl.DataFrame  # item_id, source, reason (key of a sentence), facts (JSON)
    readable: pl.DataFrame  # item_id, source: what could be read


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    item: ItemReading


_LINE: TypeAdapter[_Line] = TypeAdapter(_Line)


class Journal:
    """Readings on disk, appended as they are made.

    Parameters
    ----------
    path
        The file; made when the first reading is written.
    version
        Of encoders and vocabulary: readings of another version are made anew.
    """

    def __init__(self, path: Path, version: str) -> None:
        self.path = path
        self.version = version
        self._places: dict[str, int] = {}
        for start, line in _lines(path):
            self._places[line.key] = start

    def __contains__(self, content: Content) -> bool:
        """Whether the item was read as it is now."""
        return self.key(content) in self._places

    def key(self, content: Content) -> str:
        """Hash of all that a reading rests on."""
        told = [self.version, content.item, content.text]
        if content.media is not None:
            told.append(f"{content.media.path} {content.media.within}")
            with contextlib.suppress(OSError, ValueError):  # absent, or no name that can be
                facts = content.media.path.stat()
                told += [str(facts.st_size), str(facts.st_mtime_ns)]
        return hashlib.sha256("\x1f".join(told).encode()).hexdigest()

    def add(self, content: Content, read: ItemReading) -> None:
        """Append a reading; it is on disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        key = self.key(content)
        line = _LINE.dump_json(_Line(key, read)) + b"\n"
        self.path.touch()
        with self.path.open("r+b") as file:
            _wait_for_others(file.fileno())
            end = _end_of_whole_lines(self.path)
            file.truncate(end)  # what a crash left behind the last whole line
            file.seek(end)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._places[key] = end

    def read(self, contents: Iterable[Content]) -> Iterator[ItemReading]:
        """Readings of these items, in their order; items without one are passed over."""
        places = [self._places[key] for one in contents if (key := self.key(one)) in self._places]
        if not places:
            return
        with self.path.open("rb") as file:
            for place in places:
                file.seek(place)
                yield _LINE.validate_json(file.readline()).item


def read_media(
    contents: Iterable[Content],
    encoders: Sequence[Encoder],
    vocabulary: Vocabulary,
    journal: Journal,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Ask all encoders about all items that the journal does not know yet.

    Returns
    -------
    Items that were read now.
    """
    done = 0
    sources = tuple(encoder.source for encoder in encoders)
    for content in contents:
        if content not in journal:
            try:
                readings = [encoder.encode(content, vocabulary) for encoder in encoders]
            finally:
                if content.media is not None:
                    content.media.close()
            read = ItemReading(content.item, sources, Reading.all_of(readings))
            journal.add(content, read)
            done += 1
        if progress is not None:
            progress(1)
    return done


def tables(readings: Iterable[ItemReading]) -> Readings:
    """Put readings into tables, `BLOCK` items at a time: rows take more room than columns."""
    parts = [Readings(_table([], _FOUND), _table([], _MISSING), _table([], _READABLE))]
    rest = iter(readings)
    while block := list(islice(rest, BLOCK)):
        parts.append(_tables(block))
    return together(parts)


def together(parts: Sequence[Readings]) -> Readings:
    """Readings of several kinds, or of several blocks of items, as one."""
    return Readings(
        pl.concat([one.found for one in parts]),
        pl.concat([one.missing for one in parts]),
        pl.concat([one.readable for one in parts]),
    )


def _tables(readings: Iterable[ItemReading]) -> Readings:
    found: list[tuple[object, ...]] = []
    missing: list[tuple[object, ...]] = []
    readable: list[tuple[object, ...]] = []
    for one in readings:
        for tag in one.reading.found:
            where = tag.evidence
            said = (tag.tag, tag.source, tag.strength, tag.confidence)
            place = (where.quote, where.start_s, where.end_s)
            found.append((one.item, *said, *place, *_told(where.fact)))
        lost = set()
        for gap in one.reading.missing:
            missing.append((one.item, gap.source, *_told(gap.reason)))
            lost.add(gap.source)
        said_by = {tag.source for tag in one.reading.found}
        readable += [(one.item, name) for name in one.sources if name not in lost - said_by]
    return Readings(_table(found, _FOUND), _table(missing, _MISSING), _table(readable, _READABLE))


def _table(rows: list[tuple[object, ...]], schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def _told(reason: Reason | None) -> tuple[str | None, str | None]:
    """Key and facts (JSON) of a sentence."""
    if reason is None:
        return None, None
    return reason.key, json.dumps(dict(reason.facts), ensure_ascii=False)


def _lines(path: Path) -> Iterator[tuple[int, _Line]]:
    """Whole and valid lines, and where each starts."""
    if not path.is_file():
        return
    start = 0
    with path.open("rb") as file:
        for raw in file:
            if raw.endswith(b"\n"):
                with contextlib.suppress(ValidationError):
                    yield start, _LINE.validate_json(raw)
            start += len(raw)


def _wait_for_others(file: int) -> None:
    """Until the file is closed no other process adds a line."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _end_of_whole_lines(path: Path) -> int:
    """Position behind the last line that was written whole."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while size > 0:
            step = min(size, 65_536)
            file.seek(size - step)
            at = file.read(step).rfind(b"\n")
            if at >= 0:
                return size - step + at + 1
            size -= step
    return 0
