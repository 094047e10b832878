"""The forest plot of an outcome: every tag's effect with its interval, the rest in the table."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.facts import OutcomeFacts
from tagcf.views.labels import SHAPES, TONES, effect_name, verdict_label
from tagcf.views.numbers import Scale, count, plain, probability, signed
from tagcf.views.picture import (
    Column,
    Key,
    Mark,
    Row,
    RowChart,
    Span,
    Table,
    Tone,
    domain_around,
)
from tagcf.views.reasons import reason_text

MOST_ROWS = 30
MOST_REFUSED = 4  # refused tags drawn where there are more told ones than rows


@dataclass(frozen=True, slots=True)
class ForestView:
    """Chart, its note on what is left out, and the table of all tags."""

    chart: RowChart | None  # None when no tag has an estimate
    note: str
    table: Table


def forest_view(outcome: OutcomeFacts) -> ForestView:
    """Build the forest plot: the strongest tags, sorted by effect."""
    drawn = _largest(outcome.main)
    left_out = len(outcome.main) - len(drawn)
    note = say("report.forest_rest", shown=count(len(drawn)), rest=count(left_out))
    return ForestView(
        chart=_chart(outcome, drawn) if drawn else None,
        note=note if left_out else "",
        table=effects_table(outcome),
    )


def strength(effect: Effect) -> float:
    """Return |t|; -1 where there is no estimate."""
    if effect.estimate is None or not effect.se:
        return -1.0
    return abs(effect.estimate) / effect.se


def _largest(effects: tuple[Effect, ...]) -> list[Effect]:
    """Claims first, then the largest |t|; of the refused, those on the most items."""
    estimated = [effect for effect in effects if effect.estimate is not None]
    told = [effect for effect in estimated if effect.verdict != "cannot tell"]
    refused = [effect for effect in estimated if effect.verdict == "cannot tell"]
    told.sort(key=lambda e: (e.verdict == "no clear effect", -strength(e)))
    refused.sort(key=lambda e: -e.n_treated_items)
    kept = refused[: max(MOST_REFUSED, MOST_ROWS - len(told))]
    drawn = told[: MOST_ROWS - min(len(kept), MOST_REFUSED)] + kept
    return sorted(drawn[:MOST_ROWS], key=lambda e: -(e.estimate or 0.0))


def _chart(outcome: OutcomeFacts, drawn: list[Effect]) -> RowChart:
    scale = outcome.scale
    told = [effect for effect in drawn if effect.verdict != "cannot tell"] or drawn
    ends = [end for e in told for end in (e.ci_low, e.ci_high) if end is not None]
    first, last = drawn[0], drawn[-1]
    description = say(
        "report.forest_aria",
        outcome=outcome.label,
        count=len(drawn),
        top=effect_name(first).name,
        top_effect=scale.change(first.estimate or 0.0),
        bottom=effect_name(last).name,
        bottom_effect=scale.change(last.estimate or 0.0),
    )
    return RowChart(
        description=description,
        rows=tuple(effect_row(effect, scale) for effect in drawn),
        columns=(say("report.items"), say("report.estimate_ci"), say("report.promise")),
        main_column=1,
        axis=axis_title(outcome),
        scale=scale,
        domain=domain_around([e.estimate or 0.0 for e in told], ends),
        zero=0.0,
        guides=(),
        legend=verdict_legend({TONES[effect.verdict] for effect in drawn}),
    )


def axis_title(outcome: OutcomeFacts) -> str:
    """Title of an axis of changes of an outcome."""
    key = "report.axis_points" if outcome.scale.points else "report.axis_units"
    return say(key, outcome=outcome.label)


def effect_row(effect: Effect, scale: Scale) -> Row:
    """One tag: marker, interval, and for claims the shrunken interval that may be promised."""
    name, tone = effect_name(effect), TONES[effect.verdict]
    spans = []
    if effect.ci_low is not None and effect.ci_high is not None:
        spans.append(Span(effect.ci_low, effect.ci_high, "interval", tone))
    if promise := promised(effect):
        spans.append(Span(promise[1], promise[2], "promise", tone))
    return Row(
        name=name.name,
        other=name.other,
        tone=tone,
        spans=tuple(spans),
        marks=(Mark(effect.estimate or 0.0, SHAPES[tone], tone),),
        texts=(
            count(effect.n_treated_items),
            number_with_interval(effect, scale),
            promise_text(effect, scale),
        ),
    )


def verdict_legend(tones: set[Tone]) -> tuple[Key, ...]:
    """Legend of the verdicts that appear."""
    texts: dict[Tone, str] = {TONES[v]: verdict_label(v) for v in TONES}
    keys = [Key(SHAPES[tone], tone, text) for tone, text in texts.items() if tone in tones]
    if tones & {"raises", "lowers"}:
        keys.append(Key(None, "raises", say("report.legend_promise"), stroke="promise"))
    return tuple(keys)


def promised(effect: Effect) -> tuple[float, float, float] | None:
    """Return the shrunken effect of a claimed tag with its interval; ``None`` without a claim."""
    if effect.verdict not in ("raises", "lowers"):
        return None
    if effect.shrunk is None or effect.shrunk_low is None or effect.shrunk_high is None:
        return None
    return effect.shrunk, effect.shrunk_low, effect.shrunk_high


def number_with_interval(effect: Effect, scale: Scale) -> str:
    """``+1.2 [+0.8, +1.6]``; empty without an estimate."""
    if effect.estimate is None:
        return ""
    if effect.ci_low is None or effect.ci_high is None:
        return scale.bare(effect.estimate)
    return f"{scale.bare(effect.estimate)} {scale.interval(effect.ci_low, effect.ci_high)}"


def promise_text(effect: Effect, scale: Scale) -> str:
    """Write the shrunken effect with its interval; empty without a claim."""
    promise = promised(effect)
    return f"{scale.bare(promise[0])} {scale.interval(*promise[1:])}" if promise else ""


def effects_table(outcome: OutcomeFacts) -> Table:
    """All tags of an outcome with all that is known of them, claims first."""
    order = {"raises": 0, "lowers": 1, "no clear effect": 2, "cannot tell": 3}
    effects = sorted(outcome.main, key=lambda e: (order[e.verdict], -strength(e)))
    heads = (
        ("tag", False),
        ("verdict", False),
        ("estimate", True),
        ("ci", True),
        ("promise", True),
        ("naive", True),
        ("baseline", True),
        ("relative", True),
        ("p", True),
        ("q", True),
        ("items", True),
        ("effective_items", True),
        ("why", False),
    )
    unit = say("report.unit_points") if outcome.scale.points else say("report.unit_own")
    return Table(
        caption=say("report.table_effects", outcome=outcome.label, unit=unit),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=tuple(_cells(effect, outcome) for effect in effects),
        tones=tuple(TONES[effect.verdict] for effect in effects),
    )


def _cells(effect: Effect, outcome: OutcomeFacts) -> tuple[str, ...]:
    scale, name = outcome.scale, effect_name(effect)
    interval = ""
    if effect.ci_low is not None and effect.ci_high is not None:
        interval = scale.interval(effect.ci_low, effect.ci_high)
    naive = outcome.naive.get(effect.tag)
    contrast = naive.estimate if naive else None
    return (
        f"{name.name} · {name.other}" if name.other else name.name,
        verdict_label(effect.verdict),
        "" if effect.estimate is None else scale.bare(effect.estimate),
        interval,
        promise_text(effect, scale),
        "" if contrast is None else scale.bare(contrast),
        "" if effect.baseline is None else scale.level(effect.baseline),
        "" if effect.relative is None else f"{signed(100 * effect.relative, 1)}%",
        probability(effect.p),
        probability(effect.q),
        count(effect.n_treated_items),
        plain(effect.effective_items, 0),
        reason_text(effect.reason),
    )
