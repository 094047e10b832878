"""Settings of the linear model where even scoring every item for some users is too much.

Tables are streamed from some of the users, and candidates are ranked by the items that they
touch, so that a search takes the time and memory of a fraction of one training run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagcf.recommend.evaluate.metrics import ndcg
from tagcf.recommend.evaluate.ranking import cpu_seconds
from tagcf.recommend.evaluate.search import Chosen, Tried
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.linear.design import Design, Window, faded
from tagcf.recommend.linear.model import FittedLinear, Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.linear.streamed.rows import StreamedFit, stream, with_power
from tagcf.recommend.retrieval.touched import TouchedItems

NEIGHBOURS = 50  # entries of a streamed row at most
DIRECTED = (Design((Window(10, 0.3),)), Design((Window(30, 0.1),)))
UNDIRECTED = Design((Window(30, 0.0),), ordered=False)
POWERS = (0.5, 0.0)  # p, of the frequency of the item that was seen
MOST_USERS = 2_000  # asked
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Tested:
    """A part, its fit, and how well and how widely it scores."""

    part: Part
    fit: StreamedFit
    value: float  # NDCG@10 on validation
    spread: float  # mean over users of the standard deviation of their scores
    fit_cpu_s: float

    @property
    def even(self) -> Tested:
        """The same at a spread of 1."""
        return replace(self, part=replace(self.part, weight=1.0 / max(self.spread, 1e-12)))


@dataclass(frozen=True, slots=True)
class StreamedSearch:
    """Choose window, p and decay of scoring; then whether a part without order helps."""

    name: str = "linear"

    def choose(self, valid: Holdout) -> Chosen:
        """Stream each design once, try its powers and decays, and sum the best of both kinds."""
        started = cpu_seconds()
        rows = np.linspace(0, len(valid) - 1, min(MOST_USERS, len(valid))).astype(np.int64)
        asked = valid.rows(rows)
        tried: list[Tried] = []
        directed = max((_best_of(one, asked, tried) for one in DIRECTED), key=_value)
        undirected = _best_of(UNDIRECTED, asked, tried)
        kept, pair = [max(directed, undirected, key=_value)], [directed.even, undirected.even]
        together, _ = tested(_summed(pair), asked)
        if together >= kept[0].value:
            kept = pair
            tried.append(Tried(_summed(pair).settings, together, 0.0))
        fitted = _summed(kept, self.name)
        fit = sum(one.fit_cpu_s for one in kept)
        return Chosen(fitted.settings, fitted, tuple(tried), fit, cpu_seconds() - started)


def tested(fitted: FittedLinear, asked: Holdout) -> tuple[float, float]:
    """NDCG@10, history masked, and mean standard deviation of a user's scores."""
    retriever = TouchedItems.of(fitted)
    if retriever is None:
        raise ValueError("a dense table touches every item")
    rank, spread = np.full(len(asked), np.inf), np.zeros(len(asked))
    history = asked.history
    for at in range(len(asked)):
        own = history.item[history.indptr[at] : history.indptr[at + 1]]
        found = retriever.asked(own)
        place = np.flatnonzero(found.best(SHOWN, own).item == asked.target[at])
        if place.size:
            rank[at] = 1 + place[0]
        spread[at] = found.moments().deviation
    return float(np.mean(ndcg(rank, SHOWN))), float(np.mean(spread))


def _best_of(design: Design, asked: Holdout, tried: list[Tried]) -> Tested:
    """Best p and decay of scoring of one design."""
    started = cpu_seconds()
    raw = stream(asked.train, design, streamed_ridge(0.0))
    cpu = cpu_seconds() - started
    found = []
    for power in POWERS:
        ridge = streamed_ridge(power)
        fit = with_power(raw, asked.train, design, ridge)
        for variant in faded(design):
            part = Part(variant, ridge)
            value, spread = tested(FittedLinear(Linear((part,)), (fit,)), asked)
            found.append(Tested(part, fit, value, spread, cpu))
            tried.append(Tried(Linear((part,)), value, cpu))
    return max(found, key=_value)


def streamed_ridge(power: float) -> Ridge:
    """Counts over the frequency of what was seen, to a power."""
    return Ridge(np.inf, power, neighbours=NEIGHBOURS, streamed=True)


def _summed(parts: Sequence[Tested], name: str = "linear") -> FittedLinear:
    model = Linear(tuple(one.part for one in parts), name)
    return FittedLinear(model, tuple(one.fit for one in parts))


def _value(one: Tested) -> float:
    return one.value
