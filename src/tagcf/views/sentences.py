"""The verdict on an outcome, in sentences: what raises it, what lowers it, what nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.effects.estimates import FALSE_DISCOVERY_RATE
from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.facts import OutcomeFacts
from tagcf.views.forest import promised
from tagcf.views.labels import effect_name, join, rung_label, rung_meaning
from tagcf.views.numbers import Scale, count
from tagcf.views.picture import Tone
from tagcf.views.reasons import because

MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Claim:
    """A tag that is claimed, and the shrunken effect with interval that may be promised."""

    tag: str
    name: str
    other: str
    effect: str
    interval: str
    caution: str  # where the shrunken interval reaches over zero: a direction, no size


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one direction: the largest by name, the rest as a number."""

    tone: Tone
    title: str
    named: tuple[Claim, ...]
    more: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`headline` counts, `claims` names, `standing` says what the claims rest on."""

    headline: str
    claims: tuple[Claims, ...]
    standing: str

    @property
    def sentence(self) -> str:
        """The whole verdict as running text, for people who do not see the page."""
        named = [
            say(
                "report.claims_line",
                title=group.title,
                tags=join([_told(claim) for claim in group.named]),
                more=group.more,
            ).strip()
            for group in self.claims
        ]
        return say("report.space").join([self.headline, *named, self.standing])


def _told(claim: Claim) -> str:
    told = f"{claim.name} {claim.effect} {claim.interval}"
    return f"{told} ({claim.caution})" if claim.caution else told


def verdict(outcome: OutcomeFacts) -> Verdict:
    """Word the verdict on an outcome."""
    groups = []
    for name, tone in (("raises", "raises"), ("lowers", "lowers")):
        effects = outcome.with_verdict(name)
        if effects:
            groups.append(_claims(outcome, effects, "raises" if tone == "raises" else "lowers"))
    return Verdict(_headline(outcome), tuple(groups), _standing(outcome))


def _counted(key: str, number: int, **facts: object) -> str:
    """Choose between one and many, as English needs."""
    return say(f"{key}_one" if number == 1 else key, count=count(number), **facts)


def _headline(outcome: OutcomeFacts) -> str:
    raises, lowers = len(outcome.with_verdict("raises")), len(outcome.with_verdict("lowers"))
    unclear, refused = outcome.with_verdict("no clear effect"), outcome.with_verdict("cannot tell")
    label = outcome.label
    if raises and lowers:
        parts = [
            say(
                "report.lead_both",
                raises=_counted("report.lead_raises", raises, outcome=label),
                lowers=_counted("report.lead_lowers_it", lowers),
            )
        ]
    elif raises:
        parts = [_counted("report.lead_only_raises", raises, outcome=label)]
    elif lowers:
        parts = [_counted("report.lead_only_lowers", lowers, outcome=label)]
    else:
        parts = [say("report.lead_none", outcome=label)]
    if unclear:
        parts.append(_counted("report.lead_unclear", len(unclear)))
    if refused:
        parts.append(_counted("report.lead_refused", len(refused), because=because(refused)))
    return say("report.space").join(parts)


def _claims(outcome: OutcomeFacts, effects: tuple[Effect, ...], tone: Tone) -> Claims:
    more = len(effects) - MOST_NAMED
    return Claims(
        tone=tone,
        title=say(f"report.claims_{tone}", outcome=outcome.label),
        named=tuple(_claim(effect, outcome.scale) for effect in effects[:MOST_NAMED]),
        more=say("report.claims_more", count=count(more)) if more > 0 else "",
    )


def _claim(effect: Effect, scale: Scale) -> Claim:
    """Promise the shrunken effect; where a method has none, say the raw one."""
    name = effect_name(effect)
    value, low, high = promised(effect) or (
        effect.estimate or 0.0,
        effect.ci_low or 0.0,
        effect.ci_high or 0.0,
    )
    caution = say("report.direction_only") if low <= 0 <= high else ""
    written, interval = scale.change(value), scale.interval(low, high)
    return Claim(effect.tag, name.name, name.other, written, interval, caution)


def _standing(outcome: OutcomeFacts) -> str:
    if outcome.rung is None:
        return say("report.no_method")
    estimated = sum(effect.verdict != "cannot tell" for effect in outcome.main)
    return say(
        "report.standing",
        rung=rung_label(outcome.rung),
        meaning=rung_meaning(outcome.rung),
        rate=f"{100 * FALSE_DISCOVERY_RATE:.0f}%",
        tests=count(estimated),
    )
