"""Figures of docs/how-to/roles-and-tree.md, from logic, mined_tags and role_scale."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
WAYS = {
    "same rows": "the rows that were searched",
    "later rows of the same items": "later rows of the same items",
    "items that had no part (enforced)": "**content that had no part in the search**",
    "names drawn at random": "(names drawn at random, all rows)",
}
STEPS = {
    "user_roles": "roles of the users",
    "build_logic": "the logic graph",
    "write_user_roles": "writing the users' roles",
    "read_user_roles": "reading them",
    "read_logic": "reading the graph",
}


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every part between its markers."""
    parts = {
        "captions": captions_table,
        "known-groups": groups_table,
        "graph": graph_table,
        "held-out-topics": topics_table,
        "mined": mined_table,
        "role-scale": scale_table,
    }
    for name, part in parts.items():
        page = put(page, name, part())
    return page


def captions_table() -> str:
    """Roles found in captions that were not tuned on."""
    lines = ["| found by | roles found | right | captions with a right one |", "|---|---|---|---|"]
    for name, one in _read("logic")["roles of captions"].items():
        lines.append(
            f"| {name} | {one['roles found']} in {one['captions']} captions "
            f"| {one['precision']:.0%} | {one['captions with a right role']:.0%} |"
        )
    return "\n".join(lines)


def groups_table() -> str:
    """How much roles give away of what people did not say."""
    lines = ["| group of raters | share of users | area under the curve |", "|---|---|---|"]
    for name, one in _read("logic")["known groups, MovieLens"].items():
        if isinstance(one, dict):
            area = f"{one['area under the curve']:.2f}"
            lines.append(f"| {name} | {one['share of users']:.0%} | {area} |")
    return "\n".join(lines)


def graph_table() -> str:
    """Edges found where the truth is known."""
    result = _read("logic")
    lines = [
        "| simulated worlds | edges | of these true | of the true ones found "
        "| worlds with a false edge |",
        "|---|---|---|---|---|",
    ]
    for name, one in result["simulated, roles cause tastes"].items():
        lines.append(
            f"| roles cause tastes, {name} | {one['edges']:,} in {one['worlds']} worlds "
            f"| {one['precision']:.0%} | {one['recall']:.0%} | |"
        )
    for name, one in result["simulated, independent tastes"].items():
        lines.append(
            f"| none are true, {name} | {one['edges per world']:.2f} a world | | "
            f"| {one['share of worlds with any edge']:.0%} |"
        )
    return "\n".join(lines)


def topics_table() -> str:
    """Held-out topics of listeners, ranked."""
    found = _read("logic")["held-out topics"]["Last.fm, mood tags in place of roles"]
    gains = found["minus popularity, 95 %"]
    lines = ["| topics ranked by | area under the curve | less popularity |", "|---|---|---|"]
    for name, area in found["area under the curve"].items():
        gain = ""
        if name in gains:
            mean, low, high = (f"{one:+.3f}".replace("-", "−") for one in gains[name])
            gain = f"{mean} [{low}, {high}]"
        lines.append(f"| {name} | {area:.3f} | {gain} |")
    return "\n".join(lines)


def mined_table() -> str:
    """How often tags that do nothing seem to do something."""
    lines = ["| estimated on | p < .05 | worlds with a claim |", "|---|---|---|"]
    for name, one in _read("mined_tags")["ways"].items():
        lines.append(
            f"| {WAYS[name]} | {one['share of p < .05']:.0%} of {one['estimates']} "
            f"| {one['worlds with a claim']} of {one['worlds']} |"
        )
    return "\n".join(lines)


def scale_table() -> str:
    """What roles cost on a large platform."""
    result = _read("role_scale")
    head = f"{result['items']:,} items, {result['users']:,} users, {result['rows']:,} impressions"
    lines = [f"| {head} | CPU seconds | memory beside the log |", "|---|---|---|"]
    for name, one in result["steps"].items():
        lines.append(f"| {STEPS[name]} | {one['cpu_s']:.1f} | {one['extra_mb']} MB |")
    return "\n".join(lines)


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found
