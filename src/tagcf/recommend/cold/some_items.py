"""Tags of some items, looked up once: read tag by tag, in long loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.kernels import add_both_by_tag, add_by_tag
from tagcf.recommend.cold.peers import FittedTagNeighbours
from tagcf.recommend.cold.tag_ridge import TagRidge
from tagcf.recommend.scoring import Scores
from tagcf.types import Codes


@dataclass(frozen=True, slots=True)
class SomeItems:
    """Tags of m items, tag by tag, as both maps read them."""

    count: int  # m
    indptr: NDArray[np.integer]  # (T + 2,) tags, and the constant
    item: NDArray[np.integer]  # (n,)
    worth: NDArray[np.float32]  # (n,) values in the ridge
    near: NDArray[np.float32]  # (n,) values in likeness

    def said(self, by_tag: NDArray[np.float32]) -> Scores:
        """(U, m) sums of what (U, T + 1) tags are worth."""
        out = np.zeros((len(by_tag), self.count), np.float32)
        add_by_tag(self.indptr, self.item, self.worth, by_tag, out)
        return out

    def alike(self, profile: NDArray[np.float32]) -> Scores:
        """(U, m) likeness to (U, T) tags of histories."""
        out = np.zeros((len(profile), self.count), np.float32)
        add_by_tag(self.indptr, self.item, self.near, profile, out)
        return out

    def both(self, by_tag: NDArray[np.float32], profile: NDArray[np.float32]) -> Scores:
        """(U, m) the sum of the two."""
        out = np.zeros((len(by_tag), self.count), np.float32)
        like = np.zeros_like(by_tag)
        like[:, : profile.shape[1]] = profile
        add_both_by_tag(self.indptr, self.item, self.worth, self.near, by_tag, like, out)
        return out


def some_items(ridge: TagRidge, alike: FittedTagNeighbours, items: Codes) -> SomeItems:
    """Look items up in both tables."""
    tags, rows = sparse.csc_array(ridge.tags[items]), sparse.csc_array(alike.rows[items])
    tags.sum_duplicates()  # in the order of items
    rows.sum_duplicates()
    # What is alike is carried: each entry of the rows has its place among those of the tags.
    near = np.zeros(tags.nnz, np.float32)
    near[np.searchsorted(_cells(tags), _cells(rows))] = rows.data
    return SomeItems(items.size, tags.indptr, tags.indices, tags.data, near)


def _cells(table: sparse.csc_array) -> NDArray[np.int64]:
    """(n,) column and row of each entry as one number."""
    column = np.repeat(np.arange(table.shape[1], dtype=np.int64), np.diff(table.indptr))
    return np.asarray(column * table.shape[0] + table.indices)
