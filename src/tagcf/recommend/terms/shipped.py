"""A model with its terms, as `tagcf train` ships it and as `tagcf evaluate` ranks with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from tagcf.recommend.evaluate.search import Reseeded
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.recommend.terms.choices import Choices, Side
from tagcf.recommend.terms.fitted import Terms, fit_terms, serve
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Shipped:
    """A model and terms at chosen strengths."""

    model: Model
    choices: Choices
    side: Side = field(repr=False)
    name: str = "tagcf"

    def fit(self, train: Histories) -> FittedShipped:
        """Fit the model; learn the terms from the same histories and nothing else."""
        return FittedShipped(
            self.model.fit(train), fit_terms(self.choices, self.side, train), self.side.members
        )

    def reseeded(self, seed: int) -> Shipped:
        """Give the same settings with what is random in the model drawn anew."""
        model = self.model
        return replace(self, model=model.reseeded(seed)) if isinstance(model, Reseeded) else self


@dataclass(frozen=True, slots=True)
class FittedShipped:
    """A fitted model and its terms; pure."""

    fitted: Fitted
    terms: Terms
    members: sparse.csr_array | None = None  # (U, S) segments of the training users

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Score people of unknown segments."""
        return serve(self.fitted, self.terms, histories, None, at).scores

    def scores_for(self, histories: Histories, user: Codes, at: Floats | None = None) -> Scores:
        """Score users of the training data, whose segments are known."""
        groups = None if self.members is None else self.members[np.asarray(user, np.int64)]
        return serve(self.fitted, self.terms, histories, groups, at).scores
