"""Readings of items kept on disk while media are read: a run that was stopped goes on.

``out/readings.jsonl`` holds one line per item, written when the item is done. A line counts as long
as the item's text and file, the encoders and the vocabulary are what they were when it was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self

import polars as pl
from pydantic import TypeAdapter, ValidationError

from tagcf.tags.evidence import Content, Encoder, Reading
from tagcf.tags.journal import Journal as Records
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
_OFFERED = pl.Schema(
    [("item_id", pl.String()), ("source", pl.String()), ("tags", pl.List(pl.String))]
)


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
    # item_id, source, tags: the only ones that a source could choose from; absent: any
    offered: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_OFFERED))


_READING: TypeAdapter[ItemReading] = TypeAdapter(ItemReading)


class Journal:
    """Readings on disk, appended as they are made; one process at a time.

    Parameters
    ----------
    path
        The file; made where missing.
    version
        Of encoders and vocabulary: readings of another version are made anew.

    Raises
    ------
    OutputError
        Another process has it open, or it cannot be read or written.
    """

    def __init__(self, path: Path, version: str) -> None:
        self.version = version
        self._records = Records(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._records.close()

    def __contains__(self, content: Content) -> bool:
        """Whether the item was read as it is now."""
        return self.key(content) in self._records

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
        self._records.put(self.key(content), _READING.dump_python(read, mode="json"))

    def read(self, contents: Iterable[Content]) -> Iterator[ItemReading]:
        """Readings of these items, in their order; items without one are passed over."""
        for content in contents:
            text = self._records.text(self.key(content))
            if text is not None:
                with contextlib.suppress(ValidationError):  # written by another version of TagCF
                    yield _READING.validate_json(text)


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
        pl.concat([one.offered for one in parts]),
    )


def _tables(readings: Iterable[ItemReading]) -> Readings:
    found: list[tuple[object, ...]] = []
    missing: list[tuple[object, ...]] = []
    readable: list[tuple[object, ...]] = []
    offered: list[tuple[object, ...]] = []
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
        offered += [(one.item, offer.source, offer.tags) for offer in one.reading.offered]
        said_by = {tag.source for tag in one.reading.found}
        readable += [(one.item, name) for name in one.sources if name not in lost - said_by]
    return Readings(
        _table(found, _FOUND),
        _table(missing, _MISSING),
        _table(readable, _READABLE),
        pl.DataFrame(offered, schema=_OFFERED, orient="row"),
    )


def _table(rows: list[tuple[object, ...]], schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def _told(reason: Reason | None) -> tuple[str | None, str | None]:
    """Key and facts (JSON) of a sentence."""
    if reason is None:
        return None, None
    return reason.key, json.dumps(dict(reason.facts), ensure_ascii=False)
