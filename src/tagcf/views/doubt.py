"""What speaks against an outcome's claims: results, all checks, pictures of the strongest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tagcf.doubts import Balance, Doubt
from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.doubt_checks import (
    CHECKS,
    FAILED,
    STATES,
    Check,
    CheckedClaim,
    Names,
    State,
    agreement,
    checked_claim,
    checks,
    coded,
    state_of,
)
from tagcf.views.doubt_picture import Bars, Curve
from tagcf.views.doubt_plots import (
    alternative_texts,
    balance_table,
    control_name,
    curve_of,
    love_chart,
    overlap_bars,
    placebo_bars,
    specifications_table,
)
from tagcf.views.facts import OutcomeFacts
from tagcf.views.forest import strength
from tagcf.views.numbers import count, plain, share
from tagcf.views.picture import RowChart, Table

MOST_TAGS = 3  # with pictures
MOST_LISTED = 12  # claims told in a sentence each; the table has all
BALANCED = 0.005  # a difference after weighting below it prints as 0.00

Pair = tuple[Effect, Doubt]


@dataclass(frozen=True, slots=True)
class TagDoubtView:
    """The pictures of one tag."""

    claim: CheckedClaim
    placebo: Bars
    placebo_note: str
    overlap: Bars | None
    overlap_note: str
    balance_note: str
    balance: RowChart | None
    balance_table: Table | None
    curve: Curve | None
    curve_note: str
    table: Table | None


@dataclass(frozen=True, slots=True)
class DoubtView:
    """Sentence, every claim with its result, the checks in numbers, and pictures."""

    sentence: str
    caption: str
    checks: tuple[Check, ...]
    claims: tuple[CheckedClaim, ...]
    listed: tuple[CheckedClaim, ...]
    more: str
    tags: tuple[TagDoubtView, ...]


def doubt_view(outcome: OutcomeFacts, doubts: tuple[Doubt, ...], names: Names) -> DoubtView | None:
    """Build the block of an outcome; None where its claims were not doubted."""
    effects = {effect.tag: effect for effect in outcome.main}
    own = [
        (effects[doubt.tag], doubt)
        for doubt in doubts
        if doubt.outcome == outcome.name and doubt.tag in effects
    ]
    if not own:
        return None
    order: tuple[State, ...] = ("withdrawn", "depends", "stands", "none")
    own.sort(key=lambda pair: (order.index(state_of(*pair)), -strength(pair[0])))
    claims = [pair for pair in own if state_of(*pair) != "none"]
    shown = claims or own
    pictured = _few([pair for pair in shown if pair[1].balance or pair[1].overlap])
    places = {effect.tag: at for at, (effect, _) in enumerate(pictured, start=1)}
    told = {
        effect.tag: checked_claim(outcome, effect, doubt, names, places.get(effect.tag))
        for effect, doubt in shown
    }
    listed = tuple(told.values())[:MOST_LISTED] if claims else ()
    more = len(told) - len(listed) if claims else 0
    return DoubtView(
        sentence=_sentence(claims),
        caption=say("doubt.table", outcome=outcome.label),
        checks=checks(),
        claims=tuple(told.values()),
        listed=listed,
        more=say("doubt.more", n=count(more)) if more else "",
        tags=tuple(_tag_view(outcome, pair, told[pair[0].tag], names) for pair in pictured),
    )


def _sentence(claims: list[Pair]) -> str:
    """Count the claims by what the checks came to."""
    if not claims:
        return say("doubt.sentence_empty")
    found = Counter(state_of(*pair) for pair in claims)
    clauses = [
        say(f"doubt.count_{state}_{'one' if found[state] == 1 else 'many'}", n=count(found[state]))
        for state in STATES
        if found[state]
    ]
    told = say("doubt.semicolon").join(clauses)
    if len(claims) == 1:
        return say("doubt.sentence_one", clauses=told)
    return say("doubt.sentence", claims=count(len(claims)), clauses=told)


def _few(pairs: list[Pair]) -> list[Pair]:
    """One of each result first, but never more than there is room for."""
    first: dict[State, Pair] = {}
    for pair in pairs:
        first.setdefault(state_of(*pair), pair)
    strongest = sorted(pairs, key=lambda pair: (state_of(*pair) == "withdrawn", -strength(pair[0])))
    chosen = [*first.values(), *(pair for pair in strongest if pair not in first.values())]
    few = chosen[:MOST_TAGS]
    return [pair for pair in pairs if pair in few]


def _tag_view(outcome: OutcomeFacts, pair: Pair, claim: CheckedClaim, names: Names) -> TagDoubtView:
    effect, doubt = pair
    alternatives = {} if doubt.overlap is None else alternative_texts(outcome, doubt.overlap)
    found = doubt.specifications
    shares = agreement(effect, found)
    left = tuple(one for one in doubt.balance if abs(one.after) >= BALANCED)
    return TagDoubtView(
        claim=claim,
        placebo=placebo_bars(doubt, claim.name),
        placebo_note=say("doubt.placebo_note", n=len(doubt.placebo_draws), p=_equation(claim)),
        overlap=None if doubt.overlap is None else overlap_bars(doubt.overlap, claim.name),
        overlap_note=say("doubt.overlap_note", **alternatives) if alternatives else "",
        balance_note=_balance_note(doubt.balance, left, names),
        balance=love_chart(left, names, claim.name) if len(left) > 1 else None,
        balance_table=balance_table(doubt.balance, names, claim.name) if doubt.balance else None,
        curve=curve_of(outcome, effect, found, names) if shares else None,
        curve_note=say(
            "doubt.curve_note", n=len(found), same=share(shares[0]), clear=share(shares[1])
        )
        if shares
        else "",
        table=specifications_table(outcome, found, names) if found else None,
    )


def _equation(claim: CheckedClaim) -> str:
    """Write "= 0.010" or "≤ 0.005"."""
    p = claim.cells[CHECKS.index("placebo")].removeprefix(FAILED)
    return p if p[0] in "≤<" else f"=\N{NO-BREAK SPACE}{p}"


def _balance_note(balance: tuple[Balance, ...], left: tuple[Balance, ...], names: Names) -> str:
    """Say what is balanced by construction, and what is not."""
    zero = [one for one in balance if one not in left]
    clauses = []
    if zero:
        worst = max(zero, key=lambda one: abs(one.before))
        clauses.append(
            say(
                "doubt.balance_zero",
                n=len(zero),
                control=coded(worst.control, names),
                before=plain(abs(worst.before), 2),
            )
        )
    clauses += [
        say(
            "doubt.balance_left",
            control=control_name(one, names),
            before=plain(abs(one.before), 2),
            after=plain(abs(one.after), 2),
        )
        for one in left[:1]
        if len(left) == 1
    ]
    return say("report.space").join([*clauses, say("doubt.balance_matching")]) if balance else ""
