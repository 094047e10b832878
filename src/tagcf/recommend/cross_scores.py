"""The model's scores of logged rows, each by a model that has not learned from the row's user.

The ranker takes them as a feature. Users are halved; a model of each half scores the other half's
rows, from what the user had before. Scores are in units of their table's size, so that the models
of the halves and the one of everybody, which serves, speak alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.recommend.explain.kernels import add_dense_pairs, add_sparse_pairs, events_before
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear, Linear
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class CrossScores:
    """Scores of a log's rows: a `Scorer` for the ranker."""

    histories: Histories
    halves: tuple[FittedLinear, FittedLinear]  # the first has learned from users 1, 3, 5 …

    def __call__(self, user: Codes, item: Codes, ts: Floats) -> Floats:
        """(n, 1) scores; 0 for unknown users and where the time is not known."""
        past = self.histories
        known = np.where((item >= 0) & (user < len(past)), user, -1)
        end = events_before(known, ts, past.indptr, past.ts)
        out = np.zeros(len(user))
        for half, fitted in enumerate(self.halves):
            own = np.where((known >= 0) & (known % 2 == half), known, -1)
            add_pairs(fitted, past, (own, item, end), out)
            chosen = own >= 0
            out[chosen] /= unit_of(fitted)
        return out[:, None]


def cross_scores(model: Linear, histories: Histories) -> CrossScores:
    """Fit a model on each half of the users."""
    odd = np.arange(len(histories)) % 2 == 1
    return CrossScores(
        histories, (model.fit(histories.users(odd)), model.fit(histories.users(~odd)))
    )


def add_pairs(
    fitted: FittedLinear, past: Histories, rows: tuple[Codes, Codes, Codes], out: Floats
) -> None:
    """Add to `out` (n,) the scores of rows (user, item, place after the last event known)."""
    user, item, end = rows
    for part, table in zip(fitted.settings.parts, fitted.tables, strict=True):
        design = part.design
        where = (past.indptr, past.item, design.lengths, design.fades, part.weight)
        if isinstance(table, sparse.csr_array):
            ordered = table.sorted_indices()
            parts = ordered.indptr, ordered.indices, ordered.data
            add_sparse_pairs(user, item, end, *where, fitted.n_items, *parts, out)
        else:
            add_dense_pairs(user, item, end, *where, fitted.n_items, table, out)


def unit_of(fitted: FittedLinear) -> float:
    """Root mean square of the tables' entries that are not zero."""
    total, count = 0.0, 0
    for part, table in zip(fitted.settings.parts, fitted.tables, strict=True):
        values = table.data if isinstance(table, sparse.csr_array) else table[table != 0]
        total += float(np.square(part.weight * values, dtype=np.float64).sum())
        count += int(values.size)
    return float(np.sqrt(total / count)) if count and total > 0 else 1.0
