"""Reasons of limited answers, as keys of the text catalogue with their facts."""

from __future__ import annotations

from tagcf.counterfactual.edit import (
    ALREADY,
    BASELINE,
    CANNOT_TELL,
    LEAVES_RANGE,
    NONE,
    NOT_CARRIED,
    NOT_ESTIMATED,
    OVERLAP,
    UNSEEN,
    Told,
)
from tagcf.counterfactual.prepare import AlignedFit, Prepared
from tagcf.counterfactual.support import PATTERNS
from tagcf.text import catalogue
from tagcf.types import Reason

_KEYS = {
    BASELINE: "whatif.baseline",
    ALREADY: "whatif.already",
    NOT_CARRIED: "whatif.not_carried",
    LEAVES_RANGE: "whatif.leaves_range",
    OVERLAP: "whatif.overlap",
    CANNOT_TELL: "whatif.cannot_tell",
    NOT_ESTIMATED: "whatif.not_estimated",
} | {UNSEEN + at: f"whatif.unseen_{name}" for at, name in enumerate(PATTERNS) if at}


def reason_of(ready: Prepared, fit: AlignedFit, told: Told, row: int) -> Reason | None:
    """Put the reason of one answer into words; None where nothing limits it."""
    code = int(told.code[row])
    if code == NONE:
        return None
    facts: list[tuple[str, str | int | float]] = [("outcome", fit.outcome)]
    for name, position in (("tag", told.tag), ("first", told.first), ("second", told.second)):
        if position[row] >= 0:
            tag = ready.tags.tags[int(position[row])]
            facts += [(f"{name}_zh", tag.zh), (f"{name}_en", tag.en)]
    if told.among[row]:
        facts += [("seen", int(told.seen[row])), ("among", int(told.among[row]))]
    if code == CANNOT_TELL:
        return _refusal(ready, fit, int(told.tag[row]), facts)
    return Reason(_KEYS[code], tuple(facts))


def _refusal(
    ready: Prepared, fit: AlignedFit, tag: int, facts: list[tuple[str, str | int | float]]
) -> Reason:
    """Name the rule by which the effects refused the tag, where they kept it."""
    slug = ready.tags.tags[tag].slug
    effect = ready.refused.get((slug, fit.outcome, fit.estimand))
    if effect is None or effect.reason is None:
        return Reason(_KEYS[CANNOT_TELL], tuple(facts))
    why = catalogue()[effect.reason.key]
    said = {name: why[name].format(**dict(effect.reason.facts)) for name in ("zh", "en")}
    facts += [("why_zh", said["zh"]), ("why_en", said["en"])]
    return Reason("whatif.cannot_tell_because", tuple(facts))
