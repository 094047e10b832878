"""Training: histories, the model that scores, the ranker that predicts, the reasons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.data.arrays import tags_from_arrays
from tagcf.effects.estimate import on_items_of
from tagcf.errors import EstimationError
from tagcf.recommend.catalogue import Catalogue, carried_strength
from tagcf.recommend.cross_scores import cross_scores, unit_of
from tagcf.recommend.evaluate.search import Beside, Chosen
from tagcf.recommend.evaluate.splits import Holdout, leave_one_out
from tagcf.recommend.explain.tag_evidence import TagEvidence, gather_evidence
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part
from tagcf.recommend.linear.search import NEIGHBOURS, LinearSearch
from tagcf.recommend.linear.solve import Ridge
from tagcf.recommend.log_histories import log_histories
from tagcf.recommend.people import People
from tagcf.recommend.pipeline import Models
from tagcf.recommend.rank.fitted import FittedRanker
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.rank.utility import Utility
from tagcf.recommend.scoring import Fitted, Model
from tagcf.recommend.sequence.fusion import FusedSearch
from tagcf.recommend.sequence.transformer import Transformer, transformer_search
from tagcf.recommend.steer import Rule
from tagcf.settings import RecommendSettings
from tagcf.types import EventLog, TagEffects, TagMatrix

DENSE_ITEMS = 2_000  # without a search, larger catalogues get sparse tables


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
    origin: tuple[tuple[str, str], ...] = ()  # what it was trained on: log, effects


def train(
    log: EventLog,
    tags: TagMatrix | None,
    effects: TagEffects | None,
    settings: RecommendSettings,
    *,
    threshold: float,
    seed: int,
    search: bool,
    tell: Callable[[str], None],
) -> Trained:
    """Train everything; see `Recommender.fit`."""
    tell("histories")
    histories = log_histories(log, settings)
    carried = on_items_of(log, tags or _no_tags(log))
    catalogue = Catalogue(
        log.items, carried.tags, carried_strength(carried.strength, threshold), carried.version
    )
    tell("model")
    fitted, worth = fit_model(histories, settings.model, carried.strength, seed, search=search)
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
    segments = tuple((one.name, one.levels) for one in log.segments)
    ids = [str(one) for one in log.users.ids.to_pylist()]
    return Trained(
        models=Models(fitted, ranker, utility, settings.candidates, unit),
        catalogue=catalogue,
        people=People.of(ids, histories, segments, np.asarray(log.user_segments)),
        evidence=None if effects is None else _evidence(effects, carried, settings, log, utility),
        settings=settings,
        version=model_version(settings, histories, seed),
        simulated=log.simulated,
        validation=worth,
    )


def fit_model(
    histories: Histories, name: str, tags: sparse.csr_array, seed: int, *, search: bool
) -> tuple[Fitted, float | None]:
    """Fit a model to whole histories, its hyper-parameters from a hold-out of them.

    Returns
    -------
    Fitted
    float or None
        NDCG@10 on the hold-out; None where nothing was searched.
    """
    if search:
        try:
            valid = leave_one_out(histories).valid
        except EstimationError:
            search = False
    if not search:
        return _plain(histories.n_items, name, seed).fit(histories), None
    beside = Beside(tags if tags.nnz else None, seed)
    chosen = _chosen(name, valid, beside)
    best = max((one.value for one in chosen.tried), default=None)
    return chosen.model.fit(histories), best


def _chosen(name: str, valid: Holdout, beside: Beside) -> Chosen:
    if name == "linear":
        return LinearSearch().choose(valid)
    if name == "transformer":
        return transformer_search(beside).choose(valid)
    return FusedSearch(beside).choose(valid)


def _plain(n_items: int, name: str, seed: int) -> Model:
    """A model with its hyper-parameters as they are by default; nothing is fused unsearched."""
    if name == "transformer":
        return Transformer(seed=seed)
    if n_items <= DENSE_ITEMS:
        return Linear()
    design = Design((Window(10, 0.3),))
    return Linear((Part(design, Ridge(np.inf, 0.5, 0.0, NEIGHBOURS)),))


def _no_tags(log: EventLog) -> TagMatrix:
    return tags_from_arrays(log.items, sparse.csr_array((len(log.items), 0)), [])


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


def model_version(settings: RecommendSettings, histories: Histories, seed: int) -> str:
    """Short name: the same for the same settings, seed and histories."""
    facts = json.dumps([settings.model_dump(mode="json"), seed, histories.n_items], sort_keys=True)
    digest = hashlib.sha256(facts.encode())
    for part in (histories.indptr, histories.item, histories.ts):
        digest.update(np.ascontiguousarray(part).tobytes())
    return "model-" + digest.hexdigest()[:10]
