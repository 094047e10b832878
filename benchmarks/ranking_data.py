"""Catalogues that rankers are measured on: MovieLens 100k, and Beauty and LastFM of S3-Rec.

All events are positive, nobody is left out, and histories are in the order of
``../shared/research/rec.md`` section 3: user, time, then the order of the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.record import shared_data
from tagcf.recommend.histories import Histories


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Histories of a data set, with what is known of its items."""

    name: str
    histories: Histories
    tags: sparse.csr_array  # (I, T) float32 0/1
    tag_names: tuple[str, ...]


def movielens(folder: Path | None = None) -> Catalogue:
    """MovieLens 100k: 943 users, 1,682 items; tags are genres and periods of five years."""
    home = folder or shared_data() / "ml_100k"
    events = _atomic(home / "ml-100k.inter")
    films = _atomic(home / "ml-100k.item").sort(pl.col("item_id").cast(pl.Int32))
    user = events["user_id"].cast(pl.Int32).to_numpy() - 1
    item = events["item_id"].cast(pl.Int32).to_numpy() - 1
    ts = events["timestamp"].cast(pl.Float64).to_numpy()
    histories = Histories.from_events(user, item, ts, int(user.max()) + 1, films.height)
    period = pl.col("release_year").cast(pl.Int32, strict=False) // 5 * 5
    tags = films.select(
        item=pl.col("item_id").cast(pl.Int32) - 1,
        tag=pl.concat_list(
            pl.col("class").str.split(" "), pl.format("{}-", period).fill_null("unknown year")
        ),
    ).explode("tag")
    return _with_tags("ml-100k", histories, tags)


def s3rec(name: str, folder: Path | None = None) -> Catalogue:
    """Read a data set of S3-Rec, "Beauty" or "LastFM"; tags are its attributes, times unknown."""
    home = folder or shared_data() / "s3rec_seq"
    lines = (home / f"{name}.txt").read_text("utf-8").splitlines()
    sequences = [[int(word) - 1 for word in line.split()[1:]] for line in lines]
    n_items = 1 + max(max(one) for one in sequences)
    listed = json.loads((home / f"{name}_item2attributes.json").read_text("utf-8"))
    pairs = [(int(item) - 1, str(tag)) for item, own in listed.items() for tag in set(own)]
    tags = pl.DataFrame(pairs, schema={"item": pl.Int32, "tag": pl.String}, orient="row")
    return _with_tags(name, Histories.of(sequences, n_items), tags)


def beauty() -> Catalogue:
    """Beauty of S3-Rec: 22,363 users, 12,101 items."""
    return s3rec("Beauty")


def lastfm() -> Catalogue:
    """LastFM of S3-Rec: 1,090 users, 3,646 items."""
    return s3rec("LastFM")


CATALOGUES: dict[str, Callable[[], Catalogue]] = {
    "ml-100k": movielens,
    "Beauty": beauty,
    "LastFM": lastfm,
}


def _atomic(path: Path) -> pl.DataFrame:
    """Read a file of RecBole, whose header says ``name:type``."""
    frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    return frame.rename(lambda column: column.partition(":")[0])


def _with_tags(name: str, histories: Histories, tags: pl.DataFrame) -> Catalogue:
    names = tags["tag"].unique().sort()
    kept = tags.filter(pl.col("item") < histories.n_items)
    column = names.search_sorted(kept["tag"]).to_numpy()
    table = sparse.csr_array(
        (np.ones(kept.height, np.float32), (kept["item"].to_numpy(), column)),
        shape=(histories.n_items, len(names)),
    )
    table.sum_duplicates()
    table.data[:] = 1.0
    return Catalogue(name, histories, table, tuple(names.to_list()))
