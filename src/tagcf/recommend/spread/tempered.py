"""Any model with popularity taken off its scores, as far as accuracy doesn't suffer.

A score minus γ log popularity is, for scores that are log odds, the score against what everybody
gets anyway (Menon et al. 2021, "Long-tail learning via logit adjustment", equation 10). What is
taken off is measured in standard deviations of a user's scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.evaluate.beyond import coverage, gini
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import CRITERION, Chosen, Reseeded, Search, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.recommend.sequence.fusion import z_scores
from tagcf.types import Floats

LOSS = 0.001  # of NDCG@10 that further reach may cost
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.3)
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Tempered:
    """A model's z-scores less `strength` times the z-scores of items' log frequency."""

    model: Model
    strength: float = 0.0
    name: str = "tempered"

    def fit(self, train: Histories) -> FittedTempered:
        """Fit the model."""
        return FittedTempered(self.model.fit(train), log_frequency(train), self.strength)

    def reseeded(self, seed: int) -> Tempered:
        """Give the same settings with what is random in the model drawn anew."""
        model = self.model
        return replace(self, model=model.reseeded(seed)) if isinstance(model, Reseeded) else self


@dataclass(frozen=True, slots=True)
class FittedTempered:
    """A fitted model and how frequent items are."""

    model: Fitted
    frequency: NDArray[np.float32]  # (I,) z-score of log frequency; 0 for items without events
    strength: float

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Take popularity off; at strength 0 the model's own scores."""
        own = self.model.scores(histories, at)
        if self.strength == 0:
            return own
        return z_scores(own) - np.float32(self.strength) * self.frequency


def log_frequency(train: Histories) -> NDArray[np.float32]:
    """(I,) z-score over known items of log events.

    Items without events count as usual ones: that nobody had them is no reason to show them.
    """
    count = np.bincount(train.item, minlength=train.n_items)
    known = count > 0
    value = np.zeros(count.size)
    if known.any():
        logs = np.log(count[known])
        value[known] = (logs - logs.mean()) / (logs.std() or 1.0)
    return value.astype(np.float32)


@dataclass(frozen=True, slots=True)
class TemperedSearch:
    """Chooses the model, then the strength with the most even lists within `loss` of the best.

    Even is: lowest Gini coefficient of the first ten, among strengths whose coverage is not below
    that of strength 0. Validation alone says so.
    """

    inner: Search
    loss: float = LOSS
    strengths: Sequence[float] = STRENGTHS
    name: str = "tempered"

    def choose(self, valid: Holdout) -> Chosen:
        """Search the model, then rank once for each strength."""
        inner = self.inner.choose(valid)
        started = cpu_seconds()
        frequency = log_frequency(valid.train)
        reach = [
            reach_of(FittedTempered(inner.fitted, frequency, one), valid) for one in self.strengths
        ]
        strength = self.strengths[most_even(reach, self.loss)]
        settings = Tempered(inner.model, strength, self.name)
        spent = cpu_seconds() - started
        tried = tuple(
            Tried(replace(settings, strength=one), found.accuracy, 0.0)
            for one, found in zip(self.strengths, reach, strict=True)
        )
        return Chosen(
            settings,
            FittedTempered(inner.fitted, frequency, strength),
            (*inner.tried, *tried),
            inner.fit_cpu_s,
            inner.search_cpu_s + spent,
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """What lists are like at one strength."""

    accuracy: float  # NDCG@10
    coverage: float  # @20
    gini: float  # @10


def most_even(reach: Sequence[Reach], loss: float) -> int:
    """Position of the lowest Gini within `loss` of the best accuracy; the first is the model."""
    best = max(one.accuracy for one in reach)
    fine = [
        k
        for k, one in enumerate(reach)
        if one.accuracy >= best - loss and one.coverage >= reach[0].coverage
    ]
    return min(fine, key=lambda k: reach[k].gini, default=0)


def reach_of(fitted: Fitted, valid: Holdout) -> Reach:
    """Rank the targets once and look at the lists."""
    ranked = rank_targets(fitted, valid)
    n_items = valid.train.n_items
    return Reach(
        float(by_user(ranked.rank, CRITERION).mean()),
        coverage(ranked.top, n_items),
        gini(ranked.top[:, :SHOWN], n_items),
    )
