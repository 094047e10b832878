"""Sums and tables in full: B by one Cholesky factorisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design
from tagcf.recommend.linear.fit import Arrays, Change, Sums
from tagcf.recommend.linear.pairs.entries import entries
from tagcf.recommend.linear.pairs.kernels import UNIT, add_entries
from tagcf.recommend.linear.ridge import Ridge, diagonal_of, target_weight
from tagcf.recommend.linear.scores.kernels import add_dense_scores
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class Dense:
    """Statistics as full tables: F = N · I features, I items."""

    gram: Sums  # (F, F), upper triangle
    cross: Sums  # (F, I); of an unordered design (0, I)
    count: Sums  # (I,) events

    def __add__(self, other: Dense) -> Dense:
        return Dense(self.gram + other.gram, self.cross + other.cross, self.count + other.count)

    def __sub__(self, other: Dense) -> Dense:
        return Dense(self.gram - other.gram, self.cross - other.cross, self.count - other.count)

    def solve(self, design: Design, ridge: Ridge) -> DenseFit:
        """Solve for B; an unordered design has a zero diagonal."""
        return DenseFit(self, dense_table(self, design, ridge))


@dataclass(frozen=True, slots=True)
class DenseFit:
    """A dense table and its statistics."""

    statistics: Dense
    table: NDArray[np.float32]  # (F, I)

    @property
    def count(self) -> Sums:
        """(I,) events of each item."""
        return self.statistics.count

    def changed(self, change: Change, design: Design, ridge: Ridge) -> DenseFit:
        """Solve anew: a correction of rank k would drift in float32."""
        gained = dense_statistics(change.after, design)
        lost = dense_statistics(change.before, design)
        return (self.statistics + gained - lost).solve(design, ridge)

    def add_scores(self, histories: Histories, design: Design, weight: float, to: Scores) -> None:
        """Add the rows of the last events, decayed by window."""
        own = histories.indptr, histories.item
        add_dense_scores(*own, design.lengths, design.fades, weight, self.table, to)

    def column(self, item: int) -> Floats:
        """(F,) what each feature adds to one item's score."""
        return np.asarray(self.table[:, item], np.float64)

    def arrays(self) -> Arrays:
        """Everything, for a file."""
        own = self.statistics
        return {"gram": own.gram, "cross": own.cross, "count": own.count, "table": self.table}

    @staticmethod
    def of_arrays(arrays: Arrays) -> DenseFit:
        """Make it of what `arrays` gave."""
        own = Dense(arrays["gram"], arrays["cross"], arrays["count"])
        return DenseFit(own, arrays["table"])


def dense_statistics(histories: Histories, design: Design) -> Dense:
    """Count into full tables; memory 8 · F · (F + I) bytes."""
    n = histories.n_items
    features = len(design.windows) * n
    gram = np.zeros((features, features), np.int64)
    cross = np.zeros((features if design.ordered else 0, n), np.int64)
    for part in entries(histories, design):
        add_entries(part.gram_row, part.gram_column, part.gram, gram)
        add_entries(part.row, part.column, part.cross, cross)
    return Dense(gram, cross, np.bincount(histories.item, minlength=n).astype(np.int64))


def dense_table(statistics: Dense, design: Design, ridge: Ridge) -> NDArray[np.float32]:
    """(F, I) float32 by one Cholesky factorisation; an unordered design has a zero diagonal."""
    scale = np.float32(1 / UNIT)
    diagonal = diagonal_of(np.diag(statistics.gram))
    to = target_weight(statistics.count, ridge)
    if np.isinf(ridge.penalty):
        cross = statistics.cross if design.ordered else _mirrored(statistics.gram)
        table = cross * scale
        if not design.ordered:
            np.fill_diagonal(table, 0.0)
        table *= (diagonal**-ridge.penalty_power)[:, None].astype(np.float32)
        return np.asarray(table * to, np.float32)
    factor = factorised(statistics, ridge)
    if design.ordered:
        right = np.asfortranarray(statistics.cross * scale)
        table = linalg.cho_solve((factor, False), right, overwrite_b=True, check_finite=False)
    else:
        inverse, _ = linalg.lapack.spotri(factor, overwrite_c=True)
        table = _mirrored(inverse)
        table /= -np.diag(table).copy()
        np.fill_diagonal(table, 0.0)
    return np.ascontiguousarray(table * to, np.float32)


def factorised(statistics: Dense, ridge: Ridge) -> NDArray[np.float32]:
    """Upper Cholesky factor of SᵀWS + λ D^p."""
    gram = np.asfortranarray(statistics.gram, np.float32)
    gram *= np.float32(1 / UNIT)
    added = ridge.penalty * diagonal_of(np.diag(statistics.gram)) ** ridge.penalty_power
    gram[np.diag_indices_from(gram)] += added.astype(np.float32)
    factor, _ = linalg.cho_factor(gram, lower=False, overwrite_a=True, check_finite=False)
    return np.asarray(factor)


def _mirrored(upper: NDArray[Any]) -> NDArray[Any]:
    full: NDArray[Any] = np.triu(upper)
    full += np.triu(full, 1).T
    return full
