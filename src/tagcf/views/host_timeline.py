"""The timeline of a show: viewers, excitement, highlights, losses, segments and products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from tagcf.live.hosts.answers import SegmentReport, Show
from tagcf.live.hosts.products import Product
from tagcf.text import say
from tagcf.types import Floats, Tag
from tagcf.views.host_words import clock, tag_names
from tagcf.views.numbers import plain
from tagcf.views.picture import Tone
from tagcf.views.svg import (
    SMALL,
    Axis,
    element,
    fit_text,
    line,
    marker,
    text,
    text_width,
    ticks,
)

HEAD, GAP, BAND, FOOT = 22.0, 30.0, 22.0, 26.0
SIDE = 40.0  # width of the scale of viewers
TONES: dict[str, Tone] = {
    "held": "raises",
    "converted": "raises",
    "lost": "lowers",
    "sold less": "lowers",
    "usual": "unclear",
    "cannot tell": "unknown",
}
_STEPS = (300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600)


@dataclass(frozen=True, slots=True)
class Size:
    """How a timeline is drawn."""

    name: str
    width: float
    viewers: float  # heights
    acts: float
    marks: int  # of time, at most


WIDE = Size("wide", 960.0, 170.0, 64.0, 9)
NARROW = Size("narrow", 350.0, 130.0, 54.0, 4)


def tone_of(report: SegmentReport) -> Tone:
    """Colour of a segment: a loss before a gain, as what asks for attention."""
    for verdict in ("lost", "held", "converted", "sold less", "usual"):
        if verdict in report.verdicts:
            return TONES[verdict]
    return "unknown"


def draw_timeline(
    show: Show,
    segments: Mapping[str, SegmentReport],
    tags: Mapping[str, Tag],
    products: Mapping[str, Product],
    size: Size,
) -> Markup:
    """Draw one show as an ``<svg>`` element."""
    mine = [segments[one] for one in show.segments if one in segments]
    x = Axis(show.start, max(show.end, show.start + 1), SIDE, size.width - 6)
    top, bottom = HEAD, HEAD + size.viewers
    low = bottom + GAP
    base = low + size.acts
    bands = base + 12
    parts = _segments_behind(mine, x, top, base)
    parts += _marked(mine, x, top, base)
    parts += _curve(show, show.viewers, x, top, bottom, "viewers", size)
    parts += _curve(show, show.acts, x, low, base, "acts", size)
    parts += _losses(mine, x, top)
    parts += _bands(mine, x, bands, tags, products)
    foot = bands + 2 * BAND + 16
    parts += _clock(show, x, foot, size)
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {size.width:g} {foot + 8:g}",
        class_=f"chart timeline {size.name}",
        role="img",
        aria_label=say(
            "live_hosts.timeline_aria",
            room=show.room_id,
            start=clock(show.start),
            end=clock(show.end),
            most=plain(float(show.viewers.max(initial=0.0)), 0),
            n=len(mine),
        ),
    )
    return Markup(body)  # noqa: S704 - every text inside was escaped by `svg.text` or `element`


def _segments_behind(mine: list[SegmentReport], x: Axis, top: float, base: float) -> list[str]:
    """Thin lines where segments begin."""
    return [line(x.at(one.start), top, x.at(one.start), base, "grid") for one in mine[1:]]


def _marked(mine: list[SegmentReport], x: Axis, top: float, base: float) -> list[str]:
    """Highlights, shaded."""
    return [
        element(
            "rect",
            x=x.at(one.start) - 1,
            y=top,
            width=max(x.at(one.end) - x.at(one.start) + 2, 3.0),
            height=base - top,
            class_="highlight",
        )
        for report in mine
        for one in report.highlights
    ]


def _curve(
    show: Show, values: Floats, x: Axis, top: float, bottom: float, kind: str, size: Size
) -> list[str]:
    """Draw an area over time with a scale of its own and its name above."""
    most = float(values.max(initial=0.0)) or 1.0
    y = Axis(0.0, most * 1.05, bottom, top)
    points = [
        f"{x.at(show.start + (k + 0.5) * show.step):.1f} {y.at(value):.1f}"
        for k, value in enumerate(values.tolist())
    ]
    left, right = x.start, x.at(show.start + (len(points) - 0.5) * show.step)
    outline = "L".join(points)
    parts = [text(say(f"live_hosts.curve_{kind}"), 0, top - 8, class_="axis-title")]
    for value in ticks(0.0, most, 3 if kind == "viewers" else 2):
        label = plain(value, 0 if value == int(value) else 1)
        parts.append(text(label, SIDE - 6, y.at(value) + 4, class_="tick", text_anchor="end"))
        parts.append(line(SIDE, y.at(value), size.width - 6, y.at(value), "grid"))
    parts.append(
        element(
            "path",
            d=f"M{left:.1f} {bottom:.1f}L{outline}L{right:.1f} {bottom:.1f}Z",
            class_=f"area {kind}",
        )
    )
    parts.append(element("path", d=f"M{outline}", class_=f"line {kind}"))
    return parts


def _losses(mine: list[SegmentReport], x: Axis, top: float) -> list[str]:
    """Mark half minutes in which many left."""
    places = [(one.start + one.end) / 2 for report in mine for one in report.dropoffs]
    return [marker("down", x.at(at), top + 4, "lowers", 5.0) for at in places]


def _bands(
    mine: list[SegmentReport],
    x: Axis,
    top: float,
    tags: Mapping[str, Tag],
    products: Mapping[str, Product],
) -> list[str]:
    """Segments, coloured by verdict, with what they were about and sold where it fits."""
    parts: list[str] = []
    for one in mine:
        left, wide = x.at(one.start), max(x.at(one.end) - x.at(one.start) - 1.5, 1.0)
        tone = tone_of(one)
        for at in (0, 1):
            if at == 1 and one.product_id is None:
                continue
            y = top + at * (BAND + 2)
            kind = f"band {tone}" if at == 0 else "band goods"
            parts.append(element("rect", x=left, y=y, width=wide, height=BAND, rx=3.0, class_=kind))
            product = products.get(one.product_id or "")
            title = product.title if product is not None else one.product_id or ""
            written = tag_names(one.tags[:1], tags) if at == 0 else title
            shown = fit_text(written, wide - 8, SMALL)
            if len(shown) > 2 or shown == written:
                fits = text_width(shown, SMALL) <= wide - 4
                if shown and fits:
                    parts.append(text(shown, left + 5, y + 15, class_="band-name"))
    return parts


def _clock(show: Show, x: Axis, y: float, size: Size) -> list[str]:
    """Write the time of day below."""
    span = show.end - show.start
    step = next((one for one in _STEPS if span / one <= size.marks), _STEPS[-1])
    first = int(-(-show.start // step) * step)
    parts = []
    for at in range(first, int(show.end) + 1, step):
        if x.start + 8 <= x.at(at) <= x.end - 8:
            label = clock(at, date=False)
            parts.append(text(label, x.at(at), y, class_="tick", text_anchor="middle"))
    return parts
