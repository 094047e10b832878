"""Draw a `RowChart`: forest plot, dumbbells, love plot, waterfall."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tagcf.views.picture import Row, RowChart, Span
from tagcf.views.svg import (
    SMALL,
    Axis,
    element,
    fit_text,
    line,
    marker,
    spans,
    text,
    text_width,
    tick_label,
    ticks,
)

HEAD = 26.0  # column heads
FOOT = 44.0  # ticks and axis title
GAP = 20.0  # between columns
HEADING = 28.0  # height of a row that only names a group
NAME_GAP = 8.0  # between the two names of a tag
WIDEST_NAME = 270.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide a chart is, and whether names stand above their row instead of beside it."""

    name: str
    width: float
    row: float
    stacked: bool
    most_ticks: int


WIDE = Layout("wide", 960.0, 28.0, stacked=False, most_ticks=8)
NARROW = Layout("narrow", 350.0, 46.0, stacked=True, most_ticks=5)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand, in pixels."""

    layout: Layout
    names: float  # width of the names
    columns: tuple[float, ...]  # right edges of the columns
    axis: Axis
    tops: tuple[float, ...]  # top of each row, and the bottom of the last

    def centre(self, at: int) -> float:
        """Vertical middle of a row's marks: stacked rows have them below the name."""
        if self.layout.stacked:
            return self.tops[at] + 32.0
        return (self.tops[at] + self.tops[at + 1]) / 2


def draw_rows(chart: RowChart, layout: Layout) -> Markup:
    """Draw the chart in a layout, as an ``<svg>`` element."""
    frame = _frame(chart, layout)
    parts = [_axis(chart, frame), _heads(chart, frame)]
    parts += [_row(row, at, chart, frame) for at, row in enumerate(chart.rows)]
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {layout.width:g} {frame.tops[-1] + FOOT:g}",
        class_=f"chart {layout.name}",
        role="img",
        aria_label=chart.description,
    )
    return Markup(body)  # noqa: S704 - every text inside was escaped by `text`, `spans`, `element`


def _frame(chart: RowChart, layout: Layout) -> _Frame:
    tops = [HEAD]
    for row in chart.rows:
        tops.append(tops[-1] + (HEADING if row.heading else layout.row))
    low, high = chart.domain
    if layout.stacked:
        return _Frame(
            layout, layout.width, (), Axis(low, high, 8.0, layout.width - 8.0), tuple(tops)
        )
    rights, right = [], layout.width
    for column, head in reversed(list(enumerate(chart.columns))):
        rights.append(right)
        texts = [row.texts[column] for row in chart.rows if row.texts]
        right -= max([text_width(head, SMALL), *map(text_width, texts)]) + GAP
    names = min(max(map(_name_width, chart.rows)), WIDEST_NAME)
    axis = Axis(low, high, names + GAP, right - 4.0)
    return _Frame(layout, names, tuple(reversed(rights)), axis, tuple(tops))


def _name_width(row: Row) -> float:
    other = text_width(row.other, SMALL) + NAME_GAP if row.other else 0.0
    return text_width(row.name) + other


def _ticks(chart: RowChart, frame: _Frame) -> tuple[list[float], float]:
    """Ticks and their step."""
    found = ticks(frame.axis.low, frame.axis.high, frame.layout.most_ticks)
    return found, found[1] - found[0] if len(found) > 1 else 1.0


def _axis(chart: RowChart, frame: _Frame) -> str:
    axis, bottom = frame.axis, frame.tops[-1]
    found, step = _ticks(chart, frame)
    parts = [] if frame.layout.stacked else [_grid(chart, frame, frame.tops[0], bottom)]
    for value in found:
        label = tick_label(value, step, chart.scale, as_change=chart.signed)
        parts.append(text(label, axis.at(value), bottom + 16, class_="tick", text_anchor="middle"))
    middle = (axis.start + axis.end) / 2
    title = fit_text(chart.axis, frame.layout.width - 8, SMALL)
    parts.append(text(title, middle, bottom + 36, class_="axis-title", text_anchor="middle"))
    return "".join(parts)


def _grid(chart: RowChart, frame: _Frame, top: float, bottom: float) -> str:
    """Vertical lines between two heights; a stacked row has the reference lines only."""
    at = frame.axis.at
    found = [] if frame.layout.stacked else _ticks(chart, frame)[0]
    parts = [line(at(value), top, at(value), bottom, "grid") for value in found]
    if chart.zero is not None:
        parts.append(line(at(chart.zero), top, at(chart.zero), bottom, "zero"))
    parts += [line(at(guide), top, at(guide), bottom, "guide") for guide in chart.guides]
    return "".join(parts)


def _heads(chart: RowChart, frame: _Frame) -> str:
    if frame.layout.stacked:
        head = chart.columns[chart.main_column]
        return text(head, frame.layout.width, 14, class_="head", text_anchor="end")
    return "".join(
        text(head, right, 14, class_="head", text_anchor="end")
        for head, right in zip(chart.columns, frame.columns, strict=True)
    )


def _row(row: Row, at: int, chart: RowChart, frame: _Frame) -> str:
    y, top = frame.centre(at), frame.tops[at]
    parts = [line(0, top, frame.layout.width, top, "rule"), _label(row, chart, frame, top, y)]
    if frame.layout.stacked and not row.heading:
        parts.append(_grid(chart, frame, y - 9, y + 9))
    parts += [_span(span, frame.axis, y) for span in row.spans]
    parts += [marker(mark.shape, frame.axis.at(mark.at), y, mark.tone) for mark in row.marks]
    return element("g", *parts, class_=f"row {row.tone}")


def _label(row: Row, chart: RowChart, frame: _Frame, top: float, y: float) -> str:
    stacked = frame.layout.stacked
    baseline = top + 17 if stacked else y + 4.5
    number = row.texts[chart.main_column] if row.texts else ""
    room = frame.names - (text_width(number) + 10 if stacked and number else 0)
    name = fit_text(row.name, room)
    fits = text_width(name) + NAME_GAP + text_width(row.other, SMALL) <= room
    kind = "name strong" if row.heading else "name"
    label = spans([(name, kind), (row.other if fits else "", "other")], 0, baseline, NAME_GAP)
    if stacked:
        numbers = [(number, frame.layout.width)]
    else:
        numbers = list(zip(row.texts, frame.columns, strict=False))
    return label + "".join(
        text(written, right, baseline, class_="number", text_anchor="end")
        for written, right in numbers
    )


def _span(span: Span, axis: Axis, y: float) -> str:
    low, high = sorted((span.low, span.high))
    x1, x2 = axis.at(low), axis.at(high)
    if span.stroke == "bar":
        width = max(x2 - x1, 1.5)
        return element("rect", x=x1, y=y - 7, width=width, height=14.0, class_=f"bar {span.tone}")
    drawn = line(x1, y, x2, y, f"{span.stroke} {span.tone}")
    if span.stroke == "interval" and low < axis.low:
        drawn += _arrow(x1, y, 6.0, span)
    if span.stroke == "interval" and high > axis.high:
        drawn += _arrow(x2, y, -6.0, span)
    return drawn


def _arrow(x: float, y: float, back: float, span: Span) -> str:
    """Arrow head where an interval goes on beyond the axis."""
    path = f"M{x + back:.1f} {y - 4:.1f}L{x:.1f} {y:.1f}L{x + back:.1f} {y + 4:.1f}"
    return element("path", d=path, class_=f"arrow {span.tone}")
