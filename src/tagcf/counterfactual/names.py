"""From what a person types to what is meant: tags by any of their names, ids of items and users."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from tagcf.errors import UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import IdMap, Tag

# Near names are looked for among this many ids around the place where the wrong one would be.
_NEIGHBOURS = 200


@dataclass(frozen=True, slots=True)
class TagNames:
    """Every name of every tag, case and outer spaces ignored, to the tag's position."""

    tags: tuple[Tag, ...]
    positions: dict[str, int]

    def find(self, name: str) -> int:
        """Return the position of the tag that a name means; -1 if there is none."""
        return self.positions.get(_folded(name), -1)

    def require(self, name: str) -> int:
        """Return the position of the tag that a name means.

        Raises
        ------
        UnknownNameError
            No tag has this slug, zh or en name or alias; the message has the nearest names.
        """
        found = self.find(name)
        if found < 0:
            hint = did_you_mean(_folded(name), self.positions)
            raise UnknownNameError("error.unknown_tag", name=name, hint=hint)
        return found


def index_tags(tags: Sequence[Tag]) -> TagNames:
    """Index the names of tags; where two tags share one, slug wins over name over alias."""
    positions: dict[str, int] = {}
    ranks = (lambda tag: (tag.slug,), lambda tag: (tag.zh, tag.en), lambda tag: tag.aliases)
    for names in ranks:
        for at, tag in enumerate(tags):
            for name in names(tag):
                positions.setdefault(_folded(name), at)
    return TagNames(tuple(tags), positions)


def _folded(name: str) -> str:
    return name.strip().casefold()


@dataclass(frozen=True, slots=True)
class IdIndex:
    """Ids in sorted order: one is found in microseconds, also among millions."""

    ids: IdMap
    order: NDArray[np.uint64]

    def find(self, external: str) -> int:
        """Return the dense integer of an id; -1 if unknown."""
        at = self._place(external)
        if at < len(self.order) and self._sorted(at) == external:
            return int(self.order[at])
        return -1

    def near(self, external: str) -> list[str]:
        """Return the ids that share the most leading characters with an unknown one."""
        at = self._place(external)
        around = range(max(at - _NEIGHBOURS, 0), min(at + _NEIGHBOURS, len(self.order)))
        ids = [self._sorted(place) for place in around]
        shared = [_shared_start(external, one) for one in ids]
        return [one for one, length in zip(ids, shared, strict=True) if length == max(shared)]

    def _sorted(self, place: int) -> str:
        return self.ids[int(self.order[place])]

    def _place(self, external: str) -> int:
        return bisect_left(range(len(self.order)), external, key=self._sorted)


def index_ids(ids: IdMap) -> IdIndex:
    """Sort ids once (by UTF-8 bytes, which is the order of Python's strings)."""
    return IdIndex(ids, np.asarray(pc.sort_indices(ids.ids), dtype=np.uint64))


def _shared_start(one: str, other: str) -> int:
    """Count the leading characters that two strings share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
