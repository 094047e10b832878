"""Tables of docs/explanation/benchmarks.md, from the results of peers and upworthy_halves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ranking_tables
import tagging_tables

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"

# What is compared, its key in the result, what was to be reached, and whether less is better.
PROMISED: tuple[tuple[str, str, float | None, bool], ...] = (
    (
        "joint, plain two-way errors, dense",
        "passes, dense: joint, plain two-way errors",
        3.0,
        True,
    ),
    (
        "joint, plain two-way errors, item-compressed",
        "passes, item-compressed: joint, plain two-way errors",
        3.0,
        True,
    ),
    (
        "… leave-one-item-out errors on top, dense",
        "passes, dense: leave-one-item-out errors on top",
        3.0,
        True,
    ),
    (
        "… leave-one-item-out errors on top, item-compressed",
        "passes, item-compressed: leave-one-item-out errors on top",
        3.0,
        True,
    ),
    (
        "item-compressed, times faster than dense",
        "dense / item-compressed, joint plain",
        3.0,
        False,
    ),
    (
        "pyfixest, joint, 1 outcome each",
        "pyfixest / joint, plain, 1 outcome each",
        40.0,
        False,
    ),
    (
        "pyfixest, joint, 1 outcome (ours 5)",
        "pyfixest (1 outcome) / joint, plain (5 outcomes)",
        None,
        False,
    ),
    (
        "econml LinearDML per tag, other tags held, 1 outcome*",
        "econml, 300 tags (extrapolated) / joint, plain, 1 outcome each",
        2_000.0,
        False,
    ),
    (
        "DoubleML PLR per tag, other tags held, 1 outcome*",
        "doubleml, 300 tags (extrapolated) / joint, plain, 1 outcome each",
        2_000.0,
        False,
    ),
    (
        "econml LinearDML against our doubly robust estimator, 1 outcome*",
        "econml, 300 tags (extrapolated), 1 outcome / robust (5 outcomes)",
        100.0,
        False,
    ),
    (
        "DoubleML PLR against our doubly robust estimator, 1 outcome*",
        "doubleml, 300 tags (extrapolated), 1 outcome / robust (5 outcomes)",
        100.0,
        False,
    ),
    (
        "dowhy propensity matching per tag and outcome",
        "dowhy / matching, per tag and outcome",
        1_500.0,
        False,
    ),
    (
        "linearmodels, joint 2SLS, 10 endogenous",
        "linearmodels / two-stage, the same answers",
        30.0,
        False,
    ),
    (
        "… ours with conditional F and Anderson–Rubin sets, which linearmodels has not",
        "linearmodels / two-stage with strength and sets",
        None,
        False,
    ),
)
POOLED = {
    "joint": "**TagCF, joint**",
    "joint, plain": "TagCF, joint, plain two-way errors",
    "robust": "TagCF, doubly robust",
    "matching": "TagCF, matching",
    "pyfixest": "pyfixest, joint, two-way",
    "econml": "econml LinearDML per tag",
    "doubleml": "DoubleML PLR per tag",
}
WAYS = {"joint": "joint", "matching": "matching", "robust": "doubly robust"}


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every table between its markers."""
    parts = {
        "speed": speed_table,
        "accuracy": accuracy_table,
        "growth": growth_sentence,
        "scale": scale_table,
        "acic": acic_table,
        "halves": halves_table,
        "verdicts": verdicts_table,
        "tags": tags_table,
    }
    for name, part in parts.items():
        page = put(page, name, part())
    for name, table in (tagging_tables.parts() | ranking_tables.parts()).items():
        page = put(page, name, table)
    return page


def speed_table() -> str:
    """Ratios beside what was to be reached."""
    result = _read("peers")
    lines = ["| | to reach | measured | |", "|---|---|---|---|"]
    for name, key, target, less in PROMISED:
        if key not in result["ratios"]:
            lines.append(f"| {name} | {_promise(target, less)} | not measured | |")
            continue
        found = result["ratios"][key]
        unit = " passes" if less else "×"
        met = ""
        if target is not None:
            met = "met" if (found <= target if less else found >= target) else "**not met**"
        lines.append(f"| {name} | {_promise(target, less)} | {found:z,.1f}{unit} | {met} |")
    for name, wide in result["ours"]["wide"].items():
        extra = wide["joint, plain"]["extra_mb"]
        lines.append(
            f"| peak memory above the data, {name} | ≤ 400 MB | {extra:,.0f} MB | "
            f"{'met' if extra <= 400 else '**not met**'} |"
        )
    return "\n".join([*lines, "", _machine(result)])


def _promise(target: float | None, less: bool) -> str:
    if target is None:
        return ""
    return f"≤ {target:.1f} passes" if less else f"≥ {target:,.0f}×"


def _machine(result: dict[str, Any]) -> str:
    ours, peers = result["ours"]["machine"], result["peers"]["machine"]
    drift = result["ratios"]["yardstick then / now"]
    return (
        f"{ours['processor']}, one thread; ours {ours['date']} (load {ours['load']}), peers "
        f"{peers['date']} (load {peers['load']}); the same Gram pass took {drift:.2f} times as "
        "long when the peers were timed."
        + (f" Provisional: {note}." if (note := result["ours"].get("provisional")) else "")
    )


def accuracy_table() -> str:
    """Error and coverage of every side on the same worlds."""
    result = _read("peers")
    found = {**result["ours"]["pooled"], **result["peers"]["pooled"]}
    lines = [
        "| | error (RMSE) | mean standard error | truth in the 95% interval | CPU seconds |",
        "|---|---|---|---|---|",
    ]
    for name, label in POOLED.items():
        if name in found:
            one = found[name]
            lines.append(
                f"| {label} | {one['rmse']:.4f} | {one['mean_se']:.4f} | {one['coverage']:.0%} "
                f"of {one['intervals']} | {one['cpu']:.1f} |"
            )
    return "\n".join(lines)


def growth_sentence() -> str:
    """Fitted exponents."""
    growth = _read("peers")["ours"]["growth"]
    return (
        f"Fitted exponents: {growth['exponent in rows']:.2f} in rows, "
        f"{growth['exponent in tags']:.2f} in tags "
        f"({growth['exponent in tags, last doubling']:.2f} from 200 to 400)."
    )


def scale_table() -> str:
    """Time and peak memory by rows."""
    lines = [
        "| impressions | Parquet | read, CPU s | peak memory | effects, CPU s | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for one in _read("scale")["results"]:
        read, effects = one["read"], one["effects"]
        lines.append(
            f"| {one['rows']:,} | {one['parquet_mb'] / 1000:.2f} GB | {read['cpu_s']:.0f} "
            f"| {read['peak_mb'] / 1000:.1f} GB | {effects['cpu_s']:.0f} "
            f"| {effects['peak_mb'] / 1000:.1f} GB |"
        )
    return "\n".join(lines)


def acic_table() -> str:
    """Average and individual errors on the draws of ACIC 2016, all units and those with overlap."""
    draws = _read("acic")["draws"]
    lines = [
        "| | draw | average effect off by | … on support "
        "| individual error | … on support | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ("tagcf boosted", "tagcf linear", "econml CausalForestDML", "econml DRLearner"):
        for draw, found in draws.items():
            one = found[name]
            label = name.replace("tagcf", "TagCF, doubly robust,")
            lines.append(
                f"| {label} | {draw.removeprefix('draw ')} | {one['average_error']:+.2f} "
                f"| {one['average_error_on_support']:+.2f} | {one['individual_error']:.2f} "
                f"| {one['individual_error_on_support']:.2f} | {one['cpu_s']:.1f} |"
            )
    return "\n".join(lines)


def halves_table() -> str:
    """Calibration of observational answers, without and with the learned bias variance."""
    result = _read("upworthy_halves")
    twice = result["randomised against randomised"]
    lines = [
        "| observational half by | contrasts | mean z² | share \\|z\\| > 2 | mean z², learned "
        "| share, learned | share, as told with it | slope |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [(name, result["calibration"][key]) for key, name in WAYS.items()]
    rows += [
        ("joint, on quarters that share nothing", result["quarters, joint"]),
        ("joint, early stories against late", result["early and late, joint"]),
    ]
    for name, one in rows:
        plain, wide = one["without bias variance"], one["with learned bias variance"]
        lines.append(
            f"| {name} | {one['contrasts']} "
            f"| {plain['mean z²']:.2f} | {plain['share |z| > 2']:.1%} "
            f"| {wide['mean z²']:.2f} | {wide['share |z| > 2']:.1%} "
            f"| {one['as told with the learned bias']['share |z| > 2']:.1%} "
            f"| {one['slope of randomised on observational']:.2f} |"
        )
    lines.append(
        f"| *randomised, both halves* | | {twice['mean z²']:.2f} | {twice['share |z| > 2']:.1%} "
        "| | | | |"
    )
    return "\n".join(lines)


def verdicts_table() -> str:
    """What the verdicts say where the halves differ by more than two errors."""
    one = _read("upworthy_halves")["calibration"]["joint"]
    told = {
        "as told": (one["verdicts where |z| > 2"], one["claims"]),
        "with the learned bias variance": (
            one["verdicts where |z| > 2, with bias variance"],
            one["claims, with bias variance"],
        ),
    }
    lines = [
        "| observational verdict | where \\|z\\| > 2: claims that the experiments do not share "
        "| all claims | … the same by experiment | … opposite claim | … other sign |",
        "|---|---|---|---|---|---|",
    ]
    for name, (said, claims) in told.items():
        total = sum(said.values())
        alone = sum(n for key, n in said.items() if key.endswith("/ no clear effect"))
        alone -= said.get("no clear effect / no clear effect", 0)
        lines.append(
            f"| {name} | {alone} of {total} | {claims['made']} "
            f"| {claims['same claim by randomised']} | {claims['opposite claim by randomised']} "
            f"| {claims['estimate of the other sign']} |"
        )
    return "\n".join(lines)


def tags_table() -> str:
    """Tag by tag on the whole archive, clicks per 1,000 impressions."""
    tags = _read("upworthy_halves")["tags"]
    columns = [name for name in tags[0] if name not in {"tag", "within tests, robust"}]
    heads = " | ".join(name.replace("robust", "doubly robust") for name in columns)
    lines = [f"| the headline has | {heads} |", "|---|" + "---|" * len(columns)]
    for row in tags:
        cells = " | ".join(_cell(row[name]) for name in columns)
        lines.append(f"| {row['tag']} | {cells} |")
    return "\n".join(lines)


def _cell(told: dict[str, Any]) -> str:
    if told["se"] is None:
        return "cannot tell"
    mark = {"raises": " ↑", "lowers": " ↓"}.get(told["verdict"], "")
    value = f"{1000 * told['estimate']:+.2f} ({1000 * told['se']:.2f}){mark}"
    return value.replace("-", "\N{MINUS SIGN}")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found
