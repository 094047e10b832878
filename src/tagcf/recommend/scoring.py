"""What a next-item model is: it is fitted to histories and scores all items for any history."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.histories import Histories
from tagcf.types import Floats

Scores = NDArray[np.float32]


class Fitted(Protocol):
    """A model after training. Pure: scoring changes nothing."""

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Score every item for every history.

        Parameters
        ----------
        histories
            U histories, of users seen in training or not.
        at
            (U,) epoch seconds at which each recommendation is made; ``None``: after the last event.

        Returns
        -------
        Scores
            (U, I) float32, larger is better, finite. Items of the history are *not* masked here.
        """
        ...


class Model(Protocol):
    """A model before training: its settings, frozen."""

    @property
    def name(self) -> str:
        """Name in tables: "linear", "co-visitation" …."""
        ...

    def fit(self, train: Histories) -> Fitted:
        """Train on histories alone; side tables (tags, roles) are settings of the model."""
        ...
