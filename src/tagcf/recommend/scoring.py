"""What a next-item model is: it is fitted to histories and scores all items for any history."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.histories import Histories
from tagcf.types import Codes, Floats

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


@runtime_checkable
class KnowsUsers(Protocol):
    """A fitted model that scores users of its training data better for knowing who they are."""

    def scores_for(self, histories: Histories, user: Codes, at: Floats | None = None) -> Scores:
        """Score every item for the histories (U) of some users; otherwise as `Fitted.scores`."""
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
