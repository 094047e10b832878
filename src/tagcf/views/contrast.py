"""Naive against adjusted: how far a dashboard's number is from the adjusted one, tag by tag."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.facts import OutcomeFacts
from tagcf.views.forest import axis_title, number_with_interval
from tagcf.views.labels import effect_name, method_label
from tagcf.views.numbers import count
from tagcf.views.picture import Column, Key, Mark, Row, RowChart, Span, Table, domain_around

MOST_ROWS = 16


@dataclass(frozen=True, slots=True)
class ContrastView:
    """Sentence, dumbbells of the largest gaps, and their table."""

    sentence: str
    chart: RowChart
    table: Table


@dataclass(frozen=True, slots=True)
class _Pair:
    adjusted: Effect
    naive: float
    estimate: float

    @property
    def gap(self) -> float:
        return self.naive - self.estimate

    @property
    def flips(self) -> bool:
        return self.naive * self.estimate < 0

    @property
    def outside(self) -> bool:
        low, high = self.adjusted.ci_low, self.adjusted.ci_high
        return low is not None and high is not None and not low <= self.naive <= high


def contrast_view(outcome: OutcomeFacts) -> ContrastView | None:
    """Build the contrast; ``None`` where no tag has both numbers."""
    pairs = sorted(_pairs(outcome), key=lambda pair: -abs(pair.gap))
    if not pairs:
        return None
    shown = sorted(pairs[:MOST_ROWS], key=lambda pair: -pair.estimate)
    sentence = _sentence(outcome, pairs)
    return ContrastView(sentence, _chart(outcome, shown, sentence), _table(outcome, shown))


def _pairs(outcome: OutcomeFacts) -> list[_Pair]:
    pairs = []
    for effect in outcome.main:
        naive = outcome.naive.get(effect.tag)
        if naive is None or naive.estimate is None or effect.estimate is None:
            continue
        if effect.verdict != "cannot tell":
            pairs.append(_Pair(effect, naive.estimate, effect.estimate))
    return pairs


def _sentence(outcome: OutcomeFacts, pairs: list[_Pair]) -> str:
    worst, scale = pairs[0], outcome.scale
    return say(
        "report.contrast",
        count=count(len(pairs)),
        flips=count(sum(pair.flips for pair in pairs)),
        outside=count(sum(pair.outside for pair in pairs)),
        gap=scale.change(statistics.median(abs(pair.gap) for pair in pairs)).lstrip("+"),
        tag=effect_name(worst.adjusted).name,
        naive=scale.change(worst.naive),
        adjusted=scale.change(worst.estimate),
        interval=scale.interval(worst.adjusted.ci_low or 0.0, worst.adjusted.ci_high or 0.0),
    )


def _chart(outcome: OutcomeFacts, shown: list[_Pair], sentence: str) -> RowChart:
    ends = [e for p in shown for e in (p.adjusted.ci_low, p.adjusted.ci_high) if e is not None]
    return RowChart(
        description=sentence,
        rows=tuple(_row(pair, outcome) for pair in shown),
        columns=(say("report.naive"), say("report.adjusted")),
        main_column=1,
        axis=axis_title(outcome),
        scale=outcome.scale,
        domain=domain_around([v for p in shown for v in (p.naive, p.estimate)], ends),
        zero=0.0,
        guides=(),
        legend=(
            Key("diamond", "naive", say("report.legend_naive")),
            Key(
                "circle",
                "adjusted",
                say("report.legend_adjusted", method=method_label(outcome.method or "joint")),
            ),
        ),
    )


def _row(pair: _Pair, outcome: OutcomeFacts) -> Row:
    effect, name = pair.adjusted, effect_name(pair.adjusted)
    spans = [Span(pair.naive, pair.estimate, "gap", "naive")]
    if effect.ci_low is not None and effect.ci_high is not None:
        spans.append(Span(effect.ci_low, effect.ci_high, "interval", "adjusted"))
    return Row(
        name=name.name,
        other=name.other,
        tone="adjusted",
        spans=tuple(spans),
        marks=(Mark(pair.naive, "diamond", "naive"), Mark(pair.estimate, "circle", "adjusted")),
        texts=(outcome.scale.bare(pair.naive), number_with_interval(effect, outcome.scale)),
    )


def _table(outcome: OutcomeFacts, shown: list[_Pair]) -> Table:
    heads = (("tag", False), ("naive", True), ("adjusted", True), ("gap", True), ("flips", False))
    rows = tuple(
        (
            effect_name(pair.adjusted).name,
            outcome.scale.bare(pair.naive),
            number_with_interval(pair.adjusted, outcome.scale),
            outcome.scale.bare(pair.gap),
            say("report.yes") if pair.flips else say("report.no"),
        )
        for pair in shown
    )
    return Table(
        caption=say("report.table_contrast", outcome=outcome.label),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=rows,
    )
