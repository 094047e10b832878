"""Learning the bias of observational effects within one log that was randomised in part.

Items are split in halves. On one the randomisation is hidden: strata are forgotten, or of the rows
only the recommender's own are kept. On the other half the randomised answer is asked. Both ways
round, over several splits, the contrasts tell the bias that observational answers about *other*
items of such a platform should allow for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from tagcf.effects.estimate import estimate_effects
from tagcf.effects.learned_bias import Contrasts, LearnedBias, bias_of, contrasts_of
from tagcf.effects.methods import Joint, Matching, Robust
from tagcf.effects.task import Question
from tagcf.errors import EstimationError
from tagcf.types import Codes, EventBatch, EventLog, Mask, TagMatrix

SPLITS = 5
MOST_TOGETHER = 0.2  # share of the items that one piece may hold; larger ones are cut


def learn_bias_within(
    log: EventLog,
    tags: TagMatrix,
    using: Joint | Matching | Robust,
    question: Question,
    *,
    splits: int = SPLITS,
    seed: int = 0,
) -> tuple[LearnedBias, ...]:
    """Learn the bias of `using` from halves of a log with strata or rows of random exposure.

    Parameters
    ----------
    splits
        Splits in halves; squared biases and shares are averaged over them.

    Returns
    -------
    tuple of LearnedBias
        One per outcome with at least ten contrasts in every split.

    Raises
    ------
    EstimationError
        Neither strata nor random rows.
    """
    if not log.n_strata and not log.has_randomized:
        raise EstimationError("error.nothing_random")
    logged = [one.name for one in log.outcomes]
    asked = tuple(name for name in question.outcomes or logged if name in logged)
    if not asked:
        return ()
    using = replace(using, bias=None)
    question = replace(question, by=(), outcomes=asked)
    pieces, random = pieces_of(log), np.random.default_rng(seed)
    found = []
    for _ in range(splits):
        first = half_of(pieces, random)
        contrasts: list[Contrasts] = []
        for hidden in (first, ~first):
            seen = estimate_effects(without_randomness(log, hidden), tags, using, question)
            true = estimate_effects(randomised_part(log, ~hidden), tags, _ground(log), question)
            contrasts += contrasts_of(seen, true)
        found.append({one.outcome: one for one in bias_of(contrasts)})
    everywhere = [name for name in found[0] if all(name in one for one in found)]
    return tuple(_average([one[name] for one in found]) for name in everywhere)


def _ground(log: EventLog) -> Joint:
    """Return the method that tells the truth: all rows within strata, else random rows alone."""
    return Joint() if log.n_strata else Joint(rows="random")


def without_randomness(log: EventLog, items: Mask) -> EventLog:
    """Some items, as if nothing had been random: no strata, only the recommender's own rows.

    Parameters
    ----------
    items
        (I,) which items.
    """
    chosen_only = log.has_randomized and not log.n_strata

    def kept(batch: EventBatch) -> EventBatch:
        keep = items[batch.item]
        if chosen_only and batch.randomized is not None:
            keep &= ~batch.randomized
        return replace(batch.rows(keep), stratum=None, randomized=None, propensity=None)

    return _rows_of(replace(log, n_strata=0, has_randomized=False, derived=()), kept)


def randomised_part(log: EventLog, items: Mask) -> EventLog:
    """Some items as they are; within strata it makes no difference which rows were random."""
    strata = log.n_strata > 0

    def kept(batch: EventBatch) -> EventBatch:
        rows = batch.rows(items[batch.item])
        return replace(rows, randomized=None, propensity=None) if strata else rows

    return _rows_of(replace(log, has_randomized=not strata, derived=()), kept)


def _rows_of(log: EventLog, kept: Callable[[EventBatch], EventBatch]) -> EventLog:
    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            yield kept(batch)

    n_rows = sum(batch.n_rows for batch in batches())
    return replace(log, batches=batches, n_rows=n_rows, fold=None)


def pieces_of(log: EventLog) -> Codes:
    """(I,) pieces of items that are not parted: of one stratum, author or other cluster.

    An item in several clusters of a kind (seen by many users) is not tied to any of them, and a
    column that would tie most items together ties none.
    """
    n_items = len(log.items)
    pieces: Codes = np.arange(n_items, dtype=np.int32)
    for codes in _clusters_of_items(log):
        tied = np.flatnonzero(codes >= 0)
        size = n_items + int(codes.max(initial=-1)) + 1
        links = sparse.coo_array(
            (np.ones(n_items + tied.size), _ends(pieces, codes, tied)), shape=(size, size)
        )
        _, joined = connected_components(links, directed=False)
        joined = np.unique(joined[:n_items], return_inverse=True)[1].astype(np.int32)
        if np.bincount(joined).max(initial=0) <= MOST_TOGETHER * n_items:
            pieces = joined
    return pieces


def _ends(
    pieces: Codes, codes: Codes, tied: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Nodes that are linked: items with the first of their piece, and with their cluster."""
    items = np.arange(pieces.size)
    first = np.full(int(pieces.max(initial=-1)) + 1, pieces.size)
    np.minimum.at(first, pieces, items)
    return (
        np.concatenate([items, tied]),
        np.concatenate([first[pieces], pieces.size + codes[tied]]),
    )


def _clusters_of_items(log: EventLog) -> list[Codes]:
    """(I,) code of each item by stratum, cluster axis and author; -1 for several or none."""
    shape = (1 + len(log.clusters), len(log.items))
    low, high = np.full(shape, np.iinfo(np.int32).max), np.full(shape, -1)
    for batch in log.batches():
        unknown = np.full(batch.n_rows, -1)
        stratum = unknown if batch.stratum is None else batch.stratum
        for at, codes in enumerate([stratum, *batch.clusters.T]):
            np.minimum.at(low[at], batch.item, codes)
            np.maximum.at(high[at], batch.item, codes)
    found = list(np.where(low == high, high, -1).astype(np.int32))
    return found if log.item_author is None else [*found, log.item_author]


def half_of(pieces: Codes, random: np.random.Generator) -> Mask:
    """(I,) a random half of the items, whole pieces only."""
    sizes = np.bincount(pieces)
    order = random.permutation(sizes.size)
    before = np.empty(sizes.size)
    before[order] = np.cumsum(sizes[order]) - sizes[order] / 2
    return np.asarray((before < sizes.sum() / 2)[pieces])


def _average(found: Sequence[LearnedBias]) -> LearnedBias:
    """One answer from several splits: the same tags and items, dealt out anew."""
    return LearnedBias(
        outcome=found[0].outcome,
        rung=found[0].rung,
        sd=float(np.sqrt(np.mean([one.sd**2 for one in found]))),
        tags=min(one.tags for one in found),
        contrasts=sum(one.contrasts for one in found),
        seen=2 * sum(one.seen for one in found) > len(found),
        beyond_two_errors=float(np.mean([one.beyond_two_errors for one in found])),
        beyond_with_bias=float(np.mean([one.beyond_with_bias for one in found])),
    )
