"""How much of an outcome a place in the list leaves: what is not looked at is not clicked.

The position-based model (Richardson, Dominowska and Ragno 2007; Wang et al. 2018, "Position bias
estimation for unbiased learning to rank"): an outcome at a place is the outcome at the first place
times what the place leaves of it. Divided by that share, and counted for its square, a row speaks
of the first place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.errors import UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import EventBatch, EventLog, Floats

MOST_PLACES = 50  # further down all places are alike
SWEEPS = 4
OWN = 20.0  # rows of an item against which its mean is drawn towards all items'
LEAST = 0.02  # share below which a row says too little to be divided by it


@dataclass(frozen=True, slots=True)
class Places:
    """Share (P, K) of each outcome that a place leaves, the first place being 1."""

    column: int  # of EventBatch.covariates
    first: float  # number of the first place
    share: Floats  # (P, K)

    def of(self, batch: EventBatch) -> Floats:
        """(n, K) share of each row; 1 where the place is unknown."""
        return np.asarray(self._table()[_code(batch, self.column, self.first)])

    def _table(self) -> Floats:
        return np.vstack([self.share, np.ones((1, self.share.shape[1]))])


def find_places(log: EventLog, name: str) -> Places:
    """Learn the shares in a few passes: places' means and items' means, in turn.

    An item that stands at several places tells what they leave; rows of random exposure alone
    would tell it too, but are few. Outcomes that may be negative are left as they are.

    Raises
    ------
    UnknownNameError
        The log has no covariate of this name.
    """
    names = [one.name for one in log.covariates]
    if name not in names:
        hint = did_you_mean(name, names)
        raise UnknownNameError("rank.no_position", name=name, hint=hint)
    column = names.index(name)
    first = _first(log, column)
    n_outcomes = len(log.outcomes)
    share = np.ones((MOST_PLACES, n_outcomes))
    scaled = np.array([one.kind != "real" for one in log.outcomes])
    for _ in range(SWEEPS):
        mean = _item_means(log, Places(column, first, share))
        seen, due = np.zeros_like(share), np.zeros_like(share)
        for batch in log.batches():
            code = _code(batch, column, first)
            known = (batch.item >= 0) & (code >= 0)
            weight = np.where(np.isfinite(batch.outcomes), batch.weights, 0.0)[known]
            np.add.at(seen, code[known], weight * np.nan_to_num(batch.outcomes[known]))
            np.add.at(due, code[known], weight * mean[batch.item[known]])
        ratio = np.divide(seen, due, out=np.ones_like(seen), where=due > 0)
        top = ratio[0]
        share = np.where(due > 0, ratio / np.where(top > 0, top, 1.0), share[[-1]])
        share = np.where(scaled, np.clip(share, LEAST, 1.0 / LEAST), 1.0)
    return Places(column, first, share)


def _first(log: EventLog, column: int) -> float:
    lowest = [np.nanmin(batch.covariates[:, column], initial=np.inf) for batch in log.batches()]
    return float(min(lowest, default=0.0))


def _code(batch: EventBatch, column: int, first: float) -> np.ndarray:
    """(n,) place from 0; -1 unknown."""
    place = batch.covariates[:, column] - first
    return np.where(
        np.isfinite(place), np.clip(np.nan_to_num(place), 0, MOST_PLACES - 1), -1
    ).astype(np.int64)


def _item_means(log: EventLog, places: Places) -> Floats:
    """(I, K) what items would have at the first place, drawn towards the mean of all."""
    n_outcomes = len(log.outcomes)
    total, due = np.zeros((len(log.items), n_outcomes)), np.zeros((len(log.items), n_outcomes))
    for batch in log.batches():
        known = batch.item >= 0
        weight = np.where(np.isfinite(batch.outcomes), batch.weights, 0.0)[known]
        np.add.at(total, batch.item[known], weight * np.nan_to_num(batch.outcomes[known]))
        np.add.at(due, batch.item[known], weight * places.of(batch)[known])
    overall = total.sum(axis=0) / np.maximum(due.sum(axis=0), 1e-300)
    return np.asarray((total + OWN * overall) / (due + OWN))
