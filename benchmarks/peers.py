"""CPU seconds, memory and accuracy beside named peers, on the same simulated logs.

``python -m benchmarks.peers`` measures everything and writes ``results/peers.json`` and the plot
``docs/images/growth.svg``; ``--ours`` measures our side again and keeps the peers' figures of the
last full run on this machine. Every figure is CPU time of a fresh process with one thread, after
a small warm-up run; data are in memory before the clock starts, and all are simulated
(`benchmarks.dgp`). Peers run in ``.venv-bench`` (``make bench``), for dowhy holds scipy back.

What is stated for all tags and outcomes of a peer that takes one tag at a time is extrapolated
from the tags measured: seconds per tag × tags (× outcomes).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dgp import Size
from benchmarks.growth_plot import draw_growth
from benchmarks.measure import run_child
from benchmarks.record import RESULTS, machine, write_result

ROOT = Path(__file__).resolve().parents[1]
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
FULL = Size(1_000_000, 50, 300, 5)
DENSE = Size(1_000_000, 50, 300, 5, own_items=True)  # every row its own item
WIDE = Size(100_000, 50, 300, 5)
NARROW = Size(100_000, 20, 10, 5)
INSTRUMENTED = Size(100_000, 20, 10, 1, instrumented=True)
POOLED = [Size(100_000, 20, 10, 5, seed=seed) for seed in range(1, 6)]
ROWS_HELD, TAGS_HELD = 300_000, 100
ROWS, TAGS = (100_000, 300_000, 1_000_000), (25, 50, 100, 200, 400)


def ours(task: str, size: Size, **facts: object) -> dict[str, Any]:
    """Measure our side."""
    return told(run_child(sys.executable, "benchmarks.own_tasks", task, size=asdict(size), **facts))


def theirs(task: str, size: Size, tags: int) -> dict[str, Any]:
    """Measure a peer on the first so many tags."""
    facts = {"size": asdict(size), "tags": list(range(tags))}
    return told(run_child(PEER_PYTHON, "benchmarks.peer_tasks", task, **facts))


def told(found: dict[str, Any]) -> dict[str, Any]:
    """Print what was measured, since the whole takes a while."""
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def measure_peers() -> dict[str, Any]:
    """Measure the slow side once, with the yardstick of the moment beside it."""
    found = {
        "yardstick": ours("sgemm", WIDE, repeats=5),
        "pyfixest": theirs("pyfixest", WIDE, 300),
        "econml": theirs("econml", WIDE, 3),
        "econml, linear treatment": theirs("econml, linear treatment", WIDE, 3),
        "doubleml": theirs("doubleml", WIDE, 3),
        "dowhy": theirs("dowhy", NARROW, 2),
        "linearmodels": theirs("linearmodels", INSTRUMENTED, 10),
    }
    pooled = {
        name: pool([theirs(name, size, 10) for size in POOLED])
        for name in ("pyfixest", "econml", "doubleml")
    }
    return {"machine": facts(), "timed": found, "pooled": pooled}


def measure_ours() -> dict[str, Any]:
    """Measure our side on the same worlds, and on those that the peers cannot hold."""
    wide, timed = {}, {"yardstick": ours("sgemm", WIDE, repeats=5)}
    sizes = {"item-compressed": FULL, "dense": DENSE}
    for name, size in sizes.items():
        tasks = ("sgemm", "joint, plain", "joint, leave one item out", "joint")
        found = [ours(task, size, repeats=3) for task in tasks]
        wide[name] = dict(zip(("yardstick", *tasks[1:]), found, strict=True))
    for name in ("joint, plain", "joint"):
        timed[name] = ours(name, WIDE, repeats=3)
    timed["joint, plain, 1 outcome"] = ours("joint, plain", WIDE, repeats=5, outcomes=1)
    timed["joint, plain, narrow"] = ours("joint, plain", NARROW, repeats=3)
    timed["matching"] = ours("matching", NARROW, repeats=3)
    timed["two-stage"] = ours("two-stage", INSTRUMENTED, repeats=3)
    timed["two-stage alone"] = ours("two-stage alone", INSTRUMENTED, repeats=7)
    names = ["joint, plain", "joint", "matching"]
    if has_robust():
        timed["robust"] = ours("robust", WIDE)
        names.append("robust")
    pooled = {name: pool([ours(name, size, pooled=True) for size in POOLED]) for name in names}
    return {"machine": facts(), "wide": wide, "timed": timed, "pooled": pooled, "growth": growth()}


def has_robust() -> bool:
    """Whether this checkout has the doubly robust method; says so where it has not."""
    from tagcf.effects import methods

    found = hasattr(methods, "Robust")
    if not found:
        print("!! effects has no Robust() yet: its ratios are left out.", file=sys.stderr)
    return found


def growth() -> dict[str, Any]:
    """CPU seconds over rows and over tags, with fitted exponents."""
    rows = {n: ours("joint", Size(n, 50, TAGS_HELD, 5))["cpu"] for n in ROWS}
    tags = {t: ours("joint", Size(ROWS_HELD, 50, t, 5))["cpu"] for t in TAGS}
    return {
        "tags held": TAGS_HELD,
        "rows held": ROWS_HELD,
        "rows": {str(n): cpu for n, cpu in rows.items()},
        "tags": {str(t): cpu for t, cpu in tags.items()},
        "exponent in rows": exponent(rows),
        "exponent in tags": exponent(tags),
        "exponent in tags, last doubling": exponent({t: tags[t] for t in TAGS[-2:]}),
    }


def exponent(cpu: dict[int, float]) -> float:
    """Slope of log seconds on log size."""
    slope = np.polyfit(np.log(list(cpu)), np.log(list(cpu.values())), 1)[0]
    return round(float(slope), 2)


def pool(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Error and coverage over several worlds of the same size."""
    return {
        "worlds": len(found),
        "cpu": round(sum(one["cpu"] for one in found), 2),
        "rmse": round(float(np.sqrt(np.mean([one["rmse"] ** 2 for one in found]))), 5),
        "coverage": round(float(np.mean([one["coverage"] for one in found])), 4),
        "intervals": sum(one["intervals"] for one in found),
        "mean_se": round(float(np.mean([one["mean_se"] for one in found])), 5),
    }


def ratios(mine: dict[str, Any], peers: dict[str, Any]) -> dict[str, Any]:
    """Set what we took beside what the peers took, for the same answers."""
    own, their = mine["timed"], peers["timed"]
    n_tags, n_outcomes = WIDE.tags, WIDE.outcomes
    joint, alike = own["joint, plain"]["cpu"], own["joint, plain, 1 outcome"]["cpu"]
    found: dict[str, Any] = {}
    for name, wide in mine["wide"].items():
        passes = wide["yardstick"]["cpu"]
        plain, left_out = wide["joint, plain"]["cpu"], wide["joint, leave one item out"]["cpu"]
        found[f"passes, {name}: joint, plain two-way errors"] = plain / passes
        found[f"passes, {name}: leave-one-item-out errors on top"] = (left_out - plain) / passes
        found[f"passes, {name}: joint as by default"] = wide["joint"]["cpu"] / passes
    wide = mine["wide"]
    if "dense" in wide:
        found["dense / item-compressed, joint plain"] = (
            wide["dense"]["joint, plain"]["cpu"] / wide["item-compressed"]["joint, plain"]["cpu"]
        )
    found["pyfixest / joint, plain, 1 outcome each"] = their["pyfixest"]["cpu"] / alike
    found["pyfixest (1 outcome) / joint, plain (5 outcomes)"] = their["pyfixest"]["cpu"] / joint
    for name in ("econml", "econml, linear treatment", "doubleml"):
        one_outcome = their[name]["cpu"] / their[name]["tags"] * n_tags
        key = f"{name}, 300 tags (extrapolated)"
        found[f"{key} / joint, plain, 1 outcome each"] = one_outcome / alike
        found[f"{key}, 1 outcome / joint, plain (5 outcomes)"] = one_outcome / joint
        found[f"{key}, 5 outcomes (extrapolated) / joint, plain"] = one_outcome * n_outcomes / joint
        if "robust" in own:
            robust = own["robust"]["cpu"]
            found[f"{key}, 1 outcome / robust (5 outcomes)"] = one_outcome / robust
            found[f"{key}, 5 outcomes (extrapolated) / robust"] = one_outcome * n_outcomes / robust
    per_answer = own["matching"]["cpu"] / (NARROW.tags * NARROW.outcomes)
    found["dowhy / matching, per tag and outcome"] = (
        their["dowhy"]["cpu"] / their["dowhy"]["tags"] / per_answer
    )
    alone, whole = own["two-stage alone"]["cpu"], own["two-stage"]["cpu"]
    found["linearmodels / two-stage, the same answers"] = their["linearmodels"]["cpu"] / alone
    found["linearmodels / two-stage with strength and sets"] = their["linearmodels"]["cpu"] / whole
    found["yardstick then / now"] = their["yardstick"]["cpu"] / own["yardstick"]["cpu"]
    return {name: round(float(ratio), 2) for name, ratio in found.items()}


def facts() -> dict[str, Any]:
    """The machine, its processor and how busy it is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), ""
    )
    return {**machine(), "processor": model, "load": round(os.getloadavg()[0], 2)}


def kept_peers() -> dict[str, Any]:
    """Take the peers' figures of the last full run, if it was on this machine."""
    last: dict[str, Any] = json.loads((RESULTS / "peers.json").read_text("utf-8"))["peers"]
    if last["machine"]["processor"] != facts()["processor"]:
        raise SystemExit("The peers were timed on another machine: run without --ours.")
    return last


def main() -> None:
    """Measure and record."""
    peers = kept_peers() if "--ours" in sys.argv else measure_peers()
    mine = measure_ours()
    draw_growth(mine["growth"], ROOT / "docs" / "images" / "growth.svg")
    write_result("peers", {"ratios": ratios(mine, peers), "ours": mine, "peers": peers})


if __name__ == "__main__":
    main()
