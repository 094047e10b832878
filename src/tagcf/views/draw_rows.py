"""Draw a `RowChart`: forest plot, dumbbells, love plot, waterfall."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tagcf.views.picture import Row, RowChart, Span
from tagcf.views.svg import (
    FONT,
    SMALL,
    Axis,
    element,
    fit_text,
    line,
    marker,
    text,
    text_width,
    tick_label,
    ticks,
)

HEAD = 26.0  # column heads
FOOT = 44.0  # ticks and axis title
GAP = 20.0  # between columns


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
    top: float
    height: float

    def centre(self, index: int) -> float:
        """Vertical middle of a row's marks."""
        y = self.top + index * self.layout.row
        return y + (self.layout.row - 14.0 if self.layout.stacked else self.layout.row / 2)


def draw_rows(chart: RowChart, layout: Layout) -> Markup:
    """Draw the chart in a layout, as an ``<svg>`` element."""
    frame = _frame(chart, layout)
    parts = [_grid(chart, frame), _heads(chart, frame)]
    parts += [_row(row, index, chart, frame) for index, row in enumerate(chart.rows)]
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {layout.width:g} {frame.height:g}",
        class_=f"chart {layout.name}",
        role="img",
        aria_label=chart.description,
    )
    return Markup(body)  # noqa: S704 - every text inside was escaped by `svg.text` or `element`


def _frame(chart: RowChart, layout: Layout) -> _Frame:
    height = HEAD + layout.row * len(chart.rows) + FOOT
    low, high = chart.domain
    if layout.stacked:
        axis = Axis(low, high, 8.0, layout.width - 8.0)
        return _Frame(layout, layout.width, (), axis, HEAD, height)
    widths = [
        max([text_width(head, SMALL), *(text_width(row.texts[k]) for row in chart.rows if row.texts)])
        if not _headings_only(chart)
        else 0.0
        for k, head in enumerate(chart.columns)
    ]
    names = min(max(_name_width(row) for row in chart.rows), 250.0)
    rights, right = [], layout.width
    for width in reversed(widths):
        rights.append(right)
        right -= width + GAP
    axis = Axis(low, high, names + GAP, right - 4.0)
    return _Frame(layout, names, tuple(reversed(rights)), axis, HEAD, height)


def _headings_only(chart: RowChart) -> bool:
    return all(row.heading for row in chart.rows)


def _name_width(row: Row) -> float:
    other = text_width(row.other, SMALL) + 8 if row.other else 0.0
    return text_width(row.name) + other


def _grid(chart: RowChart, frame: _Frame) -> str:
    axis, bottom = frame.axis, frame.height - FOOT
    found = ticks(axis.low, axis.high, frame.layout.most_ticks)
    step = found[1] - found[0] if len(found) > 1 else abs(found[0]) if found else 1.0
    parts = []
    for value in found:
        x = axis.at(value)
        parts.append(line(x, frame.top, x, bottom, "grid"))
        label = tick_label(value, step or 1.0, chart.scale, as_change=chart.signed)
        parts.append(text(label, x, bottom + 16, class_="tick", text_anchor="middle"))
    if chart.zero is not None:
        x = axis.at(chart.zero)
        parts.append(line(x, frame.top, x, bottom, "zero"))
    for guide in chart.guides:
        x = axis.at(guide)
        parts.append(line(x, frame.top - 4, x, bottom, "guide"))
    middle = (axis.start + axis.end) / 2
    title = fit_text(chart.axis, frame.layout.width - 8, SMALL)
    parts.append(text(title, middle, bottom + 36, class_="axis-title", text_anchor="middle"))
    return "".join(parts)


def _heads(chart: RowChart, frame: _Frame) -> str:
    if frame.layout.stacked:
        head = chart.columns[chart.main_column]
        return text(head, frame.layout.width, 14, class_="head", text_anchor="end")
    return "".join(
        text(head, right, 14, class_="head", text_anchor="end")
        for head, right in zip(chart.columns, frame.columns, strict=True)
    )


def _row(row: Row, index: int, chart: RowChart, frame: _Frame) -> str:
    y = frame.centre(index)
    top = frame.top + index * frame.layout.row
    parts = [line(0, top, frame.layout.width, top, "rule")]
    parts.append(_label(row, chart, frame, top, y))
    parts += [_span(span, frame.axis, y) for span in row.spans]
    parts += [marker(mark.shape, frame.axis.at(mark.at), y, mark.tone) for mark in row.marks]
    return element("g", *parts, class_=f"row {row.tone}")


def _label(row: Row, chart: RowChart, frame: _Frame, top: float, y: float) -> str:
    stacked = frame.layout.stacked
    baseline = top + 17 if stacked else y + 4.5
    number = row.texts[chart.main_column] if row.texts else ""
    room = frame.names - (text_width(number) + 12 if stacked else 0)
    name = fit_text(row.name, room)
    parts = [text(name, 0, baseline, class_="name strong" if row.heading else "name")]
    used = text_width(name) + 8
    if row.other and used + text_width(row.other, SMALL) <= room + 2:
        parts.append(text(row.other, used, baseline, class_="other"))
    if stacked:
        width = frame.layout.width
        parts.append(text(number, width, baseline, class_="number", text_anchor="end"))
    else:
        parts += [
            text(written, right, baseline, class_="number", text_anchor="end")
            for written, right in zip(row.texts, frame.columns, strict=False)
        ]
    return "".join(parts)


def _span(span: Span, axis: Axis, y: float) -> str:
    low, high = sorted((span.low, span.high))
    x1, x2 = axis.at(low), axis.at(high)
    if span.stroke == "bar":
        return element(
            "rect", x=x1, y=y - 7, width=max(x2 - x1, 1.5), height=14.0, class_=f"bar {span.tone}"
        )
    drawn = line(x1, y, x2, y, f"{span.stroke} {span.tone}")
    if span.stroke != "interval":
        return drawn
    if low < axis.low:
        drawn += element("path", d=f"M{x1 + 6:.1f} {y - 4:.1f}L{x1:.1f} {y:.1f}L{x1 + 6:.1f} "
                         f"{y + 4:.1f}", class_=f"arrow {span.tone}")
    if high > axis.high:
        drawn += element("path", d=f"M{x2 - 6:.1f} {y - 4:.1f}L{x2:.1f} {y:.1f}L{x2 - 6:.1f} "
                         f"{y + 4:.1f}", class_=f"arrow {span.tone}")
    return drawn


__all__ = ["FONT", "NARROW", "WIDE", "Layout", "draw_rows"]
