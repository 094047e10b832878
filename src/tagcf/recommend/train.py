"""Training: histories, the model that scores, the ranker that predicts, the reasons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.data.arrays import tags_from_arrays
from tagcf.effects.estimate import on_items_of
from tagcf.errors import EstimationError
from tagcf.recommend.catalogue import Catalogue, carried_strength
from tagcf.recommend.cross_scores import cross_scores, unit_of
from tagcf.recommend.evaluate.search import Already, Beside, Chosen, Shipping
from tagcf.recommend.evaluate.splits import Holdout, leave_one_out
from tagcf.recommend.explain.tag_evidence import TagEvidence, gather_evidence
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.linear.search import SEARCH_EVENTS, LinearSearch, plain, searched
from tagcf.recommend.log_histories import log_histories
from tagcf.recommend.people import People
from tagcf.recommend.pipeline import Models
from tagcf.recommend.rank.fitted import FittedRanker
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.rank.utility import Utility
from tagcf.recommend.retrieval.choose import indexed
from tagcf.recommend.roles import KnownRoles, known_roles
from tagcf.recommend.scoring import Fitted, Model
from tagcf.recommend.sequence.fusion import FusedSearch
from tagcf.recommend.sequence.transformer import Transformer, needs_torch, transformer_search
from tagcf.recommend.steer import Rule, check_rules
from tagcf.recommend.terms.choices import NO_CHOICES, Choices, Side, TermNames
from tagcf.recommend.terms.fitted import Terms, fit_terms
from tagcf.recommend.terms.search import ShippedSearch, unsearched
from tagcf.recommend.terms.shipped import Shipped
from tagcf.settings import RecommendSettings
from tagcf.tags.roles.tables import RoleTables
from tagcf.types import EventLog, Named, Tag, TagEffects, TagMatrix


@dataclass(frozen=True, slots=True)
class Trained:
    """All that a recommender consists of."""

    models: Models
    catalogue: Catalogue
    people: People
    evidence: TagEvidence | None
    settings: RecommendSettings
    version: str
    rules: tuple[Rule, ...] = ()
    simulated: bool = False
    validation: float | None = None  # NDCG@10 of the chosen hyper-parameters; None: not searched
    choices: Choices = NO_CHOICES  # terms on the model's scores
    roles: KnownRoles | None = None

    @property
    def side(self) -> Side:
        """What the terms read beside histories."""
        return side_of(self.catalogue, self.people, self.roles)

    origin: tuple[tuple[str, str], ...] = ()  # what it was trained on: log, effects


def train(
    log: EventLog,
    tags: TagMatrix | None,
    effects: TagEffects | None,
    settings: RecommendSettings,
    roles: RoleTables | None,
    *,
    threshold: float,
    seed: int,
    search: bool,
    rules: Sequence[Rule] = (),
    tell: Callable[[str], None],
) -> Trained:
    """Train everything; see `Recommender.fit`. What would fail later is looked at first."""
    if settings.model == "transformer" or (settings.model == "fused" and search):
        needs_torch()
    _check_utility(settings, log)
    tell("histories")
    histories = log_histories(log, settings)
    carried = on_items_of(log, tags or _no_tags(log))
    catalogue, people, known = gathered(log, histories, carried, roles, threshold)
    check_rules(rules, catalogue, people.segments)
    tell("model")
    side = side_of(catalogue, people, known)
    made = fit_model(histories, settings, side, carried.strength, seed, search=search)
    fitted = made.fitted
    ranker, utility, unit = None, None, None
    if log.outcomes:
        tell("outcomes")
        # The model's score helps to predict; only where all candidates are predicted anyway.
        if settings.utility and isinstance(fitted, FittedLinear):
            unit = unit_of(fitted)
            scores = cross_scores(fitted.settings, histories)
            ranker = Ranker(threshold=threshold).fit(log, carried, effects, scores, n_scores=1)
        else:
            ranker = Ranker(threshold=threshold).fit(log, carried, effects)
        utility = _utility(settings, ranker)
    return Trained(
        models=Models(fitted, ranker, utility, settings.candidates, unit, made.terms),
        catalogue=catalogue,
        people=people,
        evidence=None if effects is None else _evidence(effects, carried, settings, log, utility),
        settings=settings,
        version=model_version(settings, histories, seed, made.choices, side),
        simulated=log.simulated,
        validation=made.worth,
        choices=made.choices,
        roles=known,
    )


def gathered(
    log: EventLog,
    histories: Histories,
    tags: TagMatrix,
    roles: RoleTables | None,
    threshold: float,
) -> tuple[Catalogue, People, KnownRoles | None]:
    """What is known of items and users: tags that items carry, segments, roles."""
    carried = carried_strength(tags.strength, threshold)
    people = People.of(
        [str(one) for one in log.users.ids.to_pylist()],
        histories,
        tuple((one.name, one.levels) for one in log.segments),
        np.asarray(log.user_segments),
    )
    known = None if roles is None else known_roles(roles, log)
    return Catalogue(log.items, tags.tags, carried, tags.version), people, known


def shipping_of(
    log: EventLog,
    histories: Histories,
    tags: TagMatrix | None,
    roles: RoleTables | None,
    settings: RecommendSettings,
    threshold: float,
) -> Shipping:
    """What `train` ships of these, for `tagcf evaluate` to rank with."""
    carried = on_items_of(log, tags or _no_tags(log))
    side = side_of(*gathered(log, histories, carried, roles, threshold))
    return Shipping(settings.model, side, settings.reach)


@dataclass(frozen=True, slots=True)
class Made:
    """A model with its terms, fitted to whole histories."""

    fitted: Fitted
    terms: Terms
    choices: Choices
    worth: float | None  # NDCG@10 on the hold-out; None where nothing was searched


def fit_model(
    histories: Histories,
    settings: RecommendSettings,
    side: Side,
    tags: sparse.csr_array,
    seed: int,
    *,
    search: bool,
) -> Made:
    """Fit a model and its terms to whole histories, all settings from a hold-out of them.

    `tags` (I, T) are strengths of any size, for models that read tags themselves.
    """
    name = settings.model
    if search:
        try:
            some, own = _searched(histories, name, side)
            valid = leave_one_out(some).valid
        except EstimationError:
            search = False
    if not search:
        choices = unsearched(side)
        fitted = indexed(_plain(histories, name, seed).fit(histories), histories)
        return Made(fitted, fit_terms(choices, side, histories), choices, None)
    beside = Beside(tags if tags.nnz else None, seed)
    inner = _chosen(name, valid, beside, histories)
    chosen = ShippedSearch(Already(inner), own, settings.reach, seed).choose(valid)
    best = max((one.value for one in inner.tried), default=None)
    choices = chosen.model.choices if isinstance(chosen.model, Shipped) else NO_CHOICES
    fitted = indexed(inner.model.fit(histories), histories)
    return Made(fitted, fit_terms(choices, side, histories), choices, best)


def _searched(histories: Histories, name: str, side: Side) -> tuple[Histories, Side]:
    """Users that settings are chosen on, and what is known of these."""
    some = searched(histories) if name == "linear" else histories
    if len(some) == len(histories) or side.members is None:
        return some, side
    every = -(-histories.item.size // SEARCH_EVENTS)
    return some, replace(side, members=side.members[np.arange(0, len(histories), every)])


def side_of(catalogue: Catalogue, people: People, roles: KnownRoles | None) -> Side:
    """What terms read: tags that items carry, roles of items, segments of users."""
    tags, named = _named(catalogue.tags), () if roles is None else _named(roles.roles)
    levels = tuple(Named(one, one, one) for one in people.levels)
    names = TermNames((*tags, *named), named or tags, levels)
    of_items = roles.of_items if roles is not None and named else None
    return Side(catalogue.carried, of_items, people.members, names)


def _named(tags: Sequence[Tag]) -> tuple[Named, ...]:
    return tuple(Named(one.slug, one.zh, one.en) for one in tags)


def _chosen(name: str, valid: Holdout, beside: Beside, whole: Histories) -> Chosen:
    if name == "linear":
        return LinearSearch(whole=whole).choose(valid)
    if name == "transformer":
        return transformer_search(beside).choose(valid)
    return FusedSearch(beside).choose(valid)


def _plain(histories: Histories, name: str, seed: int) -> Model:
    """A model with its hyper-parameters as they are by default; nothing is fused unsearched."""
    return Transformer(seed=seed) if name == "transformer" else plain(histories)


def _no_tags(log: EventLog) -> TagMatrix:
    return tags_from_arrays(log.items, sparse.csr_array((len(log.items), 0)), [])


def _check_utility(settings: RecommendSettings, log: EventLog) -> None:
    """Find outcomes of the utility that the log does not have before anything is fitted."""
    if settings.utility and log.outcomes:
        names = [one.name for one in (*log.outcomes, *log.derived)]
        Utility(dict(settings.utility)).of(names, np.zeros((0, len(names))))


def _utility(settings: RecommendSettings, ranker: FittedRanker) -> Utility | None:
    """Stated utility; it fails now, not at the first request, on an outcome that does not exist."""
    if not settings.utility:
        return None
    utility = Utility(dict(settings.utility))
    utility.of(ranker.names, np.zeros((0, len(ranker.names))))
    return utility


def _evidence(
    effects: TagEffects,
    tags: TagMatrix,
    settings: RecommendSettings,
    log: EventLog,
    utility: Utility | None,
) -> TagEvidence:
    """Reasons told of what is wanted first: the utility, then what counts as positive."""
    worth = {} if utility is None else dict(utility.weights)
    wanted = sorted(worth, key=lambda name: -abs(worth[name]))
    positive = [settings.positive] if settings.positive else []
    rest = [one.name for one in (*log.outcomes, *log.derived)]
    first = list(dict.fromkeys([*wanted, *positive, *rest]))
    return gather_evidence(effects, tags.tags, first, worth)


def model_version(
    settings: RecommendSettings, histories: Histories, seed: int, choices: Choices, side: Side
) -> str:
    """Short name: the same for the same settings, seed, histories and what terms were made of."""
    facts = [settings.model_dump(mode="json"), seed, histories.n_items, asdict(choices)]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    tables = [one for one in (side.tags, side.roles, side.members) if one is not None]
    parts = [histories.indptr, histories.item, histories.ts]
    parts += [part for one in tables for part in (one.indptr, one.indices, one.data)]
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return "model-" + digest.hexdigest()[:10]
