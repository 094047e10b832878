"""A what-if as a waterfall: before, what each tag contributes, after."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from tagcf.text import say
from tagcf.types import WhatIf
from tagcf.views.facts import OutcomeFacts
from tagcf.views.labels import join, tag_name
from tagcf.views.picture import Column, Mark, Row, RowChart, Span, Table, Tone, domain_around


@dataclass(frozen=True, slots=True)
class WaterfallView:
    """Question, answer, chart (``None`` where such an item is not supported) and table."""

    title: str
    question: str
    sentence: str
    supported: bool
    chart: RowChart | None
    table: Table | None
    command: str  # asks the same in a shell


def waterfall_view(
    answer: WhatIf,
    outcome: OutcomeFacts,
    names: Mapping[str, tuple[str, str]],
    title: str,
    folder: str,
) -> WaterfallView:
    """Build the waterfall of one answer about an item with a title (may be empty)."""
    command = _command(answer, folder)
    item = say("report.item_named", item=answer.item)
    title = say("report.item_titled", item=item, title=title) if title else item
    question = _question(answer, names)
    before, after, delta = answer.before, answer.after, answer.delta
    if before is None or after is None or delta is None:
        reason = str(answer.reason) if answer.reason else say("report.whatif_no_reason")
        return WaterfallView(title, question, reason, False, None, None, command)
    sentence = say(
        "report.whatif_answer",
        outcome=outcome.label,
        before=outcome.scale.level(before),
        after=outcome.scale.level(after),
        delta=outcome.scale.change(delta),
        interval=_interval(answer, outcome),
    )
    if not answer.supported and answer.reason:
        sentence = say("report.whatif_unsupported", answer=sentence, reason=str(answer.reason))
    return WaterfallView(
        title=title,
        question=question,
        sentence=sentence,
        supported=answer.supported,
        chart=_chart(answer, outcome, names, before, after, f"{question} {sentence}"),
        table=_table(answer, outcome, names),
        command=command,
    )


def _command(answer: WhatIf, folder: str) -> str:
    edits = [f"--without {shlex.quote(tag)}" for tag in answer.without]
    edits += [f"--with {shlex.quote(tag)}" for tag in answer.with_]
    return " ".join(
        [
            f"tagcf whatif {folder} --item {shlex.quote(answer.item)}",
            *edits,
            f"--outcome {shlex.quote(answer.outcome)}",
        ]
    )


def _question(answer: WhatIf, names: Mapping[str, tuple[str, str]]) -> str:
    def named(tags: tuple[str, ...]) -> str:
        return join([tag_name(*names.get(tag, (tag, tag))).name for tag in tags])

    if answer.without and answer.with_:
        return say("report.whatif_swap", without=named(answer.without), with_=named(answer.with_))
    if answer.with_:
        return say("report.whatif_with", tags=named(answer.with_))
    return say("report.whatif_without", tags=named(answer.without))


def _interval(answer: WhatIf, outcome: OutcomeFacts) -> str:
    if answer.ci_low is None or answer.ci_high is None:
        return ""
    return outcome.scale.interval(answer.ci_low, answer.ci_high)


def _chart(
    answer: WhatIf,
    outcome: OutcomeFacts,
    names: Mapping[str, tuple[str, str]],
    before: float,
    after: float,
    description: str,
) -> RowChart:
    scale = outcome.scale
    rows = [_level(say("report.whatif_before"), before, scale.level(before))]
    at = before
    for step in answer.contributions:
        label = tag_name(*names.get(step.tag, (step.tag, step.tag)))
        tone: Tone = "raises" if step.delta > 0 else "lowers"
        text = f"{scale.bare(step.delta)} {scale.interval(step.ci_low, step.ci_high)}"
        bar = Span(at, at + step.delta, "bar", tone)
        rows.append(Row(label.name, label.other, tone, (bar,), (), (text,)))
        at += step.delta
    last = _level(say("report.whatif_after"), after, scale.level(after))
    ends = [before]
    if answer.ci_low is not None and answer.ci_high is not None:
        ends += [before + answer.ci_low, before + answer.ci_high]
        whisker = Span(ends[1], ends[2], "interval", "level")
        last = Row(last.name, "", "level", (whisker,), last.marks, last.texts)
    return RowChart(
        description=description,
        rows=(*rows, last),
        columns=("",),
        main_column=0,
        axis=say("report.axis_level", outcome=outcome.label),
        scale=scale,
        domain=domain_around([before, after, *ends], zero=False),
        zero=before,
        guides=(),
        legend=(),
        signed=False,
    )


def _level(name: str, value: float, text: str) -> Row:
    return Row(name, "", "level", (), (Mark(value, "circle", "level"),), (text,))


def _table(answer: WhatIf, outcome: OutcomeFacts, names: Mapping[str, tuple[str, str]]) -> Table:
    scale = outcome.scale
    steps = tuple(
        (
            tag_name(*names.get(step.tag, (step.tag, step.tag))).name,
            scale.bare(step.delta),
            scale.interval(step.ci_low, step.ci_high),
        )
        for step in answer.contributions
    )
    total = (
        say("report.whatif_total"),
        scale.bare(answer.delta or 0.0),
        _interval(answer, outcome),
    )
    return Table(
        caption=say("report.table_whatif"),
        columns=(
            Column(say("report.tag")),
            Column(say("report.contribution"), numeric=True),
            Column(say("report.ci"), numeric=True),
        ),
        rows=(*steps, total),
    )
