"""Figures of docs/explanation/live-state.md, from interest_state and ingest_live."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every part between its markers."""
    parts = {
        "state-kernel": kernel_table,
        "state-latency": latency_table,
        "state-memory": memory_sentence,
        "ingest": ingest_table,
        "ingest-peers": peers_sentence,
    }
    for name, part in parts.items():
        page = put(page, name, part())
    return page


def kernel_table() -> str:
    """The kernel beside the limit and beside its peers."""
    lines = [
        "| users | half-lives | kernel, M events/s | random read-modify-write, any row "
        "| the same, rows of these users | `numpy.add.at` | polars join, group |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in _read("interest_state")["kernel"]:
        over = one["kernel_over"]
        lines.append(
            f"| {one['users']} | {one['scales']} | {one['m_events_per_s']['kernel']:.1f} "
            f"| {over['limit']:.0%} of it | {over['limit, same users']:.0%} of it "
            f"| {over['numpy add.at']:.1f} × | {over['polars join and group']:.1f} × |"
        )
    return "\n".join(lines)


def latency_table() -> str:
    """From events to interests that can be read."""
    found = _read("interest_state")["latency"]
    lines = ["| | calls | p50, µs | p99, µs |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {one['calls']:,} | {one['p50_us']:.0f} | {one['p99_us']:.0f} |"
        for name, one in found.items()
        if isinstance(one, dict)
    ]
    return "\n".join([*lines, "", f"Load average of the machine: {found['load']}."])


def memory_sentence() -> str:
    """Bytes a user, and seconds of a snapshot."""
    found = _read("interest_state")
    each = [one["bytes_per_user"] / 1e3 for one in found["whole"]]
    saved = found["snapshot"]
    return (
        f"A user takes {min(each):.1f} to {max(each):.1f} kB at 300 tags and three half-lives, the "
        f"more with scenes; memory is taken as users come. A snapshot of {saved['n_users']:,} "
        f"users ({saved['gb']} GB) is written in {saved['save_s']} s, events waiting "
        f"meanwhile, and read in {saved['load_s']} s."
    )


def ingest_table() -> str:
    """Bytes to the state, by users and form."""
    found = _read("ingest_live")["results"]
    whats = list(dict.fromkeys(one["what"] for one in found))
    lines = [f"| users | form | {' | '.join(whats)} |", "|---|---|" + "---|" * len(whats)]
    for users in dict.fromkeys(one["users"] for one in found):
        for form in dict.fromkeys(one["form"] for one in found):
            cells = {
                one["what"]: f"{one['events_per_cpu_s'] / 1e6:.2f}"
                for one in found
                if (one["users"], one["form"]) == (users, form)
            }
            row = (users, form, *(cells[what] for what in whats))
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def peers_sentence() -> str:
    """Published rates of others."""
    beside = _read("ingest_live")["peers (published, other hardware)"]
    told = [
        f"{name} publishes {one['published'][0]:,} to {one['published'][1]:,} events a second for "
        f"importing them: {one['times']:.0f} times less than ours at its best"
        for name, one in beside.items()
    ]
    return "On other hardware, " + "; ".join(told) + " (JSON, the slower law of users, wall time)."


def _read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
