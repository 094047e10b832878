"""One way of clustering: what its errors are made of, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.scores import ScoreSums
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Floats

SQUARED_TOGETHER = 2_048  # clusters


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the errors are made of."""

    sums: CellSums
    part: Partialled
    solved: Solution
    scores: ScoreSums
    share: Floats  # (C,) how much of its rows the mean of a cell counts for
    pairs: Floats  # (K, T, T) scores squared over (cluster, cell) pairs


@dataclass(frozen=True, slots=True)
class Axis:
    """One way of clustering. T tags, K outcomes."""

    cov: Floats  # (K, T, T)
    effective: Floats  # (K, T) effective clusters (Σγ)²/Σγ²
    largest: Floats  # (T,) largest cluster's share of the weights
    inflation: Floats  # (C,)
    moves: Floats  # (K, G, T)


@dataclass(slots=True)
class Squares:
    """Running sums of squares (K, T, T) of rows (K, ·, T); small blocks are squared together."""

    total: Floats  # (K, T, T)
    waiting: list[Floats]
    held: int = 0

    @staticmethod
    def empty(n_out: int, n_tags: int) -> Squares:
        """Sums over no rows."""
        return Squares(np.zeros((n_out, n_tags, n_tags)), [])

    def add(self, rows: Floats) -> None:
        """Add rows (K, ·, T)."""
        self.waiting.append(rows)
        self.held += rows.shape[1]
        if self.held >= SQUARED_TOGETHER:
            self.sum()

    def sum(self) -> Floats:
        """(K, T, T) sums over all rows added."""
        for k, total in enumerate(self.total):
            rows = [one[k] for one in self.waiting]
            if rows:
                every = np.concatenate(rows)
                np.add(total, every.T @ every, out=total)
        self.waiting, self.held = [], 0
        return self.total
