"""Any model, with items that have no or few events scored by their tags."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.stand_in import StandIns, stand_ins
from tagcf.recommend.cold.tag_ridge import TagRidge, tag_ridge
from tagcf.recommend.evaluate.search import Reseeded
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class ColdItems:
    """A model beside what tags say of its items.

    The two are mixed as a gamma prior is with Poisson counts: an item with n events has n parts of
    its own score and `prior_events` parts of what its tags predict. With 0, items with events
    have their own scores untouched.
    """

    model: Model
    tags: sparse.csr_array = field(repr=False)  # (I, T), see `item_features`
    penalty: float = 100.0
    prior_events: float = 0.0
    name: str = "cold-items"

    def fit(self, train: Histories) -> FittedColdItems:
        """Fit the model, then the map from tags."""
        return with_tags(self, self.model.fit(train), train)

    def reseeded(self, seed: int) -> ColdItems:
        """Give the same settings with what is random in the model drawn anew."""
        model = self.model
        return replace(self, model=model.reseeded(seed)) if isinstance(model, Reseeded) else self


@dataclass(frozen=True, slots=True)
class FittedColdItems:
    """A fitted model and the map from tags; pure."""

    model: Fitted
    ridge: TagRidge
    stands: StandIns
    own_share: NDArray[np.float32]  # (I,) of the item's own score

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Mix by record; an unknown item of a history is read as its stand-in."""
        own = self.model.scores(self.stands.read(histories), at)
        if (self.own_share == 1).all():
            return own
        return own * self.own_share + self.ridge.predict(own) * (1 - self.own_share)


def with_tags(settings: ColdItems, fitted: Fitted, train: Histories) -> FittedColdItems:
    """Put the map from tags on a model that is fitted to `train` already."""
    count = np.bincount(train.item, minlength=train.n_items).astype(np.float64)
    ridge = tag_ridge(settings.tags, count > 0, settings.penalty)
    prior = settings.prior_events
    share = np.divide(count, count + prior, out=np.zeros_like(count), where=count > 0)
    stands = stand_ins(settings.tags, count)
    return FittedColdItems(fitted, ridge, stands, share.astype(np.float32))
