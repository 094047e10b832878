"""Settings of the linear model, chosen by validation NDCG@10 with as little work as can be.

Statistics are counted once per design; a path over λ climbs from the middle and stops when it
falls; scores are kept, so that weights of scoring and sums of parts cost no training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.evaluate.kernels import rank_rows
from tagcf.recommend.evaluate.metrics import ndcg
from tagcf.recommend.evaluate.ranking import cpu_seconds
from tagcf.recommend.evaluate.search import Chosen, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part, count, solved
from tagcf.recommend.linear.solve import Ridge, Table, solve
from tagcf.recommend.linear.statistics import Dense, Sparse
from tagcf.recommend.scoring import Scores

DENSE_BYTES = 600_000_000  # statistics of one design at most; larger catalogues are sparse
CELLS = 40_000_000  # validation scores of one part held at once
MOST_USERS, FEWEST_USERS = 4_000, 500
BAGS = Design((Window(1_000, 0.0),), ordered=False)
DENSE = (
    Design((Window(1), Window(30, 0.1))),
    Design((Window(10, 0.3),)),
    Design((Window(30, 0.1),)),
    BAGS,
)
SPARSE = (Design((Window(10, 0.3),)), Design((Window(30, 0.1),)), BAGS)
NEIGHBOURS = 100
FADES = (0.0, 0.1, 0.3, 0.7)  # decays of scoring tried with a design of one window
SHARES = (0.5, 1.0)  # weights of a further part, in units of equal spread
GAIN = 1.02  # a third part must gain two per cent on validation
MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part with its statistics, table and validation scores."""

    part: Part
    statistics: Dense | Sparse
    table: Table
    scores: Scores
    value: float


@dataclass(frozen=True, slots=True)
class LinearSearch:
    """Choose windows, λ, p and the sum of parts; `choose` reports what that cost."""

    name: str = "linear"

    def choose(self, valid: Holdout) -> Chosen:
        """Fit the best part of each design, then add parts while that gains."""
        started = cpu_seconds()
        asked = _sample(valid)
        tried: list[Tried] = []
        best = [_best_of(design, dense, asked, tried) for design, dense in designs(valid)]
        kept = _sum_of_parts(sorted(best, key=lambda one: -one.value), asked)
        model = Linear(tuple(one.part for one in kept), self.name)
        n_items = valid.train.n_items
        fitted = FittedLinear(
            model, tuple(o.statistics for o in kept), tuple(o.table for o in kept), n_items
        )
        spent = cpu_seconds() - started
        started = cpu_seconds()
        solved(model, tuple(count(valid.train, part) for part in model.parts), n_items)
        fit = cpu_seconds() - started
        return Chosen(model, fitted, tuple(tried), fit, spent + fit)


def designs(valid: Holdout) -> Iterator[tuple[Design, bool]]:
    """Designs worth trying, and whether their tables are dense."""
    n = valid.train.n_items
    small = [one for one in DENSE if 8.0 * n * n * _blocks(one) <= DENSE_BYTES]
    if small:
        yield from ((one, True) for one in small)
    if len(small) < len(DENSE):
        yield from ((one, False) for one in SPARSE if one not in small)


def _blocks(design: Design) -> int:
    windows = len(design.windows)
    return windows * (windows + 1) if design.ordered else 1


def _best_of(design: Design, dense: bool, asked: Holdout, tried: list[Tried]) -> Candidate:
    """Best λ, p and decay of scoring of one design."""
    neighbours = None if dense else NEIGHBOURS
    statistics = count(asked.train, Part(design, Ridge(neighbours=neighbours)))
    best: Candidate | None = None
    for path in _paths(neighbours):
        last = -np.inf
        for ridge in path:
            started = cpu_seconds()
            table = solve(statistics, design, ridge)
            spent = cpu_seconds() - started
            found = max(
                (_scored(Part(faded, ridge), statistics, table, asked) for faded in _fades(design)),
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


def _paths(neighbours: int | None) -> Iterator[list[Ridge]]:
    """Paths of λ, each followed until it falls."""
    for power in (0.5, 0.0):
        yield [Ridge(np.inf, power, 0.0, neighbours)]
    yield [Ridge(penalty, 0.0, 0.0, neighbours) for penalty in (300.0, 1000.0, 3000.0)]
    yield [Ridge(penalty, 0.0, 0.0, neighbours) for penalty in (100.0, 30.0, 10.0)]
    yield [Ridge(penalty, 0.5, 0.0, neighbours) for penalty in (30.0, 100.0, 300.0)]


def _fades(design: Design) -> list[Design]:
    """The same statistics, scored with other decays."""
    if len(design.windows) > 1:
        return [design]
    (window,) = design.windows
    decays = dict.fromkeys((window.decay, *FADES))
    return [replace(design, windows=(replace(window, fade=decay),)) for decay in decays]


def _scored(part: Part, statistics: Dense | Sparse, table: Table, asked: Holdout) -> Candidate:
    fitted = FittedLinear(Linear((part,)), (statistics,), (table,), asked.train.n_items)
    scores = fitted.scores(asked.history)
    return Candidate(part, statistics, table, scores, value_of(scores, asked))


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
    """Mean over users of the standard deviation of their scores."""
    return max(float(np.mean(scores.std(axis=1))), 1e-12)


def _sample(valid: Holdout) -> Holdout:
    """Every so many-th user, as many as memory and patience hold."""
    most = min(max(CELLS // max(valid.train.n_items, 1), FEWEST_USERS), MOST_USERS)
    if len(valid) <= most:
        return valid
    at: NDArray[np.int64] = np.linspace(0, len(valid) - 1, most).astype(np.int64)
    return valid.rows(at)
