"""Co-visitation: what followed what within a few events, nearer pairs heavier.

C[j, i] sums exp(−decay · (distance − 1)) over training pairs in which i came `distance` ≤
`window` events after j. A history's score is the sum of its last `window` events' rows, decayed
alike. Counts are divided by powers of both items' frequencies. (The decayed counts are those of
the SLIST family, Choi et al. 2021, arXiv 2103.16104, without its regression.)
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.baselines.recency import recent_rows
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.types import Floats

PAIRS_AT_ONCE = 20_000_000


@dataclass(frozen=True, slots=True)
class CoVisitation:
    """Decayed directed counts, tempered by popularity."""

    window: int = 10
    decay: float = 0.3
    from_power: float = 0.0  # of the frequency of the item seen
    to_power: float = 0.0  # of the frequency of the item to be scored
    name: str = "co-visitation"

    def fit(self, train: Histories) -> FittedCoVisitation:
        """Count pairs, some users at a time."""
        parts = (
            _pairs(train.users(slice(start, stop)), self.window, self.decay)
            for start, stop in _users_of(train, PAIRS_AT_ONCE // self.window)
        )
        shape = (train.n_items, train.n_items)
        total = reduce(operator.add, parts, sparse.csr_array(shape, dtype=np.float32))
        count = np.maximum(np.bincount(train.item, minlength=train.n_items), 1)
        return FittedCoVisitation(sparse.csr_array(total), count.astype(np.float32), self)


@dataclass(frozen=True, slots=True)
class FittedCoVisitation:
    """Counts of pairs of I items."""

    pairs: sparse.csr_array  # (I, I) float32
    count: NDArray[np.float32]  # (I,) events of the item, at least 1
    settings: CoVisitation

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Sum the rows of the last items; frequency, far below one count, breaks ties."""
        own = self.settings
        rows = recent_rows(histories, own.decay, own.window)
        rows.data *= self.count[rows.indices] ** -own.from_power
        scores = (rows @ self.pairs).toarray()
        scores *= self.count**-own.to_power
        return np.asarray(scores, np.float32)


def _users_of(train: Histories, events: int) -> Iterator[tuple[int, int]]:
    """Yield runs of users with about so many events each."""
    start = 0
    while start < len(train):
        stop = int(np.searchsorted(train.indptr, train.indptr[start] + events, side="right")) - 1
        stop = max(stop, start + 1)
        yield start, stop
        start = stop


def _pairs(part: Histories, window: int, decay: float) -> sparse.csr_array:
    user, item = part.user, part.item
    rows, columns, weights = [], [], []
    for distance in range(1, window + 1):
        same = user[:-distance] == user[distance:]
        rows.append(item[:-distance][same])
        columns.append(item[distance:][same])
        weight = np.float32(np.exp(-decay * (distance - 1)))
        weights.append(np.full(rows[-1].size, weight, np.float32))
    places = np.concatenate(rows), np.concatenate(columns)
    shape = (part.n_items, part.n_items)
    return sparse.csr_array((np.concatenate(weights), places), shape=shape)


WINDOWS = (10,)
DECAYS = (0.1, 0.3, 0.7)
POWERS = ((0.0, 0.0), (0.0, 0.25), (0.5, 0.0), (0.5, 0.25), (0.5, 0.5))


def co_visitation_search(
    windows: Sequence[int] = WINDOWS,
    decays: Sequence[float] = DECAYS,
    powers: Sequence[tuple[float, float]] = POWERS,
) -> Grid:
    """Co-visitation with decay and popularity powers chosen; one count serves all powers."""
    first, *others = powers

    def variants(model: Model, fitted: Fitted) -> Iterator[tuple[Model, Fitted]]:
        if isinstance(model, CoVisitation) and isinstance(fitted, FittedCoVisitation):
            for from_power, to_power in others:
                other = replace(model, from_power=from_power, to_power=to_power)
                yield other, replace(fitted, settings=other)

    models = [CoVisitation(window, decay, *first) for window in windows for decay in decays]
    return Grid("co-visitation", models, variants)
