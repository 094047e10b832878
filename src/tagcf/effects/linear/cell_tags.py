"""What each cell's item carries: kept once per item, made dense block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.kernels import (
    add_by_item,
    add_by_tag,
    add_vectors,
    count_codes,
    fill_dense,
)
from tagcf.types import Codes, Floats, TagMatrix

BLOCK_BYTES = 2**22  # of tags that are dense at a time: what a core's cache holds
DOUBLE_PRECISION = 1_000_000  # cells × tags up to which products are made in double precision

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class ItemTags:
    """What each of I items carries: rows of an item table."""

    indptr: NDArray[np.integer]  # (I + 1,)
    tag: NDArray[np.integer]  # (nnz,) tags of the items, one item after another
    value: Floats  # (nnz,) their values; empty where all are 1
    n_tags: int
    on_items: Floats  # (T,) how many of the items carry each tag

    @staticmethod
    def of(carried: Floats | sparse.csr_array) -> ItemTags:
        """Pack a table (I, T)."""
        table = sparse.csr_array(carried)
        small = np.uint16 if table.shape[1] <= 2**16 else np.uint32
        values: Floats = table.data
        value = np.empty(0) if bool((values == 1).all()) else values.astype(np.float64)
        tag: NDArray[np.integer] = table.indices.astype(small)
        every = _counted(tag[values != 0], table.shape[1])
        return ItemTags(table.indptr, tag, value, table.shape[1], every)

    @staticmethod
    def of_matrix(tags: TagMatrix, threshold: float) -> ItemTags:
        """What items carry from a strength on; where that is all, nothing is copied."""
        table, n_tags = tags.strength, len(tags.tags)
        if not len(table.data) or float(table.data.min()) >= threshold:
            every = _counted(table.indices, n_tags)
            return ItemTags(table.indptr, table.indices, np.empty(0), n_tags, every)
        reached = table.data >= threshold
        indptr = np.concatenate([[0], np.cumsum(reached)])[table.indptr]
        tag = table.indices[reached]
        return ItemTags(indptr, tag, np.empty(0), n_tags, _counted(tag, n_tags))

    def __len__(self) -> int:
        """Count the items."""
        return len(self.indptr) - 1

    def times(self, coef: Floats) -> Floats:
        """(I, K) table times coefficients (T, K)."""
        out = np.zeros((len(self), coef.shape[1]))
        add_by_item(self.indptr, self.tag, self.value, np.ascontiguousarray(coef, float), out)
        return out

    def summed(self, values: Floats) -> Floats:
        """(T, K) sums over items of values (I, K) times the table."""
        out = np.zeros((self.n_tags, values.shape[1]))
        add_by_tag(self.indptr, self.tag, self.value, np.ascontiguousarray(values, float), out)
        return out

    def carriers(self, items: NDArray[np.generic]) -> Floats:
        """(T,) how many of the items flagged (I,) carry each tag."""
        if items.all():
            return self.on_items
        flags = np.asarray(items, dtype=np.float64)[:, None]
        out = np.zeros((self.n_tags, 1))
        if self.value.size and not self.value.all():
            add_by_tag(self.indptr, self.tag, (self.value != 0).astype(float), flags, out)
        else:
            add_by_tag(self.indptr, self.tag, np.empty(0), flags, out)
        return out[:, 0]

    def table(self) -> sparse.csr_array:
        """(I, T) as a sparse table."""
        value = self.value if self.value.size else np.ones(self.tag.size)
        shape = (len(self), self.n_tags)
        return sparse.csr_array((value, self.tag.astype(np.int32), self.indptr), shape=shape)


@dataclass(frozen=True, slots=True)
class CellTags:
    """Tags of C cells, as rows of an item table, minus the mean of each cell's group."""

    items: ItemTags
    item: Codes  # (C,) row of `items`
    group: Codes  # (C,)
    group_mean: Floats  # (G, T); zero until the groups are absorbed

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and tags."""
        return len(self.item), self.items.n_tags

    @property
    def precision(self) -> type[np.floating]:
        """Precision of products: single for large problems, whose blocks are added in double."""
        return np.float64 if np.prod(self.shape) <= DOUBLE_PRECISION else np.float32

    @property
    def block_cells(self) -> int:
        """Cells whose tags are made dense at a time."""
        return max(BLOCK_BYTES // (np.dtype(self.precision).itemsize * max(self.shape[1], 1)), 64)

    def centred(self, group_mean: Floats) -> CellTags:
        """The same tags minus these means."""
        return replace(self, group_mean=group_mean)

    def rows(self, cells: Positions | slice, dtype: type[np.floating] = np.float64) -> Floats:
        """(m, T) dense rows of some cells."""
        items, item = self.items, self.item[cells]
        out = np.zeros((len(item), self.shape[1]), dtype)
        fill_dense(item, items.indptr, items.tag, items.value, out)
        mean = self.group_mean
        if mean.any():
            out -= (mean[0] if len(mean) == 1 else mean[self.group[cells]]).astype(dtype)
        return out

    def blocks(self, precision: type[np.floating]) -> Iterator[tuple[slice, Floats]]:
        """All cells, block by block."""
        step = self.block_cells
        for start in range(0, len(self.item), step):
            at = slice(start, start + step)
            yield at, self.rows(at, precision)

    def times(self, coef: Floats) -> Floats:
        """(C, K) tags times coefficients (T, K)."""
        by_item = self.items.times(coef)
        return np.asarray(by_item[self.item] - (self.group_mean @ coef)[self.group])

    def summed(self, values: Floats) -> Floats:
        """(K, T) sums over cells of values (C, K) times the tags, without their means."""
        total = np.zeros((len(self.items), values.shape[1]))
        add_vectors(self.item, values, total)
        return self.items.summed(total).T

    def group_sums(self, weight: Floats, n_groups: int) -> Floats:
        """(G, T) sums of the weighted tags by group."""
        if n_groups == 1:
            return self.summed(weight[:, None])
        shape = (n_groups, len(self.items))
        by_group = sparse.csr_array((weight, (self.group, self.item)), shape=shape)
        return np.asarray((by_group @ self.items.table()).toarray(), dtype=np.float64)

    def dense(self) -> Floats:
        """(C, T) all cells at once, for methods that hold rows in memory."""
        return self.rows(np.arange(len(self.item)))


def cell_tags(tags: Floats | CellTags, cell_group: Codes, n_groups: int) -> CellTags:
    """Tags of cells, given as dense rows (C, T) or as they are wanted."""
    if isinstance(tags, CellTags):
        return tags
    return tags_of_items(tags, np.arange(len(tags), dtype=np.int32), cell_group, n_groups)


def tags_of_items(
    carried: Floats | sparse.csr_array | ItemTags, item: Codes, group: Codes, n_groups: int
) -> CellTags:
    """Tags of cells whose items carry `carried` (I, T)."""
    items = item_tags(carried)
    return CellTags(items, item, group, np.zeros((n_groups, items.n_tags)))


def item_tags(carried: Floats | sparse.csr_array | ItemTags) -> ItemTags:
    """Pack a table (I, T), unless it is packed."""
    return carried if isinstance(carried, ItemTags) else ItemTags.of(carried)


def _counted(tag: NDArray[np.integer], n_tags: int) -> Floats:
    """(T,) how often each tag occurs."""
    count = np.zeros(n_tags)
    count_codes(tag, count)
    return count
