"""Picture data: what a chart shows, before anybody draws it, and its twin as a table.

Two charts are enough for the report. A `RowChart` gives every row a name, marks on one shared
axis and numbers beside it (forest plot, dumbbells, love plot, waterfall); a `PlaneChart` sets
points against two axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tagcf.views.numbers import Scale

Tone = Literal["raises", "lowers", "unclear", "unknown", "naive", "adjusted", "level"]
Shape = Literal["up", "down", "circle", "ring", "cross", "diamond"]
Stroke = Literal["interval", "promise", "gap", "bar"]

REACH = 0.35  # how far beyond the estimates intervals are shown, as a share of the range


@dataclass(frozen=True, slots=True)
class Span:
    """A line or bar from `low` to `high`, on the axis of the chart."""

    low: float
    high: float
    stroke: Stroke
    tone: Tone


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a row."""

    at: float
    shape: Shape
    tone: Tone


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a `RowChart`: a name, its marks, and texts beside it (one per column)."""

    name: str
    other: str  # the name in the other language, or a detail; may be empty
    tone: Tone
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    texts: tuple[str, ...]
    heading: bool = False  # a row that only names the group below it


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend: a marker, or the stroke of a line."""

    shape: Shape | None
    tone: Tone
    text: str
    stroke: Stroke | None = None


@dataclass(frozen=True, slots=True)
class RowChart:
    """Rows over one axis. `description` is what a screen reader is told."""

    description: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]  # heads of Row.texts
    main_column: int  # the one that a phone keeps
    axis: str
    scale: Scale
    domain: tuple[float, float]
    zero: float | None  # where the solid reference line stands
    guides: tuple[float, ...]  # dashed reference lines
    legend: tuple[Key, ...]
    signed: bool = True  # ticks are changes (+1.0), not levels


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a `PlaneChart`; the interval is along the vertical axis."""

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    shape: Shape
    tone: Tone


@dataclass(frozen=True, slots=True)
class PlaneChart:
    """Points over two axes of the same scale, with the diagonal where both agree."""

    description: str
    points: tuple[Point, ...]
    x_axis: str
    y_axis: str
    scale: Scale
    domain: tuple[float, float]
    legend: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a table column."""

    text: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a chart. The first cell of a row is its name; `tones` colours rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    tones: tuple[Tone, ...] = ()


def domain_around(
    must: Iterable[float], may: Iterable[float] = (), *, zero: bool = True
) -> tuple[float, float]:
    """Choose the span of an axis.

    Parameters
    ----------
    must
        Values that have to be visible: estimates.
    may
        Ends of intervals. They fit unless they reach far beyond the estimates: a few very wide
        ones are cut off and drawn with an arrow head, so that one hopeless tag does not flatten
        all others.
    zero
        Whether zero has to be visible.
    """
    values = [value for value in must if math.isfinite(value)] + ([0.0] if zero else [])
    if not values:
        return (0.0, 1.0)
    low, high = min(values), max(values)
    ends = sorted(value for value in may if math.isfinite(value))
    if ends:
        tenth = len(ends) // 10
        room = REACH * max(high - low, ends[-1 - tenth] - ends[tenth])
        low = min(low, max(ends[0], low - room))
        high = max(high, min(ends[-1], high + room))
    pad = 0.05 * (high - low) or abs(high) or 1.0
    return (low - pad, high + pad)
