"""A neighbourhood model's best items, exactly: those in its last events' rows are touched.

Every other item has what its popularity gives it, in an order that is known beforehand. A request
takes O(entries of those rows + items hidden + items asked for), whatever the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.baselines.co_visitation import FittedCoVisitation
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.linear.scores.kernels import (
    best_touched,
    count_entries,
    put_in,
    scores_at,
    touch_rows,
    touched_moments,
)
from tagcf.recommend.retrieval.contract import Found, Moments
from tagcf.types import Codes


@dataclass(frozen=True, slots=True)
class TouchedItems:
    """Retriever of a linear model all of whose tables are sparse, or of a co-visitation."""

    parts: tuple[tuple[Design, float, sparse.csr_array], ...]  # with weight and (F, I) table
    base: NDArray[np.float32]  # (I,) what every score starts from
    order: Codes  # (I,) items by their base, best first
    base_sums: tuple[float, float]  # of the base, and of its squares

    @staticmethod
    def of(fitted: FittedLinear) -> TouchedItems | None:
        """Prepare a model; None where it has a dense table, every row of which touches all."""
        parts = []
        for part, table in zip(fitted.settings.parts, fitted.tables, strict=True):
            if not isinstance(table, sparse.csr_array):
                return None
            parts.append((part.design, part.weight, table))
        return _prepared(parts, fitted.popularity)

    @staticmethod
    def of_pairs(fitted: FittedCoVisitation) -> TouchedItems:
        """Prepare a co-visitation: one table, and nothing for what is not touched."""
        own, count = fitted.settings, fitted.count
        scale = np.repeat(count**-own.from_power, np.diff(fitted.pairs.indptr))
        values = fitted.pairs.data * scale * count[fitted.pairs.indices] ** -own.to_power
        parts = values.astype(np.float32), fitted.pairs.indices, fitted.pairs.indptr
        table = sparse.csr_array(parts, shape=fitted.pairs.shape)
        design = Design((Window(own.window, own.decay),))
        return _prepared([(design, 1.0, table)], np.zeros(count.size, np.float32))

    def asked(self, history: Codes) -> AskedLinear:
        """Add up the rows of a history's last events."""
        event = np.asarray(history, np.int64)
        event = event[(event >= 0) & (event < self.base.size)]
        entries = sum(
            count_entries(event, design.lengths, self.base.size, table.indptr)
            for design, _, table in self.parts
        )
        keys = _empty(entries)
        total = np.empty(keys.size, np.float32)
        for design, weight, table in self.parts:
            touch_rows(
                event, design.lengths, design.fades, weight, self.base,
                table.indptr, table.indices, table.data, keys, total,
            )  # fmt: skip
        return AskedLinear(self, keys, total)


@dataclass(frozen=True, slots=True)
class AskedLinear:
    """A hash table of the items that a history touches."""

    of: TouchedItems
    keys: NDArray[np.int32]  # (2^m,) items, −1 where empty
    total: NDArray[np.float32]  # (2^m,) scores

    @property
    def n_items(self) -> int:
        """Count the items."""
        return self.of.base.size

    def best(self, n: int, hidden: NDArray[np.integer]) -> Found:
        """Give the n best items that are not hidden; exact."""
        room = min(max(n, 0), self.of.base.size)
        items, values = np.empty(room, np.int32), np.empty(room, np.float32)
        left_out = _empty(hidden.size)
        put_in(np.asarray(hidden, np.int32), left_out)
        found = best_touched(
            self.keys, self.total, left_out, self.of.order, self.of.base, items, values
        )
        return Found(items[:found], values[:found])

    def scores(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """(m,) scores of some items, exact."""
        out = np.empty(items.size, np.float32)
        scores_at(np.asarray(items, np.int32), self.keys, self.total, self.of.base, out)
        return out

    def moments(self) -> Moments:
        """Mean and standard deviation of the scores of all items."""
        first, second = touched_moments(self.keys, self.total, self.of.base)
        n = self.of.base.size
        mean = (self.of.base_sums[0] + first) / n
        square = (self.of.base_sums[1] + second) / n
        return Moments(mean, float(np.sqrt(max(square - mean * mean, 0.0))))


def _prepared(
    parts: list[tuple[Design, float, sparse.csr_array]], base: NDArray[np.float32]
) -> TouchedItems:
    order = np.argsort(-base, kind="stable").astype(np.int32)
    exact = base.astype(np.float64)
    return TouchedItems(tuple(parts), base, order, (float(exact.sum()), float(exact @ exact)))


def _empty(entries: int) -> NDArray[np.int32]:
    """A hash table with room for so many, at most half full."""
    return np.full(1 << (2 * max(int(entries), 4) - 1).bit_length(), -1, np.int32)
