"""The same list for everyone: items by how often they were chosen, ever or lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.types import Codes, Floats

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Popularity:
    """Events of each item in training."""

    name: str = "popularity"

    def fit(self, train: Histories) -> FittedPopularity:
        """Count."""
        return FittedPopularity(np.bincount(train.item, minlength=train.n_items))


@dataclass(frozen=True, slots=True)
class FittedPopularity:
    """Counts of I items."""

    count: NDArray[np.int64]  # (I,)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Give everyone the counts."""
        row = self.count.astype(np.float32)
        return np.repeat(row[None], len(histories), axis=0)


@dataclass(frozen=True, slots=True)
class RecentPopularity:
    """Events of each item in the `days` before the recommendation, or before the data end.

    Where times are unknown all events count, and it is plain popularity.
    """

    days: float = 7.0
    name: str = "recent-popularity"

    def fit(self, train: Histories) -> FittedRecentPopularity:
        """Put the events into the order of time."""
        order = np.argsort(train.ts, kind="stable")  # NaN last
        known = order[: int(np.isfinite(train.ts).sum())]
        unknown = order[known.size :]
        always = np.bincount(train.item[unknown], minlength=train.n_items)
        return FittedRecentPopularity(train.ts[known], train.item[known], always, self.days * DAY)


@dataclass(frozen=True, slots=True)
class FittedRecentPopularity:
    """Training events in the order of time."""

    ts: Floats  # (E,)
    item: Codes  # (E,)
    always: NDArray[np.int64]  # (I,) events whose time is unknown: they always count
    seconds: float

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Count the window before each time; the whole record breaks ties."""
        time = last_times(histories) if at is None else at
        end = self.ts[-1] + 1 if self.ts.size else 0.0
        time = np.where(np.isfinite(time), np.minimum(time, end), end)
        n_items = self.always.size
        whole = self.always + np.bincount(self.item, minlength=n_items)
        tie_break = whole / (1.0 + whole.sum())
        first = np.searchsorted(self.ts, time - self.seconds)
        stop = np.searchsorted(self.ts, time)
        scores = np.empty((len(histories), n_items), np.float32)
        count, low, high = self.always.copy(), 0, 0
        for user in np.argsort(time, kind="stable"):  # the window only moves forward
            np.add.at(count, self.item[high : stop[user]], 1)
            np.subtract.at(count, self.item[low : first[user]], 1)
            low, high = first[user], stop[user]
            scores[user] = count + tie_break
        return scores


def last_times(histories: Histories) -> Floats:
    """(U,) time of each history's last event; NaN where there is none."""
    if not histories.item.size:
        return np.full(len(histories), np.nan)
    last = np.maximum(histories.indptr[1:] - 1, 0)
    return np.where(histories.sizes > 0, histories.ts[last], np.nan)


def recent_popularity_search(
    days: Sequence[float] = (1.0, 3.0, 7.0, 14.0, 30.0, 90.0),
) -> Grid:
    """Recent popularity with its window chosen."""
    return Grid("recent-popularity", [RecentPopularity(one) for one in days])
