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
        "love": love_table,
        "transfer": transfer_table,
        "context": context_table,
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
    rate, best = one["belief_events_per_s"] / 1e6, one["belief_best_events_per_s"] / 1e6
    aim = "" if rate >= 20 else " The aim was 20 million: it is not reached."
    return (
        f"Over {one['users']:,} users and {one['tags']} tags, {one['impressions']:.0%} of the "
        f"events impressions, one thread takes in {rate:.1f} million events a CPU second "
        f"(median of five turns; the best {best:.1f}); "
        f"Page–Hinkley, which keeps four numbers a user, "
        f"{one['page_hinkley_events_per_s'] / 1e6:.0f} million in the same run "
        f"(load average {one['load_average'][0]} on two cores).{aim}"
    )


def next_table() -> str:
    """hit@3 of what comes next."""
    found = _read("next_interest")
    lines = ["| | hit@3 |", "|---|---|"]
    lines += [f"| {name} | {_span(one, '{:.3f}')} |" for name, one in found["hit@3"].items()]
    return "\n".join(lines)


def love_table() -> str:
    """Tags that came to be loved within 30 days."""
    cases = _read("next_interest")["may_love_30_days"]
    wanted, new = cases["wanted"], cases["newly loved"]
    lines = [
        f"{wanted['worlds']} worlds of 60 days, told at the end of the first 30; a user has about "
        f"{wanted['untouched_tags']:.0f} tags to choose from. *Wanted*: {wanted['cases']:,} tags "
        "that were hardly touched and then a good part of what users wanted. *Newly loved*: "
        f"{new['cases']:,} tags that the simulation made newly loved, whatever came of it.",
        "",
        "| | wanted, hit@3 | hit@5 | newly loved, hit@3 | hit@5 |",
        "|---|---|---|---|---|",
    ]
    names = {"with logic graph": "model with logic graph", "without": "model without"}
    for name in ("with logic graph", "without", "last-tag transition", "popularity", "chance"):
        cells = [
            _span(one["hits"][name][key], "{:.3f}")
            for one in (wanted, new)
            for key in ("hit@3", "hit@5")
        ]
        lines.append(f"| {names.get(name, name)} | {' | '.join(cells)} |")
    for first, second in zip(wanted["paired"], new["paired"], strict=True):
        cells = [_span(one[k], "{:+.3f}") for one in (first, second) for k in ("hit@3", "hit@5")]
        paired = f"{names[first['model']]} against {first['against']}"
        lines.append(f"| *{paired}* | {' | '.join(cells)} |")
    return "\n".join(lines)


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


def transfer_table() -> str:
    """Lift for users new to a scene."""
    found = _read("live_context")["transfer"]
    lines = [
        f"{found['users']} users new to a scene, in worlds of {found['days']} days.",
        "",
        "| above the scene's means | share of the tag told first | log-likelihood of shares "
        "| scenes claimed |",
        "|---|---|---|---|",
    ]
    names = {
        "transfer": "from what they like elsewhere",
        "shuffled": "nothing to transfer (shuffled)",
        "true taste": "their true tastes in the scene",
    }
    for key, name in names.items():
        one = found[key]
        claimed = one.get("scenes_claimed", "–")
        log = "–" if key == "true taste" else _span(one["log_likelihood"], "{:+.4f}")
        lines.append(f"| {name} | {_span(one['share'], '{:+.3f}')} | {log} | {claimed} |")
    return "\n".join(lines)


def context_table() -> str:
    """What each part of the context adds."""
    found = _read("live_context")["online"]
    lines = ["| AUC gained by | click | stay | like |", "|---|---|---|---|"]
    for name in ("scene", "hour", "weekday", "device", "friends", "all"):
        cells = [_span(found[one][f"{name}: auc gained"], "{:+.4f}") for one in
                 ("click", "stay", "like")]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def online_table() -> str:
    """Progressive validation of the second half of a world."""
    found = _read("live_context")
    lines = [
        "| outcome | share | AUC, without context | with | log loss, without | with |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found["online"].items():
        cells = [f"{one['all: rate']['mean']:.3f}"]
        for key in ("auc", "log_loss"):
            cells += [f"{one[f'{way}: {key}']['mean']:.3f}" for way in ("content", "all")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    speed = found["speed"]
    loss, auc = speed["log_loss"], speed["auc"]
    lines += [
        "",
        f"{speed['rows_per_s'] / 1e6:.1f} million rows of 8 features a CPU second and outcome; "
        f"River's FTRL {speed['river_rows_per_s']:,} in the same run. On {speed['rows_judged']:,} "
        f"rows both predict alike: log loss {loss['ours']:.4f} and {loss['river']:.4f} (River), "
        f"AUC {auc['ours']:.3f} and {auc['river']:.3f}, correlation {speed['correlation']:.3f}.",
    ]
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
