"""From ordered candidates to a list: diversity, exploration, reasons, traces of rules."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.explain.attribution import attribute, told
from tagcf.recommend.explain.tag_evidence import TagEvidence
from tagcf.recommend.explain.tag_score import tag_score, terms_of
from tagcf.recommend.pipeline import Candidates, Models, Request
from tagcf.recommend.rank.diversity import MarginalRelevance, unit_vectors
from tagcf.recommend.rank.explore import Exploration, Shown
from tagcf.types import Floats, RankedItem, Steered

TAGS_NAMED = 3
DIVERSE_AMONG = 10  # times the list: candidates that diversity picks from


@dataclass(frozen=True, slots=True)
class Showing:
    """How a list is drawn from its candidates."""

    k: int
    diversity: float
    explore: float
    rng: np.random.Generator


def choose(found: Candidates, catalogue: Catalogue, showing: Showing) -> Shown:
    """Pick at most k items of the candidates that no rule blocks."""
    free = np.flatnonzero(found.open)
    order: NDArray[np.int64] = np.arange(free.size)
    if showing.diversity > 0 and free.size:
        near = free[: DIVERSE_AMONG * showing.k]
        vectors = unit_vectors(catalogue.carried[found.item[near]]).astype(np.float64)
        picker = MarginalRelevance(showing.diversity)
        order = picker.pick(found.score[near], vectors, showing.k)
    k = min(showing.k, free.size)
    if showing.explore > 0:
        drawn = Exploration(showing.explore)
        return drawn.draw(order[:k], found.item[free], showing.rng, k)
    sure = np.ones(k)
    return Shown(found.item[free[order[:k]]], sure, np.zeros(k, np.bool_))


def listed(
    models: Models,
    catalogue: Catalogue,
    evidence: TagEvidence | None,
    request: Request,
    times: Floats,
    found: Candidates,
    shown: Shown,
    *,
    explored: bool,
) -> tuple[RankedItem, ...]:
    """Tell of each item its score, predicted outcomes, reasons, and what rules did to it."""
    if not shown.item.size:
        return ()
    order = np.argsort(found.item)
    at = order[np.searchsorted(found.item, shown.item, sorter=order)]
    outcomes = outcomes_of(models, request, found, at)
    n_items = len(catalogue.items)
    shares = attribute(
        models.fitted, request.history, shown.item, n_items, found.serving, models.retriever
    )
    names = [catalogue.ids[one] for one in request.history[shares.place].tolist()]
    because = told(shares, names, times[shares.place], found.model[at])
    traces = steered_of(found, request, at) if request.rules else []
    serving = found.serving
    return tuple(
        RankedItem(
            item=catalogue.ids[item],
            score=float(found.score[at[j]]),
            outcomes=outcomes[j],
            reasons=()
            if evidence is None
            else evidence.raising(catalogue.tags_of(int(item)), TAGS_NAMED),
            history=because[j][0],
            fidelity=because[j][1],
            steered=traces[j] if traces else (),
            propensity=float(shown.propensity[j]) if explored else None,
            randomized=bool(shown.randomized[j]),
            by_tags=None if serving is None else tag_score(serving, item, found.model[at[j]]),
            terms=() if serving is None else terms_of(serving, item, shares.beside[:, j]),
        )
        for j, item in enumerate(shown.item.tolist())
    )


def outcomes_of(
    models: Models, request: Request, found: Candidates, at: NDArray[np.int64]
) -> list[tuple[tuple[str, float], ...]]:
    """Predicted outcomes of some candidates, those that could not be told left out."""
    if models.ranker is None:
        return [()] * at.size
    names = models.ranker.names
    values = found.outcomes
    table = models.ranker.outcomes(request.user, found.item[at]) if values is None else values[at]
    return [
        tuple((name, value) for name, value in zip(names, row, strict=True) if not isnan(value))
        for row in table.tolist()
    ]


def steered_of(
    found: Candidates, request: Request, at: NDArray[np.int64]
) -> list[tuple[Steered, ...]]:
    """What each rule did to the candidates at some places."""
    rank = found.ranks(at).tolist()
    traces: list[list[Steered]] = [[] for _ in rank]
    for r, one in enumerate(request.rules):
        moved = found.change[r, at].tolist()
        if not any(moved):
            continue
        without = found.ranks(at, without=r).tolist()
        for j, change in enumerate(moved):
            if change != 0.0:
                before = without[j] if found.entered[at[j]] else None
                traces[j].append(
                    Steered(one.rule.label, one.rule.tag, one.weight, change, rank[j], before)
                )
    return [tuple(one) for one in traces]


def blocked_from(
    found: Candidates, request: Request, catalogue: Catalogue, k: int
) -> tuple[tuple[str, str], ...]:
    """Items that would be among the first k but for a rule, with that rule."""
    return tuple(
        (catalogue.ids[item], request.rules[rule].rule.label)
        for item, rule in zip(found.item[:k].tolist(), found.blocked[:k].tolist(), strict=True)
        if rule >= 0
    )
