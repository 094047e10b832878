"""The published TagCF objective as a baseline: "tagcf-paper-util" and "tagcf-paper-expl".

Yu et al., "Who You Are Matters: Bridging Topics and Social Roles via LLM-Enhanced Logical
Recommendation", NeurIPS 2025, arXiv 2505.10940, section 4; written from the paper's description.

A tag encoder pools each item's tags with attention and runs a second sequence model over
them; both states together make the user's. Learning augmentation adds tag losses,
(1 - lambda) L_item + lambda (L_user-tag + L_item-tag): binary cross-entropy of the tags of the
next item under user and item. Tag-logic inference adds to an item's score the mean chance of
its tags under the user: as they are (beta 0), and after two steps through the logic graph
(beta 1). "util" uses the tags as they are, "expl" also extends them through the graph.

What was fixed against the released code:

* negatives of the item-tag loss are other items (there: the positives once more);
* there is no padding tag: an item without tags pools to nothing (there: tag 0 was averaged in);
* inference is a product of (users x tags) and sparse (tags x items), never a users x items x
  tags table, and chances enter as they are (there: a second sigmoid and a row normalisation
  left them almost uniform);
* the checkpoint is chosen by validation NDCG@10 (there: by coverage), and beta by validation.

The graph of the paper is said by a language model. Where none is given, a stand-in is made of
the tags that share items more often than by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from scipy import sparse, special

from tagcf.errors import EstimationError
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import CRITERION, Beside, Chosen, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.recommend.sequence.holdout import some_rows
from tagcf.recommend.sequence.inference import states
from tagcf.recommend.sequence.schedule import Schedule
from tagcf.recommend.sequence.shares import carried, rows_to_one, shape_of
from tagcf.recommend.sequence.transformer import check_tables, needs_torch
from tagcf.recommend.sequence.weights import Array, Weights
from tagcf.types import Floats

EDGES = 20  # of each tag in the graph
BETAS = (0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class PaperTagCF:
    """Settings of the published model.

    Parameters
    ----------
    tags
        (I, T) strengths; what is not 0 counts as carried.
    logic
        (T, T) weights of tag -> tag after both steps of the graph, rows summing to 1 or 0; None:
        the stand-in.
    extended
        Whether tags are extended through the graph: "expl".
    tag_loss
        lambda, the share of the tag losses.
    beta
        Weight of the tags' chances in the score, and of the extended ones' in "expl".
    """

    tags: sparse.csr_array = field(repr=False, compare=False)
    logic: sparse.csr_array | None = field(default=None, repr=False, compare=False)
    extended: bool = False
    tag_loss: float = 0.1
    beta: float = 0.01
    width: int = 64
    heads: int = 2
    length: int = 50
    dropout: float = 0.2
    schedule: Schedule = field(default_factory=lambda: Schedule(patience=3))
    batch_targets: int = 1500
    full_softmax_up_to: int = 10_000
    negatives: int = 512
    seed: int = 0

    @property
    def name(self) -> str:
        """Name in tables."""
        return "tagcf-paper-expl" if self.extended else "tagcf-paper-util"

    def fit(self, train: Histories) -> FittedPaperTagCF:
        """Train without validation."""
        return self.fit_watched(train, None)[0]

    def reseeded(self, seed: int) -> PaperTagCF:
        """Give the same settings under another seed."""
        return replace(self, seed=seed)

    def fit_watched(
        self, train: Histories, valid: Holdout | None
    ) -> tuple[FittedPaperTagCF, PaperTagCF, tuple[float, ...]]:
        """Train and keep the epoch that is best on validation; see `Transformer.fit_watched`."""
        needs_torch()
        check_tables(train.n_items, self.tags)
        from tagcf.recommend.sequence.paper_training import train as run

        own = carried(self.tags)
        logic = shared_items_logic(own) if self.logic is None else self.logic
        watched = None if valid is None else some_rows(valid, self.seed)
        watch = None if watched is None else partial(value, watched)
        trained = run(self, own, logic, train, watch)
        found = replace(self, schedule=self.schedule.stopped(trained.epochs))
        return trained.weights, found, trained.values


@dataclass(frozen=True, slots=True)
class FittedPaperTagCF:
    """A trained published model: arrays alone."""

    items: Weights  # sequence model over items
    pooled: Weights  # sequence model over the items' pooled tags
    hidden: Array  # (2 d, 2 d) from both states
    out: Array  # (2 d, d) to the user's
    tag: Array  # (T, d)
    mean_of_tags: sparse.csr_array  # (T, I) each item's tags, columns summing to 1 or 0
    logic: sparse.csr_array  # (T, T)
    settings: PaperTagCF

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Item score, and the mean chance of the item's tags, before and after the graph."""
        both = np.concatenate(
            [states(self.items, histories), states(self.pooled, histories)], axis=1
        )
        user = np.maximum(both @ self.hidden, 0) @ self.out
        found = user @ self.items.item.T + self.items.bias
        beta = np.float32(self.settings.beta)
        chance = special.expit(user @ self.tag.T)
        found += beta * (chance @ self.mean_of_tags)
        if self.settings.extended:
            found += beta * (chance @ self.logic @ self.mean_of_tags)
        found[histories.sizes == 0] = self.items.first
        return np.asarray(found, np.float32)


@dataclass(frozen=True, slots=True)
class PaperSearch:
    """Trains once, then chooses the weight of the tags' chances."""

    model: PaperTagCF

    @property
    def name(self) -> str:
        """Name in tables."""
        return self.model.name

    def choose(self, valid: Holdout) -> Chosen:
        """Early stopping and beta by validation."""
        started = cpu_seconds()
        fitted, found, _ = self.model.fit_watched(valid.train, valid)
        cpu = cpu_seconds() - started
        watched = some_rows(valid, self.model.seed)
        tried = [
            (Tried(one.settings, value(watched, one), cpu), one)
            for one in with_betas(fitted, found)
        ]
        best, kept = max(tried, key=lambda pair: pair[0].value)
        everything = tuple(one for one, _ in tried)
        return Chosen(best.model, kept, everything, cpu, cpu_seconds() - started)


def paper_search(beside: Beside, *, extended: bool) -> PaperSearch:
    """Make the search that `tagcf evaluate` runs.

    Raises
    ------
    EstimationError
        There are no tags.
    """
    needs_torch()
    if beside.tags is None or not beside.tags.nnz:
        raise EstimationError("recommend.paper_needs_tags")
    return PaperSearch(PaperTagCF(beside.tags, extended=extended, seed=beside.seed))


def with_betas(fitted: FittedPaperTagCF, found: PaperTagCF) -> Iterator[FittedPaperTagCF]:
    """The same weights with each weight of the tags' chances."""
    for beta in BETAS:
        yield replace(fitted, settings=replace(found, beta=beta))


def value(watched: Holdout, fitted: FittedPaperTagCF) -> float:
    """Give the mean NDCG@10 on a hold-out."""
    ranked = rank_targets(fitted, watched, name=fitted.settings.name, depth=1)
    return float(np.mean(by_user(ranked.rank, CRITERION)))


def shared_items_logic(own: sparse.csr_array) -> sparse.csr_array:
    """(T, T) for each tag the others that most exceed chance on its items, rows summing to 1."""
    n_items, n_tags = shape_of(own)
    count = np.asarray(own.sum(axis=0)).ravel()
    together = (own.T @ own).tocoo()
    row, column = together.coords
    lift = together.data * n_items / (count[row] * count[column])
    kept = (row != column) & (lift > 1)
    row, column, lift = row[kept], column[kept], np.log(lift[kept])
    order = np.lexsort((-lift, row))
    row, column, lift = row[order], column[order], lift[order]
    place = np.arange(row.size) - np.searchsorted(row, row)
    top = place < EDGES
    table = sparse.csr_array((lift[top], (row[top], column[top])), shape=(n_tags, n_tags))
    return rows_to_one(table)
