"""Settings chosen on the validation hold-out by the code itself, and what the choice cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy import sparse

from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.scoring import Fitted, Model
from tagcf.recommend.terms.choices import Side

CRITERION = "ndcg@10"


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate of a search."""

    model: Model
    value: float  # mean NDCG@10 on the validation hold-out
    fit_cpu_s: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best candidate, as fitted to the validation hold-out's training data."""

    model: Model
    fitted: Fitted
    tried: tuple[Tried, ...]
    fit_cpu_s: float  # of the chosen one alone
    search_cpu_s: float  # of all of it: fitting and scoring every candidate


@dataclass(frozen=True, slots=True)
class Shipping:
    """What `tagcf train` ships: the model of the name "tagcf", and the terms on its scores."""

    model: str = "linear"  # `[recommend] model`
    side: Side | None = None  # what terms read; None: the model alone
    loss: float = 0.0  # `[recommend] reach`


LINEAR_ALONE = Shipping()


@dataclass(frozen=True, slots=True)
class Beside:
    """What a model may use beside histories, and the seed of all that is random in it."""

    tags: sparse.csr_array | None = None  # (I, T) float32, strength in 0..1
    seed: int = 0
    shipping: Shipping = LINEAR_ALONE
    chosen: Chosen | None = None  # of the model that "tagcf" stands for, where it was run before


class Search(Protocol):
    """A way to choose a model's settings. `Grid` does for most; a model may bring its own."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def choose(self, valid: Holdout) -> Chosen:
        """Fit candidates to ``valid.train`` and keep the best on its targets."""
        ...


@runtime_checkable
class Reseeded(Protocol):
    """A random model that can be fitted again from another seed, its settings as chosen."""

    def reseeded(self, seed: int) -> Model:
        """Return the model with another seed."""
        ...


@runtime_checkable
class TrainedElsewhere(Protocol):
    """A fitted model whose training ran in another process, which says what it took."""

    fit_cpu_s: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Try every model; the first of equally good ones is kept, so plain ones stand first.

    `variants` makes more candidates of a fitted one that need no training of their own, such as
    other weights at inference.
    """

    name: str
    models: Sequence[Model]
    variants: Callable[[Model, Fitted], Iterable[tuple[Model, Fitted]]] | None = None

    def choose(self, valid: Holdout) -> Chosen:
        """Fit and score each; only the best so far is kept in memory."""
        started, elsewhere = cpu_seconds(), 0.0
        best: tuple[Tried, Fitted] | None = None
        tried: list[Tried] = []
        for trained in self.models:
            first, cpu, far = timed_fit(trained, valid)
            elsewhere += far
            more = () if self.variants is None else self.variants(trained, first)
            for model, fitted in ((trained, first), *more):
                one = Tried(model, validation_value(fitted, valid, self.name), cpu)
                tried.append(one)
                if best is None or one.value > best[0].value:
                    best = one, fitted
        if best is None:
            raise ValueError(f"{self.name}: a grid needs at least one model")
        spent = cpu_seconds() - started + elsewhere
        return Chosen(best[0].model, best[1], tuple(tried), best[0].fit_cpu_s, spent)


@dataclass(frozen=True, slots=True)
class Already:
    """A choice that has been made, on the same hold-out."""

    chosen: Chosen

    @property
    def name(self) -> str:
        """Name of the model chosen."""
        return self.chosen.model.name

    def choose(self, valid: Holdout) -> Chosen:
        """Give it; nothing is fitted."""
        return self.chosen


def timed_fit(model: Model, holdout: Holdout) -> tuple[Fitted, float, float]:
    """Fit to the hold-out's training data: the fit, its CPU seconds, those in other processes."""
    started = cpu_seconds()
    fitted = model.fit(holdout.train)
    here = cpu_seconds() - started
    far = fitted.fit_cpu_s if isinstance(fitted, TrainedElsewhere) else 0.0
    return fitted, here + far, far


def validation_value(fitted: Fitted, valid: Holdout, name: str = "") -> float:
    """Mean NDCG@10 of a fitted model on a hold-out: what every search goes by."""
    ranked = rank_targets(fitted, valid, name=name, depth=1)
    return float(np.mean(by_user(ranked.rank, CRITERION)))
