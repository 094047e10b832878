"""The linear model on a million items: training, unlearning and requests by the number of events.

Run ``python -m benchmarks.linear_scale [EVENTS …]`` (default 1e6 1e7 1e8); it writes
``benchmarks/results/linear_scale.json``. Simulated histories: a user for every hundred events,
items of very unequal popularity, half of the events near the one before. Each size runs in a
process of its own with one thread, as `tagcf train` does it: settings are chosen on a hold-out
of (some of) the users, then the model is fitted to everything. Memory is the peak of the whole
process while that lasts, histories and their times included.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import measure, run_child
from benchmarks.record import write_result
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.linear.search import LinearSearch, searched
from tagcf.recommend.retrieval.touched import TouchedItems
from tagcf.recommend.top.order import best

N_ITEMS = 1_000_000
EACH = 100  # events of a user
SIZES = (1_000_000, 10_000_000, 100_000_000)
BLOCK = 10_000  # users simulated at once
CANDIDATES = 1_000
ASKED = 500  # requests that are timed


def simulated(events: int, n_items: int = N_ITEMS) -> Histories:
    """Make histories of equal length, a block of users in memory at a time."""
    random = np.random.default_rng(0)
    users = max(events // EACH, 1)
    item = np.empty(users * EACH, np.int32)
    for start in range(0, users, BLOCK):
        size = min(BLOCK, users - start)
        drawn = (n_items * random.random((size, EACH)) ** 3).astype(np.int64)
        step = random.integers(1, 20, (size, EACH)) * (random.random((size, EACH)) < 0.5)
        for at in range(1, EACH):
            near = (drawn[:, at - 1] + step[:, at]) % n_items
            drawn[:, at] = np.where(step[:, at] > 0, near, drawn[:, at])
        item[start * EACH : (start + size) * EACH] = drawn.astype(np.int32).ravel()
    indptr = np.arange(users + 1, dtype=np.int64) * EACH
    return Histories(indptr, item, np.arange(item.size, dtype=np.float64), n_items)


def train(events: int) -> dict[str, Any]:
    """Search and fit once in this process, after the kernels were compiled on a small log."""
    warm = simulated(3_000, 1_000)
    LinearSearch(whole=simulated(1_000, 300_000)).choose(leave_one_out(warm).valid)
    histories = simulated(events)
    chosen = measure(
        lambda: LinearSearch(whole=histories).choose(leave_one_out(searched(histories)).valid)
    )
    model, tried = chosen.value.model, len(chosen.value.tried)
    search_cpu, chosen, search_peak = chosen.cpu, None, _peak()
    fitted = measure(lambda: model.fit(histories))
    fit_peak = _peak()
    (part,) = model.parts[:1]
    without = histories.where(np.arange(histories.item.size) >= EACH)
    forgotten = measure(lambda: fitted.value.unlearn(histories.users(slice(0, 1)), without))
    return {
        "events": events,
        "items": N_ITEMS,
        "form": "streamed" if part.ridge.streamed else "sparse",
        "parts": len(model.parts),
        "tried": tried,
        "kept": int(sum(table.nnz for table in fitted.value.tables)),
        "search_cpu_s": round(search_cpu, 1),
        "fit_cpu_s": round(fitted.cpu, 1),
        "search_peak_mb": search_peak,
        "fit_peak_mb": fit_peak,
        "unlearn_cpu_s": round(forgotten.cpu, 2),
        **requests(fitted.value, histories.users(slice(1, 1 + ASKED))),
    }


def requests(fitted: FittedLinear, asked: Histories) -> dict[str, Any]:
    """CPU milliseconds of finding candidates, by the items touched and by scoring every item."""
    retriever = TouchedItems.of(fitted)
    assert retriever is not None
    histories = [asked.item[asked.indptr[u] : asked.indptr[u + 1]] for u in range(len(asked))]

    def touched(at: int) -> np.ndarray:
        return retriever.asked(histories[at]).best(CANDIDATES, histories[at]).item

    def exact(at: int) -> np.ndarray:
        scores = fitted.scores(asked.users(slice(at, at + 1)))[0]
        scores[histories[at]] = -np.inf
        return best(scores, CANDIDATES)

    for at in range(20):
        assert np.array_equal(touched(at), exact(at))
    return {"touched": timed(touched, len(asked)), "every_item": timed(exact, len(asked) // 5)}


def timed(call: Callable[[int], Any], n: int) -> dict[str, float]:
    cpu = np.empty(n)
    for at in range(n):
        started = time.process_time()
        call(at)
        cpu[at] = time.process_time() - started
    return {f"cpu_p{p}_ms": round(1e3 * float(np.quantile(cpu, p / 100)), 2) for p in (50, 99)}


def _peak() -> int:
    """Peak resident memory of this process since `measure` was last called, in megabytes."""
    return round(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)


def main() -> None:
    """Measure every size, or answer one order of `run_child`."""
    asked = sys.argv[1:]
    if asked and asked[0].startswith("{"):
        print(json.dumps(train(json.loads(asked[0])["events"])))
        return
    sizes = [int(float(one)) for one in asked] or SIZES
    rows = []
    for size in sizes:
        rows.append(run_child(sys.executable, "benchmarks.linear_scale", "train", events=size))
        print(rows[-1], flush=True)
    write_result("linear_scale", {"simulated": True, "candidates": CANDIDATES, "rows": rows})


if __name__ == "__main__":
    main()
