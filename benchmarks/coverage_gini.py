"""How far lists reach into the catalogue at accuracy within .001 of the best.

``python -m benchmarks.coverage_gini`` takes the linear and the fused model (``--bases``: others) on
ml-100k, LastFM and Beauty, tempers their popularity and adds the term of the logic graph (topics
are their own roles: no other are known there), each as far as validation allows. One leave-one-out
split, one seed. Writes ``results/coverage_gini.json``; ``--data`` runs less and keeps the rest.
SASRec on the same split is a row of ``results/ranking.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.measure import run_child
from benchmarks.peers import facts
from benchmarks.ranking_data import CATALOGUES
from benchmarks.record import RESULTS, write_result
from tagcf.recommend.evaluate.contract import row_json
from tagcf.recommend.evaluate.harness import Run, tabulate
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Already, Beside, Search
from tagcf.recommend.evaluate.splits import Split, leave_one_out
from tagcf.recommend.logic.term import WithLogic, WithLogicSearch, ablate, graph_of
from tagcf.recommend.models import MODELS
from tagcf.recommend.spread.tempered import TemperedSearch


def main() -> None:
    """Measure what is asked for, and record."""
    options = argparse.ArgumentParser(description="coverage and Gini beside SASRec")
    options.add_argument("--data", default=",".join(CATALOGUES))
    options.add_argument("--bases", default="linear,fused")
    asked = options.parse_args()
    for name in asked.data.split(","):
        order = {"bases": asked.bases.split(",")}
        run = run_child(sys.executable, "benchmarks.coverage_gini", name, **order)
        found = {**_recorded(), name: {"measured": facts(), **run}}
        write_result("coverage_gini", {"catalogues": found})


def _recorded() -> dict[str, Any]:
    path = RESULTS / "coverage_gini.json"
    if not path.exists():
        return {}
    known: dict[str, Any] = json.loads(path.read_text("utf-8"))["catalogues"]
    return known


def measure(name: str, bases: list[str]) -> dict[str, Any]:
    """Table of one catalogue: each model, tempered, and with logic."""
    data = CATALOGUES[name]()
    split = leave_one_out(data.histories)
    runs: dict[str, list[Run]] = {}
    gates = {}
    for base in bases:
        known = Already(MODELS[base](Beside(data.tags)).choose(split.valid))
        searches: list[Search] = [
            known,
            TemperedSearch(known, name=f"{base}-tempered"),
            WithLogicSearch(known, data.tags, name=f"{base}-logic"),
        ]
        runs |= {one.name: [_run(one, split)] for one in searches}
        gates[base] = _gate(known, data.tags, split)
    table = tabulate(split, runs, data.tags)
    return {
        "bases": bases,
        "models": [row_json(row) for row in table.rows],
        "paired": [asdict(one) for one in table.paired if one.metric == "ndcg@10"],
        "logic": gates,
    }


def _gate(known: Already, tags: sparse.csr_array, split: Split) -> dict[str, Any]:
    """What the term of the logic graph did on validation."""
    graph = graph_of(WithLogic(known.chosen.model, tags), split.valid.train)
    gate = ablate(known.chosen.fitted, graph, split.valid)
    return {
        "weight": gate.weight,
        "ships": gate.ships,
        "edges": int(graph.to_topics.nnz),
        "targets_moved": gate.moved,
        **asdict(gate.gain),
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
        print(json.dumps(measure(order["task"], order["bases"])))
    else:
        main()
