"""Lists and their reasons as sentences, and as the contract's JSON objects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from tagcf.text import say
from tagcf.types import (
    Acted,
    Change,
    Explanation,
    Fidelity,
    HistoryReason,
    RankedItem,
    Ranking,
    ScoreTerm,
    Steered,
    TagReason,
    TagScore,
    TagShare,
    UserRole,
    WhyNot,
)
from tagcf.views.labels import join, outcome_label, rung_label, tag_name
from tagcf.views.numbers import plain, scale_of, signed

SCORE_DIGITS = 3


# ── sentences ───────────────────────────────────────────────────────────────
def tag_sentence(reason: TagReason, shares: Collection[str]) -> str:
    """Say what a tag does to an outcome. `shares` are outcomes that are told in points."""
    half = (reason.ci_high - reason.ci_low) / 2
    scale = scale_of(reason.outcome in shares, [half])
    rises = reason.delta > 0
    sign = 1 if rises else -1
    low, high = sorted((sign * reason.ci_low, sign * reason.ci_high))
    return say(
        "recommend.reason_raises" if rises else "recommend.reason_lowers",
        tag=tag_name(reason.tag_zh, reason.tag_en).name,
        outcome=outcome_label(reason.outcome),
        change=scale.change(abs(reason.delta)).lstrip("+"),
        interval=scale.interval(low, high),
        rung=rung_label(reason.rung),
    )


def event_sentence(reason: HistoryReason) -> str:
    """Say what an event of the history adds."""
    return say("recommend.reason_event", item=reason.item, share=signed(reason.share, SCORE_DIGITS))


def fidelity_sentence(fidelity: Fidelity, n: int) -> str:
    """Say what re-scoring without the evidence gave."""
    others = ""
    if fidelity.without_others is not None:
        others = say("recommend.fidelity_others", n=n, score=_score(fidelity.without_others))
    key = "recommend.fidelity_holds" if fidelity.holds else "recommend.fidelity_fails"
    facts = {"score": _score(fidelity.score), "without": _score(fidelity.without_evidence)}
    return say(key, n=n, others=others, **facts)


def steered_sentence(steered: Steered) -> str:
    """Say what a rule did."""
    key = "recommend.steered_new" if steered.rank_without is None else "recommend.steered_up"
    return say(
        key,
        rule=steered.rule,
        change=signed(steered.score_change, SCORE_DIGITS),
        rank=steered.rank,
        without=steered.rank_without,
    )


def by_tags_sentence(told: TagScore) -> str:
    """Say that an item's score is told from its tags."""
    tags = join([_tag_share(one) for one in told.tags])
    new = told.share >= 1
    key = "recommend.by_tags_new" if new else "recommend.by_tags_few"
    key = key if told.tags else f"{key}_none"
    return say(key, tags=tags, share=f"{100 * told.share:.0f}%")


def _tag_share(one: TagShare) -> str:
    return f"{tag_name(one.tag_zh, one.tag_en).name} {signed(one.share, SCORE_DIGITS)}"


def tag_fidelity_sentence(told: TagScore) -> str:
    """Say what re-scoring without the tags named gave."""
    found, n, others = told.fidelity, len(told.tags), ""
    if not n:
        return say("recommend.tag_fidelity_none")
    if found.without_others is not None:
        others = say("recommend.tag_fidelity_others", n=n, score=_score(found.without_others))
    key = "recommend.tag_fidelity_holds" if found.holds else "recommend.tag_fidelity_fails"
    facts = {"score": _score(found.score), "without": _score(found.without_evidence)}
    return say(key, n=n, others=others, **facts)


def term_sentence(term: ScoreTerm) -> str:
    """Say what segments, roles or popularity add to a score."""
    key = f"recommend.term_{term.kind}" + ("" if term.because or term.kind == "reach" else "_none")
    names = join([tag_name(one.zh, one.en).name for one in term.because])
    return say(key, because=names, value=signed(term.value, SCORE_DIGITS))


def roles_sentence(roles: Sequence[UserRole]) -> str:
    """Say which roles a user surely plays."""
    names = join([tag_name(one.role_zh, one.role_en).name for one in roles])
    return say("recommend.roles_of_user", roles=names)


def change_sentence(change: Change) -> str:
    """Say what would move an item."""
    rank = (
        say("recommend.rank_none")
        if change.rank is None
        else say("recommend.rank_number", rank=change.rank)
    )
    weight = "" if change.weight is None else signed(change.weight, 2)
    return say(
        f"recommend.change_{change.kind}", what=join(list(change.what)), weight=weight, rank=rank
    )


def whose(user: str | None) -> str:
    """Name who a list is for."""
    return say("recommend.this_history") if user is None else say("recommend.user_named", user=user)


def verdict_sentence(found: Explanation) -> str:
    """Say whether the item is in the list, and where."""
    facts = {"item": found.item, "user": whose(found.user), "k": found.k}
    if found.rank is None or found.score is None:
        why = "" if found.why_not is None else str(found.why_not.removed or "")
        return say("recommend.is_removed", why=why, **facts)
    key = "recommend.is_in" if found.rank <= found.k else "recommend.is_out"
    return say(key, rank=found.rank, score=_score(found.score), **facts)


def acted_sentence(acted: Acted) -> str:
    """Name versions and settings."""
    settings = join([f"{name}={value}" for name, value in acted.settings])
    return say(
        "recommend.acted", model=acted.model, effects=acted.effects or "—", settings=settings
    )


def _score(value: float) -> str:
    return plain(value, SCORE_DIGITS)


# ── JSON ────────────────────────────────────────────────────────────────────
def ranking_json(ranking: Ranking, shares: Collection[str]) -> dict[str, Any]:
    """One list as the contract's JSON object; its sentences in the language in force."""
    return {
        "user": ranking.user,
        "items": [_item(one, shares) for one in ranking.items],
        "blocked": [{"item": item, "rule": rule} for item, rule in ranking.blocked],
        "notes": [str(one) for one in ranking.notes],
        "acted": acted_json(ranking.acted),
        "simulated": ranking.simulated,
    }


def _item(one: RankedItem, shares: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "item": one.item,
        "score": one.score,
        "outcomes": dict(one.outcomes),
        "reasons": [tag_json(reason, shares) for reason in one.reasons],
        "history": [event_json(reason) for reason in one.history],
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


def explanation_json(found: Explanation, shares: Collection[str]) -> dict[str, Any]:
    """One explanation as a JSON object."""
    return {
        "user": found.user,
        "item": found.item,
        "k": found.k,
        "rank": found.rank,
        "score": found.score,
        "base": found.base,
        "method": found.method,
        "text": verdict_sentence(found),
        "outcomes": dict(found.outcomes),
        "reasons": [tag_json(one, shares) for one in found.reasons],
        "history": [event_json(one) for one in found.history],
        "fidelity": fidelity_json(found.fidelity),
        "rank_without_evidence": found.rank_without_evidence,
        "by_tags": None if found.by_tags is None else by_tags_json(found.by_tags),
        "terms": [term_json(one) for one in found.terms],
        "roles": [role_json(one) for one in found.roles],
        "steered": [_steered(one) for one in found.steered],
        "why_not": None if found.why_not is None else _why_not(found.why_not, shares),
        "changes": [
            asdict(one) | {"what": list(one.what), "text": change_sentence(one)}
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


def event_json(reason: HistoryReason) -> dict[str, Any]:
    """One reason from the history."""
    return asdict(reason) | {"text": event_sentence(reason)}


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


def _why_not(why: WhyNot, shares: Collection[str]) -> dict[str, Any]:
    return {
        "removed": None if why.removed is None else str(why.removed),
        "rival": why.rival,
        "gap": why.gap,
        "lacks": [event_json(one) for one in why.lacks],
        "tags": [tag_json(one, shares) for one in why.tags],
    }


def sentences_of(item: RankedItem, shares: Collection[str]) -> Sequence[str]:
    """Why an item is in a list, in few words: that tags tell it, a tag, events, terms."""
    told = [] if item.by_tags is None else [by_tags_sentence(item.by_tags)]
    told += [tag_sentence(one, shares) for one in item.reasons[:1]]
    if item.history:
        events = join(list(dict.fromkeys(one.item for one in item.history)))
        told.append(say("recommend.because_events", items=events))
    told += [term_sentence(one) for one in item.terms if one.kind != "reach" and one.value > 0]
    told += [steered_sentence(one) for one in item.steered]
    return told or [say("recommend.no_clear_tag")]
