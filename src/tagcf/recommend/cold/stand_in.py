"""Cold items in a history: a known item with the most alike tags is read in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.types import Codes, Floats, Mask

MOST = 10_000  # items with the most events: one of them is alike enough
CELLS = 16_000_000  # likenesses held at once


@dataclass(frozen=True, slots=True)
class StandIns:
    """Which item stands for which."""

    item: Codes  # (I,) itself where it has a record; -1 where none is alike

    def read(self, histories: Histories) -> Histories:
        """Replace items without a record; those that nothing stands for are left out."""
        if np.array_equal(self.item[histories.item], histories.item):
            return histories
        found = self.kept(histories)
        return replace(found, item=self.item[found.item])

    def kept(self, histories: Histories) -> Histories:
        """Leave out what nothing stands for; the others stay themselves."""
        kept = self.item[histories.item] >= 0
        return histories if kept.all() else histories.where(kept)


def stand_ins(tags: sparse.csr_array, count: Floats) -> StandIns:
    """Find the nearest known item of each item that has no events.

    Cosine of tags weighted by how rare they are (inverse document frequency); of equally near
    items the one with the most events, then the first; looked for among the `MOST` with most.

    Parameters
    ----------
    tags
        (I, T) strengths.
    count
        (I,) events of each item.
    """
    known = count > 0
    order = np.flatnonzero(known)
    order = order[np.argsort(-count[order], kind="stable")][:MOST]
    rows = rare_rows(tags, known)
    there = rows[order].T.tocsr()
    item = np.where(known, np.arange(count.size), -1).astype(np.int32)
    cold = np.flatnonzero(~known)
    step = max(1, CELLS // max(order.size, 1))
    for start in range(0, cold.size, step):
        part = cold[start : start + step]
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
