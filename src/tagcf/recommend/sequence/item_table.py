"""Items while they are being trained: own vectors, updated row by row, and shares of tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from tagcf.recommend.sequence.shares import rows_to_one


@dataclass(slots=True)
class ItemTable:
    """(I, d + 1) own vectors, the last column each item's bias, and Adam's moments of them.

    A step touches only the rows that it read (lazy Adam), so that its cost doesn't grow with the
    catalogue.
    """

    value: Tensor  # (I, d + 1)
    mean: Tensor  # (I, d + 1) of gradients
    square: Tensor  # (I, d + 1) of squared gradients
    step: int = 0

    @staticmethod
    def of(start: NDArray[np.float32]) -> ItemTable:
        """Begin with these (I, d) vectors and no bias."""
        value = functional.pad(torch.from_numpy(start), (0, 1))
        return ItemTable(value, torch.zeros_like(value), torch.zeros_like(value))

    def rows(self, at: Tensor) -> Tensor:
        """Rows as a leaf of the graph of one step."""
        return self.value[at].requires_grad_()

    def update(self, at: Tensor, rows: Tensor, rate: float, betas: tuple[float, float]) -> None:
        """One step of Adam (Kingma and Ba 2015) on the rows read."""
        gradient = rows.grad
        if gradient is None:
            return
        self.step += 1
        mean = self.mean[at].lerp_(gradient, 1 - betas[0])
        square = self.square[at].mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
        self.mean[at], self.square[at] = mean, square
        spread = square.div(1 - betas[1] ** self.step).sqrt_().add_(1e-8)
        change = mean.div_(spread).mul_(-rate / (1 - betas[0] ** self.step))
        self.value.index_add_(0, at, change)


@dataclass(frozen=True, slots=True)
class TagShares:
    """What share of an item's tags each tag is; rows sum to 1, or to 0 without tags."""

    table: sparse.csr_array  # (I, T) float32

    @staticmethod
    def of(strength: sparse.csr_array | None, n_items: int) -> TagShares:
        """Normalise a table of strengths; no table is one without tags."""
        if strength is None:
            return TagShares(sparse.csr_array(np.zeros((n_items, 0), np.float32)))
        return TagShares(rows_to_one(strength))

    @property
    def n_tags(self) -> int:
        """Count the tags."""
        return int(self.table.shape[1])

    def mixed(self, at: NDArray[np.int64], vectors: Tensor) -> Tensor:
        """(N, d) mean tag vector of each of N items."""
        part = self.table[at]
        weight, tag = torch.from_numpy(part.data), torch.from_numpy(part.indices.astype(np.int64))
        start = torch.from_numpy(part.indptr[:-1].astype(np.int64))
        return functional.embedding_bag(tag, vectors, start, mode="sum", per_sample_weights=weight)
