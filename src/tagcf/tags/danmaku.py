"""What viewers' own lines say an item is about: tags after exposure, kept apart.

Danmaku are written by people who saw the item. A tag read from them is part of the response, so
that an effect estimated on it would be the outcome explaining itself. Such tags are written to a
file of their own, which no estimate reads; they serve understanding, and proposals for the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from tagcf.data.files import Table, batches, open_table
from tagcf.data.values import as_texts
from tagcf.data.workspace import Workspace, atomic_path
from tagcf.errors import DataError
from tagcf.tags.encode import TextEncoder
from tagcf.tags.vocabulary import Vocabulary

FILE = "danmaku_tags.parquet"
SOURCE = "danmaku"
ENOUGH = 5.0  # writers beyond those expected from whom on a tag has its full strength
FEWEST = 2  # writers that must mention a tag

_COLUMNS = ("item_id", "user_id", "action", "text")


def read_danmaku(workspace: Workspace) -> Iterator[pl.DataFrame]:
    """Lines of danmaku in events.*, a batch at a time: item_id, user_id, text.

    Raises
    ------
    DataError
        There is no events.*, or it lacks a column.
    """
    table = open_table(workspace.root, "events", workspace.settings.data.encoding)
    if table is None:
        raise DataError("tags.no_events_file", path=workspace.root)
    for column in _COLUMNS:
        table.require(column, f"events.{column}")
    return _lines(table)


def _lines(table: Table) -> Iterator[pl.DataFrame]:
    for batch in batches(table, list(_COLUMNS)):
        lines = pl.DataFrame([as_texts(batch.frame[name]).alias(name) for name in _COLUMNS])
        written = (pl.col("action") == SOURCE) & (pl.col("text").str.strip_chars() != "")
        yield lines.filter(written).drop("action").drop_nulls("item_id")


def danmaku_tags(
    lines: Iterable[pl.DataFrame], vocabulary: Vocabulary, using: TextEncoder
) -> pl.DataFrame:
    """Tags that an item's viewers mention more than viewers of other items do.

    Parameters
    ----------
    lines
        Batches of item_id, user_id (null: each line is somebody else's), text.
    using
        What finds tags in a line.

    Returns
    -------
    Columns item_id, tag, strength, confidence, source, writers (who mention it), of (who wrote
    anything), quote (one of the lines). Of `writers` those that the tag's share among all pairs of
    writer and item lets expect are taken off; what is left over reaches strength 1 at `ENOUGH`.
    """
    said, wrote = [_SAID], [pl.DataFrame(schema={"item_id": pl.String, "user_id": pl.String})]
    for number, batch in enumerate(lines):
        known = batch.with_row_index("line").with_columns(
            pl.col("user_id").fill_null(pl.format("?{}-{}", pl.lit(number), pl.col("line")))
        )
        wrote.append(known.select("item_id", "user_id").unique())
        texts = known["text"].unique(maintain_order=True)
        found = using.encode(texts, vocabulary).filter(pl.col("strength") >= 0.5)
        tagged = found.select("tag", "confidence", texts.gather(found["row"]).alias("text"))
        said.append(
            known.join(tagged, on="text")
            .select(_SAID.columns)
            .unique(["item_id", "user_id", "tag"], keep="first", maintain_order=True)
        )
    mentions = pl.concat(said).unique(["item_id", "user_id", "tag"], maintain_order=True)
    writers = pl.concat(wrote).unique()
    of_item = writers.group_by("item_id").agg(pl.len().alias("of"))
    usual = mentions.group_by("tag").agg((pl.len() / max(writers.height, 1)).alias("usual"))
    more = pl.col("writers") - pl.col("usual") * pl.col("of")
    return (
        mentions.group_by("item_id", "tag")
        .agg(
            pl.len().alias("writers"),
            pl.col("confidence").max(),
            pl.col("text").first().alias("quote"),
        )
        .join(of_item, on="item_id")
        .join(usual, on="tag")
        .filter((pl.col("writers") >= FEWEST) & (more > 0))
        .with_columns(
            (more / ENOUGH).clip(upper_bound=1.0).cast(pl.Float32).alias("strength"),
            pl.lit(SOURCE).alias("source"),
        )
        .select("item_id", "tag", "strength", "confidence", "source", "writers", "of", "quote")
        .sort("item_id", "strength", "tag", descending=[False, True, False])
    )


_SAID = pl.DataFrame(
    schema=dict.fromkeys(["item_id", "user_id", "tag", "text"], pl.String)
    | {"confidence": pl.Float32}
)


def write_danmaku_tags(workspace: Workspace, tags: pl.DataFrame) -> Path:
    """Write ``out/danmaku_tags.parquet`` atomically and return its path."""
    target = workspace.out / FILE
    with atomic_path(target) as partial:
        tags.write_parquet(partial)
    return target
