"""How often the same user meets the same item: what sums per item and per user cannot say.

Two rows of an item by one user share that user's deviation, two rows by two users do not.
The share is measured exactly on all rows of a sample of items (and of users) that keeps
memory bounded; up to two million rows the sample is everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tagcf.types import Codes, EventBatch, Floats

_ROWS_KEPT = 2_000_000


@dataclass(slots=True)
class Pairs:
    """All rows of every `every`-th item, or user, gathered batch by batch."""

    every: int
    by_item: bool
    own: list[Codes] = field(default_factory=list)
    other: list[Codes] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)

    def add(self, batch: EventBatch, weights: Floats) -> None:
        """Keep the rows of the batch that belong to the sample."""
        own, other = (batch.item, batch.user) if self.by_item else (batch.user, batch.item)
        kept = (own >= 0) & (own % self.every == 0)
        self.own.append(own[kept])
        self.other.append(other[kept])
        self.weights.append(weights[kept])

    def factor(self, n_outcomes: int) -> Floats:
        """(K,) Σ over pairs of (Σw)², as a multiple of Σ over rows of w², each over its group's Σw.

        It is 1 where no pair repeats, or the sample is empty.
        """
        if not any(len(part) for part in self.own):
            return np.ones(n_outcomes)
        own, other = np.concatenate(self.own), np.concatenate(self.other)
        weights = np.concatenate(self.weights)
        # A row of an unknown user is a pair of its own.
        key = own.astype(np.int64) << 32 | np.where(other >= 0, other, 0).astype(np.int64)
        key = np.where(other >= 0, key, -1 - np.arange(len(key)))
        _, first, pair = np.unique(key, return_index=True, return_inverse=True)
        factors = []
        for weight in weights.T:
            group = np.bincount(own, weight)
            of_rows = np.divide(1.0, group[own], out=np.zeros_like(weight), where=weight > 0)
            together = np.bincount(pair, weight, minlength=len(first))
            rows = float((weight**2 * of_rows).sum())
            of_pairs = np.divide(1.0, group, out=np.zeros_like(group), where=group > 0)[own[first]]
            factors.append(float((together**2 * of_pairs).sum()) / rows if rows > 0 else 1.0)
        return np.array(factors)


def sample_pairs(n_rows: int, *, by_item: bool) -> Pairs:
    """Start an empty sample for a log of so many rows."""
    return Pairs(every=max(-(-n_rows // _ROWS_KEPT), 1), by_item=by_item)
