"""Media of items.*: read, joined with the tags of texts, and shown with their evidence."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.tag_items import Items, files_of, read_items
from tagcf.cli.talk import progress_bar, tell
from tagcf.data.workspace import Workspace
from tagcf.errors import OutputError, UnknownNameError
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import FILE as TAGS_FILE
from tagcf.tags.matrix import read_written
from tagcf.tags.media.encoders import encoders_version, media_encoders
from tagcf.tags.modalities import evidence_of, reason_of
from tagcf.tags.names import workspace_tags
from tagcf.tags.readings import FILE, Journal, Readings, read_media, tables
from tagcf.tags.sources import source_name, source_names
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.text import did_you_mean, language, say, visible

REASONS_SHOWN = 8


def read_media_files(workspace: Workspace, items: Items) -> tuple[Readings, dict[str, Any]]:
    """Read the items' media.

    Returns
    -------
    What was found, and counts of what was read and what could not be.
    """
    vocabulary, encoders = tree_vocabulary(workspace), media_encoders()
    tell("tags.media_encoders", names=source_names(one.source for one in encoders))
    version = f"{vocabulary.version} {encoders_version()}"
    files = items.with_file
    with (
        Journal(workspace.out / FILE, version) as journal,
        progress_bar("tagcf tag: media", files) as advance,
    ):
        read_now = read_media(files_of(workspace, items), encoders, vocabulary, journal, advance)
        readings = tables(journal.read(files_of(workspace, items)))
    tagged = readings.found["item_id"].n_unique()
    tell("tags.media_read", files=files, now=read_now, tagged=tagged)
    missing = _missing(readings.missing, len(encoders))
    for one in missing[:REASONS_SHOWN]:
        facts = {"items": one["items"], "why": one["example"]}
        if one["nothing_read"]:
            tell("tags.media_missing_all", **facts)
        else:
            tell("tags.media_missing", source=source_names(one["sources"]), **facts)
    return readings, {
        "files": files,
        "read_now": read_now,
        "items_with_tags": tagged,
        "missing": missing,
    }


def _missing(missing: pl.DataFrame, n_sources: int) -> list[dict[str, Any]]:
    """What could not be read, by kind of reason: which modalities, how many items, one example.

    A file that is broken is lost to all modalities: such reasons come first. ``nothing_read``
    says that each of these items is lost to all `n_sources` modalities.
    """
    rows = missing.group_by("reason", maintain_order=True).agg(
        pl.col("source").unique(maintain_order=True),
        pl.col("item_id").n_unique().alias("items"),
        pl.struct("item_id", "source").n_unique().alias("pairs"),
        pl.col("item_id").first().alias("item"),
        pl.col("facts").first(),
    )
    order = rows.sort(pl.col("source").list.len(), "items", descending=True)
    return [
        {
            "sources": one["source"],
            "items": one["items"],
            "item": one["item"],
            "nothing_read": one["pairs"] == one["items"] * n_sources,
            "example": str(reason_of(one["reason"], one["facts"])),
        }
        for one in order.to_dicts()
    ]


def show_item(workspace: Workspace, item: str, as_json: bool) -> None:
    """Print the tags of one item with their evidence.

    Raises
    ------
    OutputError
        Nothing was tagged yet.
    UnknownNameError
        The item has no tags and was not read.
    """
    path = workspace.out / TAGS_FILE
    if not path.is_file():
        raise OutputError("error.missing_output", path=path, command=f"tagcf tag {workspace.root}")
    written = read_written(path, workspace)
    shown = evidence_of(workspace, written, item)
    if not shown.tags.height and not shown.missing:
        ids = read_items(workspace).texts["item_id"].to_list()
        if item not in ids:
            facts = {"hint": did_you_mean(item, ids), "column": workspace.settings.data.item}
            raise UnknownNameError("tags.unknown_item", item=item, **facts)
        tell("tags.item_without_tags", item=item, command=f"tagcf tag {workspace.root}")
    evidence = _by_tag(pl.concat([_words(workspace, item), shown.found], how="diagonal"))
    missing: dict[str, list[str]] = {}
    for source, why in shown.missing:
        missing.setdefault(str(why), []).append(source)
    if as_json:
        tags = [
            row
            | {name: round(row[name], 4) for name in ("strength", "confidence")}
            | {"evidence": evidence.get(row["tag"], [])}
            for row in shown.tags.to_dicts()
        ]
        gaps = [{"sources": sources, "reason": why} for why, sources in missing.items()]
        echo_json({"item": item, "tags": tags, "missing": gaps})
        return
    _print_tags(workspace, shown.tags, evidence)
    every = {one.source for one in media_encoders()}
    for sentence, sources in missing.items():
        if every <= set(sources):
            tell("tags.missing_all", why=sentence)
        else:
            tell("tags.missing", source=source_names(sources), why=sentence)


def _words(workspace: Workspace, item: str) -> pl.DataFrame:
    """The words of an item's texts that tags were found by."""
    texts = read_items(workspace).texts
    mine = texts.filter(pl.col("item_id") == item).select(pl.exclude("item_id"))
    written = pl.Series("text", ["\n".join(one for one in row if one) for row in mine.iter_rows()])
    words = Lexicon().words(written.cast(pl.String), tree_vocabulary(workspace))
    return (
        words.group_by("tag", maintain_order=True)
        .agg(pl.col("term").unique(maintain_order=True).str.join(", ").alias("quote"))
        .with_columns(pl.lit(Lexicon().source).alias("source"))
    )


def _by_tag(found: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Evidence of each tag; measured values said in the language in use."""
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for row in found.to_dicts():
        key, facts = row.pop("fact", None), row.pop("facts", None)
        if key is not None:
            row["quote"] = str(reason_of(key, facts))
        by_tag.setdefault(row.pop("tag"), []).append(row)
    return by_tag


def _print_tags(
    workspace: Workspace, tags: pl.DataFrame, evidence: dict[str, list[dict[str, Any]]]
) -> None:
    names = {one.slug: one for one in workspace_tags(workspace)}
    columns = ("tag", "own_strength", "confidence", "source", "evidence")
    grid = Grid(*(say(f"tags.columns_{name}") for name in columns), box=None)
    for row in tags.to_dicts():
        tag = names.get(row["tag"])
        label = (tag.zh if language() == "zh" else tag.en) if tag else row["tag"]
        lines = [_evidence_line(one) for one in evidence.get(row["tag"], ())]
        numbers = (f"{row['strength']:.2f}", f"{row['confidence']:.2f}")
        source = source_name(row["source"])
        grid.add_row(escape(visible(label)), *numbers, escape(source), escape("\n".join(lines)))
    Console().print(grid)


def _evidence_line(one: dict[str, Any]) -> str:
    """``words on screen 0:03–0:05 “words”``."""
    parts = [source_name(one["source"])]
    if one.get("start_s") is not None:
        start, end = _clock(one["start_s"]), _clock(one["end_s"] or one["start_s"])
        parts.append(start if start == end else f"{start}–{end}")
    if one["quote"]:
        parts.append(visible(one["quote"]))
    return " ".join(parts)


def _clock(second: float) -> str:
    return f"{int(second // 60)}:{second % 60:04.1f}"
