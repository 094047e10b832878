"""Small interval marks for a table: against own past above, against peers below."""

from __future__ import annotations

import math

from markupsafe import Markup

from tagcf.live.hosts.answers import Comparison, Figure
from tagcf.live.hosts.verdicts import better
from tagcf.views.host_words import comparison_text, measure_name
from tagcf.views.picture import Shape, Tone
from tagcf.views.svg import element, line, marker

WIDTH, HEIGHT = 104.0, 26.0
REACH = math.log(4.0)  # to four times the usual, and a quarter


def draw_marks(figure: Figure | None) -> Markup:
    """Draw both comparisons of a figure on a log axis around 1."""
    if figure is None:
        return Markup("")
    middle = _at(0.0)
    edges = [_at(log) for log in (-REACH, -REACH / 2, REACH / 2, REACH)]
    parts = [line(x, 4, x, HEIGHT - 4, "tick-mark") for x in edges]
    parts.append(line(middle, 2, middle, HEIGHT - 2, "zero"))
    for y, one, shape in ((8.0, figure.own, "circle"), (18.0, figure.peers, "diamond")):
        parts.append(_mark(figure, one, y, shape == "circle"))
    told = f"{measure_name(figure.measure)}: {comparison_text(figure.own)}; "
    label = told + comparison_text(figure.peers)
    body = element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="marks",
        role="img",
        aria_label=label,
    )
    return Markup(body)  # noqa: S704 - `element` escapes attributes, and there is no text


def tone_of_comparison(figure: Figure, one: Comparison) -> Tone:
    """Colour: good, bad, usual, or not known."""
    tones: dict[int, Tone] = {1: "raises", -1: "lowers"}
    return tones.get(better(figure, one), "unclear" if one.side == "usual" else "unknown")


def _mark(figure: Figure, one: Comparison, y: float, own: bool) -> str:
    if one.ratio != one.ratio:
        return ""
    tone = tone_of_comparison(figure, one)
    low = math.log(one.low) if one.low > 0 else -math.inf
    ends = line(_at(low), y, _at(math.log(one.high)), y, f"interval thin {tone}")
    shape: Shape = "circle" if own else "diamond"
    return ends + marker(shape, _at(math.log(max(one.ratio, 1e-6))), y, tone, 3.6)


def _at(log: float) -> float:
    """Pixel of a log ratio; what lies beyond stands at the edge."""
    inside = min(max(log, -REACH), REACH)
    return WIDTH / 2 + inside / REACH * (WIDTH / 2 - 5)
