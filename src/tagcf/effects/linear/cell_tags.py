"""What each cell's item carries: kept once per item, made dense block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.kernels import fill_dense
from tagcf.types import Codes, Floats

BLOCK_BYTES = 2**20  # of tags that are dense at a time: what a core's cache holds
DOUBLE_PRECISION = 1_000_000  # cells × tags up to which products are made in double precision

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class CellTags:
    """Tags of C cells, as rows of an item table, minus the mean of each cell's group."""

    carried: sparse.csr_array  # (I, T) by item
    item: Codes  # (C,) row of `carried`
    group: Codes  # (C,)
    group_mean: Floats  # (G, T); zero until the groups are absorbed

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and tags."""
        return len(self.item), self.carried.shape[1]

    @property
    def precision(self) -> type[np.floating]:
        """Precision of products: single for large problems, whose blocks are added in double."""
        return np.float64 if np.prod(self.shape) <= DOUBLE_PRECISION else np.float32

    @property
    def block_cells(self) -> int:
        """Cells whose tags are made dense at a time."""
        return max(BLOCK_BYTES // (np.dtype(self.precision).itemsize * max(self.shape[1], 1)), 64)

    def compact(self) -> tuple[NDArray[np.unsignedinteger], Floats]:
        """Tags of each item in as few bytes as they need, and their values; none where all 1."""
        table = self.carried
        small = np.uint16 if table.shape[1] <= 2**16 else np.uint32
        values = table.data if (table.data != 1.0).any() else np.empty(0)
        return table.indices.astype(small), values.astype(self.precision)

    def carrying(self) -> sparse.csr_array:
        """(I, T) 0/1 by item."""
        table = self.carried
        ones = (table.data != 0).astype(np.float64)
        return sparse.csr_array((ones, table.indices, table.indptr), shape=table.shape)

    def centred(self, group_mean: Floats) -> CellTags:
        """The same tags minus these means."""
        return replace(self, group_mean=group_mean)

    def rows(self, cells: Positions, dtype: type[np.floating] = np.float64) -> Floats:
        """(m, T) dense rows of some cells."""
        out = np.zeros((len(cells), self.shape[1]), dtype)
        table = self.carried
        fill_dense(self.item[cells], table.indptr, table.indices, table.data, out)
        mean = self.group_mean
        if mean.any():
            out -= (mean[0] if len(mean) == 1 else mean[self.group[cells]]).astype(dtype)
        return out

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """All cells, block by block, in the precision of the problem."""
        every, step = np.arange(len(self.item)), self.block_cells
        for start in range(0, len(every), step):
            at = slice(start, start + step)
            yield at, self.rows(every[at], self.precision)

    def times(self, coef: Floats) -> Floats:
        """(C, K) tags times coefficients (T, K)."""
        by_item = np.asarray(self.carried @ coef)
        return np.asarray(by_item[self.item] - (self.group_mean @ coef)[self.group])

    def summed(self, values: Floats) -> Floats:
        """(K, T) sums over cells of values (C, K) times the tags, without their means."""
        return np.asarray(self._by_item(values).T @ self.carried)

    def group_sums(self, weight: Floats, n_groups: int) -> Floats:
        """(G, T) sums of the weighted tags by group."""
        shape = (n_groups, self.carried.shape[0])
        by_group = sparse.csr_array((weight, (self.group, self.item)), shape=shape)
        return np.asarray((by_group @ self.carried).toarray(), dtype=np.float64)

    def dense(self) -> Floats:
        """(C, T) all cells at once, for methods that hold rows in memory."""
        return self.rows(np.arange(len(self.item)))

    def _by_item(self, values: Floats) -> Floats:
        total = np.zeros((self.carried.shape[0], values.shape[1]))
        np.add.at(total, self.item, values)
        return total


def cell_tags(tags: Floats | CellTags, cell_group: Codes, n_groups: int) -> CellTags:
    """Tags of cells, given as dense rows (C, T) or as they are wanted."""
    if isinstance(tags, CellTags):
        return tags
    none = np.zeros((n_groups, tags.shape[1]))
    return CellTags(sparse.csr_array(tags), np.arange(len(tags), dtype=np.int32), cell_group, none)


def tags_of_items(
    carried: Floats | sparse.csr_array, item: Codes, group: Codes, n_groups: int
) -> CellTags:
    """Tags of cells whose items carry `carried` (I, T)."""
    table = sparse.csr_array(carried)
    if table.data.dtype != np.float64:
        table = table.astype(np.float64)
    return CellTags(table, item, group, np.zeros((n_groups, table.shape[1])))
