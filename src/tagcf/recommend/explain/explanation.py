"""Everything about one user and one item: rank, reasons put to the test, why not, what if."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.explain.attribution import (
    OCCLUDED,
    Attribution,
    attribute,
    leading_events,
    put_to_the_test,
    told,
)
from tagcf.recommend.explain.changes import Searched, changes_of
from tagcf.recommend.explain.tag_evidence import TagEvidence
from tagcf.recommend.explain.tag_score import tag_score, terms_of
from tagcf.recommend.listing import outcomes_of, steered_of
from tagcf.recommend.pipeline import Candidates, Models, Request, find_candidates
from tagcf.types import (
    Acted,
    Explanation,
    Floats,
    HistoryReason,
    Reason,
    TagReason,
    WhyNot,
)

EVENTS_TOLD = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was put: whose, with what history and times, under what."""

    user: str | None
    request: Request
    times: Floats  # (H,) of the history's events
    acted: Acted
    notes: tuple[Reason, ...]
    simulated: bool


def explain_item(
    models: Models,
    catalogue: Catalogue,
    evidence: TagEvidence | None,
    asked: Asked,
    item: int,
    k: int,
) -> Explanation:
    """Explain one item; see `Recommender.explain`."""
    request = replace(asked.request, least=k)
    natural = find_candidates(models, catalogue, request)
    had = bool((request.hidden == item).any())
    rank = None if had else natural.rank_of(item)
    free = replace(request, hidden=request.hidden[request.hidden != item], kept=(item,))
    found = find_candidates(models, catalogue, free)
    at = np.flatnonzero(found.item == item)
    listed = natural.item[natural.open][:k]
    rival = int(listed[-1]) if listed.size and (rank is None or rank > k) else None
    pair = [item] if rival is None else [item, rival]
    n_items = len(catalogue.items)
    shares = attribute(
        models.fitted,
        request.history,
        np.array(pair, np.int32),
        n_items,
        found.serving,
        models.retriever,
    )
    shares = put_to_the_test(shares, OCCLUDED)
    names = [catalogue.ids[request.history[e]] for e in shares.place]
    score = found.model[at] if at.size else np.full(1, np.nan)
    own = shares.first()
    because = told(own, names, asked.times[shares.place], score) if at.size else [((), None)]
    tags = catalogue.tags_of(item)
    reasons = () if evidence is None else evidence.of(tags)
    why = None
    if rank is None or rank > k:
        why = WhyNot(
            removed=_removed(natural, found, request, item, had=had),
            rival=None if rival is None else catalogue.ids[rival],
            gap=_gap(natural, found, item, rival),
            lacks=() if rival is None else _lacks(shares, names, asked.times),
            tags=()
            if rival is None or evidence is None
            else _missing(evidence, catalogue, item, rival),
        )
    searched = Searched(models, catalogue, evidence, request, item, rank, k, shares)
    return Explanation(
        user=asked.user,
        item=catalogue.ids[item],
        k=k,
        rank=rank,
        score=float(found.score[at[0]]) if at.size else None,
        base=float(shares.base[0]),
        method=shares.method,
        history=_events(shares, names, asked.times),
        reasons=reasons,
        outcomes=outcomes_of(models, request, found, at)[0] if at.size else (),
        fidelity=because[0][1],
        rank_without_evidence=_rank_without(models, catalogue, request, own, item),
        steered=steered_of(found, request, at[:1])[0] if at.size else (),
        by_tags=None if found.serving is None else tag_score(found.serving, item, score[0]),
        terms=() if found.serving is None else terms_of(found.serving, item, own.beside[:, 0]),
        evidence=because[0][0],
        model_score=float(score[0]) if at.size else None,
        why_not=why,
        changes=() if had or not at.size else changes_of(searched),
        acted=asked.acted,
        notes=asked.notes,
        simulated=asked.simulated,
    )


def _removed(
    natural: Candidates, found: Candidates, request: Request, item: int, *, had: bool
) -> Reason | None:
    """What took the item out before it could be ranked."""
    if had:
        return Reason("recommend.removed_seen")
    if not np.isfinite(natural.all_scores[item]):
        return Reason("recommend.removed_unusable")
    for at in np.flatnonzero(found.item == item):
        rule = int(found.blocked[at])
        if rule >= 0:
            return Reason("recommend.removed_blocked", (("rule", request.rules[rule].rule.label),))
    if not (natural.item == item).any():
        ahead = int((natural.all_scores > natural.all_scores[item]).sum())
        facts = (("rank", 1 + ahead), ("n", int(natural.item.size)))
        return Reason("recommend.removed_candidates", facts)
    return None


def _gap(natural: Candidates, found: Candidates, item: int, rival: int | None) -> float | None:
    own, other = found.score[found.item == item], natural.score[natural.item == rival]
    return float(other[0] - own[0]) if own.size and other.size else None


def _events(shares: Attribution, names: list[str], times: Floats) -> tuple[HistoryReason, ...]:
    """Those named as reasons first, then others by how much they move the score, up or down."""
    drop = shares.drop[0]
    named = leading_events(shares)
    moves = np.where(np.isfinite(drop), np.abs(drop), 0.0)
    moves[named] = np.inf
    order = np.argsort(-moves, kind="stable")[:EVENTS_TOLD]
    rest = [e for e in order.tolist() if moves[e] > 0 and e not in named]
    return tuple(
        _reason(names, times[shares.place], e, shares.share[0, e], drop[e]) for e in [*named, *rest]
    )


def _lacks(shares: Attribution, names: list[str], times: Floats) -> tuple[HistoryReason, ...]:
    """Events that the rival would lose more by than the item."""
    with np.errstate(invalid="ignore"):  # −inf where an event was not looked at
        more = shares.drop[1] - shares.drop[0]
    share = shares.share[1] - shares.share[0]
    more = np.where(np.isfinite(more), more, 0.0)
    order = np.argsort(-more, kind="stable")[:3].tolist()
    when = times[shares.place]
    return tuple(_reason(names, when, e, share[e], more[e]) for e in order if more[e] > 0)


def _reason(names: list[str], when: Floats, e: int, share: float, drop: float) -> HistoryReason:
    ts = float(when[e])
    return HistoryReason(names[e], ts if np.isfinite(ts) else None, float(share), float(drop))


def _missing(
    evidence: TagEvidence, catalogue: Catalogue, item: int, rival: int
) -> tuple[TagReason, ...]:
    own = set(catalogue.tags_of(item))
    others = [tag for tag in catalogue.tags_of(rival) if tag not in own]
    found: dict[str, TagReason] = {}  # a tag may raise several outcomes
    for one in evidence.of(others):
        if one.delta > 0:
            found.setdefault(one.tag, one)
    return tuple(found.values())[:3]


def _rank_without(
    models: Models, catalogue: Catalogue, request: Request, own: Attribution, item: int
) -> int | None:
    """Rank of the item when its strongest events had not been; what was had stays hidden."""
    named = own.place[leading_events(own)]
    if not named.size or (request.hidden == item).any():
        return None
    left = replace(request, history=np.delete(request.history, named))
    return find_candidates(models, catalogue, left).rank_of(item)
