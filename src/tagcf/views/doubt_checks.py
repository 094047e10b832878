"""What the checks say of each claim: in a word, in a sentence, and in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tagcf.doubts import Doubt, Specification
from tagcf.effects.sensitivity.verdicts import PLACEBO_LEVEL
from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.balance import control_label
from tagcf.views.facts import OutcomeFacts
from tagcf.views.labels import effect_name, verdict_label
from tagcf.views.numbers import plain, share
from tagcf.views.picture import Tone
from tagcf.views.reasons import reason_text

State = Literal["stands", "depends", "withdrawn", "none"]  # none: there was no claim
STATES: tuple[State, ...] = get_args(State)
MARKS: dict[State, str] = {"stands": "✓", "depends": "≈", "withdrawn": "✗", "none": "–"}
FAILED = "✗ "

# A claim that stands is called dependent on choices below either share. Told, never withdrawn:
# leaving a real confounder out should move the estimate.
LEAST_SAME = 0.8  # of the specifications on the same side
LEAST_CLEAR = 0.5  # … whose interval is clear of zero, too

CHECKS = (
    *("placebo", "next_item", "same_sign", "robustness", "benchmark"),
    *("simultaneous", "e_value", "gamma"),
)
Names = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Check:
    """Head of a check: plain words, the name of the method, and what its number means."""

    words: str
    term: str
    meaning: str


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """One claim: its direction and what the checks came to, with their numbers.

    `cells` are in the order of `CHECKS`. `at` is the place of its pictures, if it has any.
    """

    name: str
    other: str
    tone: Tone
    arrow: str
    direction: str
    state: State
    mark: str
    result: str
    why: str
    cells: tuple[str, ...]
    at: int | None


def checks() -> tuple[Check, ...]:
    """Heads of the checks, in the language in force."""
    return tuple(
        Check(say(f"doubt.head_{one}"), say(f"doubt.term_{one}"), say(f"doubt.means_{one}"))
        for one in CHECKS
    )


def agreement(effect: Effect, found: tuple[Specification, ...]) -> tuple[float, float] | None:
    """Shares of the specifications with the same sign, and clear of zero on that side."""
    if not found or effect.estimate is None:
        return None
    side = 1 if effect.estimate > 0 else -1
    same = np.mean([one.estimate * side > 0 for one in found])
    clear = np.mean([(one.ci_low if side > 0 else -one.ci_high) > 0 for one in found])
    return float(same), float(clear)


def state_of(effect: Effect, doubt: Doubt) -> State:
    """Say what the checks came to. The verdict rules decide; the rest is presentation."""
    if doubt.stopped_by is not None:
        return "withdrawn"
    if effect.verdict not in ("raises", "lowers"):
        return "none"
    shares = agreement(effect, doubt.specifications)
    if shares is not None and (shares[0] < LEAST_SAME or shares[1] < LEAST_CLEAR):
        return "depends"
    return "stands"


def checked_claim(
    outcome: OutcomeFacts, effect: Effect, doubt: Doubt, names: Names, at: int | None
) -> CheckedClaim:
    """Put one claim and its checks into words."""
    label, state = effect_name(effect), state_of(effect, doubt)
    up = (effect.estimate or 0.0) > 0
    withdrawn = state == "withdrawn"
    claimed = withdrawn or effect.verdict in ("raises", "lowers")
    word = verdict_label("raises" if up else "lowers") if claimed else verdict_label(effect.verdict)
    size = outcome.scale.change(effect.estimate or 0.0)
    key = "doubt.direction_before" if withdrawn else "doubt.direction"
    tone: Tone = ("raises" if up else "lowers") if claimed and not withdrawn else "unknown"
    return CheckedClaim(
        name=label.name,
        other=label.other,
        tone=tone,
        arrow=("▲" if up else "▼") if claimed else "",
        direction=say(key, word=word, size=size) if claimed else word,
        state=state,
        mark=MARKS[state],
        result=say(f"doubt.stopped_{doubt.stopped_by}") if withdrawn else say(f"doubt.{state}"),
        why=_why(effect, doubt, state, names),
        cells=_cells(outcome, effect, doubt, names),
        at=at,
    )


def _why(effect: Effect, doubt: Doubt, state: State, names: Names) -> str:
    if state == "withdrawn":
        return _reason(effect, doubt, names)
    shares = agreement(effect, doubt.specifications)
    if state == "none" or shares is None:
        return ""
    n = len(doubt.specifications)
    return say(f"doubt.why_{state}", n=n, same=share(shares[0]), clear=share(shares[1]))


def _reason(effect: Effect, doubt: Doubt, names: Names) -> str:
    """Say why it was withdrawn; controls are named as everywhere else on the page."""
    if doubt.stopped_by != "benchmark" or doubt.benchmark is None:
        return reason_text(effect.reason)
    times = round(doubt.benchmark.times_interval, 2)
    named = coded(doubt.benchmark.control, names)
    return say("reason.benchmark", zh=named, en=named, times=times)


def _cells(outcome: OutcomeFacts, effect: Effect, doubt: Doubt, names: Names) -> tuple[str, ...]:
    shares = agreement(effect, doubt.specifications)
    same = None if shares is None else {"same": share(shares[0]), "clear": share(shares[1])}
    e_value = None if doubt.e_value is None or doubt.e_value_limit is None else doubt.e_value
    found = {
        "placebo": _placebo_text(doubt),
        "next_item": _past_text(outcome, doubt),
        "same_sign": "—" if same is None else say("doubt.agreement", **same),
        "robustness": _share(doubt.robustness_interval),
        "benchmark": _benchmark_text(doubt, names),
        "simultaneous": _small(doubt.simultaneous_p),
        "e_value": "—"
        if e_value is None
        else say("doubt.limits", of=plain(e_value, 2), limit=plain(doubt.e_value_limit or 1.0, 2)),
        "gamma": "—" if doubt.gamma is None else plain(doubt.gamma, 2),
    }
    return tuple(found[one] for one in CHECKS)


def _placebo_text(doubt: Doubt) -> str:
    """P of the permutations; as a bound where none of them reached the real tag."""
    least = 1 / (len(doubt.placebo_draws) + 1)
    at_floor = bool(doubt.placebo_draws) and doubt.placebo_p <= 1.01 * least
    written = f"≤\N{NO-BREAK SPACE}{least:.3f}" if at_floor else _small(doubt.placebo_p)
    return FAILED + written if doubt.placebo_p > PLACEBO_LEVEL else written


def _past_text(outcome: OutcomeFacts, doubt: Doubt) -> str:
    next_item = next((one for one in doubt.negatives if one.name == "next_item"), None)
    if next_item is None:
        return "—"
    interval = outcome.scale.interval(next_item.ci_low, next_item.ci_high)
    past = f"{outcome.scale.bare(next_item.estimate)} {interval}"
    return FAILED + past if doubt.stopped_by == "next_item" else past


def _small(p: float | None) -> str:
    if p is None:
        return "—"
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"


def _share(value: float | None) -> str:
    return "—" if value is None else share(value)


def coded(control: str, names: Names) -> str:
    """Name a control; a raw column name in backticks, which the page sets as code."""
    label = control_label(control, names)
    return f"`{label}`" if label == control and label.isascii() else label


def _benchmark_text(doubt: Doubt, names: Names) -> str:
    if doubt.benchmark is None:
        return "—"
    control = coded(doubt.benchmark.control, names)
    times = doubt.benchmark.times_interval
    if times >= 100:
        return say("doubt.times_many", control=control)
    written = say("doubt.times", times=f"{times:.1f}", control=control)
    return FAILED + written if doubt.stopped_by == "benchmark" else written
