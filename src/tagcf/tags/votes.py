"""Who found which tag of which item, and who could have: what `fusion` learns from.

A source's silence counts against a tag only where it was in a position to find it: it read the
item, and the tag is one that it ever finds or, if it was offered a choice (a language model's
candidates), one that it was offered for this item. Words that only repeat those of another source
are that source's; whoever repeats them neither speaks nor is silent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.types import Floats, Mask

FOUND = 0.5  # strength from which a source is taken to have found a tag
MOST = 62  # sources that fit the bits of an integer

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Votes:
    """Pairs of item and tag as N rows of votes of S sources, and all T tags' pairs as C cells."""

    item: pl.Series  # (N,) of the pairs that a source found at all
    tag: pl.Series  # (N,)
    sources: tuple[str, ...]
    tags: pl.Series  # (T,)
    voted: Mask  # (N, S) found
    seen: Mask  # (N, S) could have been found
    stated: Floats  # (S,) mean confidence that the encoders state, .05 to .95
    cell: Integers  # (N,) which cell a pair is in
    cells: Cells


@dataclass(frozen=True, slots=True)
class Cells:
    """Pairs of item and tag counted: silent ones, too."""

    tag: Integers  # (C,) position among the tags
    could: Mask  # (C, S)
    said: Mask  # (C, S)
    count: Floats  # (C,)


def votes_of(
    found: pl.DataFrame,
    readable: pl.DataFrame,
    offered: pl.DataFrame | None = None,
    repeats: pl.DataFrame | None = None,
) -> Votes:
    """Count votes; parameters as of `fuse_sources`, repeated rows being those repeated's own."""
    sources = tuple(sorted(found["source"].unique().to_list()))
    if len(sources) > MOST:
        raise ValueError(f"{len(sources)} sources; at most {MOST}")
    bits = pl.DataFrame({"source": sources, "bit": 1 << np.arange(len(sources), dtype=np.int64)})
    offers = _offers(offered, bits)
    asked = offers.select("item_id", "source").unique()
    free = readable.join(asked, on=["item_id", "source"], how="anti")
    read = _bits_by(free, bits, "item_id").rename({"bit": "read"})
    chosen = offers["source"].unique()
    ever = found.filter(~pl.col("source").is_in(chosen.implode()))
    able = _bits_by(ever, bits, "tag").rename({"bit": "able"})
    hits = found.filter(pl.col("strength") >= FOUND)
    keys = ["item_id", "tag"]
    pairs = (
        found.select(keys)
        .unique(maintain_order=True)
        .with_columns(pl.lit(value=True).alias("found"))
        .join(
            _bits_by(offers, bits, *keys).rename({"bit": "asked"}),
            on=keys,
            how="full",
            coalesce=True,
            maintain_order="left_right",
        )
        .join(read, on="item_id", how="left", maintain_order="left")
        .join(able, on="tag", how="left", maintain_order="left")
        .join(
            _bits_by(hits, bits, *keys).rename({"bit": "said"}),
            on=keys,
            how="left",
            maintain_order="left",
        )
        .join(
            _repeated(repeats, bits).rename({"bit": "echo"}),
            on=keys,
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("read", "able", "asked", "said", "echo").fill_null(0))
        .with_columns(could=_could(), found=pl.col("found").fill_null(value=False))
    )
    tags = pairs["tag"].unique().sort()
    pairs = pairs.with_columns(
        number=pl.col("tag").replace_strict(tags, pl.int_range(len(tags), eager=True))
    )
    cells, place = _cells(pairs, _silent(pairs, read, able, tags), len(sources))
    spoken = pairs["found"].to_numpy()
    mine = pairs.filter("found")
    stated = [
        min(
            max(float(found.filter(pl.col("source") == one)["confidence"].to_numpy().mean()), 0.05),
            0.95,
        )
        for one in sources
    ]
    return Votes(
        item=mine["item_id"],
        tag=mine["tag"],
        sources=sources,
        tags=tags,
        voted=_flags(mine["said"], len(sources)),
        seen=_flags(mine["could"], len(sources)),
        stated=np.array(stated),
        cell=place[spoken],
        cells=cells,
    )


def _could() -> pl.Expr:
    able = (pl.col("read") & pl.col("able")) | pl.col("asked") | pl.col("said")
    return able & (pl.col("echo").xor(pl.lit((1 << MOST) - 1)) | pl.col("said"))


def _offers(offered: pl.DataFrame | None, bits: pl.DataFrame) -> pl.DataFrame:
    if offered is None:
        return pl.DataFrame(schema=dict.fromkeys(("item_id", "source", "tag"), pl.String))
    known = offered.filter(pl.col("source").is_in(bits["source"].implode()))
    return known.select("item_id", "source", pl.col("tags").alias("tag")).explode("tag")


def _repeated(repeats: pl.DataFrame | None, bits: pl.DataFrame) -> pl.DataFrame:
    if repeats is None:
        repeats = pl.DataFrame(schema=dict.fromkeys(("item_id", "source", "tag"), pl.String))
    return _bits_by(repeats, bits, "item_id", "tag")


def _bits_by(rows: pl.DataFrame, bits: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return the sources of each key as the bits of a number."""
    different = rows.select(*keys, "source").unique().join(bits, on="source")
    return different.group_by(*keys).agg(pl.col("bit").sum())


def _silent(
    pairs: pl.DataFrame, read: pl.DataFrame, able: pl.DataFrame, tags: pl.Series
) -> pl.DataFrame:
    """Pairs that nobody found and nobody was offered: number, could, count."""
    of_items = read.group_by("read").agg(pl.len().cast(pl.Int64).alias("items"))
    spoken = pairs.group_by("number", "read").agg(pl.len().cast(pl.Int64).alias("spoken"))
    return (
        pl.DataFrame({"tag": tags})
        .with_row_index("number")
        .with_columns(pl.col("number").cast(pl.Int64))
        .join(able, on="tag")
        .join(of_items, how="cross")
        .join(spoken, on=["number", "read"], how="left")
        .select(
            "number",
            could=pl.col("read") & pl.col("able"),
            said=pl.lit(0, pl.Int64),
            count=pl.col("items") - pl.col("spoken").fill_null(0),
        )
        .filter((pl.col("could") > 0) & (pl.col("count") > 0))
    )


def _cells(pairs: pl.DataFrame, silent: pl.DataFrame, count: int) -> tuple[Cells, Integers]:
    keys = ["number", "could", "said"]
    spoken = pairs.select(*keys, count=pl.lit(1, pl.Int64))
    cells = (
        pl.concat([spoken, silent.select(spoken.columns)])
        .group_by(keys, maintain_order=True)
        .agg(pl.col("count").sum())
        .with_row_index("cell")
    )
    place = pairs.join(cells, on=keys, how="left", maintain_order="left")["cell"]
    return (
        Cells(
            tag=cells["number"].to_numpy(),
            could=_flags(cells["could"], count),
            said=_flags(cells["said"], count),
            count=cells["count"].to_numpy().astype(np.float64),
        ),
        place.to_numpy().astype(np.int64),
    )


def _flags(bits: pl.Series, count: int) -> Mask:
    flags: Mask = (bits.to_numpy()[:, None] >> np.arange(count) & 1).astype(bool)
    return flags
