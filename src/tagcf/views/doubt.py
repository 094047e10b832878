"""What speaks against an outcome's claims: a table of all checks, pictures of the strongest."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.effects.sensitivity.verdicts import PLACEBO_LEVEL
from tagcf.text import say
from tagcf.types import Doubt, Effect
from tagcf.views.balance import control_label
from tagcf.views.doubt_picture import Bars, Curve
from tagcf.views.doubt_plots import (
    Names,
    agreement,
    alternative_texts,
    balance_table,
    curve_of,
    love_chart,
    overlap_bars,
    placebo_bars,
    specifications_table,
)
from tagcf.views.facts import OutcomeFacts
from tagcf.views.forest import strength
from tagcf.views.labels import TONES, effect_name
from tagcf.views.numbers import count, plain
from tagcf.views.picture import Column, RowChart, Table

MOST_TAGS = 3  # with pictures
FAILED = "✗ "


@dataclass(frozen=True, slots=True)
class TagDoubtView:
    """The pictures of one tag."""

    name: str
    other: str
    line: str
    placebo: Bars
    overlap: Bars | None
    overlap_note: str
    balance: RowChart | None
    balance_table: Table | None
    curve: Curve | None
    curve_note: str
    table: Table | None


@dataclass(frozen=True, slots=True)
class DoubtView:
    """Sentence, the table of all checks, and the pictures of the strongest claims."""

    sentence: str
    table: Table
    tags: tuple[TagDoubtView, ...]


def doubt_view(outcome: OutcomeFacts, doubts: tuple[Doubt, ...], names: Names) -> DoubtView | None:
    """Build the block of an outcome; None where its claims were not doubted."""
    effects = {effect.tag: effect for effect in outcome.main}
    own = [
        (effects[doubt.tag], doubt)
        for doubt in doubts
        if doubt.outcome == outcome.name and doubt.tag in effects
    ]
    claims = [
        (effect, doubt)
        for effect, doubt in own
        if effect.verdict in ("raises", "lowers") or doubt.stopped_by is not None
    ]
    if not own:
        return None
    claims.sort(key=lambda pair: (pair[1].stopped_by is None, -strength(pair[0])))
    stopped = [doubt for _, doubt in claims if doubt.stopped_by is not None]
    key = "doubt.sentence" if stopped else "doubt.sentence_none"
    pictured = [pair for pair in claims if pair[1].balance or pair[1].overlap]
    return DoubtView(
        sentence=say(
            key if claims else "doubt.sentence_empty",
            claims=count(len(claims)),
            withdrawn=count(len(stopped)),
        ),
        table=_checks(outcome, claims or own, names),
        tags=tuple(_tag_view(outcome, effect, doubt, names) for effect, doubt in _few(pictured)),
    )


def _few(pairs: list[tuple[Effect, Doubt]]) -> list[tuple[Effect, Doubt]]:
    """Withdrawn claims first, but never all of the room."""
    gone = [pair for pair in pairs if pair[1].stopped_by is not None]
    stand = [pair for pair in pairs if pair[1].stopped_by is None]
    return (gone[:1] + stand)[:MOST_TAGS]


def _checks(outcome: OutcomeFacts, pairs: list[tuple[Effect, Doubt]], names: Names) -> Table:
    heads = (
        ("tag", False),
        ("verdict", False),
        ("placebo", True),
        ("next_item", True),
        ("robustness", True),
        ("benchmark", False),
        ("e_value", True),
        ("gamma", True),
        ("simultaneous", True),
        ("same_sign", True),
    )
    return Table(
        caption=say("doubt.table", outcome=outcome.label),
        columns=tuple(Column(say(f"doubt.head_{key}"), numeric) for key, numeric in heads),
        rows=tuple(_cells(outcome, effect, doubt, names) for effect, doubt in pairs),
        tones=tuple(TONES[effect.verdict] for effect, _ in pairs),
    )


def _cells(outcome: OutcomeFacts, effect: Effect, doubt: Doubt, names: Names) -> tuple[str, ...]:
    scale, label = outcome.scale, effect_name(effect)
    next_item = next((one for one in doubt.negatives if one.name == "next_item"), None)
    past = ""
    if next_item is not None:
        interval = scale.interval(next_item.ci_low, next_item.ci_high)
        past = f"{scale.bare(next_item.estimate)} {interval}"
        past = FAILED + past if doubt.stopped_by == "next_item" else past
    verdict = say(f"doubt.stopped_{doubt.stopped_by}") if doubt.stopped_by else say("doubt.stands")
    if effect.verdict == "no clear effect":
        verdict = say("report.verdict_no_clear_effect")
    return (
        label.name,
        verdict,
        _placebo_text(doubt),
        past,
        _dash(doubt.robustness_interval, 2),
        _benchmark_text(doubt, names),
        _pair(doubt.e_value, doubt.e_value_limit),
        _dash(doubt.gamma, 2),
        _small(doubt.simultaneous_p),
        agreement(effect, doubt.specifications),
    )


def _placebo_text(doubt: Doubt) -> str:
    written = _small(doubt.placebo_p)
    return FAILED + written if doubt.placebo_p > PLACEBO_LEVEL else written


def _small(p: float | None) -> str:
    if p is None:
        return "—"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _dash(value: float | None, decimals: int) -> str:
    return "—" if value is None else plain(value, decimals)


def _pair(value: float | None, limit: float | None) -> str:
    return "—" if value is None or limit is None else f"{value:.2f} ({limit:.2f})"


def _benchmark_text(doubt: Doubt, names: Names) -> str:
    if doubt.benchmark is None:
        return "—"
    control = control_label(doubt.benchmark.control, names)
    times = doubt.benchmark.times_interval
    if times >= 100:
        return say("doubt.times_many", control=control)
    return say("doubt.times", times=f"{times:.1f}", control=control)


def _tag_view(outcome: OutcomeFacts, effect: Effect, doubt: Doubt, names: Names) -> TagDoubtView:
    label = effect_name(effect)
    verdict = say(f"doubt.stopped_{doubt.stopped_by}") if doubt.stopped_by else say("doubt.stands")
    alternatives = {} if doubt.overlap is None else alternative_texts(outcome, doubt.overlap)
    same = agreement(effect, doubt.specifications)
    return TagDoubtView(
        name=label.name,
        other=label.other,
        line=verdict,
        placebo=placebo_bars(doubt, label.name),
        overlap=None if doubt.overlap is None else overlap_bars(doubt.overlap, label.name),
        overlap_note=say("doubt.overlap_note", **alternatives) if alternatives else "",
        balance=love_chart(doubt.balance, names, label.name) if doubt.balance else None,
        balance_table=balance_table(doubt.balance, names, label.name) if doubt.balance else None,
        curve=curve_of(outcome, effect, doubt.specifications, names)
        if doubt.specifications
        else None,
        curve_note=say("doubt.curve_note", n=len(doubt.specifications), same=same)
        if doubt.specifications
        else "",
        table=specifications_table(outcome, doubt.specifications, names)
        if doubt.specifications
        else None,
    )
