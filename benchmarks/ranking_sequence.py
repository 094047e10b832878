"""The transformer, its fusion and the published TagCF objective, each trained once a seed.

``python -m benchmarks.ranking_sequence [--data ml-100k,Beauty,LastFM] [--seeds 3] [--paper]``
writes ``results/ranking_sequence.json``. Protocol, metrics and intervals are those of
``benchmarks.ranking``; here the fused row takes the very transformer of the transformer's row,
where that table trains each row for itself. CPU seconds of a fused row count all its members.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.measure import run_child
from benchmarks.peers import facts
from benchmarks.ranking_data import CATALOGUES
from benchmarks.record import RESULTS, write_result
from tagcf.recommend.evaluate.contract import evaluation_json
from tagcf.recommend.evaluate.harness import Run, run_model, tabulate
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Beside, Chosen, Reseeded, timed_fit
from tagcf.recommend.evaluate.splits import Split, leave_one_out
from tagcf.recommend.sequence.fusion import FittedFusion, Fusion, closed_form_members, fuse
from tagcf.recommend.sequence.transformer import transformer_search

SEEDS = 3
PAPER = ("tagcf-paper-util", "tagcf-paper-expl")


def main() -> None:
    """Measure what is asked for, and record."""
    options = argparse.ArgumentParser(description="the transformer and its fusion")
    options.add_argument("--data", default=",".join(CATALOGUES))
    options.add_argument("--seeds", type=int, default=SEEDS)
    options.add_argument("--paper", action="store_true")
    asked = options.parse_args()
    for name in asked.data.split(","):
        order = {"seeds": asked.seeds, "paper": asked.paper}
        run = run_child(sys.executable, "benchmarks.ranking_sequence", name, **order)
        path = RESULTS / "ranking_sequence.json"
        known = json.loads(path.read_text("utf-8"))["catalogues"] if path.exists() else {}
        known[name] = {"measured": facts(), **run}
        write_result("ranking_sequence", {"catalogues": known})


def measure_catalogue(name: str, seeds: int, *, paper: bool) -> dict[str, Any]:
    """Table of one catalogue."""
    data = CATALOGUES[name]()
    split = leave_one_out(data.histories)
    runs = shared_training(split, seeds)
    for model in PAPER if paper else ():
        runs[model] = run_model(model, split, data.tags, range(seeds))
    found = tabulate(split, runs, data.tags)
    chosen = {model: repr(own[0].chosen.model) for model, own in runs.items()}
    return {**evaluation_json(found), "chosen": chosen}


def shared_training(split: Split, seeds: int) -> dict[str, list[Run]]:
    """Runs of the closed-form members, of the transformer, and of both fused, under each seed."""
    closed = [search.choose(split.valid) for search in closed_form_members()]
    runs = {one.model.name: [ranked(one.model.name, split, one, one)] for one in closed}
    chosen = transformer_search(Beside(seed=0)).choose(split.valid)
    fused = fuse([*closed, chosen], split.valid)
    runs |= {"transformer": [], "fused": []}
    for seed in range(seeds):
        fitted = chosen if seed == 0 else reseeded(chosen, split, seed)
        runs["transformer"].append(ranked("transformer", split, chosen, fitted))
        both = fused if seed == 0 else fused_again(fused, [*closed, fitted])
        runs["fused"].append(ranked("fused", split, fused, both))
    return runs


def reseeded(chosen: Chosen, split: Split, seed: int) -> Chosen:
    """Give the chosen settings trained under another seed."""
    if not isinstance(chosen.model, Reseeded):
        raise TypeError(f"{chosen.model.name} has no seed")
    model = chosen.model.reseeded(seed)
    fitted, cpu, _ = timed_fit(model, split.test)
    return Chosen(model, fitted, (), cpu, cpu)


def fused_again(fused: Chosen, members: list[Chosen]) -> Chosen:
    """Give the chosen weights over members of another seed."""
    if not isinstance(fused.model, Fusion):
        raise TypeError(f"{fused.model.name} is no fusion")
    used = [(m, w) for m, w in zip(members, fused.model.weights, strict=True) if w > 0]
    fitted = FittedFusion(tuple(m.fitted for m, _ in used), tuple(w for _, w in used))
    cpu = sum(m.fit_cpu_s for m, _ in used)
    return Chosen(fused.model, fitted, (), cpu, cpu)


def ranked(name: str, split: Split, chosen: Chosen, fitted: Chosen) -> Run:
    """Rank the test targets."""
    print(f"{name}: {fitted.fit_cpu_s:.1f} CPU-s", file=sys.stderr, flush=True)
    return Run(name, chosen, fitted.fit_cpu_s, rank_targets(fitted.fitted, split.test, name=name))


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):  # one catalogue, in its own process
        order = json.loads(sys.argv[1])
        print(json.dumps(measure_catalogue(order["task"], order["seeds"], paper=order["paper"])))
    else:
        main()
