"""Draw a `PlaneChart`: points over two axes of one scale, with the diagonal of agreement."""

from __future__ import annotations

from markupsafe import Markup

from tagcf.views.picture import PlaneChart, Point
from tagcf.views.svg import Axis, element, line, marker, text, tick_label, ticks

SIDE = 360.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 26.0, 46.0
MOST_TICKS = 5


def draw_plane(chart: PlaneChart) -> Markup:
    """Draw the chart as an ``<svg>`` element."""
    low, high = chart.domain
    x = Axis(low, high, LEFT, SIDE - RIGHT)
    y = Axis(low, high, SIDE - BOTTOM, TOP)
    parts = [_grid(chart, x, y)]
    parts.append(line(x.at(low), y.at(low), x.at(high), y.at(high), "diagonal"))
    parts += [_interval(point, x, y) for point in chart.points]
    parts += [_point(point, x, y) for point in chart.points]
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {SIDE:g} {SIDE:g}",
        class_="chart plane",
        role="img",
        aria_label=f"{chart.y_axis}: {chart.description}",
    )
    return Markup(body)  # noqa: S704 - every text inside was escaped by `svg.text` or `element`


def _grid(chart: PlaneChart, x: Axis, y: Axis) -> str:
    found = ticks(x.low, x.high, MOST_TICKS)
    step = found[1] - found[0] if len(found) > 1 else 1.0
    parts = []
    for value in found:
        kind = "zero" if abs(value) < step / 2 else "grid"
        label = tick_label(value, step, chart.scale, as_change=True)
        parts.append(line(x.at(value), TOP, x.at(value), SIDE - BOTTOM, kind))
        parts.append(line(LEFT, y.at(value), SIDE - RIGHT, y.at(value), kind))
        parts.append(
            text(label, x.at(value), SIDE - BOTTOM + 17, class_="tick", text_anchor="middle")
        )
        parts.append(text(label, LEFT - 7, y.at(value) + 4, class_="tick", text_anchor="end"))
    middle = (LEFT + SIDE - RIGHT) / 2
    parts.append(text(chart.x_axis, middle, SIDE - 8, class_="axis-title", text_anchor="middle"))
    parts.append(text(chart.y_axis, LEFT, 14, class_="head"))
    return "".join(parts)


def _interval(point: Point, x: Axis, y: Axis) -> str:
    if point.low is None or point.high is None:
        return ""
    at = x.at(point.x)
    return line(at, y.at(point.low), at, y.at(point.high), f"interval thin {point.tone}")


def _point(point: Point, x: Axis, y: Axis) -> str:
    drawn = marker(point.shape, x.at(point.x), y.at(point.y), point.tone, radius=4.0)
    return element("g", drawn, element("title", str(Markup.escape(point.name))))
