"""What a language model said of a workspace's items, as tables in ``out/``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl

from tagcf.data.workspace import Workspace, atomic_path
from tagcf.errors import MediaError, MissingExtraError, OutputError
from tagcf.tags.evidence import Content, Found
from tagcf.tags.journal import Journal
from tagcf.tags.llm.account import Account
from tagcf.tags.llm.batch import ANSWERS as JOURNAL
from tagcf.tags.llm.batch import Report
from tagcf.tags.llm.client import Client
from tagcf.tags.llm.closed import ClosedTags
from tagcf.tags.llm.cover import CoveringSet, covering_set
from tagcf.tags.llm.free import Extraction, FreeTags
from tagcf.tags.llm.narrative import EmotionalNarrative, Line, Narrative
from tagcf.tags.llm.server import server_of
from tagcf.tags.llm.task import Task, Told, ask_about, reading_of
from tagcf.tags.media.lines import Line as ReadLine
from tagcf.tags.media.ocr import ocr_lines
from tagcf.tags.media.sound.transcript import transcript
from tagcf.tags.readings import ItemReading, Readings, tables
from tagcf.tags.roles.vocabulary import names_off
from tagcf.tags.vocabulary import Vocabulary
from tagcf.text import Language

T = TypeVar("T")
R = TypeVar("R")
Row = tuple[object, ...]

TAGS = "llm_tags.parquet"
FREE = "free_tags.parquet"
NARRATIVE = "narrative.parquet"

_FREE = {
    **dict.fromkeys(("item_id", "kind", "name"), pl.String),
    **dict.fromkeys(("strength", "confidence"), pl.Float32),
    "reason": pl.String,
}
_BEATS = {
    "item_id": pl.String,
    **dict.fromkeys(("start_s", "end_s"), pl.Float64),
    **dict.fromkeys(("emotion", "part"), pl.String),
    **dict.fromkeys(("strength", "confidence"), pl.Float32),
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A table that was written, and what it cost."""

    table: pl.DataFrame
    account: Account
    path: Path


@dataclass(frozen=True, slots=True)
class Extracted:
    """Free names of topics and roles, and the sets that cover the items."""

    asked: Asked
    topics: CoveringSet
    roles: CoveringSet


def tag_by_llm(
    workspace: Workspace,
    contents: Sequence[Content],
    vocabulary: Vocabulary,
    report: Report | None = None,
) -> tuple[Readings, Asked]:
    """Tag items with the vocabulary; answers that the journal has are not asked for again."""
    task = ClosedTags(frames=workspace.settings.llm.frames)
    source = server_of(workspace.settings.llm).source

    def keep(told: Iterator[tuple[Content, Told[tuple[Found, ...]]]]) -> Readings:
        return tables(
            ItemReading(content.item, (source,), reading_of(one, task, vocabulary, source))
            for content, one in told
        )

    readings, account = _ask(workspace, task, contents, vocabulary, report, keep)
    found = readings.found.join(
        readings.readable, on=["item_id", "source"], how="full", coalesce=True
    )
    return readings, Asked(found, account, write_table(workspace, TAGS, found))


def extract_names(
    workspace: Workspace,
    contents: Sequence[Content],
    vocabulary: Vocabulary,
    language: Language,
    report: Report | None = None,
) -> Extracted:
    """Name topics and roles of items freely, and reduce them to covering sets."""
    off = names_off(workspace.settings.roles.protected)

    def rows(content: Content, named: Extraction) -> Iterator[Row]:
        # The model is told not to name such roles; that is no guarantee.
        roles = [name for name in named.roles if name.name.casefold() not in off]
        for kind, names in (("topic", named.topics), ("role", roles)):
            for name in names:
                scores = (name.strength, name.confidence, name.reason)
                yield (content.item, kind, name.name, *scores)

    task = FreeTags(language, workspace.settings.llm.frames)
    keep = partial(_table, rows=rows, schema=_FREE)
    table, account = _ask(workspace, task, contents, vocabulary, report, keep)
    asked = Asked(table, account, write_table(workspace, FREE, table))
    return Extracted(asked, _cover(table, "topic"), _cover(table, "role"))


def tell_narratives(
    workspace: Workspace,
    contents: Sequence[Content],
    vocabulary: Vocabulary,
    report: Report | None = None,
) -> Asked:
    """Name the beats of works with a second and an emotion, from speech and on-screen text."""

    def rows(content: Content, narrative: Narrative) -> Iterator[Row]:
        for beat in narrative.beats:
            place = (content.item, beat.start_s, beat.end_s, beat.emotion, beat.part)
            yield (*place, beat.strength, beat.confidence, beat.reason)

    task = EmotionalNarrative(lines_of, workspace.settings.llm.frames)
    keep = partial(_table, rows=rows, schema=_BEATS)
    table, account = _ask(workspace, task, contents, vocabulary, report, keep)
    return Asked(table, account, write_table(workspace, NARRATIVE, table))


def lines_of(content: Content) -> Sequence[Line]:
    """Words of an item with their seconds: what is said, and what stands in the pictures."""
    if content.media is None:
        return ()
    lines: list[Line] = []
    try:
        said = transcript(content.media)
        lines += [
            Line(one.words[0].start_s, one.words[-1].end_s, one.text) for one in said.utterances
        ]
    except (MediaError, MissingExtraError):
        pass
    try:
        shown: Iterable[ReadLine] = ocr_lines(content.media)
        lines += [Line(one.start_s, one.end_s, one.text) for one in shown]
    except (MediaError, MissingExtraError):
        pass
    return sorted(lines, key=lambda line: line.start_s)


@contextmanager
def open_llm(workspace: Workspace) -> Iterator[tuple[Client, Journal]]:
    """Open the server of the settings, and the journal of what it answered."""
    server = server_of(workspace.settings.llm)
    with Client(server) as client, Journal(workspace.out / JOURNAL) as journal:
        yield client, journal


def write_table(workspace: Workspace, name: str, table: pl.DataFrame) -> Path:
    """Write a table to ``out/``, atomically."""
    target = workspace.out / name
    with atomic_path(target) as partial:
        table.write_parquet(partial)
    return target


def read_table(workspace: Workspace, name: str, command: str) -> pl.DataFrame:
    """Read a table of ``out/``.

    Raises
    ------
    OutputError
        It is missing or cannot be read.
    """
    path = workspace.out / name
    if not path.is_file():
        raise OutputError("error.missing_output", path=path, command=command)
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as broken:
        detail = str(broken).splitlines()[0]
        raise OutputError(
            "error.broken_output", path=path, detail=detail, command=command
        ) from broken


def _ask(
    workspace: Workspace,
    task: Task[T],
    contents: Sequence[Content],
    vocabulary: Vocabulary,
    report: Report | None,
    keep: Callable[[Iterator[tuple[Content, Told[T]]]], R],
) -> tuple[R, Account]:
    """Ask one kind of question about all items; `keep` gets what is told, item by item."""
    with open_llm(workspace) as (client, journal):
        told = ask_about(client, task, contents, vocabulary, journal, report)
        return keep(_closing(contents, told)), client.account


def _table(
    told: Iterator[tuple[Content, Told[T]]],
    rows: Callable[[Content, T], Iterable[Row]],
    schema: Mapping[str, type[pl.DataType]],
) -> pl.DataFrame:
    """Rows of the items that a model told something of."""
    every = [
        row for content, one in told if one.value is not None for row in rows(content, one.value)
    ]
    return pl.DataFrame(every, schema=dict(schema), orient="row")


def _cover(table: pl.DataFrame, kind: str) -> CoveringSet:
    named = table.filter(pl.col("kind") == kind).select(pl.col("item_id").alias("item"), "name")
    return covering_set(named)


def _closing(contents: Sequence[Content], told: Iterable[T]) -> Iterator[tuple[Content, T]]:
    """Items and what was told of them, letting go of each item's media when it is done."""
    for content, one in zip(contents, told, strict=True):
        if content.media is not None:
            content.media.close()
        yield content, one
