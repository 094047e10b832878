"""Outcome models that learn from every micro-batch: FTRL-proximal on hashed features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.online import kernels
from tagcf.live.online.progress import Progress
from tagcf.types import Floats
from tagcf.types.live import Keys

OUTCOMES = ("click", "stay", "like", "purchase")  # stay: 90 seconds or more


@dataclass(frozen=True, slots=True)
class Ftrl:
    """Follow the regularised leader, proximal (McMahan et al. 2013, algorithm 1).

    Parameters
    ----------
    rate, smoothing
        α and β of the learning rate of each coordinate, α / (β + √Σ g²).
    l1, l2
        Penalties; `l1` keeps weights of rare features at zero.
    """

    rate: float = 0.05
    smoothing: float = 1.0
    l1: float = 0.5
    l2: float = 1.0

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """The four numbers, as the compiled code takes them."""
        return (self.rate, self.smoothing, self.l1, self.l2)


@dataclass(frozen=True, slots=True)
class Features:
    """Hashed features of n rows: `places` and `values` have shape (n, F)."""

    places: NDArray[np.uint32]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, chosen: NDArray[np.int64]) -> Features:
        """Return some of the rows."""
        return Features(self.places[chosen], self.values[chosen])


def hash_features(
    columns: Sequence[Keys],
    numbers: Sequence[Floats] = (),
    crosses: Sequence[tuple[int, int]] = (),
    bits: int = 18,
) -> Features:
    """Hash columns of keys, pairs of them, and numbers, into 2^bits places.

    Parameters
    ----------
    columns
        Each (n,) uint64, such as keys of users, rooms, scenes.
    numbers
        Each (n,), of size about one; each has a place of its own.
    crosses
        Pairs of positions in `columns` whose combinations count too.
    """
    n = len(columns[0])
    keys = np.column_stack([np.asarray(one, np.uint64) for one in columns])
    seeds = np.arange(1, len(columns) + len(crosses) + 1, dtype=np.uint64) << np.uint64(48)
    width = 1 + len(columns) + len(crosses)
    places = np.empty((n, width + len(numbers)), np.uint32)
    hashed = np.empty((n, width), np.uint32)
    pairs = np.array(crosses, np.int64).reshape(-1, 2)
    kernels.hash_columns(keys, seeds, pairs, bits, hashed)
    places[:, :width] = hashed
    places[:, width:] = np.arange(1, len(numbers) + 1, dtype=np.uint32)
    values = np.ones(places.shape, np.float32)
    for at, column in enumerate(numbers):
        values[:, width + at] = column
    return Features(places, values)


class OutcomeLearner:
    """Chances of outcomes, learned row by row; each row is predicted before it is learned.

    Parameters
    ----------
    outcomes
        Names; each has weights of its own over the same features.
    bits
        As in `hash_features`; memory is 16 · 2^bits bytes an outcome.
    """

    def __init__(
        self,
        outcomes: Sequence[str] = OUTCOMES,
        *,
        using: Ftrl | None = None,
        bits: int = 18,
        window: int = 2000,
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.using = using or Ftrl()
        self._state = np.zeros((len(self.outcomes), 1 << bits, 2))
        self.progress = {name: Progress(window) for name in self.outcomes}

    def predict(self, features: Features) -> Floats:
        """(n, O) chances of the outcomes."""
        chances = np.empty((len(self.outcomes), len(features)))
        for at in range(len(self.outcomes)):
            kernels.predict(
                features.places, features.values, self._state, self.using.numbers, at, chances[at]
            )
        return chances.T

    def learn(self, features: Features, came: Floats) -> Floats:
        """Learn from a micro-batch; returns the chances (n, O) predicted row by row before that.

        Parameters
        ----------
        came
            (n, O) 0 or 1; NaN where it is not known.
        """
        known = np.where(np.isnan(came), -1.0, came)
        chances = np.empty((len(self.outcomes), len(features)))
        for at, name in enumerate(self.outcomes):
            column = np.ascontiguousarray(known[:, at])
            kernels.learn(
                features.places,
                features.values,
                column,
                self._state,
                self.using.numbers,
                at,
                chances[at],
            )
            judged = column >= 0
            self.progress[name].add(chances[at][judged], column[judged])
        return chances.T

    def weights(self, outcome: str) -> Floats:
        """(2^bits,) weights of an outcome; most are zero."""
        pull, squares = self._state[self.outcomes.index(outcome)].T
        own = self.using
        shrunk = np.sign(pull) * own.l1 - pull
        spread = (own.smoothing + np.sqrt(squares)) / own.rate + own.l2
        found: Floats = np.where(np.abs(pull) > own.l1, shrunk / spread, 0.0)
        return found
