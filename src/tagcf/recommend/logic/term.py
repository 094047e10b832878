"""Any model with the term of the logic graph, at a weight that validation has to earn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from tagcf.recommend.evaluate.intervals import Interval, paired_interval
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import CRITERION, Chosen, Reseeded, Search, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.logic.behaviour import behavioural_logic
from tagcf.recommend.logic.propagate import Propagation, propagation
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.recommend.sequence.fusion import z_scores
from tagcf.recommend.sequence.holdout import some_rows
from tagcf.types import Floats

WEIGHTS = (0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True)
class WithLogic:
    """A model plus `weight` z-scores of the term; at 0 the model alone, and no graph is built."""

    model: Model
    topics: sparse.csr_array = field(repr=False)  # (I, T) strength in 0..1
    roles: sparse.csr_array | None = field(default=None, repr=False)  # (I, R)
    weight: float = 0.0
    name: str = "logic"

    def fit(self, train: Histories) -> FittedWithLogic:
        """Fit the model; learn the graph from the same histories and nothing else."""
        fitted = self.model.fit(train)
        graph = None if self.weight == 0 else graph_of(self, train)
        return FittedWithLogic(fitted, graph, self.weight)

    def reseeded(self, seed: int) -> WithLogic:
        """Give the same settings with what is random in the model drawn anew."""
        model = self.model
        return replace(self, model=model.reseeded(seed)) if isinstance(model, Reseeded) else self


@dataclass(frozen=True, slots=True)
class FittedWithLogic:
    """A fitted model and the graph; None where it is off."""

    model: Fitted
    graph: Propagation | None
    weight: float

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Sum z-scores; where the graph is off, the model's own scores."""
        own = self.model.scores(histories, at)
        if self.graph is None or self.weight == 0:
            return own
        return z_scores(own) + np.float32(self.weight) * z_scores(self.graph.scores(histories))


def graph_of(settings: WithLogic, train: Histories) -> Propagation:
    """Learn the graph and its scales."""
    edges = behavioural_logic(train, settings.topics, settings.roles)
    return propagation(train, settings.topics, edges, settings.roles)


@dataclass(frozen=True, slots=True)
class Ablation:
    """What the term did on validation, each half of users at the weight the other half picked."""

    weight: float  # the best over all users asked
    gain: Interval  # in NDCG@10 over weight 0
    moved: float  # share of users whose target changed its rank

    @property
    def ships(self) -> bool:
        """Whether the interval is above 0."""
        return bool(self.gain.low > 0)


@dataclass(frozen=True, slots=True)
class WithLogicSearch:
    """Chooses the model, then a weight; the term ships on only where the ablation says so.

    The best of several weights is partly luck on the users that it was picked on, so that each
    half of users judges what the other picked. Unless the paired interval of the gain is above 0,
    the weight is 0.
    """

    inner: Search
    topics: sparse.csr_array = field(repr=False)
    roles: sparse.csr_array | None = field(default=None, repr=False)
    weights: Sequence[float] = WEIGHTS
    seed: int = 0
    name: str = "logic"

    def choose(self, valid: Holdout) -> Chosen:
        """Search the model, then ablate the term."""
        inner = self.inner.choose(valid)
        started = cpu_seconds()
        settings = WithLogic(inner.model, self.topics, self.roles, name=self.name)
        graph = graph_of(settings, valid.train)
        found = ablate(inner.fitted, graph, valid, self.weights, self.seed)
        kept = replace(settings, weight=found.weight if found.ships else 0.0)
        fitted = FittedWithLogic(inner.fitted, graph if found.ships else None, kept.weight)
        spent = cpu_seconds() - started
        alone = max(one.value for one in inner.tried)
        tried = (*inner.tried, Tried(kept, alone + max(found.gain.mean, 0.0) * found.ships, spent))
        return Chosen(kept, fitted, tried, inner.fit_cpu_s, inner.search_cpu_s + spent)


def ablate(
    fitted: Fitted,
    graph: Propagation,
    valid: Holdout,
    weights: Sequence[float] = WEIGHTS,
    seed: int = 0,
) -> Ablation:
    """Measure the term on (some of) the validation targets, in two halves."""
    asked = some_rows(valid, seed)
    ranks = np.stack([_rank(fitted, graph, weight, asked) for weight in (0.0, *weights)])
    return judge(ranks, weights, seed)


def judge(ranks: Floats, weights: Sequence[float], seed: int = 0) -> Ablation:
    """Compare W weights of a term with weight 0, by ranks (1 + W, M) of the same targets."""
    value = by_user(ranks, CRITERION)
    half = np.random.default_rng(seed).permutation(ranks.shape[1]) % 2
    picked = [1 + int(np.argmax(value[1:, half != own].mean(axis=1))) for own in (0, 1)]
    at = np.array(picked)[half]
    on, off = ranks[at, np.arange(ranks.shape[1])], ranks[0]
    gain = paired_interval(by_user(on, CRITERION)[None], value[:1])
    best = float(weights[int(np.argmax(value[1:].mean(axis=1)))])
    return Ablation(best, gain, float(np.mean(on != off)))


def _rank(fitted: Fitted, graph: Propagation, weight: float, asked: Holdout) -> Floats:
    mixed = FittedWithLogic(fitted, graph if weight else None, weight)
    return rank_targets(mixed, asked, depth=1).rank
