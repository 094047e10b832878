"""What proposals are made from: items with their tags and free-form names, and who used them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from tagcf.tags.vocabulary import name_index
from tagcf.types import Tag, TagMatrix


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a proposal worth a person's time."""

    min_items: int = 20  # items of a sub-tag, and of both sides of a merge
    min_name_items: int = 5  # items of a name that is looked at
    parent_share: float = 0.6  # of a name's items carry the tag that it becomes a child of
    parent_lift: float = 2.0  # how much more often than elsewhere
    nearness: float = 0.5  # of names in one sub-tag: cosine of meaning plus half that of context
    same_meaning: float = 0.75  # cosine from which two names may be one
    same_context: float = 0.5  # and of their contexts
    whole: float = 0.8  # a group on more of its parent's items is the parent by another name
    most_names: int = 2000  # names looked at under one tag, the most used ones
    retire_from: int = 1000  # items a corpus must have before a missing tag says anything
    examples: int = 3


@dataclass(frozen=True, slots=True)
class Corpus:
    """What proposals are made from, items in the order of the matrix."""

    matrix: TagMatrix
    carried: sparse.csr_array  # (I, T) 0/1
    names: tuple[str, ...]  # N free-form ones that are no tag, most used first
    named: sparse.csr_array  # (I, N) 0/1
    engaged: sparse.csr_array | None  # (U, I)
    texts: dict[int, str]  # what to show of an item


def gather_corpus(
    matrix: TagMatrix,
    known: Sequence[Tag],
    free: pl.DataFrame | None,
    engaged: sparse.csr_array | None,
    texts: pl.DataFrame | None,
    threshold: float,
    min_name_items: int,
) -> Corpus:
    """Put items, tags, free names and texts into one order; parameters as of `propose`."""
    names, named = free_names(matrix, known, free, min_name_items)
    shown: dict[int, str] = {}
    if texts is not None:
        at = matrix.items.find(texts["item_id"].cast(pl.String).to_list())
        shown = {
            int(k): text
            for k, text in zip(at, texts["text"].to_list(), strict=True)
            if k >= 0 and text
        }
    return Corpus(matrix, matrix.carried(threshold), names, named, engaged, shown)


def free_names(
    matrix: TagMatrix, known: Sequence[Tag], free: pl.DataFrame | None, min_name_items: int
) -> tuple[tuple[str, ...], sparse.csr_array]:
    """Names on enough items that no tag has, in their commonest spelling, and where they are."""
    nothing = sparse.csr_array(np.zeros((len(matrix.items), 0), np.float32))
    if free is None or not free.height:
        return (), nothing
    taken = set(name_index(known))
    rows = (
        free.select(
            pl.col("item_id").cast(pl.String),
            pl.col("name").cast(pl.String).str.strip_chars(" #＃"),
        )
        .with_columns(pl.col("name").str.to_lowercase().alias("key"))
        .filter((pl.col("key") != "") & ~pl.col("key").is_in(list(taken)))
        .unique(["item_id", "key"], keep="first", maintain_order=True)
    )
    at = matrix.items.find(rows["item_id"].to_list())
    rows = rows.with_columns(pl.Series("row", at)).filter(pl.col("row") >= 0)
    counted = (
        rows.group_by("key")
        .agg(pl.len().alias("items"), pl.col("name").mode().sort().first())
        .filter(pl.col("items") >= min_name_items)
        .sort(["items", "key"], descending=[True, False])
    )
    if not counted.height:
        return (), nothing
    kept = rows.join(
        counted.select("key").with_row_index("column"), on="key", maintain_order="left"
    )
    ones = np.ones(kept.height, np.float32)
    shape = (len(matrix.items), counted.height)
    where = (kept["row"].to_numpy(), kept["column"].to_numpy())
    return tuple(counted["name"]), sparse.csr_array(sparse.coo_array((ones, where), shape=shape))


def users_of(corpus: Corpus, items: np.ndarray) -> int:
    """Users who engaged with any of the items; 0 where no log was given."""
    if corpus.engaged is None:
        return 0
    return int((np.asarray(corpus.engaged[:, items].sum(axis=1)).ravel() > 0).sum())


def examples_of(corpus: Corpus, items: np.ndarray, rules: Rules) -> tuple[str, ...]:
    """Texts of the first items, or their ids."""
    return tuple(
        corpus.texts.get(int(k), corpus.matrix.items[int(k)]) for k in items[: rules.examples]
    )
