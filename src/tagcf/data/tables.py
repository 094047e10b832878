"""Items, users and tags of a workspace as tables, in the order of the log's dense integers."""

from __future__ import annotations

import numpy as np
import polars as pl

from tagcf.data.attributes import first_of_each
from tagcf.data.bad_rows import Ledger, Place
from tagcf.data.files import RawBatch, Table, describe, locate, open_table, whole
from tagcf.data.read import read_log
from tagcf.data.values import as_numbers, as_texts
from tagcf.data.workspace import Workspace
from tagcf.errors import DataError, OutputError
from tagcf.types import BadRows, IdMap

TAG_COLUMNS = ("item_id", "tag", "strength", "source", "confidence")
NAME_COLUMNS = ("tag_zh", "tag_en", "facet")  # optional: names of the workspace's own tags


def item_frame(workspace: Workspace) -> pl.DataFrame:
    """Read items.*, row ``k`` = item ``k`` of the log; ids known from impressions only come last.

    Columns of a CSV file are text; ids are text always.
    """
    log = read_log(workspace)
    return _frame(workspace, "items", workspace.settings.data.item, log.items)


def user_frame(workspace: Workspace) -> pl.DataFrame:
    """Read users.*, row ``k`` = user ``k`` of the log; just the ids where there is no users.*."""
    log = read_log(workspace)
    return _frame(workspace, "users", workspace.settings.data.user or "user_id", log.users)


def read_item_tags(workspace: Workspace) -> pl.DataFrame:
    """Read item_tags.* of the workspace, else what ``tagcf tag`` wrote to out/.

    Returns
    -------
    pl.DataFrame
        item_id, tag (text), strength, confidence (0..1, float), source (text); each pair of
        item and tag once, the strongest row counting. Where the file has them also tag_zh,
        tag_en and facet (text).

    Raises
    ------
    DataError
        There are no tags yet, or the file lacks item_id or tag.
    """
    tags, _ = check_item_tags(workspace)
    return tags


def check_item_tags(workspace: Workspace) -> tuple[pl.DataFrame, tuple[BadRows, ...]]:
    """`read_item_tags`, and what was wrong with the file."""
    table = find_item_tags(workspace)
    if table is None:
        raise DataError("data.no_item_tags", path=workspace.root)
    for column in TAG_COLUMNS[:2]:
        table.require(column, "item_tags")
    used = (*TAG_COLUMNS, *NAME_COLUMNS)
    present = [column for column in used if column in table.columns]
    ledger = Ledger()
    batch = whole(table, present, ledger)
    tags = _checked_tags(batch, ledger)
    return tags, tuple(one.worded() for one in ledger.findings())


def find_item_tags(workspace: Workspace) -> Table | None:
    """Open item_tags.* of the workspace's root, else ``out/item_tags.parquet``.

    Raises
    ------
    DataError
        The own file cannot be used.
    OutputError
        The written one is broken.
    """
    own = open_table(workspace.root, "item_tags", workspace.settings.data.encoding)
    written = workspace.root / "out" / "item_tags.parquet"
    if own is not None or not written.is_file():
        return own
    try:
        return describe(written, "item_tags")
    except DataError as broken:
        raise OutputError(
            "error.broken_output",
            path=written,
            detail=broken.facts.get("detail", "0 B"),
            command=f"tagcf tag {workspace.root}",
        ) from broken


def _frame(workspace: Workspace, name: str, id_column: str, ids: IdMap) -> pl.DataFrame:
    """Rows of a table by dense integer; null where an id has none."""
    order = pl.DataFrame({id_column: pl.Series(ids.ids.to_pylist(), dtype=pl.String)})
    path = locate(workspace.root, name)
    if path is None:
        return order
    table = describe(path, name, workspace.settings.data.encoding)
    if id_column not in table.columns:
        return order
    batch = whole(table, table.columns)
    texts = as_texts(batch.frame[id_column])
    keep = first_of_each(batch, texts, id_column, Ledger())
    rows = batch.frame.with_columns(texts.alias(id_column)).filter(keep)
    return order.join(rows, on=id_column, how="left", maintain_order="left").select(table.columns)


def _checked_tags(batch: RawBatch, ledger: Ledger) -> pl.DataFrame:
    frame, place = batch.frame, batch.place
    ids, tags = as_texts(frame["item_id"]), as_texts(frame["tag"])
    no_item, no_tag = ids.is_null().to_numpy(), tags.is_null().to_numpy()
    ledger.note("bad.missing_id", place, no_item, column="item_id", action="dropped")
    ledger.note("bad.missing_tag", place, no_tag & ~no_item, column="tag", action="dropped")
    read = pl.DataFrame(
        {
            "item_id": ids,
            "tag": tags,
            "strength": _share(frame, place, "strength", ledger),
            "source": as_texts(frame["source"]) if "source" in frame.columns else "file",
            "confidence": _share(frame, place, "confidence", ledger),
            **{
                column: as_texts(frame[column])
                for column in NAME_COLUMNS
                if column in frame.columns
            },
        }
    ).with_columns(pl.col("source").fill_null("file"))
    sound = ~(no_item | no_tag) & ~np.isnan(read["strength"].to_numpy())
    read = read.filter(sound & ~np.isnan(read["confidence"].to_numpy()))
    strongest = read.sort("strength", descending=True, maintain_order=True)
    once = strongest.unique(["item_id", "tag"], keep="first", maintain_order=True)
    repeats = read.height - once.height
    ledger.tell("bad.duplicate_tag", place.file, [], count=repeats, action="dropped")
    return once.sort("item_id", "tag")


def _share(frame: pl.DataFrame, place: Place, column: str, ledger: Ledger) -> pl.Series:
    """Read a column of values in 0..1, by default 1; rows outside are marked NaN."""
    if column not in frame.columns:
        return pl.Series(column, [1.0]).new_from_index(0, frame.height)
    raw = frame[column]
    read = as_numbers(raw)
    outside = ~read.missing & ~((read.values >= 0) & (read.values <= 1))
    ledger.note("bad.share", place, outside, column=column, action="dropped", values=raw)
    values = pl.Series(column, read.values)
    values = values.fill_nan(None).fill_null(1.0)
    return values.zip_with(pl.Series(~outside), pl.Series([float("nan")]))
