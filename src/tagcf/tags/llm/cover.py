"""Free names of many items, reduced to a covering set: counted, merged, chosen greedily.

After the published TagCF (Yu et al. 2025, arXiv 2505.10940, section 3): frequency first, then
near-duplicates become one, then the fewest names that cover the items (greedy set cover, within
1 + ln n of the best possible: Chvátal 1979).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from tagcf.tags.embedding import embedding_installed
from tagcf.tags.llm.kernels import greedy_cover
from tagcf.tags.llm.names import near_leaders, space_of
from tagcf.types import Floats

NEAR_MEANING = NEAR_LETTERS = 0.8


@dataclass(frozen=True, slots=True)
class CoveringSet:
    """Names that together cover the items, in the order in which they were chosen."""

    names: tuple[str, ...]  # K, each in its most frequent spelling
    members: tuple[tuple[str, ...], ...]  # what each stands for, itself first, by frequency
    counts: tuple[int, ...]  # items that carry each name or one of its members
    curve: Floats  # (K,) share of the items covered by the first k names
    items: int  # items that have a name at all
    distinct: int  # different names before anything was reduced
    rare: int  # of these, on too few items to be considered
    merged: int  # of these, near-duplicates of a more frequent one
    by: str  # what near means: "meaning" or "letters"

    @property
    def coverage(self) -> float:
        """Share of the items that carry at least one of the names."""
        return float(self.curve[-1]) if len(self.curve) else 0.0

    def meant_by(self) -> dict[str, str]:
        """Every name that is covered, normalised as by `normal_name` → the name it stands under."""
        return {
            normal_name(member): name
            for name, members in zip(self.names, self.members, strict=True)
            for member in members
        }


def normal_name(name: str) -> str:
    """Return the form under which two spellings are one name."""
    return pl.Series([name]).to_frame("name").select(_normal(pl.col("name"))).item() or ""


def covering_set(
    names: pl.DataFrame | Sequence[Iterable[str]],
    *,
    coverage: float = 0.95,
    most: int = 500,
    min_items: int = 2,
    near: float | None = None,
    meaning: bool | None = None,
) -> CoveringSet:
    """Reduce free names to a set that covers the items. Deterministic.

    Parameters
    ----------
    names
        Columns item and name, or the names of each item.
    coverage
        Share of the items with a name that is to be covered; reached unless `most` or
        `min_items` stands against it. `CoveringSet.coverage` says how far it went.
    most
        Names at most.
    min_items
        Names on fewer items are left out.
    near
        Cosine from which two names are one; default 0.8. A guess: names spelled
        alike may mean opposites (female narrator, male narrator), so lower it with care.
    meaning
        Compare names by the sentence embeddings; default: if they are installed.
    """
    by_meaning = embedding_installed() if meaning is None else meaning
    threshold = near if near is not None else (NEAR_MEANING if by_meaning else NEAR_LETTERS)
    rows = _rows(names)
    counted = (
        rows.group_by("key")
        .agg(pl.len().alias("count"), pl.col("name").mode().sort().first())
        .sort(["count", "key"], descending=[True, False])
    )
    kept = counted.filter(pl.col("count") >= min_items).with_row_index("position")
    leader = near_leaders(space_of(kept["name"].to_list(), meaning=by_meaning), threshold)
    table = _table(rows, kept, leader)
    items = rows["item"].n_unique()
    by_item, by_name = table.tocsr(), table.tocsc()
    taken, reached = greedy_cover(
        by_item.indptr.astype(np.int64),
        by_item.indices.astype(np.int32),
        by_name.indptr.astype(np.int64),
        by_name.indices.astype(np.int32),
        int(np.ceil(coverage * items)),
        most,
    )
    spelled = kept["name"].to_numpy()
    order = np.argsort(leader, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(leader, minlength=kept.height))[:-1])
    return CoveringSet(
        names=tuple(str(spelled[k]) for k in taken),
        members=tuple(tuple(str(name) for name in spelled[groups[k]]) for k in taken),
        counts=tuple(int(by_name.indptr[k + 1] - by_name.indptr[k]) for k in taken),
        curve=reached / max(items, 1),
        items=items,
        distinct=counted.height,
        rare=counted.height - kept.height,
        merged=int(np.sum(leader != np.arange(kept.height))),
        by="meaning" if by_meaning else "letters",
    )


def _rows(names: pl.DataFrame | Sequence[Iterable[str]]) -> pl.DataFrame:
    """Columns item (any), key (normalised) and name; each key once an item."""
    if not isinstance(names, pl.DataFrame):
        lists = pl.Series("name", [list(one) for one in names], dtype=pl.List(pl.String))
        names = lists.to_frame().with_row_index("item").explode("name")
    return (
        names.select("item", pl.col("name").cast(pl.String).str.strip_chars())
        .with_columns(_normal(pl.col("name")).alias("key"))
        .filter(pl.col("key").str.len_chars() > 0)
        .unique(["item", "key"], keep="first", maintain_order=True)
    )


def _normal(name: pl.Expr) -> pl.Expr:
    """Full-width forms and capitals folded, marks and spaces between letters taken out."""
    return name.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}\p{M}]+", "")


def _table(rows: pl.DataFrame, kept: pl.DataFrame, leader: np.ndarray) -> sparse.coo_array:
    """(items, names) which item carries which leading name."""
    here = rows.join(kept.select("key", "position"), on="key", how="inner")
    item = rows["item"].unique(maintain_order=True)
    numbered = pl.DataFrame({"item": item}).with_row_index("number")
    number = here.join(numbered, on="item", how="left", maintain_order="left")["number"].to_numpy()
    pairs = np.unique(
        np.column_stack((number.astype(np.int64), leader[here["position"].to_numpy()])), axis=0
    )
    ones = np.ones(len(pairs), np.int8)
    return sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(item), kept.height))
