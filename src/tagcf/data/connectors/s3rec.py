"""Sequences of S3-Rec: NAME.txt (user, then items in order) and NAME_item2attributes.json."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from tagcf.data.connectors.source import Imported, need_file
from tagcf.errors import DataError
from tagcf.types import Reason


def import_s3rec(path: Path, folder: Path) -> Imported:
    """Import NAME.txt with NAME_item2attributes.json beside it; attributes become tags.

    ``ts`` is the position in the user's sequence: the order is known, the time is not.
    """
    attributes = need_file(path, "s3rec").with_name(f"{path.stem}_item2attributes.json")
    lines = pl.read_csv(
        path,
        has_header=False,
        separator="\n",
        quote_char=None,
        new_columns=["line"],
        infer_schema=False,
    )
    sequences = lines.select(words=pl.col("line").str.strip_chars().str.split(" "))
    impressions = (
        sequences.select(
            user_id=pl.col("words").list.first(), item_id=pl.col("words").list.slice(1)
        )
        .with_columns(ts=pl.int_ranges(1, pl.col("item_id").list.len() + 1))
        .explode("item_id", "ts")
        .with_columns(chosen=pl.lit(1, pl.Int8))
    )
    if impressions["item_id"].null_count():
        raise DataError("import.no_sequence", path=path)
    impressions.write_parquet(folder / "impressions.parquet")
    impressions.select(pl.col("item_id").unique(maintain_order=True)).write_csv(
        folder / "items.csv"
    )
    _tags(need_file(attributes, "s3rec"), path.stem).write_parquet(folder / "item_tags.parquet")
    counts = (("rows", impressions.height), ("users", impressions["user_id"].n_unique()))
    title = {"data": {"title": f"S3-Rec {path.stem}"}}
    return Imported(title | _SETTINGS, (Reason("import.s3rec", counts),))


def _tags(path: Path, name: str) -> pl.DataFrame:
    try:
        listed = json.loads(path.read_text("utf-8"))
        frame = pl.DataFrame(
            {"item_id": list(listed), "attribute": list(listed.values())},
            schema={"item_id": pl.String, "attribute": pl.List(pl.Int64)},
        )
    except (ValueError, TypeError, AttributeError) as broken:
        raise DataError("import.broken_json", path=path, detail=broken) from broken
    tag = pl.lit(f"{name.lower()}-attribute-") + pl.col("attribute").cast(pl.String)
    return (
        frame.explode("attribute")
        .unique(maintain_order=True)
        .select("item_id", tag=tag, source=pl.lit("attributes"))
    )


_SETTINGS = {"outcomes": {"chosen": {"column": "chosen", "kind": "binary"}}}
