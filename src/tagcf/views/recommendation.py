"""Lists and their reasons as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from math import floor, log10

from tagcf.text import say
from tagcf.types import (
    Acted,
    Change,
    Explanation,
    Fidelity,
    HistoryReason,
    RankedItem,
    ScoreTerm,
    Steered,
    TagReason,
    TagScore,
    TagShare,
    UserRole,
)
from tagcf.views.item_titles import UNTITLED, Titles, item_named
from tagcf.views.labels import join, outcome_label, rung_label, tag_name
from tagcf.views.numbers import MINUS, plain, scale_of, signed

SCORE_DIGITS = 3
TINY = 1e-5  # written with an exponent
TAGS_TOLD = 8  # sentences on tags; --json has all


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


def tag_sentences(reasons: Sequence[TagReason], shares: Collection[str]) -> list[str]:
    """Say what tags do, the first of many."""
    told = [tag_sentence(one, shares) for one in reasons[:TAGS_TOLD]]
    more = len(reasons) - len(told)
    return [*told, say("recommend.more_tags", n=more)] if more else told


def event_sentence(reason: HistoryReason, titles: Titles = UNTITLED) -> str:
    """Say what an event of the history adds, and what the score is without it."""
    facts = {
        "item": item_named(reason.item, titles),
        "when": "" if reason.ts is None else _when(reason.ts),
        "share": part_text(reason.share),
    }
    if part_text(reason.drop) == facts["share"]:
        return say("recommend.reason_event", **facts)
    key = "recommend.reason_event_lower" if reason.drop > 0 else "recommend.reason_event_higher"
    return say(key, by=score_text(abs(reason.drop)), **facts)


def lack_sentence(more: HistoryReason, titles: Titles = UNTITLED) -> str:
    """Say by how much more an event speaks for the rival than for the item."""
    named = item_named(more.item, titles)
    return say("recommend.lacks", item=named, by=score_text(more.drop))


def _when(ts: float) -> str:
    """Tell a time in UTC; nothing where it is none that a calendar has."""
    try:
        time = datetime.fromtimestamp(ts, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return say("recommend.event_when", when=f"{time:%Y-%m-%d %H:%M}")


def events_named(events: Sequence[HistoryReason], titles: Titles = UNTITLED) -> str:
    """Name events by their items; of an item had several times, how often."""
    times = Counter(one.item for one in events)
    return join(
        [item_named(item, titles) + (f" ×{n}" if n > 1 else "") for item, n in times.items()]
    )


def fidelity_sentence(
    fidelity: Fidelity, evidence: Sequence[HistoryReason], titles: Titles = UNTITLED
) -> str:
    """Say what re-scoring without the events of the evidence gave."""
    others = ""
    if fidelity.without_others is not None:
        others = say("recommend.fidelity_others", score=score_text(fidelity.without_others))
    key = "recommend.fidelity_holds" if fidelity.holds else "recommend.fidelity_fails"
    facts = {"score": score_text(fidelity.score), "without": score_text(fidelity.without_evidence)}
    return say(key, items=events_named(evidence, titles), others=others, **facts)


def rank_sentence(found: Explanation, titles: Titles = UNTITLED) -> str | None:
    """Say what rank the item has without the events of the evidence."""
    if found.rank is None or found.fidelity is None:
        return None
    without, key = found.rank_without_evidence, "recommend.fidelity_rank"
    if without is None:
        key = "recommend.fidelity_rank_out"
    elif without == found.rank:
        key = "recommend.fidelity_rank_same"
    items = events_named(found.evidence, titles)
    return say(key, items=items, rank=found.rank, without=without)


def part_sentences(found: Explanation) -> list[str]:
    """Say what an exact score has beside the events and terms that are told."""
    if found.method != "exact" or found.model_score is None:
        return []
    told = sum(one.share for one in found.history) + sum(one.value for one in found.terms)
    rest = found.model_score - found.base - told
    parts = [("recommend.part_base", found.base)]
    parts += [("recommend.part_rest", rest)] if found.history else []
    return [say(key, value=part_text(value)) for key, value in parts if abs(value) >= TINY]


def history_heading(found: Explanation) -> str:
    """Say which score the history is told to make up: not the utility."""
    key = "recommend.explain_history" + ("_model" if _by_utility(found) else "")
    score = "—" if found.model_score is None else score_text(found.model_score)
    return say(key, score=score, method=say(f"recommend.method_{found.method}"))


def _by_utility(found: Explanation) -> bool:
    return any(name == "utility" for name, _ in found.acted.settings)


def steered_sentence(steered: Steered) -> str:
    """Say what a rule did."""
    key = "recommend.steered_new" if steered.rank_without is None else "recommend.steered_up"
    return say(
        key,
        rule=steered.rule,
        change=part_text(steered.score_change),
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
    return f"{tag_name(one.tag_zh, one.tag_en).name} {part_text(one.share)}"


def tag_fidelity_sentence(told: TagScore) -> str:
    """Say what re-scoring without the tags named gave."""
    found, others = told.fidelity, ""
    if not told.tags:
        return say("recommend.tag_fidelity_none")
    if found.without_others is not None:
        others = say("recommend.tag_fidelity_others", score=score_text(found.without_others))
    key = "recommend.tag_fidelity_holds" if found.holds else "recommend.tag_fidelity_fails"
    facts = {"score": score_text(found.score), "without": score_text(found.without_evidence)}
    return say(key, others=others, **facts)


def term_sentence(term: ScoreTerm) -> str:
    """Say what segments, roles or popularity add to a score."""
    key = f"recommend.term_{term.kind}" + ("" if term.because or term.kind == "reach" else "_none")
    names = join([tag_name(one.zh, one.en).name for one in term.because])
    return say(key, because=names, value=part_text(term.value))


def roles_sentence(roles: Sequence[UserRole]) -> str:
    """Say which roles a user surely plays."""
    names = join([tag_name(one.role_zh, one.role_en).name for one in roles])
    return say("recommend.roles_of_user", roles=names)


def change_sentence(change: Change, titles: Titles = UNTITLED) -> str:
    """Say what would move an item."""
    rank = (
        say("recommend.rank_none")
        if change.rank is None
        else say("recommend.rank_number", rank=change.rank)
    )
    weight = "" if change.weight is None else signed(change.weight, 2)
    what = list(change.what)
    if change.names:
        what = [tag_name(one.zh, one.en).name for one in change.names]
    elif change.kind in ("without", "with"):
        what = [item_named(one, titles) for one in what]
    return say(f"recommend.change_{change.kind}", what=join(what), weight=weight, rank=rank)


def whose(user: str | None) -> str:
    """Name who a list is for."""
    return say("recommend.this_history") if user is None else say("recommend.user_named", user=user)


def verdict_sentence(found: Explanation, titles: Titles = UNTITLED) -> str:
    """Say whether the item is in the list, and where."""
    facts = {"item": item_named(found.item, titles), "user": whose(found.user), "k": found.k}
    if found.rank is None or found.score is None:
        why = "" if found.why_not is None else str(found.why_not.removed or "")
        return say("recommend.is_removed", why=why, **facts)
    key = "recommend.is_in" if found.rank <= found.k else "recommend.is_out"
    scored = say("recommend.scored", score=score_text(found.score))
    if _by_utility(found) and found.model_score is not None:
        scores = {"score": score_text(found.score), "model": score_text(found.model_score)}
        scored = say("recommend.scored_utility", **scores)
    return say(key, rank=found.rank, scored=scored, **facts)


def acted_sentence(acted: Acted) -> str:
    """Name versions and settings."""
    settings = join([f"{name}={value}" for name, value in acted.settings])
    versions = {"effects": acted.effects or "—", "tags": acted.tags or "—"}
    return say("recommend.acted", model=acted.model, settings=settings, **versions)


def score_text(value: float) -> str:
    """Write a score; a small one keeps its digits, so that not all look like zero."""
    size = abs(value)
    if 0 < size < TINY:
        return f"{value:.1e}".replace("-", MINUS)
    return plain(value, _decimals(size))


def part_text(value: float) -> str:
    """Write what adds to a score, with its sign."""
    if 0 < abs(value) < TINY:
        return ("+" if value > 0 else "") + score_text(value)
    return signed(value, _decimals(abs(value)))


def _decimals(size: float) -> int:
    return SCORE_DIGITS if size >= 0.1 or size == 0 else SCORE_DIGITS - 1 - floor(log10(size))


def sentences_of(
    item: RankedItem, shares: Collection[str], titles: Titles = UNTITLED, lack: str | None = None
) -> Sequence[str]:
    """Why an item is in a list, in few words: that tags tell it, a tag, events, terms.

    Parameters
    ----------
    lack
        Key of the sentence on why no tag speaks for it; None: there are no effects of tags at all.
    """
    told = [] if item.by_tags is None else [by_tags_sentence(item.by_tags)]
    told += [tag_sentence(one, shares) for one in item.reasons[:1]]
    if item.history:
        told.append(say("recommend.because_events", items=events_named(item.history, titles)))
    told += [term_sentence(one) for one in item.terms if one.kind != "reach" and one.value > 0]
    told += [steered_sentence(one) for one in item.steered]
    if told:
        return told
    return [say("recommend.no_event")] + ([] if lack is None else [say(lack)])


def lack_of_tags(*, evidence: bool, tagged: bool) -> str | None:
    """Key of the sentence on why no tag speaks for an item; None: there are no effects at all."""
    if not evidence:
        return None
    return "recommend.no_clear_tag" if tagged else "recommend.no_tags"
