"""A transformer's candidates through an index (extra `ann`) beside scoring every item.

Run ``python -m benchmarks.item_index [ITEMS …]`` (default 250000 1000000); it writes
``benchmarks/results/item_index.json``. SIMULATED histories: users stay within three of 2,000 groups
of items. The transformer is trained for one epoch, which gives its vectors a shape but is no
trained recommender. Recall is that of users on whom the index was not tuned. One process a size,
one thread.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from benchmarks.linear_scale import timed
from benchmarks.measure import measure, run_child
from benchmarks.record import write_result
from tagcf.recommend.histories import Histories
from tagcf.recommend.retrieval.vectors import NearVectors, transformer_index
from tagcf.recommend.sequence.schedule import Schedule
from tagcf.recommend.sequence.transformer import FittedTransformer, Transformer
from tagcf.recommend.top.order import best

SIZES = (250_000, 1_000_000)
USERS, EACH, GROUPS = 6_000, 100, 2_000
CANDIDATES = 1_000
ASKED = 200


def grouped(n_items: int) -> Histories:
    """Users who stay within three groups of items, by popularity, but for a tenth of events."""
    random = np.random.default_rng(0)
    shape = (USERS, EACH)
    taste = random.integers(0, GROUPS, (USERS, 3))
    group = np.take_along_axis(taste, random.integers(0, 3, shape), axis=1)
    members = n_items // GROUPS
    within = (members * random.random(shape) ** 2).astype(np.int64)
    anywhere = random.integers(0, n_items, shape)
    item = np.where(random.random(shape) < 0.1, anywhere, group * members + within)
    indptr = np.arange(USERS + 1, dtype=np.int64) * EACH
    return Histories(indptr, item.astype(np.int32).ravel(), np.full(item.size, np.nan), n_items)


def run(n_items: int) -> dict[str, Any]:
    """Train, index, and ask."""
    histories = grouped(n_items)
    fitted = Transformer(schedule=Schedule(epochs=1)).fit(histories)
    made = measure(lambda: transformer_index(fitted.weights, histories))
    assert made.value is not None, "pip install tagcf[ann]"
    near = NearVectors.of(fitted.weights, made.value)
    asked = [one[:-1] for one in np.split(histories.item, histories.indptr[1:-1])[-ASKED:]]
    return {
        "items": n_items,
        "made_cpu_s": round(made.cpu, 1),
        "lists": made.value.lists.nlist,
        "lists_searched": made.value.probes,
        **_compared(near, fitted, asked),
    }


def _compared(
    near: NearVectors, fitted: FittedTransformer, asked: list[np.ndarray]
) -> dict[str, Any]:
    """Recall and CPU milliseconds."""

    def through(at: int) -> np.ndarray:
        return near.asked(asked[at]).best(CANDIDATES, asked[at]).item

    def exact(at: int) -> np.ndarray:
        scores = fitted.scores_of(asked[at])
        scores[asked[at]] = -np.inf
        return best(scores, CANDIDATES)

    pairs = [(through(at), exact(at)) for at in range(len(asked))]
    return {
        "recall@1000": round(float(np.mean([np.isin(e, t).mean() for t, e in pairs])), 4),
        "recall@10": round(float(np.mean([np.isin(e[:10], t[:10]).mean() for t, e in pairs])), 4),
        "index": timed(through, len(asked)),
        "every_item": timed(exact, len(asked)),
    }


def main() -> None:
    """Measure every size, or answer one order of `run_child`."""
    asked = sys.argv[1:]
    if asked and asked[0].startswith("{"):
        print(json.dumps(run(json.loads(asked[0])["items"])))
        return
    sizes = [int(float(one)) for one in asked] or SIZES
    rows = [run_child(sys.executable, "benchmarks.item_index", "run", items=one) for one in sizes]
    write_result("item_index", {"simulated": True, "candidates": CANDIDATES, "rows": rows})


if __name__ == "__main__":
    main()
