"""Any model, with items that have no or few events scored by their tags."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.peers import FittedTagNeighbours, TagNeighbours
from tagcf.recommend.cold.stand_in import StandIns, stand_ins
from tagcf.recommend.cold.tag_ridge import TagRidge, tag_ridge
from tagcf.recommend.evaluate.search import Reseeded
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.types import Floats, Mask

DECAY = 0.2  # of likeness to an event with each later one


@dataclass(frozen=True, slots=True)
class ColdItems:
    """A model beside what tags say of its items.

    The two are mixed as a gamma prior is with Poisson counts: an item with n events has n parts of
    its own score and `prior_events` parts of what its tags predict. With 0, items with events
    have their own scores untouched.

    What tags predict is a ridge from tags to the model's scores, and `likeness` standard deviations
    of how alike an item's tags are to those of the history: where the model's pairs are few, that
    things alike go together says more than they do.

    A prediction is an expected value, and the best of few known items are far above any: by it
    alone, an item without events is next to never shown. `chance` moves the scores of items
    without events, for each history, from their expected value (0) to the level and spread of
    known items' scores (1), and beyond.
    """

    model: Model
    tags: sparse.csr_array = field(repr=False)  # (I, T), see `item_features`
    penalty: float = 100.0
    likeness: float = 0.0
    prior_events: float = 0.0
    chance: float = 0.0
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
    alike: FittedTagNeighbours
    stands: StandIns
    own_share: NDArray[np.float32]  # (I,) of the item's own score; 0 without events
    settings: ColdItems

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Mix by record; an unknown item of a history is read as its stand-in."""
        own = self.model.scores(self.stands.read(histories), at)
        if (self.own_share == 1).all():
            return own
        predicted = self.predicted(histories, own)
        mixed = own * self.own_share + predicted * (1 - self.own_share)
        known, chance = self.ridge.known, np.float32(self.settings.chance)
        if chance and known.any():
            levelled = levelled_as(predicted, own, known)
            mixed[:, ~known] += chance * (levelled - predicted)[:, ~known]
        return np.asarray(mixed, np.float32)

    def predicted(self, histories: Histories, own: Scores) -> Scores:
        """(U, I) what tags say, where the model says `own` (U, I)."""
        predicted = self.ridge.predict(own)
        known, weight = self.ridge.known, np.float32(self.settings.likeness)
        if weight == 0 or not known.any():
            return predicted
        alike = levelled_as(self.alike.scores(histories), predicted, known)
        centre = predicted[:, known].mean(axis=1, keepdims=True)
        return np.asarray(predicted + weight * (alike - centre))


def with_tags(settings: ColdItems, fitted: Fitted, train: Histories) -> FittedColdItems:
    """Put the map from tags on a model that is fitted to `train` already."""
    count = np.bincount(train.item, minlength=train.n_items).astype(np.float64)
    return FittedColdItems(
        fitted,
        tag_ridge(settings.tags, count > 0, settings.penalty),
        TagNeighbours(settings.tags, DECAY).fit(train),
        stand_ins(settings.tags, count),
        own_shares(count, settings.prior_events),
        settings,
    )


def own_shares(count: Floats, prior_events: float) -> NDArray[np.float32]:
    """(I,) parts of an item's own score: n / (n + prior), 0 without events."""
    total = count + prior_events
    share = np.divide(count, total, out=np.zeros_like(total), where=count > 0)
    return share.astype(np.float32)


def levelled_as(scores: Scores, other: Scores, known: Mask) -> Scores:
    """Move and stretch (U, I) scores to the other's mean and spread on known items, per history.

    Scores that are all the same become the other's mean.
    """
    here, there = scores[:, known], other[:, known]
    spread = here.std(axis=1, keepdims=True)
    lead = scores - here.mean(axis=1, keepdims=True)
    standard = np.divide(lead, spread, out=np.zeros_like(lead), where=spread > 1e-12)
    return np.asarray(
        there.mean(axis=1, keepdims=True) + standard * there.std(axis=1, keepdims=True)
    )
