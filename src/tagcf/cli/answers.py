"""Tables of what was asked beside the effects: a title, a note, rows, and what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from tagcf.cli.effect_cells import (
    Bounds,
    Wording,
    change,
    interval,
    print_table,
    q_cell,
    verdict_cell,
)
from tagcf.cli.heterogeneity import Answer
from tagcf.effects.heterogeneity.answers import (
    BorrowedEffect,
    Mediation,
    PairEffect,
    ParentShrinkage,
    SiblingComparison,
    UserEffect,
)
from tagcf.text import say
from tagcf.views.numbers import Scale

Cells = Callable[[Any, Wording, Scale], list[str]]


def _pair(row: PairEffect, wording: Wording, scale: Scale) -> list[str]:
    return [
        *(wording.tag(row.first), wording.tag(row.second), row.outcome),
        *(change(scale, row.estimate), interval(scale, row.ci_low, row.ci_high)),
        *(q_cell(row.q), str(row.n_both), verdict_cell(row.verdict, row.reason)),
    ]


def _sibling(row: SiblingComparison, wording: Wording, _: Scale) -> list[str]:
    within = "—" if row.low is None or row.high is None else f"{row.low:.2f} … {row.high:.2f}"
    return [
        *(wording.tag(row.tag), "—" if row.parent is None else wording.tag(row.parent)),
        *(row.outcome, "—" if row.ratio is None else f"{row.ratio:.2f}×"),
        "—" if row.shape == "outside" else within,
        "" if row.reason is None else str(row.reason),
    ]


def _for_user(row: UserEffect, wording: Wording, scale: Scale) -> list[str]:
    return [
        *(wording.tag(row.tag), row.outcome, change(scale, row.average)),
        *(change(scale, row.estimate), interval(scale, row.ci_low, row.ci_high)),
    ]


def _mediated(row: Mediation, wording: Wording, scale: Scale) -> list[str]:
    return [
        *(wording.tag(row.tag), wording.tag(row.mediator), row.outcome),
        *(change(scale, row.total), change(scale, row.direct), change(scale, row.through)),
        interval(scale, row.through_low, row.through_high),
        "" if row.reason is None else verdict_cell("cannot tell", row.reason),
    ]


def _borrowed(row: BorrowedEffect, wording: Wording, scale: Scale) -> list[str]:
    return [
        *(wording.tag(row.tag), row.outcome, change(scale, row.value)),
        interval(scale, row.low, row.high),
        "—" if row.value is None else f"{100 * row.own_weight:.0f}%",
        *(str(row.n_items), str(row.n_lenders), "" if row.reason is None else str(row.reason)),
    ]


def _kin(row: ParentShrinkage, wording: Wording, scale: Scale) -> list[str]:
    return [
        *(wording.tag(row.tag), row.outcome, wording.tag(row.ancestor)),
        *(change(scale, row.estimate), change(scale, row.shrunk)),
        interval(scale, row.low, row.high),
    ]


# Columns that a person reads, and how a row fills them; --json has all.
TABLES: dict[str, tuple[tuple[str, ...], Cells]] = {
    "pairs": (
        ("first", "second", "outcome", "surplus", "interval", "q", "both", "verdict"),
        _pair,
    ),
    "siblings": (("tag", "parent", "outcome", "ratio", "interval", "note"), _sibling),
    "for_user": (("tag", "outcome", "average", "for_user", "interval"), _for_user),
    "mediation": (
        ("tag", "mediator", "outcome", "total", "direct", "through", "through_interval", "note"),
        _mediated,
    ),
    "borrowed": (
        ("tag", "outcome", "guess", "interval", "own", "items", "lenders", "note"),
        _borrowed,
    ),
    "kin": (("tag", "outcome", "ancestor", "estimate", "shrunk", "interval"), _kin),
}
NUMBERS = {
    *("surplus", "q", "both", "ratio", "average", "for_user", "total", "direct", "through"),
    *("guess", "own", "items", "lenders", "estimate", "shrunk"),
}
BOUNDS = {"borrowed": ("low", "high"), "kin": ("low", "high")}
BOUNDS["mediation"] = ("through_low", "through_high")
NOTES = {"borrowed": "effects.borrowed_note", "for_user": "effects.user_note"}
NOTES["mediation"] = "effects.mediation_assumption"


def print_answers(answers: Sequence[Answer], wording: Wording) -> None:
    """Print title, note and table of each, and what there is nothing to say on."""
    for at, answer in enumerate(answers):
        if at:
            click.echo()
        click.echo(say(f"effects.heading_{answer.key}"))
        if answer.key in NOTES and answer.rows:
            click.echo(say(NOTES[answer.key]))
        if answer.rows:
            columns, cells = TABLES[answer.key]
            scales = _scales(answer, wording)
            rows = [cells(row, wording, scales[row.outcome]) for row in answer.rows]
            print_table(columns, rows, NUMBERS)
        for sentence in sentences(answer, wording):
            click.echo(sentence)


def sentences(answer: Answer, wording: Wording) -> tuple[str, ...]:
    """What there is to say beside the rows: why they are missing, or tell nothing new."""
    if answer.key != "for_user":
        return answer.silent
    scales, same = _scales(answer, wording), dict[str, list[str]]()
    for outcome, scale in scales.items():
        own = [row for row in answer.rows if row.outcome == outcome]
        if any(row.reason is not None for row in own):
            why = str(next(row.reason for row in own if row.reason is not None))
        elif all(scale.bare(row.estimate) == scale.bare(row.average) for row in own):
            why = say("effects.silent_same_user")
        else:
            continue
        same.setdefault(why, []).append(outcome)
    said = [
        say("effects.silent_of", outcomes=", ".join(names), why=why) for why, names in same.items()
    ]
    return (*said, *answer.silent)


def _scales(answer: Answer, wording: Wording) -> dict[str, Scale]:
    low, high = BOUNDS.get(answer.key, ("ci_low", "ci_high"))
    bounds: dict[str, list[Bounds]] = {}
    for row in answer.rows:
        own = (None, None) if answer.key == "siblings" else (getattr(row, low), getattr(row, high))
        bounds.setdefault(row.outcome, []).append(own)
    return {outcome: wording.scale(outcome, own) for outcome, own in bounds.items()}
