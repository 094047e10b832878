"""What a language model said of a workspace's items, as tables in ``out/``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from tagcf.data.workspace import Workspace, atomic_path
from tagcf.errors import MediaError, MissingExtraError, OutputError
from tagcf.tags.evidence import Content
from tagcf.tags.llm.account import Account
from tagcf.tags.llm.batch import Report
from tagcf.tags.llm.client import Client
from tagcf.tags.llm.closed import ClosedTags
from tagcf.tags.llm.cover import CoveringSet, covering_set
from tagcf.tags.llm.free import FreeTags
from tagcf.tags.llm.journal import FILE as JOURNAL
from tagcf.tags.llm.journal import Journal
from tagcf.tags.llm.narrative import EmotionalNarrative, Line
from tagcf.tags.llm.server import server_of
from tagcf.tags.llm.task import LLMEncoder, ask_about
from tagcf.tags.media.lines import Line as ReadLine
from tagcf.tags.media.ocr import ocr_lines
from tagcf.tags.media.sound.transcript import transcript
from tagcf.tags.readings import ItemReading, Readings, tables
from tagcf.tags.roles.vocabulary import names_off
from tagcf.tags.vocabulary import Vocabulary
from tagcf.text import Language

T = TypeVar("T")

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
    settings = workspace.settings.llm
    with Client(server_of(settings)) as client, Journal(workspace.out / JOURNAL) as journal:
        encoder = LLMEncoder(client, ClosedTags(frames=settings.frames), journal)
        read = encoder.encode_all(contents, vocabulary, report)
        items = (
            ItemReading(content.item, (encoder.source,), one)
            for content, one in zip(contents, _closing(contents, read), strict=True)
        )
        readings = tables(items)
        asked = client.account
    found = readings.found.join(
        readings.readable, on=["item_id", "source"], how="full", coalesce=True
    )
    return readings, Asked(found, asked, _write(workspace, TAGS, found))


def extract_names(
    workspace: Workspace,
    contents: Sequence[Content],
    vocabulary: Vocabulary,
    language: Language,
    report: Report | None = None,
) -> Extracted:
    """Name topics and roles of items freely, and reduce them to covering sets."""
    settings = workspace.settings.llm
    off = names_off(workspace.settings.roles.protected)
    rows: list[tuple[object, ...]] = []
    with Client(server_of(settings)) as client, Journal(workspace.out / JOURNAL) as journal:
        task = FreeTags(language, settings.frames)
        told = ask_about(client, task, contents, vocabulary, journal, report)
        for content, one in zip(contents, _closing(contents, told), strict=True):
            if one.value is None:
                continue
            # The model is told not to name such roles; that is no guarantee.
            roles = [name for name in one.value.roles if name.name.casefold() not in off]
            for kind, names in (("topic", one.value.topics), ("role", roles)):
                rows += [
                    (content.item, kind, name.name, name.strength, name.confidence, name.reason)
                    for name in names
                ]
        account = client.account
    table = pl.DataFrame(rows, schema=_FREE, orient="row")
    asked = Asked(table, account, _write(workspace, FREE, table))
    return Extracted(asked, _cover(table, "topic"), _cover(table, "role"))


def tell_narratives(
    workspace: Workspace,
    contents: Sequence[Content],
    vocabulary: Vocabulary,
    report: Report | None = None,
) -> Asked:
    """Name the beats of works with a second and an emotion, from speech and on-screen text."""
    settings = workspace.settings.llm
    rows: list[tuple[object, ...]] = []
    with Client(server_of(settings)) as client, Journal(workspace.out / JOURNAL) as journal:
        task = EmotionalNarrative(lines_of, settings.frames)
        told = ask_about(client, task, contents, vocabulary, journal, report)
        for content, one in zip(contents, _closing(contents, told), strict=True):
            beats = one.value.beats if one.value is not None else ()
            for beat in beats:
                place = (content.item, beat.start_s, beat.end_s, beat.emotion, beat.part)
                rows.append((*place, beat.strength, beat.confidence, beat.reason))
        account = client.account
    table = pl.DataFrame(rows, schema=_BEATS, orient="row")
    return Asked(table, account, _write(workspace, NARRATIVE, table))


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


def _cover(table: pl.DataFrame, kind: str) -> CoveringSet:
    named = table.filter(pl.col("kind") == kind).select(pl.col("item_id").alias("item"), "name")
    return covering_set(named)


def _closing(contents: Sequence[Content], read: Iterable[T]) -> Iterator[T]:
    """Pass readings on, letting go of each item's media when it is done."""
    for content, one in zip(contents, read, strict=True):
        if content.media is not None:
            content.media.close()
        yield one


def _write(workspace: Workspace, name: str, table: pl.DataFrame) -> Path:
    target = workspace.out / name
    with atomic_path(target) as partial:
        table.write_parquet(partial)
    return target
