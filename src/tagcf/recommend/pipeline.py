"""From a history to ordered candidates: model, steering, predicted outcomes, utility."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.histories import Histories
from tagcf.recommend.rank.fitted import Context, FittedRanker
from tagcf.recommend.rank.utility import Utility
from tagcf.recommend.retrieval.choose import retriever_of
from tagcf.recommend.retrieval.contract import Retriever
from tagcf.recommend.retrieval.pool import Pool, Wanted, pool_of
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.steer import Acting, add_boosts
from tagcf.recommend.steering.kernels import block_candidates, boost_candidates, ranks_at
from tagcf.recommend.terms.fitted import NO_TERMS, Terms, all_finite, serve
from tagcf.recommend.terms.serving import Serving
from tagcf.recommend.top.order import best, falling, first_of, near_best
from tagcf.types import Codes, Floats, Mask

BLOCKED = 100  # blocked items looked at, to tell which of them the list would have had


@dataclass(frozen=True, slots=True)
class Models:
    """What lists are made of."""

    fitted: Fitted
    ranker: FittedRanker | None
    utility: Utility | None  # None: the model's score decides
    candidates: int
    unit: float | None = None  # of the model's score as the ranker's feature; None: it has none
    terms: Terms = NO_TERMS  # on the model's scores
    retriever: Retriever | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Terms are told of every item: where one is on, every item is scored.
        found = None if self.terms.on else retriever_of(self.fitted)
        object.__setattr__(self, "retriever", found)

    @property
    def ranks_by_utility(self) -> bool:
        """Whether predicted outcomes decide the order."""
        return self.ranker is not None and self.utility is not None


@dataclass(frozen=True, slots=True)
class Request:
    """One list to be made, ids as dense integers."""

    history: Codes  # oldest first; −1 unknown
    user: int  # among the ranker's users; −1 unknown
    hidden: Codes  # never shown: what the user has had
    allowed: Codes | None  # only these may be shown; None: all
    rules: tuple[Acting, ...]
    kept: tuple[int, ...] = ()  # looked at whether or not they are candidates
    groups: tuple[int, ...] = ()  # levels of segments that the user is in
    least: int = 0  # candidates at least, where a list is longer than there are by the settings


@dataclass(frozen=True, slots=True)
class Candidates:
    """n candidates of a request, best first; equal ones keep their order.

    `change` is what each rule adds; `blocked` has the first rule that takes a candidate out, −1
    where none does.
    """

    item: Codes  # (n,)
    score: Floats  # (n,) that they are ordered by
    own: Floats  # (n,) without rules
    model: Floats  # (n,) by the model and its terms alone
    change: Floats  # (R, n)
    blocked: NDArray[np.int64]  # (n,)
    entered: Mask  # (n,) also without any rule among the candidates
    outcomes: Floats | None  # (n, K) where the utility decides
    every: Callable[[], NDArray[np.float32]]  # (I,) scores by the model
    unusable: int  # scores that are no numbers
    serving: Serving | None  # the terms as they acted; None: none is on

    @property
    def open(self) -> Mask:
        """(n,) not blocked."""
        return self.blocked < 0

    @property
    def all_scores(self) -> NDArray[np.float32]:
        """(I,) by the model; of a large catalogue this is slow."""
        return self.every()

    def rank_of(self, item: int) -> int | None:
        """Rank among what is not blocked, from 1; None where it is no candidate or blocked."""
        at = np.flatnonzero(self.item == item)
        rank = int(self.ranks(at[:1])[0]) if at.size else 0
        return rank or None

    def ranks(self, at: NDArray[np.int64], without: int | None = None) -> NDArray[np.int64]:
        """(m,) ranks, among what is not blocked and from 1, of candidates; 0 of blocked ones.

        Parameters
        ----------
        at
            (m,) their places.
        without
            A rule that is not to act.
        """
        if without is None:
            return np.asarray(ranks_at(at, self.score, self.open))
        free = self.open | (self.blocked == without)
        return np.asarray(ranks_at(at, self.score - self.change[without], free))


def find_candidates(models: Models, catalogue: Catalogue, request: Request) -> Candidates:
    """Find the best items, and order them."""
    if models.retriever is None:
        scored = _scored(models, request, len(catalogue.items))
    else:
        scored = _retrieved(models, models.retriever, request, len(catalogue.items))
    pool, entered, model = scored.pool.item, scored.pool.entered, scored.pool.score
    outcomes, own = None, model
    if models.ranker is not None and models.utility is not None and pool.size:
        context = None if models.unit is None else Context(scores=model[:, None] / models.unit)
        outcomes = models.ranker.outcomes(request.user, pool, context)
        own = models.utility.of(models.ranker.names, outcomes)
    unit = spread(own[entered] if entered.any() else own)
    change = np.zeros((len(request.rules), pool.size))
    blocked = np.full(pool.size, -1, np.int64)
    if request.rules:
        place = np.full(len(catalogue.items), -1, np.int32)
        place[pool] = np.arange(pool.size)
        for r, one in enumerate(request.rules):
            if one.rule.block:
                block_candidates(one.items, r, place, blocked)
            else:
                weight = one.strength.dtype.type(one.weight * unit)
                boost_candidates(one.items, one.strength, weight, place, change[r])
    score = own + change.sum(axis=0)
    order = falling(score)
    return Candidates(
        item=pool[order],
        score=score[order],
        own=own[order],
        model=model[order],
        change=change[:, order],
        blocked=blocked[order],
        entered=entered[order],
        outcomes=None if outcomes is None else outcomes[order],
        every=scored.every,
        unusable=scored.unusable,
        serving=scored.serving,
    )


@dataclass(frozen=True, slots=True)
class _Scored:
    """Candidates before they are ordered, and how they were scored."""

    pool: Pool
    every: Callable[[], NDArray[np.float32]]
    unusable: int = 0
    serving: Serving | None = None


def _scored(models: Models, request: Request, n_items: int) -> _Scored:
    """Score all items, and hand on the best."""
    serving = _served(models, request, n_items)
    scores = serving.served.scores[0]
    unusable = 0
    if not all_finite(scores):
        usable = np.isfinite(scores)
        unusable = scores.size - int(np.count_nonzero(usable))
        scores = np.where(usable, scores, np.nan).astype(np.float32)
    item, entered = _pool(models, scores, unusable, request)
    pool = Pool(item, scores[item].astype(np.float64), entered)
    return _Scored(pool, lambda: scores, unusable, serving if models.terms.on else None)


def _retrieved(models: Models, retriever: Retriever, request: Request, n_items: int) -> _Scored:
    """Find the best of a large catalogue without scoring every item."""

    def every() -> NDArray[np.float32]:
        history = Histories.of([request.history.tolist()], n_items)
        return np.asarray(models.fitted.scores(history)[0])

    wanted = Wanted(
        max(models.candidates, request.least), BLOCKED,
        request.hidden, request.allowed, request.rules, request.kept,
    )  # fmt: skip
    return _Scored(pool_of(retriever.asked(request.history), wanted), every)


def _served(models: Models, request: Request, n_items: int) -> Serving:
    """Score all items, with the terms."""
    size = request.history.size
    history = Histories(np.array([0, size]), request.history, np.full(size, np.nan), n_items)
    groups = None
    prior = models.terms.segments
    if request.groups and prior is not None:
        level = np.array(request.groups)
        place = np.zeros(level.size, np.int64), level
        groups = sparse.csr_array((np.ones(level.size), place), shape=(1, len(prior.events)))
    served = serve(models.fitted, models.terms, history, groups)
    return Serving(models.terms, served, request.history, groups, n_items)


def _pool(
    models: Models, scores: NDArray[np.float32], unusable: int, request: Request
) -> tuple[Codes, Mask]:
    """Candidates without and with the rules, and the best of what rules block."""
    n_items = scores.size
    if request.allowed is None:
        free = np.nan_to_num(scores, nan=-np.inf) if unusable else scores.copy()
    else:
        free = np.full(n_items, -np.inf, np.float32)
        shown = request.allowed[~np.isnan(scores[request.allowed])]
        free[shown] = scores[shown]
    free[request.hidden] = -np.inf
    n = max(models.candidates, request.least)
    near, edge = near_best(free, n)
    plain = first_of(near, free[near], n)
    pools = [plain]
    if request.rules:
        add_boosts(free, request.rules, spread(scores[plain]))
        if (blocked := _carriers(request.rules, block=True)).size:
            some = blocked[free[blocked] >= edge]
            some = some if some.size >= BLOCKED else blocked
            pools.append(first_of(some, free[some], BLOCKED))  # what a list would have had
            free[blocked] = -np.inf
        boosted = _carriers(request.rules, block=False)
        boosted = boosted[free[boosted] >= edge]
        near = np.concatenate([near[~_marked(boosted, n_items)[near]], boosted])
        steered = first_of(near, free[near], n)
        if steered.size < n or free[steered[-1]] < edge:  # others may come in
            steered = best(free, n)
        pools.append(steered)
    kept = [item for item in request.kept if np.isfinite(scores[item])]
    if len(pools) == 1 and not kept:
        return plain, np.ones(plain.size, np.bool_)
    taken = _marked(plain[:0], n_items)
    parts: list[NDArray[np.integer]] = []
    for part in (*pools, np.array(kept, np.int32)):
        parts.append(part[~taken[part]])
        taken[part] = True
    pool = np.concatenate(parts).astype(np.int32)
    return pool, np.arange(pool.size) < plain.size


def _carriers(rules: Sequence[Acting], *, block: bool) -> Codes:
    """Items that any rule blocks, or boosts, each once."""
    parts = [one.items for one in rules if one.rule.block == block]
    if len(parts) == 1:
        return parts[0]
    return np.unique(np.concatenate([*parts, np.empty(0, np.int32)])).astype(np.int32)


def _marked(items: NDArray[np.integer], n_items: int) -> Mask:
    """(I,) whether an item is one of some."""
    found = np.zeros(n_items, np.bool_)
    found[items] = True
    return found


def spread(scores: NDArray[np.floating] | Sequence[float]) -> float:
    """Standard deviation of candidates' scores; 1 where they are all alike."""
    values = np.asarray(scores, np.float64)
    if not values.size:
        return 1.0
    lead = values - values.mean()
    found = float(np.sqrt(lead @ lead / values.size))
    return found if found > 0 else 1.0
