"""Tags of texts and readings of media put together, and kept with their evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from tagcf.data.workspace import Workspace, atomic_path
from tagcf.errors import OutputError
from tagcf.tags.fusion import SourceReliability, fuse_sources
from tagcf.tags.matrix import matrix_frame, tag_matrix_from_frame
from tagcf.tags.readings import Readings
from tagcf.tags.repeats import OF_WORDS, repeats_of
from tagcf.types import Reason, Tag, TagMatrix

TEXT = "text"  # all that was found in titles and captions, by words or meaning
EVIDENCE = "tag_evidence.parquet"
MISSING = "tag_missing.parquet"


@dataclass(frozen=True, slots=True)
class Joined:
    """Tags of all modalities, and how far each was believed."""

    matrix: TagMatrix
    reliability: tuple[SourceReliability, ...]


def join_modalities(
    texts: TagMatrix,
    with_text: pl.Series,
    readings: Readings,
    known: Sequence[Tag],
    written: pl.DataFrame | None = None,
) -> Joined:
    """Fuse the tags of texts with those of other modalities.

    Parameters
    ----------
    texts
        Tags of all items from their texts; its items are those of the result.
    with_text
        Ids of the items that have a text.
    readings
        What other encoders found.
    known
        Tags that have names.
    written
        Columns item_id, text: the texts themselves. Words shown or said that repeat them are no
        second witness.
    """
    columns = ["item_id", "tag", "source", "strength", "confidence"]
    by_text = matrix_frame(texts).with_columns(pl.lit(TEXT).alias("source")).select(columns)
    found = pl.concat([by_text, readings.found.select(columns)])
    read = pl.DataFrame({"item_id": with_text.cast(pl.String)}).with_columns(
        pl.lit(TEXT).alias("source")
    )
    if not found.height:
        return Joined(texts, ())
    quoted = pl.concat([by_text, readings.found.select(*columns, "quote")], how="diagonal")
    fused = fuse_sources(
        found,
        pl.concat([read, readings.readable]),
        readings.offered,
        repeats_of(quoted, _of_words(quoted, written), TEXT),
    )
    matrix = tag_matrix_from_frame(fused.rows, texts.items, known)
    return Joined(replace(matrix, version=texts.version), fused.reliability)


def _of_words(quoted: pl.DataFrame, written: pl.DataFrame | None) -> dict[str, str]:
    """Texts of the items that have words in their media."""
    if written is None:
        return {}
    spoken = quoted.filter(pl.col("source").is_in(OF_WORDS))["item_id"].unique()
    rows = written.filter(pl.col("item_id").is_in(spoken.implode())).select("item_id", "text")
    return {item: text or "" for item, text in rows.iter_rows()}


def write_evidence(workspace: Workspace, readings: Readings) -> Path:
    """Write what was found where, and what could not be read, to ``out/``; each atomically."""
    target = workspace.out / EVIDENCE
    for path, table in ((target, readings.found), (workspace.out / MISSING, readings.missing)):
        with atomic_path(path) as partial:
            table.write_parquet(partial)
    return target


def remove_evidence(workspace: Workspace) -> None:
    """Remove what an earlier run wrote with `write_evidence`: of this one it would not be true."""
    for name in (EVIDENCE, MISSING):
        (workspace.out / name).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """All that is known of one item's tags."""

    tags: pl.DataFrame  # tag, strength, confidence, source
    found: pl.DataFrame  # tag, source, strength, confidence, quote, start_s, end_s
    missing: tuple[tuple[str, Reason], ...]  # source, why


def evidence_of(workspace: Workspace, written: pl.DataFrame, item: str) -> ItemEvidence:
    """Look one item up among what ``tagcf tag`` wrote.

    Parameters
    ----------
    written
        ``out/item_tags.parquet``.
    """
    mine = pl.col("item_id") == item
    tags = written.filter(mine).drop("item_id").sort("strength", descending=True)
    found = _of_item(workspace, EVIDENCE, item)
    lost = _of_item(workspace, MISSING, item)
    if found is None or lost is None:
        empty = pl.DataFrame(schema=dict.fromkeys(["tag", "source", "quote"], pl.String))
        return ItemEvidence(tags, empty, ())
    missing = tuple(
        (source, reason_of(key, facts))
        for source, key, facts in lost.select("source", "reason", "facts").rows()
    )
    return ItemEvidence(tags, found.drop("item_id"), missing)


def reason_of(key: str, facts: str) -> Reason:
    """Return a reason as it was written."""
    return Reason(key, tuple(json.loads(facts).items()))


def _of_item(workspace: Workspace, name: str, item: str) -> pl.DataFrame | None:
    path = workspace.out / name
    if not path.is_file():
        return None
    try:
        rows = pl.scan_parquet(path, hive_partitioning=False)
        return rows.filter(pl.col("item_id") == item).collect()
    except (OSError, pl.exceptions.PolarsError) as broken:
        detail = str(broken).splitlines()[0]
        command = f"tagcf tag {workspace.root}"
        raise OutputError(
            "error.broken_output", path=path, detail=detail, command=command
        ) from broken
