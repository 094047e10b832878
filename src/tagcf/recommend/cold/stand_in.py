"""Cold items in a history: a known item with the most alike tags is read in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.types import Codes, Floats, Mask

ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class StandIns:
    """Which item stands for which."""

    item: Codes  # (I,) itself where it has a record; -1 where none is alike

    def read(self, histories: Histories) -> Histories:
        """Replace items without a record; those that nothing stands for are left out."""
        stands = self.item[histories.item]
        if np.array_equal(stands, histories.item):
            return histories
        kept = stands >= 0
        found = histories.where(kept)
        return replace(found, item=stands[kept])


def stand_ins(tags: sparse.csr_array, count: Floats) -> StandIns:
    """Find the nearest known item of each item that has no events.

    Cosine of tags weighted by how rare they are (inverse document frequency); of equally near
    items the one with the most events, then the first.

    Parameters
    ----------
    tags
        (I, T) strengths.
    count
        (I,) events of each item.
    """
    known = count > 0
    order = np.flatnonzero(known)
    order = order[np.argsort(-count[order], kind="stable")]
    rows = rare_rows(tags, known)
    there = rows[order].T.tocsr()
    item = np.where(known, np.arange(count.size), -1).astype(np.int32)
    cold = np.flatnonzero(~known)
    for start in range(0, cold.size, ROWS_AT_ONCE):
        part = cold[start : start + ROWS_AT_ONCE]
        alike = (rows[part] @ there).toarray()
        near = alike.argmax(axis=1) if order.size else np.zeros(part.size, int)
        some = alike.max(axis=1, initial=0.0) > 0
        item[part[some]] = order[near[some]]
    return StandIns(item)


def rare_rows(tags: sparse.csr_array, known: Mask, *, rare: bool = True) -> sparse.csr_array:
    """(I, T) tags of length 1 per item, rare tags weighing more if `rare`; untagged rows are 0."""
    carriers = np.bincount(tags[np.flatnonzero(known)].indices, minlength=tags.shape[1])
    weight = np.log((1.0 + known.sum()) / (1.0 + carriers)) if rare else np.ones(carriers.size)
    table = sparse.csr_array(tags @ sparse.diags_array(weight))
    length = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_array(sparse.diags_array(scale) @ table).astype(np.float32)
