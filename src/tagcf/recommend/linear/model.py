"""The directed linear next-item model: settings, fit, scores, reasons, updates, unlearning."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.errors import EstimationError
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.kernels import add_dense_scores, add_sparse_scores, top_items
from tagcf.recommend.linear.solve import Ridge, Table, solve, sparse_table
from tagcf.recommend.linear.statistics import (
    Dense,
    Sparse,
    dense_statistics,
    moved,
    sparse_statistics,
)
from tagcf.recommend.scoring import Scores
from tagcf.types import Codes, Floats

POPULARITY = 1e-6  # what a share of all events adds to a score: it breaks ties, and is all that
# an empty history has


@dataclass(frozen=True, slots=True)
class Part:
    """One regression, and how much its scores weigh in the sum."""

    design: Design
    ridge: Ridge
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Linear:
    """Settings of the model: its score is the weighted sum of its parts' scores.

    Each part is B = (SᵀWS + λ D^p)⁻¹ SᵀWY; an event's row of B is what it adds to every score
    (SLIST, Choi et al. 2021, arXiv 2103.16104, with several windows side by side).
    """

    parts: tuple[Part, ...] = (Part(Design((Window(1), Window(30, 0.1))), Ridge(penalty=300.0)),)
    name: str = "linear"

    def fit(self, train: Histories) -> FittedLinear:
        """Count, then solve."""
        statistics = tuple(count(train, part) for part in self.parts)
        return solved(self, statistics, train.n_items)


@dataclass(frozen=True, slots=True)
class FittedLinear:
    """Statistics and tables of a `Linear`. Pure: updates return another one."""

    settings: Linear
    statistics: tuple[Dense | Sparse, ...]
    tables: tuple[Table, ...]
    n_items: int

    @property
    def popularity(self) -> NDArray[np.float32]:
        """(I,) what every score starts from: far below one event's worth."""
        count = self.statistics[0].count
        return (POPULARITY * count / max(int(count.sum()), 1)).astype(np.float32)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Add up the rows of the last events; times make no difference."""
        own = self._known(histories)
        scores = np.tile(self.popularity, (len(own), 1))
        for part, table in zip(self.settings.parts, self.tables, strict=True):
            where = own.indptr, own.item, part.design.lengths, part.design.fades, part.weight
            if isinstance(table, np.ndarray):
                add_dense_scores(*where, table, scores)
            else:
                add_sparse_scores(*where, table.indptr, table.indices, table.data, scores)
        return scores

    def attribution(self, history: Codes, item: int) -> Floats:
        """(L,) what each event of a history, oldest first, adds to an item's score.

        The sum, and the item's `popularity`, is the score. An event beyond every window, or of
        an item that the model does not know, adds nothing.

        Raises
        ------
        EstimationError
            The item is not in the catalogue.
        """
        if not 0 <= item < self.n_items:
            facts = {"item": item, "n": f"{self.n_items:,}"}
            raise EstimationError("recommend.unknown_item", **facts)
        event = np.asarray(history, np.int64)
        known = np.flatnonzero((event >= 0) & (event < self.n_items))
        age = np.arange(known.size)[::-1]
        share = np.zeros(event.size)
        for part, table in zip(self.settings.parts, self.tables, strict=True):
            column = _column(table, item)
            for b, window in enumerate(part.design.windows):
                near = age < window.length
                rows = b * self.n_items + event[known[near]]
                fade = part.weight * np.exp(-window.scoring * age[near])
                share[known[near]] += fade * column[rows]
        return share

    def update(self, before: Histories, after: Histories) -> FittedLinear:
        """Learn what some users did: their histories before and after, in the same order.

        Equals a refit bit for bit. Where every part's design is `local`, the last `reach` events
        of `before`, followed by the new ones, do as well as whole histories.
        """
        parts = self.settings.parts
        statistics = tuple(
            moved(old, count(after, part), count(before, part))
            for old, part in zip(self.statistics, parts, strict=True)
        )
        return self._solved_again(statistics, np.unique(np.concatenate([before.item, after.item])))

    def unlearn(self, histories: Histories) -> FittedLinear:
        """Forget whole users: equals training without them bit for bit."""
        parts = self.settings.parts
        statistics = tuple(
            moved(old, None, count(histories, part))
            for old, part in zip(self.statistics, parts, strict=True)
        )
        return self._solved_again(statistics, np.unique(histories.item))

    def _solved_again(
        self, statistics: tuple[Dense | Sparse, ...], touched: NDArray[np.integer]
    ) -> FittedLinear:
        tables = tuple(
            sparse_table(own, part.design, part.ridge, table, touched)
            if isinstance(own, Sparse) and isinstance(table, sparse.csr_array)
            else solve(own, part.design, part.ridge)
            for own, part, table in zip(statistics, self.settings.parts, self.tables, strict=True)
        )
        return replace(self, statistics=statistics, tables=tables)

    def _known(self, histories: Histories) -> Histories:
        known = (histories.item >= 0) & (histories.item < self.n_items)
        return histories if known.all() else histories.where(known)


def count(histories: Histories, part: Part) -> Dense | Sparse:
    """Statistics of a part: dense or sparse, as its ridge is."""
    if part.ridge.neighbours is None:
        return dense_statistics(histories, part.design)
    return sparse_statistics(histories, part.design)


def solved(settings: Linear, statistics: tuple[Dense | Sparse, ...], n_items: int) -> FittedLinear:
    """Solve every part of statistics that were counted, merged or unpacked before."""
    tables = tuple(
        solve(own, part.design, part.ridge)
        for own, part in zip(statistics, settings.parts, strict=True)
    )
    return FittedLinear(settings, statistics, tables, n_items)


def top(scores: NDArray[np.float32], seen: Codes, k: int) -> tuple[Codes, NDArray[np.float32]]:
    """Best k items of scores (I,) and their scores, best first; items `seen` are left out.

    Equal scores stand in the order of their items; a NaN is never recommended. Fewer than k come
    back where fewer can be had.
    """
    room = min(max(k, 0), scores.size)
    items, values = np.empty(room, np.int32), np.empty(room, np.float32)
    found = top_items(np.asarray(scores, np.float32), np.asarray(seen), room, items, values)
    return items[:found], values[:found]


def _column(table: Table, item: int) -> Floats:
    if isinstance(table, np.ndarray):
        return np.asarray(table[:, item], np.float64)
    return np.asarray(table[:, [item]].toarray().ravel(), np.float64)
