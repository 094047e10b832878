"""Tables about ranking of docs/explanation/benchmarks.md: ranking, cold_items, arms, serving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
CATALOGUES = ("ml-100k", "Beauty", "LastFM")
RULE = "|---" * 7 + "|"
OUTCOMES = ("completion", "like", "return_7d", "worth")
ASKED = {"known user": "a user of the log", "unknown history": "a history never seen"}


def parts() -> dict[str, str]:
    """Every table by the name of its markers."""
    return {
        "rankers": rankers_table(),
        "spread": spread_table(),
        "cold": cold_table(),
        "arms": arms_table(),
        "serving": serving_table(),
    }


def _read(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def rankers_table() -> str:
    """NDCG@10 and seconds of training of every model on every catalogue."""
    tables = [_read(name).get("catalogues", {}) for name in ("ranking", "ranking_sequence")]
    rows: dict[str, dict[str, str]] = {}
    for table in tables:
        for name in CATALOGUES:
            for one in table.get(name, {}).get("models", []):
                cpu = one["train_cpu_s"] or 0.0
                told = f"{one['ndcg@10']:.4f} | {cpu:,.1f}"
                rows.setdefault(one["model"], {}).setdefault(name, told)
    heads = "".join(f" {name}: NDCG@10 | CPU s |" for name in CATALOGUES)
    lines = [f"| model |{heads}", RULE]
    for model, told in rows.items():
        cells = " | ".join(told.get(name, "– | –") for name in CATALOGUES)
        lines.append(f"| {model} | {cells} |")
    return "\n".join(lines)


def spread_table() -> str:
    """What lists gain in breadth where accuracy is kept."""
    lines = ["| catalogue | model | NDCG@10 | coverage@20 | Gini@10 |", "|---|---|---|---|---|"]
    for name, table in _read("coverage_gini").get("catalogues", {}).items():
        lines += [
            f"| {name} | {one['model']} | {one['ndcg@10']:.4f} | "
            f"{one['coverage@20']:.3f} | {one['gini@10']:.3f} |"
            for one in table["models"]
            if one["model"] in (table["base"], f"{table['base']}-tempered")
        ]
    return "\n".join(lines)


def cold_table() -> str:
    """Items without any event, ranked among all such."""
    lines = [
        "| catalogue | through tags | tag-only neighbours | tag popularity | "
        "difference to neighbours | among all items: ours, neighbours |",
        "|---|---|---|---|---|---|",
    ]
    for name, table in _read("cold_items").get("catalogues", {}).items():
        told, every = table["among_cold"]["ndcg@10"], table["among_all"]["ndcg@10"]
        gain = next(
            one for one in table["among_cold"]["paired"] if one["against"] == "tag-neighbours"
        )
        lines.append(
            f"| {name} | {told['cold-items']:.3f} | {told['tag-neighbours']:.3f} | "
            f"{told['tag-popularity']:.3f} | {gain['mean']:+.3f} "
            f"[{gain['low']:+.3f}, {gain['high']:+.3f}] | "
            f"{every['cold-items']:.4f}, {every['tag-neighbours']:.4f} |"
        )
    return "\n".join(lines)


def arms_table() -> str:
    """True outcomes of lists by three arms of one ranker."""
    lines = ["| world | causal against | " + " | ".join(OUTCOMES) + " |", "|---" * 6 + "|"]
    for row in _read("arms").get("compared", []):
        if row["arm"] != "causal":
            continue
        for other in ("none", "naive"):
            told = [row.get(f"{outcome} minus {other}") for outcome in OUTCOMES]
            cells = " | ".join("–" if one is None else _interval(one) for one in told)
            lines.append(f"| {row['world']} ({row['worlds']}) | {other} | {cells} |")
    return "\n".join(lines)


def _interval(found: list[float]) -> str:
    return f"{found[0]:+.3f} [{found[1]:+.3f}, {found[2]:+.3f}]"


def serving_table() -> str:
    """Milliseconds of a request, and of an event."""
    found = _read("serving")
    lines = [
        "| request | ranked by | CPU p50 | CPU p99 | wall p50 | wall p99 |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        (ASKED.get(one["request"], one["request"]), one["ranked_by"], one)
        for one in found.get("lists", [])
    ]
    if "updates" in found:
        rows.append(("one event taken in", "–", found["updates"]["event"]))
    for asked, ranked_by, one in rows:
        keys = ("cpu_p50_ms", "cpu_p99_ms", "wall_p50_ms", "wall_p99_ms")
        cells = " | ".join(f"{one[key]:.2f}" for key in keys)
        lines.append(f"| {asked} | {ranked_by} | {cells} |")
    return "\n".join(lines)
