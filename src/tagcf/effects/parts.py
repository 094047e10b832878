"""Tags that were proposed from behaviour are told from content whose behaviour had no part in it.

A tag made of what engaged together fits the noise of the items it was made from: told on the same
rows, it "works" where nothing does (tests/effects/test_mined_tags.py shows how often). It is not
even held fixed there, for a control that was picked by the outcome moves the other tags' effects.
So a log is parted: all rows tell the tags that no behaviour had a part in, and for the others only
those items count that were not searched (`TagMatrix.unseen`), beside all tags that are fair there.

Each part is a family of its own for false discovery (Efron 2008, "Simultaneous inference: when
should hypothesis testing problems be combined?").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tagcf.effects.estimates import CLAIMS, FALSE_DISCOVERY_RATE
from tagcf.effects.multiplicity import false_discovery
from tagcf.effects.task import Question, select
from tagcf.types import (
    Effect,
    EventBatch,
    EventLog,
    Mask,
    Outcome,
    Reason,
    Tag,
    TagEffects,
    TagMatrix,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows with the tags that are fair on them, and which of these they are to tell."""

    log: EventLog
    tags: TagMatrix
    question: Question
    told: frozenset[str] | None  # slugs; None: all
    refused: tuple[tuple[Tag, int, Reason], ...] = ()  # too few items left: tag, items, reason
    # Outcomes of user-periods: on some of the items' rows, people who came back look as if gone.
    untold: tuple[Outcome, ...] = ()
    # Tag -> mined tags that it causes. They are not in the model of all rows, so that its direct
    # effect lets them follow it, as its total effect does.
    not_held: Mapping[str, frozenset[str]] = field(default_factory=dict)


def parts_of(log: EventLog, tags: TagMatrix, question: Question) -> tuple[Part, ...]:
    """Part a log by what its tags were mined from; one part where none was.

    Parameters
    ----------
    tags
        In the log's order of items.
    """
    masks = {slug: mask for slug, mask in tags.unseen if slug in {one.slug for one in tags.tags}}
    if not masks:
        return (Part(log, tags, question, None),)
    groups = tuple(
        tuple(slug for slug in group if slug not in masks) for group in question.near_duplicates
    )
    question = replace(question, near_duplicates=groups)
    clean = without_mined(tags)
    parts = (
        [Part(log, clean, question, None, not_held=not_held(tags, question))] if clean.tags else []
    )
    distinct: dict[bytes, list[str]] = {}
    for slug, mask in masks.items():
        distinct.setdefault(np.packbits(mask).tobytes(), []).append(slug)
    parts += [_unseen_part(log, tags, question, masks, slugs) for slugs in distinct.values()]
    return tuple(parts)


def without_mined(tags: TagMatrix) -> TagMatrix:
    """Keep the tags that no behaviour had a part in: those that any row may tell."""
    mined = {slug for slug, _ in tags.unseen}
    if not mined:
        return tags
    at = [k for k, tag in enumerate(tags.tags) if tag.slug not in mined]
    return replace(select(tags, at), unseen=())


def not_held(tags: TagMatrix, question: Question) -> dict[str, frozenset[str]]:
    """Tags that any row may tell, with the mined tags that they cause: these follow them freely."""
    mined = {slug for slug, _ in tags.unseen} & {tag.slug for tag in tags.tags}
    below = {
        tag.slug: question.descendants.get(tag.slug, frozenset()) & mined
        for tag in tags.tags
        if tag.slug not in mined
    }
    return {slug: free for slug, free in below.items() if free}


def together(parts: Sequence[Part], found: Sequence[TagEffects]) -> TagEffects:
    """Put what the parts tell into one; the joint fits are those of all rows.

    Parameters
    ----------
    found
        What each part told, in their order.
    """
    if len(parts) == 1 and parts[0].told is None:
        return found[0]
    found = [_with_totals(part, one) for part, one in zip(parts, found, strict=True)]
    effects: list[Effect] = []
    for part, one in zip(parts, found, strict=True):
        effects += one.effects if part.told is None else _own_family(one.effects, part.told)
    whole = parts[0].told is None
    return replace(
        found[0],
        effects=tuple(effects),
        joint=found[0].joint if whole else (),
        balance=tuple(
            row
            for part, one in zip(parts, found, strict=True)
            for row in one.balance
            if part.told is None or row.tag in part.told
        ),
        doubts=tuple(doubt for one in found for doubt in one.doubts),
    )


def effects_by_part(parts: Sequence[Part], found: TagEffects) -> list[TagEffects]:
    """Return of all effects those that each part told."""
    apart = frozenset().union(*(part.told or () for part in parts))

    def own(part: Part) -> TagEffects:
        if part.told is None:
            kept = tuple(effect for effect in found.effects if effect.tag not in apart)
            return replace(
                found,
                effects=kept,
                balance=tuple(row for row in found.balance if row.tag not in apart),
            )
        kept = tuple(effect for effect in found.effects if effect.tag in part.told)
        balance = tuple(row for row in found.balance if row.tag in part.told)
        return replace(found, effects=kept, joint=(), balance=balance)

    return [own(part) for part in parts]


def _with_totals(part: Part, found: TagEffects) -> TagEffects:
    """Tell total effects, too, where nothing but mined tags is below a tag: the same estimates.

    Where other tags are below one as well, both were estimated. What the direct effect of a tag
    does not hold is noted with it.
    """
    if not part.not_held:
        return found
    effects = tuple(_noting_not_held(effect, part.not_held) for effect in found.effects)
    both = part.question.estimand is None
    if not both or any(fit.estimand == "total" for fit in found.joint):
        return replace(found, effects=effects)
    joint = [one for one in found.effects if (one.method, one.estimand) == ("joint", "direct")]
    return replace(
        found,
        effects=effects + tuple(replace(one, estimand="total") for one in joint),
        joint=found.joint + tuple(replace(fit, estimand="total") for fit in found.joint),
    )


def _noting_not_held(effect: Effect, not_held: Mapping[str, frozenset[str]]) -> Effect:
    holds = effect.method in {"joint", "robust"} and effect.estimand == "direct"
    if not holds or effect.tag not in not_held:
        return effect
    return replace(
        effect, diagnostics=effect.diagnostics | {"mined_not_held": len(not_held[effect.tag])}
    )


def _unseen_part(
    log: EventLog,
    tags: TagMatrix,
    question: Question,
    masks: dict[str, Mask],
    slugs: Sequence[str],
) -> Part:
    """Rows of the items that are unseen for `slugs`, and every tag that is fair on them."""
    unseen = masks[slugs[0]]
    fair = [
        k
        for k, tag in enumerate(tags.tags)
        if tag.slug not in masks or not (unseen & ~masks[tag.slug]).any()
    ]
    rows, shown = _rows_of(log, unseen)
    chosen = replace(select(tags, fair), unseen=())
    items = np.asarray(chosen.carried(question.threshold)[shown].sum(axis=0)).ravel()
    refused, told = [], []
    for tag, n in zip(chosen.tags, items.astype(int).tolist(), strict=True):
        if tag.slug not in slugs:
            continue
        if n < question.min_items or int(shown.sum()) - n < question.min_items:
            refused.append((tag, n, _too_few(tags, tag, n, int(shown.sum()) - n, question)))
        else:
            told.append(tag.slug)
    gone = {tag.slug for tag, _, _ in refused}
    kept = [k for k, tag in enumerate(chosen.tags) if tag.slug not in gone] if told else []
    rows, told_tags = replace(rows, derived=()), frozenset(slugs)
    return Part(rows, select(chosen, kept), question, told_tags, tuple(refused), log.derived)


def _too_few(tags: TagMatrix, tag: Tag, items: int, without: int, question: Question) -> Reason:
    if items >= question.min_items:
        return Reason("reason.mined_without", (("n", without), ("need", question.min_items)))
    carried = tags.carried(question.threshold)
    at = next(k for k, one in enumerate(tags.tags) if one.slug == tag.slug)
    facts = {"n": items, "all": int(carried[:, [at]].sum()), "need": question.min_items}
    return Reason("reason.mined_here", tuple(facts.items()))


def _rows_of(log: EventLog, items: Mask) -> tuple[EventLog, Mask]:
    """Rows of some items (I,), and which of these have any."""

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            keep = items[batch.item]
            yield batch if keep.all() else batch.rows(keep)

    shown = np.zeros(len(items), bool)
    n_rows = 0
    for batch in batches():
        n_rows += batch.n_rows
        shown[batch.item] = True
    return replace(log, batches=batches, n_rows=n_rows, fold=None), shown


def _own_family(effects: Sequence[Effect], told: frozenset[str]) -> list[Effect]:
    """Effects of some tags, their false discovery controlled among themselves.

    A q-value only ever grows by it, and a claim is only ever withdrawn.
    """
    own = [effect for effect in effects if effect.tag in told]
    families: dict[tuple[str | None, ...], list[int]] = {}
    for at, effect in enumerate(own):
        place = (effect.outcome, effect.segment, effect.method, effect.estimand)
        if effect.verdict != "cannot tell" and effect.p is not None:
            families.setdefault(place, []).append(at)
    for members in families.values():
        q = false_discovery(np.array([own[at].p for at in members], dtype=float))
        for at, value in zip(members, q.tolist(), strict=True):
            own[at] = _with_q(own[at], max(value, own[at].q or 0.0))
    noted: dict[str, float | int | str | None] = {"unseen_items_only": 1}
    return [replace(one, diagnostics=one.diagnostics | noted) for one in own]


def _with_q(effect: Effect, q: float) -> Effect:
    lost = effect.verdict in CLAIMS and q > FALSE_DISCOVERY_RATE
    return replace(effect, q=q, verdict="no clear effect" if lost else effect.verdict)
