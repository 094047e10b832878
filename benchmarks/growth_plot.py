"""CPU seconds over rows and over tags, on doubly logarithmic axes, as one SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, MARGIN, GAP = 360, 260, 56, 24
INK, FAINT, LINE, GUIDE = "#333", "#ddd", "#1f6feb", "#999"


def draw_growth(growth: Mapping[str, Any], path: Path) -> None:
    """Draw the two panels, each with the fitted exponent and a guide line of the promised one."""
    panels = [
        (f"rows ({growth['tags held']} tags)", growth["rows"], growth["exponent in rows"], 1.0),
        (f"tags ({growth['rows held']:,} rows)", growth["tags"], growth["exponent in tags"], 2.0),
    ]
    body = "".join(
        f'<g transform="translate({at * (WIDTH + GAP)},0)">{_panel(*panel)}</g>'
        for at, panel in enumerate(panels)
    )
    whole = 2 * WIDTH + GAP
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="{INK}">'
        f'<rect width="{whole}" height="{HEIGHT}" fill="#fff"/>{body}</svg>\n',
        "utf-8",
    )


def _panel(name: str, cpu: Mapping[str, float], slope: float, promised: float) -> str:
    sizes, seconds = [int(one) for one in cpu], list(cpu.values())
    guide = [seconds[0] * (size / sizes[0]) ** promised for size in sizes]
    low, high = min(seconds), max(*seconds, *guide)
    wide = math.log(sizes[-1] / sizes[0])
    tall = math.log(high / low)

    def x(size: float) -> float:
        return MARGIN + (WIDTH - MARGIN - 16) * math.log(size / sizes[0]) / wide

    def y(second: float) -> float:
        return HEIGHT - 40 - (HEIGHT - 76) * math.log(second / low) / tall

    def path(values: list[float], colour: str, dash: str) -> str:
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(sizes, values, strict=True))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" {dash}/>'

    marks = [path(guide, GUIDE, 'stroke-dasharray="4 3"'), path(seconds, LINE, 'stroke-width="2"')]
    for size, second in zip(sizes, seconds, strict=True):
        marks.append(f'<circle cx="{x(size):.1f}" cy="{y(second):.1f}" r="3" fill="{LINE}"/>')
        marks.append(_text(x(size), y(second) + 16, f"{second:.1f} s"))
        marks.append(_text(x(size), HEIGHT - 8, f"{size:,}"))
    title = f"CPU over {name}: exponent {slope:.2f} (dashed {promised:.0f})"
    return f'<text x="{MARGIN - 30}" y="20" font-size="12">{title}</text>{"".join(marks)}'


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{words}</text>'
