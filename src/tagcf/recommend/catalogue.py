"""What can be recommended: items by their ids, and the tags that they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from tagcf.counterfactual.names import TagNames, index_ids, index_tags
from tagcf.errors import UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Codes, Floats, IdMap, Tag


@dataclass(frozen=True)  # no slots: what is looked up is made on first use
class Catalogue:
    """I items and T tags."""

    items: IdMap
    tags: tuple[Tag, ...]
    carried: sparse.csr_array  # (I, T) float32 strength of the tags that an item carries
    tags_version: str = ""

    @cached_property
    def ids(self) -> list[str]:
        """(I,) ids."""
        return [str(one) for one in self.items.ids.to_pylist()]

    @cached_property
    def position(self) -> dict[str, int]:
        """Id to dense item."""
        return {one: at for at, one in enumerate(self.ids)}

    @cached_property
    def names(self) -> TagNames:
        """Every name of every tag."""
        return index_tags(self.tags)

    @cached_property
    def carriers(self) -> sparse.csc_array:
        """The same table by tag."""
        return sparse.csc_array(self.carried)

    def find(self, external: Sequence[str]) -> Codes:
        """Dense items of ids; -1 where unknown."""
        return np.array([self.position.get(str(one), -1) for one in external], np.int32)

    def require(self, external: str) -> int:
        """Dense item of an id.

        Raises
        ------
        UnknownNameError
            There is none; the message has the nearest ids.
        """
        found = self.position.get(str(external), -1)
        if found < 0:
            near = index_ids(self.items).near(str(external)) if len(self.items) else []
            hint = did_you_mean(str(external), near)
            raise UnknownNameError("error.unknown_item", name=external, hint=hint)
        return found

    def tags_of(self, item: int) -> list[int]:
        """Tags that an item carries."""
        table = self.carried
        return [int(one) for one in table.indices[table.indptr[item] : table.indptr[item + 1]]]

    def with_tag(self, tag: int) -> tuple[Codes, Floats]:
        """Items that carry a tag, and its strength in each."""
        table = self.carriers
        at = slice(table.indptr[tag], table.indptr[tag + 1])
        return table.indices[at], table.data[at]


def carried_strength(strength: sparse.csr_array, threshold: float) -> sparse.csr_array:
    """(I, T) strengths from the threshold on; weaker tags are not carried."""
    values = np.where(strength.data >= threshold, strength.data, 0.0).astype(np.float32)
    parts = values, strength.indices.copy(), strength.indptr.copy()
    kept = sparse.csr_array(parts, shape=strength.shape)
    kept.eliminate_zeros()
    return kept
