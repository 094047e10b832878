"""Settings of the linear model, chosen by validation NDCG@10 with as little work as can be.

Statistics are counted once per design; a path over λ climbs from the middle and stops when it
falls; scores are kept, so that weights of scoring and sums of parts cost no training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.evaluate.kernels import rank_rows
from tagcf.recommend.evaluate.metrics import ndcg
from tagcf.recommend.evaluate.ranking import cpu_seconds
from tagcf.recommend.evaluate.search import Chosen, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window, faded
from tagcf.recommend.linear.fit import Fit
from tagcf.recommend.linear.memory import Form, Memory, forms
from tagcf.recommend.linear.model import POPULARITY, FittedLinear, Linear, Part, statistics_of
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.linear.streamed.rows import stream, with_power
from tagcf.recommend.linear.streamed.search import (
    POWERS,
    UNDIRECTED,
    StreamedSearch,
    streamed_ridge,
)
from tagcf.recommend.retrieval.contract import EXACT_ITEMS
from tagcf.recommend.scoring import Scores

SEARCH_EVENTS = 5_000_000  # of larger logs, some of the users decide the settings
PLAIN_DENSE = 2_000  # items up to which a model without a search is dense
CELLS = 40_000_000  # validation scores of one part held at once
MOST_USERS, FEWEST_USERS = 4_000, 500
BAGS = Design((Window(1_000, 0.0),), ordered=False)
DENSE = (
    Design((Window(1), Window(30, 0.1))),
    Design((Window(10, 0.3),)),
    Design((Window(30, 0.1),)),
    BAGS,
)
PLAIN = Design((Window(10, 0.3),))
SPARSE = (PLAIN, BAGS, Design((Window(30, 0.1),)))
NEIGHBOURS = 100
SHARES = (0.5, 1.0)  # weights of a further part, in units of equal spread
GAIN = 1.02  # a third part must gain two per cent on validation
MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part with its fit and validation scores."""

    part: Part
    fit: Fit
    scores: Scores
    value: float


@dataclass(frozen=True, slots=True)
class LinearSearch:
    """Choose windows, λ, p and the sum of parts; `choose` reports what that cost.

    Parameters
    ----------
    whole
        What the chosen model will be fitted to, where that is more than is searched on: tables
        get the form in which theirs fit in memory.
    memory
        What they may take.
    """

    name: str = "linear"
    whole: Histories | None = None
    memory: Memory = field(default_factory=Memory)

    def choose(self, valid: Holdout) -> Chosen:
        """Fit the best part of each design, then add parts while that gains."""
        whole = valid.train if self.whole is None else self.whole
        if whole.n_items > EXACT_ITEMS:
            return StreamedSearch(self.name).choose(valid)
        started = cpu_seconds()
        asked = _sample(valid)
        tried: list[Tried] = []
        best = [
            _best_of(design, form, asked, tried) for design, form in designs(whole, self.memory)
        ]
        kept = _sum_of_parts(sorted(best, key=lambda one: -one.value), asked)
        model = Linear(tuple(one.part for one in kept), self.name)
        fitted = FittedLinear(model, tuple(one.fit for one in kept))
        spent = cpu_seconds() - started
        started = cpu_seconds()
        model.fit(valid.train)
        fit = cpu_seconds() - started
        return Chosen(model, fitted, tuple(tried), fit, spent + fit)


def searched(histories: Histories) -> Histories:
    """Every so many-th user of a log too large to search on whole."""
    every = -(-histories.item.size // SEARCH_EVENTS)
    return histories if every <= 1 else histories.users(np.arange(0, len(histories), every))


def plain(histories: Histories) -> Linear:
    """Settings for a log as they are by default, in the form in which the table fits."""
    if histories.n_items <= PLAIN_DENSE:
        return Linear()
    ((_, form),) = forms(histories, (), (PLAIN,), Memory())
    if form == "streamed":
        return Linear((Part(PLAIN, streamed_ridge(0.5)),))
    return Linear((Part(PLAIN, Ridge(np.inf, 0.5, 0.0, NEIGHBOURS)),))


def designs(histories: Histories, memory: Memory) -> list[tuple[Design, Form]]:
    """Designs worth trying, and the form of their tables."""
    return [
        (UNDIRECTED if form == "streamed" and not design.ordered else design, form)
        for design, form in forms(histories, DENSE, SPARSE, memory)
    ]


def _best_of(design: Design, form: Form, asked: Holdout, tried: list[Tried]) -> Candidate:
    """Best λ, p and decay of scoring of one design."""
    solve = _solver(design, form, asked.train)
    best: Candidate | None = None
    for path in _paths(form):
        last = -np.inf
        for ridge in path:
            started = cpu_seconds()
            fit = solve(ridge)
            spent = cpu_seconds() - started
            found = max(
                (_scored(Part(variant, ridge), fit, asked) for variant in faded(design)),
                key=lambda one: one.value,
            )
            tried.append(Tried(Linear((found.part,)), found.value, spent))
            if best is None or found.value > best.value:
                best = found
            if found.value < last:
                break
            last = found.value
    assert best is not None  # noqa: S101 - paths are never empty
    return best


def _solver(design: Design, form: Form, train: Histories) -> Callable[[Ridge], Fit]:
    """What is counted once, and solved for every ridge."""
    if form == "streamed":
        raw = stream(train, design, streamed_ridge(0.0))
        return lambda ridge: with_power(raw, train, design, ridge)
    neighbours = None if form == "dense" else NEIGHBOURS
    statistics = statistics_of(train, Part(design, Ridge(neighbours=neighbours)))
    return lambda ridge: statistics.solve(design, ridge)


def _paths(form: Form) -> Iterator[list[Ridge]]:
    """Paths of λ, each followed until it falls."""
    if form == "streamed":
        yield from ([streamed_ridge(power)] for power in POWERS)
        return
    neighbours = None if form == "dense" else NEIGHBOURS
    for power in (0.5, 0.0):
        yield [Ridge(np.inf, power, 0.0, neighbours)]
    yield [Ridge(penalty, 0.0, 0.0, neighbours) for penalty in (300.0, 1000.0, 3000.0)]
    yield [Ridge(penalty, 0.0, 0.0, neighbours) for penalty in (100.0, 30.0, 10.0)]
    yield [Ridge(penalty, 0.5, 0.0, neighbours) for penalty in (30.0, 100.0, 300.0)]


def _scored(part: Part, fit: Fit, asked: Holdout) -> Candidate:
    scores = FittedLinear(Linear((part,)), (fit,)).scores(asked.history)
    return Candidate(part, fit, scores, value_of(scores, asked))


def value_of(scores: Scores, asked: Holdout) -> float:
    """Mean NDCG@10 of validation scores, history masked."""
    rank, top = np.empty(len(asked)), np.empty((len(asked), 1), np.int32)
    allowed = np.ones(scores.shape[1], np.bool_)
    known = np.bincount(asked.train.item, minlength=allowed.size) > 0
    target = np.where(known[asked.target], asked.target, -1).astype(np.int32)
    rank_rows(scores, asked.history.indptr, asked.history.item, allowed, target, rank, top)
    return float(np.mean(ndcg(rank, 10)))


def _sum_of_parts(ordered: Sequence[Candidate], asked: Holdout) -> list[Candidate]:
    """Add the part and weight that gain most, as long as they gain enough."""
    kept = _first_parts(ordered, asked)
    scores = _summed(kept)
    value = value_of(scores, asked)
    left = [one for one in ordered if all(one.scores is not own.scores for own in kept)]
    while left and len(kept) < MOST_PARTS:
        options = (
            (value_of(scores + one.scores * np.float32(weight), asked), k, weight)
            for k, one in enumerate(left)
            for weight in (share / _spread(one.scores) for share in SHARES)
        )
        gained, k, weight = max(options)
        if gained < GAIN * value:
            break
        one = left.pop(k)
        scores, value = scores + one.scores * np.float32(weight), gained
        kept.append(_weighted(one, float(weight)))
    return kept


def _first_parts(ordered: Sequence[Candidate], asked: Holdout) -> list[Candidate]:
    """Best directed and best undirected part at equal spread, or the best alone if it is better.

    Equal shares and no required gain: what two unlike regressions agree on is less of an accident
    of one validation than which of them, or which weight, came out ahead.
    """
    even = [_weighted(one, 1.0 / _spread(one.scores)) for one in ordered]
    unlike = [one for one in even if one.part.design.ordered != even[0].part.design.ordered]
    pair = [even[0], *unlike[:1]]
    return pair if value_of(_summed(pair), asked) >= ordered[0].value else pair[:1]


def _summed(parts: Sequence[Candidate]) -> Scores:
    total = np.zeros_like(parts[0].scores)
    for one in parts:
        total += one.scores * np.float32(one.part.weight)
    return total


def _weighted(one: Candidate, weight: float) -> Candidate:
    return replace(one, part=replace(one.part, weight=weight))


def _spread(scores: Scores) -> float:
    """Mean over users of the standard deviation of their scores; 1 where there is none to speak of.

    Histories of which no event leads to anything are scored by popularity alone, which is there
    to break ties: scaled up to a spread of 1, it would make of real scores figures of millions.
    """
    spread = float(np.mean(scores.std(axis=1)))
    return spread if spread > POPULARITY else 1.0


def _sample(valid: Holdout) -> Holdout:
    """Every so many-th user, as many as memory and patience hold."""
    most = min(max(CELLS // max(valid.train.n_items, 1), FEWEST_USERS), MOST_USERS)
    if len(valid) <= most:
        return valid
    at: NDArray[np.int64] = np.linspace(0, len(valid) - 1, most).astype(np.int64)
    return valid.rows(at)
