"""Reasons from tags: what a run of `tagcf effects` could tell, ready to be looked up by item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from tagcf.types import Effect, Method, Tag, TagEffects, TagReason

# Best first; a naive difference is no reason.
METHODS: tuple[Method, ...] = ("joint", "robust", "matching", "iv")
CLEAR = ("raises", "lowers")


@dataclass(frozen=True, slots=True)
class TagEvidence:
    """Clear effects by position of the tag; those on what is wanted first, the largest first."""

    by_tag: dict[int, tuple[TagReason, ...]]
    version: str

    def of(self, tags: Sequence[int]) -> tuple[TagReason, ...]:
        """All of an item that carries these tags: what raises first, each tag in order."""
        found = [reason for tag in tags for reason in self.by_tag.get(tag, ())]
        found.sort(key=lambda one: one.delta <= 0)  # stable
        return tuple(found)

    def raising(self, tags: Sequence[int], most: int) -> tuple[TagReason, ...]:
        """What speaks for an item that carries these tags."""
        found = (one for tag in tags for one in self.by_tag.get(tag, ()) if one.delta > 0)
        return tuple(islice(found, most))


def gather_evidence(
    effects: TagEffects, tags: Sequence[Tag], first: Sequence[str], worth: Mapping[str, float]
) -> TagEvidence:
    """Keep the effects that are clear: verdict raises or lowers, on everybody.

    Parameters
    ----------
    first
        Outcomes in the order in which they are told; others follow.
    worth
        Utility of one unit of each outcome; empty where scores do not look at outcomes.
    """
    position = {tag.slug: at for at, tag in enumerate(tags)}
    best: dict[tuple[str, str], Effect] = {}
    for effect in sorted(effects.effects, key=_preference):
        if effect.verdict in CLEAR and effect.segment is None and effect.method in METHODS:
            best.setdefault((effect.tag, effect.outcome), effect)
    by_tag: dict[int, list[TagReason]] = {}
    for effect in best.values():
        reason = _reason(effect, worth)
        if reason is not None and effect.tag in position:
            by_tag.setdefault(position[effect.tag], []).append(reason)
    order = {name: at for at, name in enumerate(first)}
    for reasons in by_tag.values():
        reasons.sort(key=lambda one: (order.get(one.outcome, len(order)), -abs(one.delta)))
    return TagEvidence({tag: tuple(of) for tag, of in by_tag.items()}, effects_version(effects))


def _preference(effect: Effect) -> tuple[int, bool]:
    known = METHODS.index(effect.method) if effect.method in METHODS else len(METHODS)
    return known, effect.estimand != "direct"


def _reason(effect: Effect, worth: Mapping[str, float]) -> TagReason | None:
    delta, low, high = effect.estimate, effect.ci_low, effect.ci_high
    if delta is None or low is None or high is None:
        return None
    change = -worth[effect.outcome] * delta if effect.outcome in worth else None
    return TagReason(
        effect.tag,
        effect.tag_zh,
        effect.tag_en,
        effect.outcome,
        delta,
        low,
        high,
        effect.rung,
        change,
    )


def effects_version(effects: TagEffects) -> str:
    """Short name of a run: the same for the same figures."""
    told = [
        [one.tag, one.outcome, one.segment, one.method, one.estimand, one.estimate, one.ci_low]
        for one in effects.effects
    ]
    return "effects-" + hashlib.sha256(json.dumps(told).encode()).hexdigest()[:10]
