"""How far lists reach into the catalogue at accuracy within .001 of the best, beside SASRec.

``python -m benchmarks.coverage_gini`` takes the linear model (``--base``: another) on ml-100k,
LastFM and Beauty, tempers its popularity and adds the term of the logic graph (topics are their own
roles: no other are known there), each as far as validation allows, and trains RecTools' SASRec for
``--epochs`` (0: without it). One leave-one-out split, no seeds but SASRec's. Writes
``results/coverage_gini.json``; ``--data`` runs less and keeps the rest.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.measure import run_child
from benchmarks.peers import facts
from benchmarks.ranking_data import CATALOGUES
from benchmarks.record import RESULTS, write_result
from tagcf.recommend.baselines.sasrec import SASRec
from tagcf.recommend.evaluate.contract import row_json
from tagcf.recommend.evaluate.harness import Run, tabulate
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Beside, Chosen, Grid, Search
from tagcf.recommend.evaluate.splits import Holdout, Split, leave_one_out
from tagcf.recommend.logic.term import WithLogic, WithLogicSearch, ablate, graph_of
from tagcf.recommend.models import MODELS
from tagcf.recommend.spread.tempered import TemperedSearch

EPOCHS = 25


@dataclass(frozen=True, slots=True)
class Found:
    """A search that has been done."""

    chosen: Chosen
    name: str

    def choose(self, valid: Holdout) -> Chosen:
        """Give what was found."""
        return self.chosen


def main() -> None:
    """Measure what is asked for, and record."""
    options = argparse.ArgumentParser(description="coverage and Gini beside SASRec")
    options.add_argument("--data", default=",".join(CATALOGUES))
    options.add_argument("--base", default="linear")
    options.add_argument("--epochs", type=int, default=EPOCHS)
    asked = options.parse_args()
    for name in asked.data.split(","):
        order = {"base": asked.base, "epochs": asked.epochs}
        run = run_child(sys.executable, "benchmarks.coverage_gini", name, **order)
        found = {**_recorded(), name: {"measured": facts(), **run}}
        write_result("coverage_gini", {"catalogues": found})


def _recorded() -> dict[str, Any]:
    path = RESULTS / "coverage_gini.json"
    if not path.exists():
        return {}
    known: dict[str, Any] = json.loads(path.read_text("utf-8"))["catalogues"]
    return known


def measure(name: str, base: str, epochs: int) -> dict[str, Any]:
    """Table of one catalogue: the model, tempered, with logic, and SASRec."""
    data = CATALOGUES[name]()
    split = leave_one_out(data.histories)
    found = Found(MODELS[base](Beside(data.tags)).choose(split.valid), base)
    searches: list[Search] = [
        found,
        TemperedSearch(found, name=f"{base}-tempered"),
        WithLogicSearch(found, data.tags, name=f"{base}-logic"),
    ]
    if epochs:
        searches.append(Grid("sasrec", [SASRec(epochs=epochs)]))
    runs = {one.name: [_run(one, split)] for one in searches}
    table = tabulate(split, runs, data.tags)
    graph = graph_of(WithLogic(found.chosen.model, data.tags), split.valid.train)
    gate = ablate(found.chosen.fitted, graph, split.valid)
    return {
        "base": base,
        "models": [row_json(row) for row in table.rows],
        "paired": [asdict(one) for one in table.paired if one.metric == "ndcg@10"],
        "logic": {
            "weight": gate.weight,
            "ships": gate.ships,
            "edges": int(graph.to_topics.nnz),
            "targets_moved": gate.moved,
            **asdict(gate.gain),
        },
    }


def _run(search: Search, split: Split) -> Run:
    """Choose on validation; leave-one-out's test has the same training data."""
    chosen = search.choose(split.valid)
    ranked = rank_targets(chosen.fitted, split.test, name=search.name)
    line = search.name, float(np.mean(ranked.rank <= 10)), repr(chosen.model)
    print(line, file=sys.stderr, flush=True)
    return Run(search.name, chosen, chosen.fit_cpu_s, ranked)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        order = json.loads(sys.argv[1])
        print(json.dumps(measure(order["task"], order["base"], order["epochs"])))
    else:
        main()
