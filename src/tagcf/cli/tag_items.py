"""What ``tagcf tag`` reads of items.*: ids, texts, and where their media are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import polars as pl
import pyarrow as pa

from tagcf.cli.talk import tell
from tagcf.data.files import locate
from tagcf.data.item_rows import open_items, read_item_rows
from tagcf.data.workspace import Workspace
from tagcf.errors import DataError, SettingsError
from tagcf.settings import FILE_NAME
from tagcf.tags.evidence import Content
from tagcf.tags.media.opened import Media
from tagcf.text import listing, say
from tagcf.types import IdMap


@dataclass(frozen=True, slots=True)
class Items:
    """Items to be tagged, each id once."""

    texts: pl.DataFrame  # item_id and a column "text …" for each of [content] text
    media: pl.DataFrame | None  # the same items and their path (null: none); None: no such column

    @property
    def with_text(self) -> pl.Series:
        """Ids of the items whose texts are not all empty."""
        written = pl.concat_str(pl.selectors.starts_with("text "), ignore_nulls=True)
        if self.texts.width == 1:
            return self.texts["item_id"].clear()
        return self.texts.filter(written.str.strip_chars() != "")["item_id"]

    @property
    def with_file(self) -> int:
        """How many items have a media file."""
        return 0 if self.media is None else self.media["path"].count()

    def joined(self) -> pl.DataFrame:
        """Columns item_id and text: the texts of each item, one a line."""
        columns = [pl.col(name) for name in self.texts.columns if name != "item_id"]
        text = pl.concat_str(columns, separator="\n", ignore_nulls=True) if columns else pl.lit("")
        return self.texts.select("item_id", text.alias("text"))

    def ids(self) -> IdMap:
        """All items, as rows of a matrix."""
        return IdMap(pa.array(self.texts["item_id"].to_list(), pa.string()))


def read_items(workspace: Workspace) -> Items:
    """Read ids, text columns and media paths of items.*.

    Raises
    ------
    DataError
        There is no items.*, or it lacks a column.
    SettingsError
        The settings name neither a text nor a media column.
    """
    content = workspace.settings.content
    there = locate(workspace.root, "items") is not None
    table = open_items(workspace) if there else None
    if table is None:
        item = workspace.settings.data.item
        raise DataError("tags.no_items_file", path=workspace.root, item=item)
    if not content.text and content.media is None:
        raise SettingsError(
            "tags.no_text",
            path=workspace.root / FILE_NAME,
            file=table.file,
            columns=", ".join(table.columns),
        )
    read = read_item_rows(workspace, table)
    for one in read.bad():
        examples = listing(one.examples)
        tell(
            "tags.bad_items",
            where=one.where,
            rows=one.count,
            what=say(one.kind),
            at=examples,
            done=say(f"action.{one.action}"),
        )
    items = read.frame
    media = items.select("item_id", _given("path")) if content.media else None
    return Items(items.drop("path", strict=False), media)


def contents_of(workspace: Workspace, items: Items) -> Iterator[Content]:
    """All items as encoders get them, made one by one; nothing is opened yet."""
    paths = repeat(None) if items.media is None else items.media["path"]
    for (item, text), given in zip(items.joined().iter_rows(), paths, strict=False):
        yield Content(item, text, None if given is None else _media(workspace, given))


def files_of(workspace: Workspace, items: Items) -> Iterator[Content]:
    """Items that have a media file, without their texts; made one by one."""
    if items.media is not None:
        for item, given in items.media.drop_nulls("path").iter_rows():
            yield Content(item, media=_media(workspace, given))


def _given(column: str) -> pl.Expr:
    """A path without the blanks around it; null where nothing is left."""
    plain = pl.col(column).str.strip_chars()
    return pl.when(plain != "").then(plain).alias(column)


def _media(workspace: Workspace, given: str) -> Media:
    """Media of an item: paths are relative to the workspace, or to ``[content] media_root``."""
    root = workspace.root / (workspace.settings.content.media_root or ".")
    return Media(root / given, within=root)
