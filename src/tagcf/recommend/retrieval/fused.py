"""A fused model's best items: the best of each member, scored by all of them exactly.

z-scores need the mean and spread of a member's scores of *all* items; both are known without
scoring them (see `Moments`). What no member has among its best is not found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.retrieval.contract import Asked, Found, Moments
from tagcf.types import Codes

CONSTANT = 1e-12  # of a spread: every item scores alike


class AskedMember(Asked, Protocol):
    """One history, asked of a member of a fusion."""

    def moments(self) -> Moments:
        """Mean and standard deviation of the scores of all items."""
        ...


class Member(Protocol):
    """A retriever that a fusion can be made of."""

    def asked(self, history: Codes) -> AskedMember:
        """Take one history."""
        ...


@dataclass(frozen=True, slots=True)
class FusedItems:
    """Retriever of a fused model."""

    members: tuple[Member, ...]
    weights: tuple[float, ...]

    def asked(self, history: Codes) -> AskedFused:
        """Ask every member."""
        asked = tuple(member.asked(history) for member in self.members)
        return AskedFused(asked, tuple(one.moments() for one in asked), self.weights)


@dataclass(frozen=True, slots=True)
class AskedFused:
    """One history, asked of every member."""

    members: tuple[AskedMember, ...]
    moments: tuple[Moments, ...]
    weights: tuple[float, ...]

    @property
    def n_items(self) -> int:
        """Count the items."""
        return self.members[0].n_items

    def best(self, n: int, hidden: NDArray[np.integer]) -> Found:
        """Give the n best among the n best of every member."""
        item = np.unique(np.concatenate([one.best(n, hidden).item for one in self.members]))
        score = self.scores(item)
        order = np.argsort(-score, kind="stable")[:n]
        return Found(item[order], score[order])

    def scores(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """(m,) weighted sums of z-scores."""
        total = np.zeros(items.size, np.float32)
        for one, own, weight in zip(self.members, self.moments, self.weights, strict=True):
            if own.deviation > CONSTANT:
                lead = one.scores(items) - np.float32(own.mean)
                total += np.float32(weight) * lead / np.float32(own.deviation)
        return total
