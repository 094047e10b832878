"""SVG from picture data: elements, scales, ticks, markers, and text that fits."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import escape

from tagcf.views.numbers import Scale, plain, signed
from tagcf.views.picture import Shape, Tone

FONT = 13.0
SMALL = 11.5


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from data to pixels; `end` may be smaller than `start` (upwards)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Pixel of a value; what lies outside stands at the edge."""
        inside = min(max(value, self.low), self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def element(name: str, *content: str, **attributes: object) -> str:
    """Write an element. ``class_`` gives ``class``, ``text_anchor`` gives ``text-anchor``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    body = "".join(content)
    return f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(escape(value))


def spans(parts: Iterable[tuple[str, str]], x: float, y: float, gap: float) -> str:
    """Write several texts (content, class) one after the other on a line."""
    shown = [(content, class_) for content, class_ in parts if content]
    body = "".join(
        element("tspan", str(escape(content)), class_=class_, dx=gap if at else None)
        for at, (content, class_) in enumerate(shown)
    )
    return element("text", body, x=x, y=y) if body else ""


def text(content: str, x: float, y: float, **attributes: object) -> str:
    """Write a line of text; its content is escaped."""
    return element("text", str(escape(content)), x=x, y=y, **attributes) if content else ""


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Write a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def marker(shape: Shape, x: float, y: float, tone: Tone, radius: float = 5.0) -> str:
    """Draw a marker. Shape and tone both carry the verdict, so that colour is never alone."""
    if shape in ("circle", "ring"):
        return element("circle", cx=x, cy=y, r=radius * 0.9, class_=f"m {shape} {tone}")
    outline = {
        "up": [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
        "down": [(0, 1.15), (1.1, -0.85), (-1.1, -0.85)],
        "diamond": [(0, -1.15), (1.0, 0), (0, 1.15), (-1.0, 0)],
    }
    if shape == "cross":
        r = radius * 0.75
        path = _path([(x - r, y - r), (x + r, y + r)]) + _path([(x - r, y + r), (x + r, y - r)])
        return element("path", d=path, class_=f"m cross {tone}")
    corners = [(x + dx * radius, y + dy * radius) for dx, dy in outline[shape]]
    return element("path", d=f"{_path(corners)}Z", class_=f"m {shape} {tone}")


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_value(x)} {_value(y)}" for x, y in points)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round values (1, 2, 2.5 or 5 times a power of ten) in a range."""
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(k * power for k in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if k * power >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def tick_label(value: float, step: float, scale: Scale, *, as_change: bool) -> str:
    """Write a tick with as many digits as the step needs."""
    size = step * scale.factor
    decimals = max(0, -math.floor(math.log10(size) + 1e-9))
    if abs(size * 10**decimals - round(size * 10**decimals)) > 1e-6:
        decimals += 1  # a step of 2.5
    written = value * scale.factor
    if not as_change:
        return plain(written, decimals) + ("%" if scale.points else "")
    return "0" if abs(written) < size / 2 else signed(written, decimals)


def text_width(content: str, size: float = FONT) -> float:
    """Estimate the width of a text in pixels, on the safe side for the wider system fonts."""
    ems = sum(
        1.0
        if unicodedata.east_asian_width(letter) in "WF"
        else 0.64
        if letter.isalnum() or letter in "+\N{MINUS SIGN}"
        else 0.4
        for letter in content
    )
    return ems * size


def fit_text(content: str, width: float, size: float = FONT) -> str:
    """Shorten a text with an ellipsis until it fits."""
    if text_width(content, size) <= width:
        return content
    kept = content
    while kept and text_width(f"{kept}…", size) > width:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"
