"""(2) Tags, and which items carry them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.types.arrays import Mask
from tagcf.types.log import IdMap


@dataclass(frozen=True, slots=True)
class Tag:
    """A fine-grained semantic label. `slug` is its stable name; `facet` the root of its branch."""

    slug: str
    zh: str
    en: str
    facet: str
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagMatrix:
    """Items × tags. Strength and confidence are in 0..1 and share one sparsity pattern."""

    items: IdMap
    tags: tuple[Tag, ...]
    strength: sparse.csr_array  # (I, T) float32
    confidence: sparse.csr_array  # (I, T) float32
    source: sparse.csr_array  # (I, T) int16: 1 + position in `sources`
    sources: tuple[str, ...]
    version: str = ""  # of the tag tree that the tags were made with
    # Slugs of tags that were proposed from behaviour, and (I,) the items whose behaviour had no
    # part in that: effects of these tags are told from those items alone.
    unseen: tuple[tuple[str, Mask], ...] = ()

    def carried(self, threshold: float = 0.5) -> sparse.csr_array:
        """(I, T) float32 0/1: which items carry which tags."""
        table, reached = self.strength, self.strength.data >= threshold
        ones = reached.astype(np.float32)
        if reached.all():
            return sparse.csr_array((ones, table.indices, table.indptr), shape=table.shape)
        carried = sparse.csr_array((ones, table.indices, table.indptr), table.shape, copy=True)
        carried.eliminate_zeros()
        return carried
