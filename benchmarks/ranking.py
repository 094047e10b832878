"""The table of rankers on three public catalogues, every row beside its peers in the same run.

``python -m benchmarks.ranking`` runs every model of `tagcf.recommend.models` on ml-100k, Beauty
and LastFM, each catalogue in a process of its own with one thread, and writes
``results/ranking.json``. ``--data`` and ``--models`` (names with commas) run less; catalogues not
named keep what the file has. ``--seeds`` (default 3) are those of random models.

The protocol is section 3 of ``../shared/research/rec.md``; settings come from the validation
hold-out alone, and searching them is in ``search_cpu_s``. On ml-100k, where one hold-out has a
standard error of .008, five rolling hold-outs stand beside it: the figures of a user are averaged
over them before users are compared. There, models that take minutes choose their settings on the
oldest hold-out, whose events all the others have in their past, and keep them.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.measure import run_child
from benchmarks.peers import facts
from benchmarks.ranking_data import CATALOGUES, Catalogue
from benchmarks.record import RESULTS, write_result
from tagcf.recommend.evaluate.contract import evaluation_json
from tagcf.recommend.evaluate.harness import Difference, Run, evaluate, run_model
from tagcf.recommend.evaluate.intervals import paired_interval
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.slices import history_slice, record_slice
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.models import MODELS, SLOW

ROLLING = {"ml-100k": 5}
SEEDS = 3


def main() -> None:
    """Measure what is asked for, and record."""
    options = argparse.ArgumentParser(description="the table of rankers")
    options.add_argument("--data", default=",".join(CATALOGUES))
    options.add_argument("--models", default=",".join(name for name in MODELS if name != "tagcf"))
    options.add_argument("--seeds", type=int, default=SEEDS)
    asked = options.parse_args()
    found = _recorded()
    for name in asked.data.split(","):
        order = {"models": asked.models.split(","), "seeds": asked.seeds}
        run = run_child(sys.executable, "benchmarks.ranking", name, **order)
        found[name] = {"measured": facts(), **run}
    write_result("ranking", {"catalogues": found})


def _recorded() -> dict[str, Any]:
    path = RESULTS / "ranking.json"
    if not path.exists():
        return {}
    known: dict[str, Any] = json.loads(path.read_text("utf-8"))["catalogues"]
    return known


def measure_catalogue(name: str, models: list[str], seeds: int) -> dict[str, Any]:
    """Table of one catalogue, and its rolling hold-outs."""
    data = CATALOGUES[name]()
    split = leave_one_out(data.histories)
    table = evaluate(
        split,
        models,
        tags=data.tags,
        seeds=range(seeds),
        slices=[history_slice(split.test), record_slice(split.test.train)],
        progress=lambda model: print(f"{name}: {model}", file=sys.stderr, flush=True),
    )
    found = {
        "users": len(data.histories),
        "items": data.histories.n_items,
        "events": int(data.histories.item.size),
        **evaluation_json(table),
    }
    ran = [row.model for row in table.rows]
    if name in ROLLING:
        found["rolling"] = rolling_hold_outs(data, ran, ROLLING[name])
    return found


def rolling_hold_outs(data: Catalogue, models: list[str], n: int) -> dict[str, Any]:
    """NDCG@10 of each model on each hold-out, and differences of users' means over them."""
    values: dict[str, np.ndarray] = {}  # (n, M), the newest hold-out first
    for model in models:
        kept: Run | None = None
        rows = []
        for back in reversed(range(n)):
            split = leave_one_out(data.histories, back=back)
            chosen = None if kept is None or model not in SLOW else kept.chosen
            (kept,) = run_model(model, split, data.tags, chosen=chosen)
            everyone = np.full(len(data.histories), np.nan)
            everyone[split.test.user] = by_user(kept.ranked.rank, "ndcg@10")
            rows.append(everyone)
        values[model] = np.stack(rows[::-1])
        print(f"rolling: {model} {values[model].mean(1)}", file=sys.stderr, flush=True)
    asked = {model: np.nanmean(of, axis=0)[~np.isnan(of).all(0)] for model, of in values.items()}
    pairs = [(one, other) for one in models for other in models if one != other]
    gaps = {pair: paired_interval(*(asked[model][None] for model in pair)) for pair in pairs}
    return {
        "hold_outs": n,
        "ndcg@10": {model: np.nanmean(of, axis=1).tolist() for model, of in values.items()},
        "mean": {model: float(of.mean()) for model, of in asked.items()},
        "paired": [
            asdict(Difference(one, other, "ndcg@10", gap.mean, gap.low, gap.high))
            for (one, other), gap in gaps.items()
        ],
    }


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):  # one catalogue, in its own process
        order = json.loads(sys.argv[1])
        measured = measure_catalogue(order["task"], order["models"], order["seeds"])
        print(json.dumps(measured))
    else:
        main()
