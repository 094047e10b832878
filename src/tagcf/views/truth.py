"""Simulated platforms only: the estimates held against the effects that were built in."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from tagcf.text import say
from tagcf.types import Effect
from tagcf.views.facts import OutcomeFacts, TruthRow
from tagcf.views.labels import effect_name, method_label
from tagcf.views.numbers import count
from tagcf.views.picture import Column, Key, PlaneChart, Point, Table, domain_around


@dataclass(frozen=True, slots=True)
class TruthView:
    """Sentence with the coverage, estimate and naive number against truth, and the table."""

    sentence: str
    adjusted: PlaneChart
    naive: PlaneChart | None
    table: Table


@dataclass(frozen=True, slots=True)
class Judged:
    """An effect beside its known value and the naive number."""

    effect: Effect
    truth: float
    naive: Effect | None


def truth_view(outcome: OutcomeFacts, truth: tuple[TruthRow, ...]) -> TruthView | None:
    """Build the comparison over the tags whose verdict is not "cannot tell"."""
    judged = judge(outcome, truth)
    if not judged:
        return None
    naive = [row for row in judged if row.naive is not None]
    sentence = _sentence(outcome, judged, naive)
    numbers = [v for row in judged for v in (row.truth, row.effect.estimate or 0.0)]
    numbers += [row.naive.estimate or 0.0 for row in naive if row.naive]
    domain = domain_around(numbers)
    method = method_label(outcome.method or "joint")
    return TruthView(
        sentence=sentence,
        adjusted=_plane(outcome, [(r, r.effect) for r in judged], domain, method, sentence),
        naive=_plane(
            outcome,
            [(r, r.naive) for r in naive if r.naive],
            domain,
            method_label("naive"),
            sentence,
        )
        if naive
        else None,
        table=_table(outcome, judged),
    )


def judge(outcome: OutcomeFacts, truth: tuple[TruthRow, ...]) -> list[Judged]:
    """Put the truth beside every effect for everybody that is not "cannot tell"."""
    known = {
        (row.tag, row.estimand): row.effect
        for row in truth
        if row.outcome == outcome.name and not row.segment
    }
    return [
        Judged(effect, known[effect.tag, effect.estimand], outcome.naive.get(effect.tag))
        for effect in outcome.main
        if effect.verdict != "cannot tell"
        and effect.estimate is not None
        and (effect.tag, effect.estimand) in known
    ]


def covers(effect: Effect, truth: float) -> bool:
    """Whether the interval of an effect contains the truth."""
    low, high = effect.ci_low, effect.ci_high
    return low is not None and high is not None and low <= truth <= high


def _sentence(outcome: OutcomeFacts, judged: list[Judged], naive: list[Judged]) -> str:
    error = statistics.mean(abs((row.effect.estimate or 0.0) - row.truth) for row in judged)
    facts = {
        "inside": count(sum(covers(row.effect, row.truth) for row in judged)),
        "count": count(len(judged)),
        "error": outcome.scale.change(error).lstrip("+"),
    }
    if not naive:
        return say("report.truth_alone", **facts)
    pairs = [(row.naive, row.truth) for row in naive if row.naive]
    off = statistics.mean(abs((effect.estimate or 0.0) - truth) for effect, truth in pairs)
    return say(
        "report.truth",
        naive_inside=count(sum(covers(effect, truth) for effect, truth in pairs)),
        naive_count=count(len(pairs)),
        naive_error=outcome.scale.change(off).lstrip("+"),
        **facts,
    )


def _plane(
    outcome: OutcomeFacts,
    rows: list[tuple[Judged, Effect]],
    domain: tuple[float, float],
    method: str,
    description: str,
) -> PlaneChart:
    points = tuple(
        Point(
            name=effect_name(row.effect).name,
            x=row.truth,
            y=effect.estimate or 0.0,
            low=effect.ci_low,
            high=effect.ci_high,
            shape="circle" if covers(effect, row.truth) else "cross",
            tone="adjusted" if covers(effect, row.truth) else "lowers",
        )
        for row, effect in rows
    )
    return PlaneChart(
        description=description,
        points=points,
        x_axis=say("report.axis_truth"),
        y_axis=method,
        scale=outcome.scale,
        domain=domain,
        legend=(
            Key("circle", "adjusted", say("report.legend_inside")),
            Key("cross", "lowers", say("report.legend_outside")),
        ),
    )


def _table(outcome: OutcomeFacts, judged: list[Judged]) -> Table:
    heads = (
        ("tag", False),
        ("truth_column", True),
        ("estimate", True),
        ("ci", True),
        ("inside", False),
        ("naive", True),
    )
    scale = outcome.scale
    return Table(
        caption=say("report.table_truth", outcome=outcome.label),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=tuple(
            (
                effect_name(row.effect).name,
                scale.bare(row.truth),
                scale.bare(row.effect.estimate or 0.0),
                scale.interval(row.effect.ci_low or 0.0, row.effect.ci_high or 0.0),
                say("report.yes") if covers(row.effect, row.truth) else say("report.no"),
                scale.bare(row.naive.estimate or 0.0) if row.naive else "",
            )
            for row in sorted(judged, key=lambda row: -row.truth)
        ),
    )
