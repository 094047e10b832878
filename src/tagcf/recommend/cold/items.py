"""Any model, with items that have no or few events scored by their tags."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from scipy import sparse

from tagcf.recommend.cold.term import ColdChoice, ColdTerm, cold_term
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

    @property
    def choice(self) -> ColdChoice:
        """The settings alone."""
        return ColdChoice(self.penalty, self.likeness, self.prior_events, self.chance)

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
    term: ColdTerm

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Mix by record; an unknown item of a history is read as its stand-in."""
        own = self.model.scores(self.term.stands.read(histories), at)
        return self.term.apply(histories, own)


def with_tags(settings: ColdItems, fitted: Fitted, train: Histories) -> FittedColdItems:
    """Put the map from tags on a model that is fitted to `train` already."""
    return FittedColdItems(fitted, cold_term(settings.tags, train, settings.choice))
