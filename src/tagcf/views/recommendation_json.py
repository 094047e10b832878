"""Lists and their reasons as the contract's JSON objects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from tagcf.types import (
    Acted,
    Explanation,
    Fidelity,
    HistoryReason,
    RankedItem,
    Ranking,
    ScoreTerm,
    Steered,
    TagReason,
    TagScore,
    UserRole,
    WhyNot,
)
from tagcf.views.item_titles import UNTITLED, Titles
from tagcf.views.recommendation import (
    by_tags_sentence,
    change_sentence,
    event_sentence,
    steered_sentence,
    tag_sentence,
    term_sentence,
    verdict_sentence,
)


def ranking_json(
    ranking: Ranking, shares: Collection[str], titles: Titles = UNTITLED
) -> dict[str, Any]:
    """One list as the contract's JSON object; its sentences in the language in force."""
    return {
        "user": ranking.user,
        "items": [_item(one, shares, titles) for one in ranking.items],
        "blocked": [{"item": item, "rule": rule} for item, rule in ranking.blocked],
        "notes": [str(one) for one in ranking.notes],
        "acted": acted_json(ranking.acted),
        "simulated": ranking.simulated,
    }


def _item(one: RankedItem, shares: Collection[str], titles: Titles) -> dict[str, Any]:
    found: dict[str, Any] = {
        "item": one.item,
        "title": titles.get(one.item),
        "score": one.score,
        "outcomes": dict(one.outcomes),
        "reasons": [tag_json(reason, shares) for reason in one.reasons],
        "history": [event_json(reason, titles) for reason in one.history],
        "fidelity": fidelity_json(one.fidelity),
        "steered": [_steered(steered) for steered in one.steered],
    }
    if one.propensity is not None:
        found |= {"propensity": one.propensity, "randomized": one.randomized}
    if one.by_tags is not None:
        found["by_tags"] = by_tags_json(one.by_tags)
    if one.terms:
        found["terms"] = [term_json(term) for term in one.terms]
    return found


def by_tags_json(told: TagScore) -> dict[str, Any]:
    """A score as its tags tell it."""
    return {
        "share": told.share,
        "tags": [asdict(one) for one in told.tags],
        "fidelity": fidelity_json(told.fidelity),
        "text": by_tags_sentence(told),
    }


def term_json(term: ScoreTerm) -> dict[str, Any]:
    """One term of a score."""
    because = [asdict(one) for one in term.because]
    return asdict(term) | {"because": because, "text": term_sentence(term)}


def role_json(role: UserRole) -> dict[str, Any]:
    """One role of a user."""
    return asdict(role)


def explanation_json(
    found: Explanation, shares: Collection[str], titles: Titles = UNTITLED
) -> dict[str, Any]:
    """One explanation as a JSON object."""
    return {
        "user": found.user,
        "item": found.item,
        "title": titles.get(found.item),
        "k": found.k,
        "rank": found.rank,
        "score": found.score,
        "model_score": found.model_score,
        "base": found.base,
        "method": found.method,
        "text": verdict_sentence(found, titles),
        "outcomes": dict(found.outcomes),
        "reasons": [tag_json(one, shares) for one in found.reasons],
        "history": [event_json(one, titles) for one in found.history],
        "evidence": [event_json(one, titles) for one in found.evidence],
        "fidelity": fidelity_json(found.fidelity),
        "rank_without_evidence": found.rank_without_evidence,
        "by_tags": None if found.by_tags is None else by_tags_json(found.by_tags),
        "terms": [term_json(one) for one in found.terms],
        "roles": [role_json(one) for one in found.roles],
        "steered": [_steered(one) for one in found.steered],
        "why_not": None if found.why_not is None else _why_not(found.why_not, shares, titles),
        "changes": [
            asdict(one)
            | {
                "what": list(one.what),
                "names": [asdict(name) for name in one.names],
                "text": change_sentence(one, titles),
            }
            for one in found.changes
        ],
        "notes": [str(one) for one in found.notes],
        "acted": acted_json(found.acted),
        "simulated": found.simulated,
    }


def tag_json(reason: TagReason, shares: Collection[str]) -> dict[str, Any]:
    """One reason from a tag."""
    return {
        "tag": reason.tag,
        "delta": reason.delta,
        "ci_low": reason.ci_low,
        "ci_high": reason.ci_high,
        "text": tag_sentence(reason, shares),
        "outcome": reason.outcome,
        "tag_zh": reason.tag_zh,
        "tag_en": reason.tag_en,
        "rung": reason.rung,
        "score_change": reason.score_change,
    }


def event_json(reason: HistoryReason, titles: Titles = UNTITLED) -> dict[str, Any]:
    """One reason from the history."""
    told = {"title": titles.get(reason.item), "text": event_sentence(reason, titles)}
    return asdict(reason) | told


def fidelity_json(fidelity: Fidelity | None) -> dict[str, Any] | None:
    """What re-scoring without the evidence gave."""
    return None if fidelity is None else asdict(fidelity) | {"holds": fidelity.holds}


def acted_json(acted: Acted) -> dict[str, Any]:
    """Versions, settings and rules that acted."""
    return {
        "model": acted.model,
        "effects": acted.effects,
        "tags": acted.tags,
        "settings": dict(acted.settings),
        "rules": list(acted.rules),
    }


def _steered(one: Steered) -> dict[str, Any]:
    return asdict(one) | {"text": steered_sentence(one)}


def _why_not(why: WhyNot, shares: Collection[str], titles: Titles) -> dict[str, Any]:
    return {
        "removed": None if why.removed is None else str(why.removed),
        "rival": why.rival,
        "gap": why.gap,
        "lacks": [event_json(one, titles) for one in why.lacks],
        "tags": [tag_json(one, shares) for one in why.tags],
    }
