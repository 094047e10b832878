"""The love plot: how far carriers of a tag and the rest differ, before and after adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tagcf.text import say
from tagcf.views.numbers import Scale, plain
from tagcf.views.picture import Key, Mark, Row, RowChart, Span

LIMIT = 0.1  # the customary line: a standardised difference above it is an imbalance
WIDEST = 3.0  # differences beyond are drawn at the edge


@dataclass(frozen=True, slots=True)
class Difference:
    """One row: absolute standardised differences before and after."""

    name: str
    other: str  # the name in the other language, if it has one
    before: float
    after: float


def love_plot(
    description: str,
    differences: Sequence[Difference],
    *,
    columns: tuple[str, str],
    legend: tuple[str, str],
) -> RowChart:
    """Draw differences as pairs over one axis; columns and legend name before and after."""
    ends = [end for one in differences for end in (one.before, one.after)]
    top = min(max([2 * LIMIT, *ends]), WIDEST)
    return RowChart(
        description=description,
        rows=tuple(_row(one) for one in differences),
        columns=columns,
        main_column=1,
        axis=say("report.axis_balance"),
        scale=Scale(points=False, decimals=1 if top > 0.5 else 2),
        domain=(0.0, 1.06 * top),
        zero=0.0,
        guides=(LIMIT,),
        legend=(Key("diamond", "naive", legend[0]), Key("circle", "adjusted", legend[1])),
        signed=False,
    )


def _row(one: Difference) -> Row:
    return Row(
        name=one.name,
        other=one.other,
        tone="adjusted",
        spans=(Span(one.after, one.before, "gap", "naive"),),
        marks=(Mark(one.before, "diamond", "naive"), Mark(one.after, "circle", "adjusted")),
        texts=(plain(one.before, 2), plain(one.after, 2)),
    )
