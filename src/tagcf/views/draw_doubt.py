"""Draw the pictures of doubt: `Bars` and `Curve`."""

from __future__ import annotations

from markupsafe import Markup

from tagcf.views.doubt_picture import Bars, Curve
from tagcf.views.svg import (
    SMALL,
    Axis,
    element,
    fit_text,
    line,
    text,
    text_width,
    tick_label,
    ticks,
)

BARS_HIGH = 232.0
PHONE = 320.0  # drawn for phones, where no text may shrink
WIDE_FROM = 600.0
SIDE, HEAD, FOOT = 14.0, 46.0, 44.0
CURVE_HIGH = 210.0
CHOICE = 18.0  # height of a choice's line
KIND_GAP = 9.0
NAMES = 216.0  # width of the choices' names


def draw_bars(bars: Bars, width: float) -> Markup:
    """Draw two histograms face to face, or one with a mark, as an ``<svg>`` element."""
    axis = Axis(*bars.domain, SIDE, width - SIDE)
    top, bottom = HEAD, BARS_HIGH - FOOT
    base = (top + bottom) / 2 if bars.below else bottom
    parts = [text(fit_text(bars.title, width, SMALL), 0, 14, class_="head title")]
    if bars.inside is not None:
        for low, high in ((bars.domain[0], bars.inside[0]), (bars.inside[1], bars.domain[1])):
            if high > low:
                x, wide = axis.at(low), axis.at(high) - axis.at(low)
                shade = element("rect", x=x, y=top, width=wide, height=bottom - top, class_="off")
                parts.append(shade)
    tallest = max([1e-12, *bars.above, *bars.below])
    parts += _heights(bars.above, bars.domain, axis, base, (base - top) / tallest, "above")
    parts += _heights(bars.below, bars.domain, axis, base, (base - bottom) / tallest, "below")
    parts.append(line(SIDE, base, width - SIDE, base, "zero"))
    found = ticks(*bars.domain, 6)
    step = found[1] - found[0] if len(found) > 1 else 1.0
    for value in found:
        label = _plain(value, step)
        parts.append(text(label, axis.at(value), bottom + 17, class_="tick", text_anchor="middle"))
    parts.append(
        text(
            fit_text(bars.axis, width, SMALL),
            width / 2,
            bottom + 37,
            class_="axis-title",
            text_anchor="middle",
        )
    )
    if bars.mark is not None:
        parts += _mark(*bars.mark, axis, bottom, width)
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {BARS_HIGH:g}",
        class_=f"chart bars {'narrow' if width <= PHONE else 'wide'}",
        role="img",
        aria_label=bars.description,
    )
    return Markup(body)  # noqa: S704 - every text inside was escaped by `svg.text` or `element`


def _heights(
    values: tuple[float, ...],
    domain: tuple[float, float],
    axis: Axis,
    base: float,
    unit: float,
    kind: str,
) -> list[str]:
    """Write bars from the base line, upwards or (with a negative unit) downwards."""
    width = (domain[1] - domain[0]) / max(len(values), 1)
    found = []
    for at, value in enumerate(values):
        if value <= 0:
            continue
        left, right = axis.at(domain[0] + at * width), axis.at(domain[0] + (at + 1) * width)
        high = abs(unit) * value
        y = base - high if unit > 0 else base
        found.append(
            element("rect", x=left + 0.5, y=y, width=right - left - 1, height=high, class_=kind)
        )
    return found


def _mark(at: float, name: str, axis: Axis, bottom: float, width: float) -> list[str]:
    x = axis.at(at)
    room = text_width(name, SMALL) / 2
    centre = min(max(x, room), width - room)
    return [
        line(x, HEAD - 8, x, bottom, "marked"),
        text(name, centre, HEAD - 13, class_="marked-name", text_anchor="middle"),
    ]


def _plain(value: float, step: float) -> str:
    decimals = next(places for places in range(4) if abs(step - round(step, places)) < 1e-9)
    written = f"{abs(value):.{decimals}f}"
    return f"\N{MINUS SIGN}{written}" if value < -step / 2 else written


def draw_curve(curve: Curve, width: float) -> Markup:
    """Draw a specification curve; narrow ones leave out what was chosen (the table has it)."""
    wide = width > WIDE_FROM
    left = NAMES if wide else 40.0
    lines = sum(1 + len(kind.names) for kind in curve.choices)
    below = lines * CHOICE + len(curve.choices) * KIND_GAP if wide else 0.0
    height = CURVE_HIGH + below + 12
    y = Axis(*curve.domain, CURVE_HIGH, 26.0)
    gap = (width - left - 8.0) / max(len(curve.points), 1)
    parts = [_levels(curve, y, left, width)]
    for tone, clear in (("unclear", False), ("adjusted", True)):
        some = [
            (left + (at + 0.5) * gap, point)
            for at, point in enumerate(curve.points)
            if point.clear == clear
        ]
        spans = "".join(f"M{x:.1f} {y.at(one.low):.1f}V{y.at(one.high):.1f}" for x, one in some)
        dots = "".join(f"M{x:.1f} {y.at(one.at):.1f}h0" for x, one in some)
        size = max(min(gap * 0.64, 6.4), 2.8)
        parts.append(element("path", d=spans, class_=f"interval thin {tone}"))
        parts.append(element("path", d=dots, class_=f"dots {tone}", stroke_width=size))
    if wide:
        parts += _chosen(curve, left, gap)
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        class_=f"chart curve {'wide' if wide else 'narrow'}",
        role="img",
        aria_label=curve.description,
    )
    return Markup(body)  # noqa: S704 - every text inside was escaped by `svg.text` or `element`


def _levels(curve: Curve, y: Axis, left: float, width: float) -> str:
    """Ticks with their lines, and where zero is if it is out of view."""
    found = ticks(*curve.domain, 5)
    step = found[1] - found[0] if len(found) > 1 else 1.0
    parts = []
    for value in found:
        kind = "zero" if abs(value) < step / 2 else "grid"
        parts.append(line(left, y.at(value), width, y.at(value), kind))
        label = tick_label(value, step, curve.scale, as_change=True)
        parts.append(text(label, left - 8, y.at(value) + 4, class_="tick", text_anchor="end"))
    parts.append(line(left, y.at(curve.main), width, y.at(curve.main), "guide"))
    title = fit_text(curve.axis, width * 0.55, SMALL)
    parts.append(text(title, 0, 12, class_="axis-title"))
    if curve.zero:
        below = curve.domain[0] > 0
        place = CURVE_HIGH + 8 if below else 12.0
        parts.append(text(curve.zero, width, place, class_="zero-side", text_anchor="end"))
    return "".join(parts)


def _chosen(curve: Curve, left: float, gap: float) -> list[str]:
    """Write one line per choice, with a tick for every specification that made it."""
    parts, y = [], CURVE_HIGH + 14.0
    marked = {True: "", False: ""}
    for kind, choice in enumerate(curve.choices):
        y += KIND_GAP
        parts.append(line(0, y - 4, left + gap * len(curve.points), y - 4, "rule"))
        parts.append(text(choice.name, 0, y + 11, class_="kind"))
        y += CHOICE
        for position, name in enumerate(choice.names):
            label = fit_text(name, NAMES - 28, SMALL)
            parts.append(text(label, 14, y + 10, class_="tick"))
            for at, point in enumerate(curve.points):
                if point.choices[kind] == position:
                    marked[point.clear] += f"M{left + (at + 0.5) * gap:.1f} {y + 1.5:.1f}v10"
            y += CHOICE
    width = max(min(gap * 0.7, 5.0), 1.5)
    for clear, tone in ((True, "adjusted"), (False, "unclear")):
        parts.append(element("path", d=marked[clear], class_=f"picks {tone}", stroke_width=width))
    return parts
