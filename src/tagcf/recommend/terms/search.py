"""Terms chosen on validation: each ships at a strength that it has earned, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagcf.errors import EstimationError
from tagcf.recommend.cold.items import ColdItems
from tagcf.recommend.cold.search import DRAWS, ColdItemsSearch, drawn, most_asked
from tagcf.recommend.cold.term import ColdChoice, cold_term, with_choice
from tagcf.recommend.cold.users import segment_prior
from tagcf.recommend.evaluate.ranking import cpu_seconds, rank_targets
from tagcf.recommend.evaluate.search import (
    Already,
    Chosen,
    Reseeded,
    Search,
    Tried,
    validation_value,
)
from tagcf.recommend.evaluate.splits import Holdout, first_events
from tagcf.recommend.logic.behaviour import behavioural_logic
from tagcf.recommend.logic.propagate import propagation
from tagcf.recommend.logic.term import WEIGHTS, Ablation, judge
from tagcf.recommend.scoring import Fitted, Model
from tagcf.recommend.sequence.holdout import some_rows
from tagcf.recommend.spread.tempered import STRENGTHS, log_frequency, most_even, reach_of
from tagcf.recommend.terms.choices import Choices, Finding, Reached, Side, TermName
from tagcf.recommend.terms.fitted import Terms
from tagcf.recommend.terms.shipped import FittedShipped, Shipped
from tagcf.types import Floats

FEW = 10  # events below which an item is worth a word from its tags
PRIORS = (1.0, 3.0, 10.0)  # events that weigh as much as what tags, or segments, say
NEW_USERS, MOST_NEW = 0.2, 2_000  # share of users taken out of training, and how many at most
FIRST = (0, 1, 3)  # events of a new user that are known
NETWORK_DRAWS = 1  # of items taken out, where each is a training of minutes
UNSEARCHED = ColdChoice(likeness=0.3, chance=1.0)


@dataclass(frozen=True, slots=True)
class ShippedSearch:
    """Chooses the model, then term after term, each on top of those before it."""

    inner: Search
    side: Side
    loss: float = 0.0  # of NDCG@10 that further reach may cost; 0: popularity stays
    seed: int = 0
    name: str = "tagcf"

    def choose(self, valid: Holdout) -> Chosen:
        """Search the model, then the terms; the cost of all is counted."""
        inner = self.inner.choose(valid)
        started = cpu_seconds()
        known = _Known(inner.fitted, self.side, valid, self.seed)
        choices, terms = Choices(), Terms()
        if worth_telling(self.side, valid):
            choices, terms = _with_cold(known, inner, choices, terms)
        if self.side.has_segments:
            choices, terms = _with_segments(known, inner.model, choices, terms)
        if self.side.tags.nnz:
            choices, terms = _with_logic(known, choices, terms)
        if self.loss > 0:
            choices, terms = _with_reach(known, self.loss, choices, terms)
        fitted = known.shipped(terms)
        model = Shipped(inner.model, choices, self.side, self.name)
        value = validation_value(fitted, some_rows(valid, self.seed), self.name)
        spent = inner.search_cpu_s + cpu_seconds() - started
        tried = (*inner.tried, Tried(model, value, inner.fit_cpu_s))
        return Chosen(model, fitted, tried, inner.fit_cpu_s, spent)


def worth_telling(side: Side, valid: Holdout) -> bool:
    """Whether there are items with tags and next to no events."""
    count = np.bincount(valid.train.item, minlength=valid.train.n_items)
    carries = np.diff(side.features.indptr) > 0
    return bool((carries & (count < FEW)).any() and (carries & (count > 0)).any())


def unsearched(side: Side) -> Choices:
    """Strengths where there is no validation to choose them by: no term that has to earn its."""
    return Choices(cold=UNSEARCHED if side.features.nnz else None)


@dataclass(frozen=True, slots=True)
class _Known:
    """What every step of the search needs."""

    fitted: Fitted
    side: Side
    valid: Holdout
    seed: int

    def shipped(self, terms: Terms) -> FittedShipped:
        return FittedShipped(self.fitted, terms, self.side.members)

    def judged(
        self, options: Sequence[Terms], weights: Sequence[float], asked: Holdout
    ) -> Ablation:
        """Compare terms with the first of them, on the same targets."""
        ranks = [rank_targets(self.shipped(one), asked, depth=1).rank for one in options]
        return judge(np.stack(ranks), weights, self.seed)


def _finding(term: TermName, found: Ablation) -> Finding:
    return Finding(
        term, found.weight, found.gain.mean, found.gain.low, found.gain.high, found.ships
    )


def _with_cold(
    known: _Known, inner: Chosen, choices: Choices, terms: Terms
) -> tuple[Choices, Terms]:
    """Cold items are scored by tags at any rate; items with events only where that surely helps."""
    choice = _cold_choice(known, inner)
    term = cold_term(known.side.features, known.valid.train, choice)
    mixed = [with_choice(term, replace(choice, prior_events=one)) for one in (0.0, *PRIORS)]
    found = known.judged(
        [replace(terms, cold=one) for one in mixed],
        PRIORS,
        drawn(known.valid, most_asked(known.valid), known.seed),
    )
    prior = found.weight if found.ships else 0.0
    choice = replace(choice, prior_events=prior)
    choices = replace(choices, cold=choice, findings=(*choices.findings, _finding("cold", found)))
    return choices, replace(terms, cold=with_choice(term, choice))


def _cold_choice(known: _Known, inner: Chosen) -> ColdChoice:
    """Choose on items taken out; where they are too few for that, as without a search.

    A random model is a network, or has one in it: it is trained without items once.
    """
    draws = NETWORK_DRAWS if isinstance(inner.model, Reseeded) else DRAWS
    search = ColdItemsSearch(
        Already(inner), known.side.features, priors=(0.0,), draws=draws, seed=known.seed
    )
    try:
        model = search.choose(known.valid).model
    except EstimationError:
        return UNSEARCHED
    return model.choice if isinstance(model, ColdItems) else UNSEARCHED


def _with_segments(
    known: _Known, model: Model, choices: Choices, terms: Terms
) -> tuple[Choices, Terms]:
    """Segments have a say where they help users that the model has not seen."""
    members = known.side.members
    if members is None:
        return choices, terms
    train = known.valid.train
    able = np.flatnonzero((np.diff(members.indptr) > 0) & (train.sizes > max(FIRST)))
    size = min(int(NEW_USERS * able.size), MOST_NEW)
    if size < 2:
        return choices, terms
    new = np.sort(np.random.default_rng(known.seed).choice(able, size, replace=False))
    kept = np.ones(len(train), np.bool_)
    kept[new] = False
    rest = train.where(kept[train.user])
    fitted, prior = model.fit(rest), segment_prior(rest, members)
    options = [Terms(), *(Terms(segments=prior, segment_events=one) for one in PRIORS)]
    asked = [first_events(train, rest, new, n) for n in FIRST]

    def ranks(one: Terms) -> Floats:
        shipped = FittedShipped(fitted, one, members)
        return np.concatenate([rank_targets(shipped, each, depth=1).rank for each in asked])

    found = judge(np.stack([ranks(one) for one in options]), PRIORS, known.seed)
    choices = replace(choices, findings=(*choices.findings, _finding("segments", found)))
    if not found.ships:
        return choices, terms
    choices = replace(choices, segments=found.weight)
    segments = segment_prior(train, members)
    return choices, replace(terms, segments=segments, segment_events=found.weight)


def _with_logic(known: _Known, choices: Choices, terms: Terms) -> tuple[Choices, Terms]:
    """The logic graph is on where the interval of its gain is above 0."""
    side, train = known.side, known.valid.train
    graph = propagation(
        train, side.tags, behavioural_logic(train, side.tags, side.roles), side.roles
    )
    options = [replace(terms, logic=graph, logic_weight=one) for one in WEIGHTS]
    asked = some_rows(known.valid, known.seed)
    found = known.judged([terms, *options], WEIGHTS, asked)
    choices = replace(choices, findings=(*choices.findings, _finding("logic", found)))
    if not found.ships:
        return choices, terms
    terms = replace(terms, logic=graph, logic_weight=found.weight)
    return replace(choices, logic=found.weight), terms


def _with_reach(
    known: _Known, loss: float, choices: Choices, terms: Terms
) -> tuple[Choices, Terms]:
    """Popularity is taken off as far as the loss allows."""
    frequency = log_frequency(known.valid.train)
    asked = some_rows(known.valid, known.seed)
    options = [
        terms if one == 0 else replace(terms, frequency=frequency, reach=one) for one in STRENGTHS
    ]
    reach = [reach_of(known.shipped(one), asked) for one in options]
    best = most_even(reach, loss)
    found = Reached(
        reach[0].accuracy - reach[best].accuracy,
        (reach[0].coverage, reach[best].coverage),
        (reach[0].gini, reach[best].gini),
    )
    return replace(choices, reach=STRENGTHS[best], reached=found), options[best]
