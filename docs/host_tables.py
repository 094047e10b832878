"""Figures of docs/explanation/hosts.md, from host_report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
MEASURES = {
    "all": "all",
    "held": "viewers held",
    "lost": "leaving",
    "interactions": "interactions",
    "purchases": "purchases",
}
KINDS = {
    "ask_price": "questions of the price",
    "complaint": "complaints",
    "falling": "excitement falls",
    "arrivals": "viewers arrive",
    "leaving": "viewers leave",
}


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every part between its markers."""
    for name, part in {
        "report": report,
        "varying": varying,
        "guide": guide,
        "match": match,
    }.items():
        page = put(page, name, part())
    return page


def varying() -> str:
    """How often a segment that merely varies looks unusual by itself."""
    cells = _read()["varying"]
    crowds = sorted({one["viewers"] for one in cells})
    share = {(one["spread"], one["viewers"]): one["below_0.05"] for one in cells}
    lines = [
        "| spread of a host's segments (log) | "
        + " | ".join(f"{crowd:,} viewers" for crowd in crowds)
        + " |",
        "|---" * (1 + len(crowds)) + "|",
    ]
    for spread in sorted({one["spread"] for one in cells}):
        told = [_span(share[spread, crowd], "{:.1%}") for crowd in crowds]
        lines.append(f"| {spread:.1f} | {' | '.join(told)} |")
    return "\n".join(lines)


def report() -> str:
    """Coverage by measure, and what is found falsely."""
    found = _read()
    coverage, discoveries = found["coverage"], found["discoveries"]
    lines = [
        f"Share of 95% intervals that hold the truth, on {coverage['worlds']} made-up platforms of",
        "12 hosts (SIMULATED; means with 95% intervals over platforms):",
        "",
        "| | against own past | against peers |",
        "|---|---|---|",
    ]
    for key, name in MEASURES.items():
        if key != "all":
            cells = [
                _span(coverage["share"][f"{key}, {one}"], "{:.1%}") for one in ("own", "peers")
            ]
            lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    rate = _span(discoveries["false_discovery_rate"], "{:.1%}")
    power = _span(discoveries["power_at_effects_above_0.3"], "{:.0%}")
    lines += [
        "",
        f"Over all, {_span(coverage['share']['all'], '{:.1%}')}. Where a fifth of a host's",
        "segments carry a planted effect (1.8 times as much or as little) and all others are",
        f"alike, {rate} of what is found is",
        f"false, at a level of {discoveries['level']:.0%} (wrong directions count as",
        f"false), and {power} of the effects are found.",
    ]
    return "\n".join(lines)


def guide() -> str:
    """False hints of quiet rooms, and what is told of planted changes."""
    found = _read()["guide"]
    calm, wandering = found["quiet_constant"], found["quiet_wandering"]
    low, high = found["viewers"]
    lines = [
        f"In quiet rooms of {low} to {high} viewers (SIMULATED, {calm['room_hours']:.0f} hours)",
        "the budget is",
        f"{found['budget_per_room_hour']} hints an hour by chance. Rooms at constant rates gave",
        f"{_span(calm['hints_per_room_hour'], '{:.3f}')}; rooms whose rates wander by 30% gave",
        f"{_span(wandering['hints_per_room_hour'], '{:.3f}')}. Planted in the wandering rooms:",
        "",
        "| | times the usual | told | median seconds |",
        "|---|---|---|---|",
    ]
    for key, name in KINDS.items():
        one, factor = found["planted_wandering"][key], found["factors"][key]
        delay = "–" if one["median_delay_s"] is None else f"{one['median_delay_s']:.0f}"
        lines.append(f"| {name} | {factor:g} | {one['told']:.0%} of {one['planted']} | {delay} |")
    return "\n".join(lines)


def match() -> str:
    """Hits and seconds of three rankings."""
    found = _read()["match"]
    worlds = found["worlds"]
    judged = sum(one["judged"] for one in worlds)
    lines = [
        f"{len(worlds)} simulated platforms, {judged:,} visits of the last",
        "day, ranked among the rooms on air; hits are rooms that were then watched for a minute",
        "or more, seconds are the simulator's expected ones of the first choice"
        f" (of the best room: {found['seconds_of_the_best']['mean']:.0f}).",
        "",
        "| | hit@3 | seconds |",
        "|---|---|---|",
    ]
    for name in ("viewers now", "tags in common", "matcher"):
        hit, seconds = (_span(found[key][name], shape) for key, shape in
                        (("hit_at_3", "{:.3f}"), ("seconds", "{:.1f}")))  # fmt: skip
        lines.append(f"| {name} | {hit} | {seconds} |")
    pairs = found["paired"]["matcher - tags in common"]
    hits, longer = _span(pairs["hit_at_3"], "{:+.3f}"), _span(pairs["seconds"], "{:+.1f}")
    lines += [
        "",
        f"Against tags in common, platform by platform: hit@3 {hits},",
        f"seconds {longer}.",
    ]
    return "\n".join(lines)


def _span(one: dict[str, float], shape: str) -> str:
    low, high = (shape.format(one[key]) for key in ("low", "high"))
    return f"{shape.format(one['mean'])} ({low} to {high})"


def _read() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((RESULTS / "host_report.json").read_text("utf-8"))
    return read
