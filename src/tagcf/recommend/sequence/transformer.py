"""A small causal transformer over items and their tags: trained with torch, served without.

Pre-norm layers with gated feed-forwards, a learned recency bias on each head instead of
positions, softmax over all items or corrected shared negatives at every place of a sequence
(SASRec's task, Kang and McAuley 2018, with the losses that made it strong: Klenitskiy and
Vasilev 2023, arXiv 2309.07602), and item vectors that begin with factors of co-visitation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.errors import EstimationError, MissingExtraError
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import CRITERION, Beside, Chosen, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.retrieval.index import ItemIndex
from tagcf.recommend.scoring import Scores
from tagcf.recommend.sequence.holdout import some_rows
from tagcf.recommend.sequence.inference import scores, scores_of
from tagcf.recommend.sequence.schedule import Schedule
from tagcf.recommend.sequence.weights import Array, Weights
from tagcf.types import Floats

INDEX = ".index.npz"  # stands beside the weights


@dataclass(frozen=True, slots=True)
class Transformer:
    """Settings of the transformer.

    Parameters
    ----------
    length
        Events that are read, the latest ones.
    schedule
        How long to train; validation may end it early.
    full_softmax_up_to
        Items; beyond, `negatives` are drawn by frequency to the `negative_power`.
    topics, roles
        (I, T) and (I, R) strength of each tag in each item; None: items are ids alone.
    tag_weight
        Of predicting the next item's topics, beside predicting the item.
    own_dropout
        Share of items that speak by their tags alone in a step.
    """

    width: int = 64
    heads: int = 2
    blocks: int = 1
    length: int = 50
    dropout: float = 0.2
    schedule: Schedule = field(default_factory=Schedule)
    batch_targets: int = 1500
    smoothing: float = 0.0
    full_softmax_up_to: int = 10_000
    negatives: int = 512
    negative_power: float = 1.0
    topics: sparse.csr_array | None = field(default=None, repr=False, compare=False)
    roles: sparse.csr_array | None = field(default=None, repr=False, compare=False)
    tag_weight: float = 0.1
    own_dropout: float = 0.1
    seed: int = 0
    name: str = "transformer"

    def fit(self, train: Histories) -> FittedTransformer:
        """Train without validation.

        Raises
        ------
        MissingExtraError
            torch is not installed.
        EstimationError
            A table of tags has not one row for each item.
        """
        return self.fit_watched(train, None)[0]

    def reseeded(self, seed: int) -> Transformer:
        """Give the same settings under another seed."""
        return replace(self, seed=seed)

    def fit_watched(
        self, train: Histories, valid: Holdout | None
    ) -> tuple[FittedTransformer, Transformer, tuple[float, ...]]:
        """Train and keep the epoch that is best on validation.

        Returns
        -------
        FittedTransformer
        Transformer
            The settings that give the same model again without validation.
        tuple of float
            NDCG@10 on (some of) the validation targets after each epoch.
        """
        needs_torch()
        check_tables(train.n_items, self.topics, self.roles)
        from tagcf.recommend.sequence.training import train as run

        watched = None if valid is None else some_rows(valid, self.seed)
        trained = run(self, train, None if watched is None else partial(worth, watched))
        found = replace(self, schedule=self.schedule.stopped(trained.epochs))
        return FittedTransformer(trained.weights), found, trained.values


@dataclass(frozen=True, slots=True)
class FittedTransformer:
    """A trained transformer: arrays alone, no torch."""

    weights: Weights
    index: ItemIndex | None = field(default=None, repr=False, compare=False)  # of large catalogues

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Score every item; events of unknown items are passed over.

        Items beyond the catalogue of training that `with_items` wasn't told of score as low as
        the lowest.
        """
        found = scores(self.weights, histories)
        new = histories.n_items - self.weights.n_items
        if new <= 0:
            return found
        lowest = found.min(axis=1, initial=np.inf, keepdims=True)
        return np.hstack([found, np.repeat(lowest, new, axis=1)])

    def scores_of(self, items: NDArray[np.integer]) -> Array:
        """(I,) scores after one live history, by the shortest way."""
        return scores_of(self.weights, items)

    def with_items(self, topics: Array, roles: Array) -> FittedTransformer:
        """Add items by their tags alone; see `Weights.with_items`."""
        return FittedTransformer(self.weights.with_items(topics, roles))

    def save(self, path: Path) -> None:
        """Write one ``.npz`` without pickle, and another of the index where there is one."""
        self.weights.save(path)
        if self.index is not None:
            self.index.save(path.with_suffix(INDEX))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        indexed = path.with_suffix(INDEX)
        return cls(Weights.load(path), ItemIndex.load(indexed) if indexed.exists() else None)


@dataclass(frozen=True, slots=True)
class TransformerSearch:
    """Candidates that are each trained with early stopping; the first stands for the plain one."""

    models: tuple[Transformer, ...]
    name: str = "transformer"

    def choose(self, valid: Holdout) -> Chosen:
        """Keep the candidate whose best epoch is best."""
        started = cpu_seconds()
        tried: list[Tried] = []
        best: tuple[float, Transformer, FittedTransformer, float] | None = None
        for model in self.models:
            before = cpu_seconds()
            fitted, found, values = model.fit_watched(valid.train, valid)
            cpu = cpu_seconds() - before
            value = max(values, default=0.0)
            tried.append(Tried(found, value, cpu))
            if best is None or value > best[0]:
                best = value, found, fitted, cpu
        if best is None:
            raise ValueError(f"{self.name}: a search needs at least one model")
        _, found, fitted, cpu = best
        return Chosen(found, fitted, tuple(tried), cpu, cpu_seconds() - started)


def transformer_search(beside: Beside) -> TransformerSearch:
    """Make the search that `tagcf evaluate` runs."""
    needs_torch()
    return TransformerSearch((Transformer(seed=beside.seed),))


def check_tables(n_items: int, *tables: sparse.csr_array | None) -> None:
    """Raise `EstimationError` for a table of tags with other than one row an item."""
    for table in tables:
        if table is not None and table.shape[0] != n_items:
            facts = {"rows": f"{table.shape[0]:,}", "items": f"{n_items:,}"}
            raise EstimationError("recommend.tags_of_other_items", **facts)


def worth(watched: Holdout, weights: Weights) -> float:
    """Give the mean NDCG@10 on a hold-out."""
    ranked = rank_targets(FittedTransformer(weights), watched, depth=1)
    return float(np.mean(by_user(ranked.rank, CRITERION)))


def needs_torch() -> None:
    """Raise `MissingExtraError` where torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("recommend.needs_deep") from error
