"""For whom: the claimed tags by audience segment."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.facts import OutcomeFacts
from tagcf.views.forest import (
    axis_title,
    number_with_interval,
    promise_text,
    strength,
    verdict_legend,
)
from tagcf.views.labels import SHAPES, TONES, effect_name, verdict_label
from tagcf.views.numbers import count
from tagcf.views.picture import Column, Mark, Row, RowChart, Span, Table, domain_around
from tagcf.views.reasons import reason_text

MOST_TAGS = 6
MOST_LEVELS = 8


@dataclass(frozen=True, slots=True)
class SegmentsView:
    """Sentence, chart of the strongest tags by segment, and the table of all of them."""

    sentence: str
    chart: RowChart | None
    table: Table


def segments_view(outcome: OutcomeFacts) -> SegmentsView | None:
    """Build the segment block; ``None`` where no effect by segment was estimated."""
    effects = outcome.by_segment
    if not effects:
        return None
    clear = sum(effect.verdict in ("raises", "lowers") for effect in effects)
    refused = sum(effect.verdict == "cannot tell" for effect in effects)
    sentence = say(
        "report.segments", cells=count(len(effects)), clear=count(clear), refused=count(refused)
    )
    groups = _strongest(outcome)
    return SegmentsView(
        sentence=sentence,
        chart=_chart(outcome, groups, sentence) if groups else None,
        table=_table(outcome),
    )


def _strongest(outcome: OutcomeFacts) -> list[list[Effect]]:
    """Effects by segment of the tags with the strongest claims, overall or in a segment."""
    by_tag: dict[str, list[Effect]] = {}
    for effect in outcome.by_segment:
        if effect.estimate is not None:
            by_tag.setdefault(effect.tag, []).append(effect)
    claimed = {effect.tag for effect in outcome.claimed}
    claimed |= {e.tag for e in outcome.by_segment if e.verdict in ("raises", "lowers")}
    chosen = [group for tag, group in by_tag.items() if tag in claimed]
    chosen.sort(key=lambda group: -max(strength(effect) for effect in group))
    return [
        sorted(group, key=lambda e: e.segment or "")[:MOST_LEVELS] for group in chosen[:MOST_TAGS]
    ]


def _chart(outcome: OutcomeFacts, groups: list[list[Effect]], sentence: str) -> RowChart:
    rows: list[Row] = []
    shown = [effect for group in groups for effect in group]
    for group in groups:
        name = effect_name(group[0])
        rows.append(Row(name.name, name.other, "level", (), (), (), heading=True))
        rows += [_row(effect, outcome) for effect in group]
    ends = [end for e in shown for end in (e.ci_low, e.ci_high) if end is not None]
    legend = verdict_legend({TONES[effect.verdict] for effect in shown})
    return RowChart(
        description=sentence,
        rows=tuple(rows),
        columns=(say("report.estimate_ci"),),
        main_column=0,
        axis=axis_title(outcome),
        scale=outcome.scale,
        domain=domain_around([e.estimate or 0.0 for e in shown], ends),
        zero=0.0,
        guides=(),
        legend=tuple(key for key in legend if key.shape),
    )


def _row(effect: Effect, outcome: OutcomeFacts) -> Row:
    tone = TONES[effect.verdict]
    spans: tuple[Span, ...] = ()
    if effect.ci_low is not None and effect.ci_high is not None:
        spans = (Span(effect.ci_low, effect.ci_high, "interval", tone),)
    return Row(
        name=effect.segment or "",
        other="",
        tone=tone,
        spans=spans,
        marks=(Mark(effect.estimate or 0.0, SHAPES[tone], tone),),
        texts=(number_with_interval(effect, outcome.scale),),
    )


def _table(outcome: OutcomeFacts) -> Table:
    heads = (
        ("tag", False),
        ("segment", False),
        ("verdict", False),
        ("estimate_ci", True),
        ("promise", True),
        ("items", True),
        ("why", False),
    )
    effects = sorted(outcome.by_segment, key=lambda e: (e.tag, e.segment or ""))
    return Table(
        caption=say("report.table_segments", outcome=outcome.label),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=tuple(
            (
                effect_name(effect).name,
                effect.segment or "",
                verdict_label(effect.verdict),
                number_with_interval(effect, outcome.scale),
                promise_text(effect, outcome.scale),
                count(effect.n_treated_items),
                reason_text(effect.reason),
            )
            for effect in effects
        ),
        tones=tuple(TONES[effect.verdict] for effect in effects),
    )
