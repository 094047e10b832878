"""Item-kNN: items that the same users had, each keeping its nearest neighbours.

Cosine of the columns of the user-item table (Deshpande and Karypis 2004), plain or with users
weighted by how few items they had, as tf-idf weighs words. A candidate's score is the sum of its
similarities to the items of the history, of which only those of near neighbours are kept: the
candidate's own nearest, or (as in the package ``implicit``) the nearest of the history's items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse

from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.types import Floats

Weighting = Literal["cosine", "tf-idf"]
Side = Literal["candidate", "history"]
ITEMS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class ItemKNN:
    """The `neighbours` nearest of each item, on one side of the pair."""

    neighbours: int = 50
    weighting: Weighting = "cosine"
    nearest_of: Side = "candidate"
    name: str = "item-knn"

    def fit(self, train: Histories) -> FittedItemKNN:
        """Compare items by the users they share, some items at a time."""
        table = _weighted(train.seen(), self.weighting).tocsc()
        rows = table.T.tocsr()  # items × users
        parts = [
            _nearest((rows[start : start + ITEMS_AT_ONCE] @ table).tocsr(), start, self.neighbours)
            for start in range(0, train.n_items, ITEMS_AT_ONCE)
        ]
        near = sparse.csr_array(sparse.vstack(parts, format="csr"))
        return FittedItemKNN(near if self.nearest_of == "history" else turned(near))


@dataclass(frozen=True, slots=True)
class FittedItemKNN:
    """Kept similarities of items."""

    near: sparse.csr_array  # (I, I) float32: of the history's item (row) to the candidate (column)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Sum similarities to the items of each history."""
        return np.asarray((histories.seen() @ self.near).toarray(), np.float32)


def _weighted(seen: sparse.csr_array, weighting: Weighting) -> sparse.csr_array:
    """Columns of length 1."""
    value = np.ones(seen.nnz)
    if weighting == "tf-idf":
        had = np.diff(seen.indptr)
        value = np.repeat(np.log(seen.shape[1] / (1.0 + had)).clip(min=0), had)
    squared = np.bincount(seen.indices, value**2, minlength=seen.shape[1])
    length = np.sqrt(np.maximum(squared, 1e-12))
    value = (value / length[seen.indices]).astype(np.float32)
    return sparse.csr_array((value, seen.indices, seen.indptr), shape=seen.shape)


def _nearest(alike: sparse.csr_array, first: int, most: int) -> sparse.csr_array:
    """Keep the `most` largest of each row beside the item itself; of equals the smaller item."""
    row = np.repeat(np.arange(alike.shape[0]), np.diff(alike.indptr))
    value = np.where(alike.indices == row + first, -np.inf, alike.data)
    order = np.lexsort((alike.indices, -value, row))
    place = np.arange(order.size) - alike.indptr[row[order]]
    kept = order[(place < most) & np.isfinite(value[order])]
    where = row[kept], alike.indices[kept]
    return sparse.csr_array((alike.data[kept], where), shape=alike.shape)


def turned(near: sparse.csr_array) -> sparse.csr_array:
    """The same kept similarities, for the other side: cosine is symmetric."""
    return sparse.csr_array(near.T)


def item_knn_search(
    neighbours: Sequence[int] = (20, 50, 100, 200),
    weightings: Sequence[Weighting] = ("cosine", "tf-idf"),
) -> Grid:
    """Item-kNN with neighbours, weighting and side chosen."""

    def variants(model: Model, fitted: Fitted) -> Iterator[tuple[Model, Fitted]]:
        if isinstance(model, ItemKNN) and isinstance(fitted, FittedItemKNN):
            other = replace(model, nearest_of="history")
            yield other, replace(fitted, near=turned(fitted.near))

    models = [ItemKNN(k, one) for one in weightings for k in neighbours]
    return Grid("item-knn", models, variants)
