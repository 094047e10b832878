"""Figures of docs/explanation/viewing.md, from viewing_path, resonance and companion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
COLUMNS = {
    "watch_min": "minutes watched",
    "hit_min": "planned minutes of what is wanted then",
    "opened": "segments opened",
    "highlights": "highlights seen",
}


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every part between its markers."""
    parts = {
        "paths": paths_table,
        "paths-paired": paired_table,
        "resonance-alarms": alarms_table,
        "resonance-lags": lags_table,
        "resonance-forecast": forecast_sentence,
        "companion": companion_table,
    }
    for name, part in parts.items():
        page = put(page, name, part())
    return page


def paths_table() -> str:
    """What came of each way through a room."""
    found = _read("viewing_path")
    lines = [
        f"{found['paths']:,.0f} paths of {found['minutes']:.0f} minutes in {found['worlds']} "
        "worlds, means with 95% intervals over worlds. A path is worth "
        f"{_span(found['share_of_bound'], '{:.0%}')} of the bound that no path can pass.",
        "",
        "| way | " + " | ".join(COLUMNS.values()) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for name, row in found["ways"].items():
        cells = " | ".join(_span(row[key], "{:.2f}") for key in COLUMNS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def paired_table() -> str:
    """Differences of the path from each other way."""
    lines = [
        "| viewing path less … | " + " | ".join(COLUMNS.values()) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    rows: dict[str, dict[str, Any]] = {}
    for one in _read("viewing_path")["paired"]:
        rows.setdefault(one["against"], {})[one["metric"]] = one["difference"]
    for name, row in rows.items():
        cells = " | ".join(_span(row[key], "{:+.2f}") for key in COLUMNS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def alarms_table() -> str:
    """False alarms, and power where there is a link."""
    found = _read("resonance")
    false, power = found["false_alarms"], found["power"]
    by = power["follows_by_strength"]
    rows = {
        "mismatched rooms called “follows” at 5%": _share(false["at_5%"]),
        "… at 1%": _share(false["at_1%"]),
        "… at 20%": _share(false["at_20%"]),
        "single emotions of mismatched rooms at 5%": _share(false["by_emotion_at_5%"]),
        **{f"true rooms found, strength {span}": _share(one) for span, one in by.items()},
        "correlation of found with true strength": f"{power['strength_correlation']:.2f}",
        "found less true strength, mean": f"{power['strength_bias']:+.2f}",
        "minutes wrongly told as partings, of 100": f"{_apart('false_per_100_minutes'):.2f}",
        "planted partings found": f"{_apart('found'):.0%} of {_apart('planted')}",
    }
    lines = [f"{found['worlds']} worlds of {found['days']} days.", "", "| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {cell} |" for name, cell in rows.items())])


def lags_table() -> str:
    """Lags of audiences that are late on purpose."""
    lines = [
        "| true lag, s | true chance to follow | found | lag off, median s | "
        "lag within its interval |",
        "|---|---|---|---|---|",
    ]
    for one in _read("resonance")["lags"]:
        linked = one["follows"] > 0
        off = f"{one['median_lag_off']:.0f}" if linked else "–"
        inside = _share(one["lag_within_interval"]) if linked else "–"
        lines.append(
            f"| {one['lag']} | {one['follows']:.2f} | {_share(one['found'])} | {off} | {inside} |"
        )
    return "\n".join(lines)


def forecast_sentence() -> str:
    """How good the forecast is."""
    found = _read("resonance")["forecast"]
    loss = found["log_loss"]
    return (
        "On a last day that it has not seen, a line costs "
        f"{_span(loss['forecast'], '{:.3f}')} nats, against {_span(loss['room'], '{:.3f}')} by "
        "the room's own shares so far (difference "
        f"{_span(found['less_loss_than_room'], '{:.3f}')}). Calibration error is "
        f"{found['calibration_error']:.3f}; the likeliest label is the commonest one in "
        f"{_share(found['likeliest_right'])} of segments."
    )


def companion_table() -> str:
    """Requests understood."""
    found = _read("companion")
    halves = found["halves"]
    lines = [
        f"Of the judge half {found['first_judging']:.1%} were right when it was judged first.",
        "",
        "| half | requests | kind and tag right | kind right | did something else |",
        "|---|---|---|---|---|",
    ]
    for name, one in halves.items():
        lines.append(
            f"| {name} | {one['n']} | {one['right']:.1%} | {one['kind_right']:.1%} | "
            f"{one['did_something_else']:.1%} |"
        )
    return "\n".join(lines)


def _apart(name: str) -> float:
    value: float = _read("resonance")["partings"][name]
    return value


def _share(one: dict[str, float]) -> str:
    return f"{one['mean']:.1%} ({one['low']:.1%}–{one['high']:.1%}, n = {one['n']:,.0f})"


def _span(one: dict[str, float], shape: str) -> str:
    mean, low, high = (shape.format(one[name]) for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found
