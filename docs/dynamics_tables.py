"""Figures of docs/explanation/live-dynamics.md, from drift, next_interest and two more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
POLICY_METRICS = {"hit@10": "{:.3f}", "watch_s": "{:.1f}", "interactions": "{:.3f}"}
PHASES = ("searching", "settled", "leaving")


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every part between its markers."""
    parts = {
        "switches": switches_table,
        "beliefs-speed": speed_sentence,
        "next": next_table,
        "policies": policies_table,
        "phases": phases_table,
        "transfer": transfer_sentence,
        "online": online_table,
    }
    for name, part in parts.items():
        page = put(page, name, part())
    return page


def switches_table() -> str:
    """Delay and false alarms."""
    found = _read("drift")
    lines = [
        f"{found['worlds']} worlds, means with 95% intervals over worlds.",
        "",
        "| | belief | Page–Hinkley |",
        "|---|---|---|",
    ]
    rows = {
        "median delay, events (missed ones count as infinite)": ("median_delay", "{:.1f}"),
        "… until the right tag is named": ("median_delay_right_tag", "{:.1f}"),
        "switches told": ("told", "{:.1%}"),
        "right tag at once": ("right_tag_at_once", "{:.1%}"),
        "false alarms per 1,000 switch-free events": ("false_per_1000", "{:.2f}"),
    }
    for name, (key, shape) in rows.items():
        ours, theirs = (_span(found[one][key], shape) for one in ("belief", "page_hinkley"))
        lines.append(f"| {name} | {ours} | {'–' if key.startswith('right') else theirs} |")
    return "\n".join(lines)


def speed_sentence() -> str:
    """Events a second."""
    one = _read("drift")["speed"]
    return (
        f"Over {one['users']:,} users and {one['tags']} tags one thread takes in "
        f"{one['belief_events_per_s'] / 1e6:.1f} million events a CPU second; Page–Hinkley, which "
        f"keeps four numbers a user, {one['page_hinkley_events_per_s'] / 1e6:.0f} million in the "
        f"same run (load average {one['load_average'][0]}). The belief misses the aim of 20 "
        "million: it is bought with several times the work."
    )


def next_table() -> str:
    """hit@3 of what comes next."""
    found = _read("next_interest")
    lines = ["| | hit@3 |", "|---|---|"]
    lines += [f"| {name} | {_span(one, '{:.3f}')} |" for name, one in found["hit@3"].items()]
    return "\n".join([*lines, "", _may_love(found.get("may_love_30_days"))])


def _may_love(one: dict[str, Any] | None) -> str:
    if not one:
        return "Tags that may come to be loved within 30 days: not measured yet."
    ours, theirs = _span(one["hit@5"], "{:.2f}"), _span(one["popularity_hit@5"], "{:.2f}")
    return (
        f"Tags that users came to love within 30 days ({one['cases']} cases in {one['worlds']} "
        f"worlds) are among the five told in {ours}, among the five most popular in {theirs}; "
        f"paired difference {_span(one['difference'], '{:+.2f}')}."
    )


def policies_table() -> str:
    """Policies in the closed loop."""
    found = _read("live_policies")
    lines = [
        f"{found['worlds']} worlds, {found['users']} users each, per showing.",
        "",
        "| policy | hit@10 | watched, s | interactions |",
        "|---|---|---|---|",
    ]
    for name, one in found["policies"].items():
        cells = " | ".join(_span(one[key], shape) for key, shape in POLICY_METRICS.items())
        lines.append(f"| {name} | {cells} |")
    lines += ["", "| paired, relative | hit@10 | watched | interactions |", "|---|---|---|---|"]
    pairs = {(one["policy"], one["against"]): {} for one in found["paired"]}
    for one in found["paired"]:
        pairs[one["policy"], one["against"]][one["metric"]] = one["relative"]
    for (policy, against), cells in pairs.items():
        shown = " | ".join(_span(cells[key], "{:+.0%}") for key in POLICY_METRICS)
        lines.append(f"| {policy} against {against} | {shown} |")
    return "\n".join(lines)


def phases_table() -> str:
    """AUC and calibration of phases."""
    found = _read("live_context")["phases"]
    lines = ["| phase | AUC | calibration error |", "|---|---|---|"]
    for name in PHASES:
        auc, error = found[f"{name}_auc"], found[f"{name}_calibration_error"]
        lines.append(f"| {name} | {_span(auc, '{:.3f}')} | {_span(error, '{:.3f}')} |")
    share, common = (_span(found[key], "{:.1%}") for key in ("accuracy", "most_common"))
    return "\n".join([*lines, "", f"Right in {share}; the commonest phase alone: {common}."])


def transfer_sentence() -> str:
    """Lift for users new to a scene."""
    one = _read("live_context")["transfer"]
    difference = one["difference"]
    shown = "so nothing is shown" if difference["low"] <= 0 else "a small lift"
    return (
        f"Of what {one['users']} users new to a scene then watched there, the tag that is told has "
        f"a share that is {_span(difference, '{:+.3f}')} above that of the scene's most popular "
        f"tag: {shown}."
    )


def online_table() -> str:
    """Progressive validation of the second half of a world."""
    found = _read("live_context")
    lines = [
        "| outcome | share | AUC, user and room | AUC, with context | log loss | with context |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found["online"].items():
        cells = [f"{one['context: rate']['mean']:.3f}"]
        for key in ("auc", "log_loss"):
            cells += [f"{one[f'{way}: {key}']['mean']:.3f}" for way in ("user and room", "context")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    speed = found["speed"]
    lines += ["", f"{speed['rows_per_s'] / 1e6:.1f} million rows of 8 features a CPU second and "
              f"outcome; River {speed['river_rows_per_s']:,} in the same run."]  # fmt: skip
    return "\n".join(lines)


def _span(one: dict[str, Any], shape: str) -> str:
    """Mean and interval; a median of infinity in words."""
    if one["mean"] is None:
        return "infinite"
    return (
        f"{shape.format(one['mean'])} ({shape.format(one['low'])} to {shape.format(one['high'])})"
    )


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found
