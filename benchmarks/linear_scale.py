"""The linear model on a million items: time and peak memory by the number of events.

Run ``python -m benchmarks.linear_scale [EVENTS …]`` (default 1e6 1e7 1e8); it writes
``benchmarks/results/linear_scale.json``. Simulated histories: a user for every hundred events,
items of very unequal popularity, every other event near the one before it. Each size is trained
by `StreamedLinear` in a process of its own with one thread; memory is that of the whole process,
histories included.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.measure import measure, run_child
from benchmarks.record import write_result
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.streamed import StreamedLinear

N_ITEMS = 1_000_000
EACH = 100  # events of a user
SIZES = (1_000_000, 10_000_000, 100_000_000)
BLOCK = 10_000  # users simulated at once


def simulated(events: int, n_items: int = N_ITEMS) -> Histories:
    """Make histories of equal length, a block of users in memory at a time."""
    random = np.random.default_rng(0)
    users = max(events // EACH, 1)
    item = np.empty(users * EACH, np.int32)
    for start in range(0, users, BLOCK):
        size = min(BLOCK, users - start)
        fresh = n_items * random.random((size, EACH)) ** 3
        near = random.integers(1, 20, (size, EACH))
        fresh[:, 1::2] = fresh[:, ::2] + near[:, 1::2]
        item[start * EACH : (start + size) * EACH] = (fresh % n_items).astype(np.int32).ravel()
    indptr = np.arange(users + 1, dtype=np.int64) * EACH
    return Histories(indptr, item, np.broadcast_to(np.nan, item.shape), n_items)


def train(events: int) -> dict[str, object]:
    """Fit once in this process, after the kernels were compiled on a small log."""
    model = StreamedLinear()
    model.fit(simulated(1_000, 100))
    histories = simulated(events)
    done = measure(lambda: model.fit(histories))
    resident = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    some = histories.users(slice(0, 20))
    scored = measure(lambda: done.value.scores(some))
    return {
        "events": events,
        "items": N_ITEMS,
        "kept": int(done.value.table.nnz),
        "cpu_s": round(done.cpu, 2),
        "peak_mb": round(int(resident) / 1024),
        "score_ms": round(1000 * scored.cpu / len(some), 2),
    }


def main() -> None:
    """Measure every size, or answer one order of `run_child`."""
    asked = sys.argv[1:]
    if asked and asked[0].startswith("{"):
        print(json.dumps(train(json.loads(asked[0])["events"])))
        return
    sizes = [int(float(one)) for one in asked] or SIZES
    rows = [
        run_child(sys.executable, "benchmarks.linear_scale", "train", events=size) for size in sizes
    ]
    write_result("linear_scale", {"simulated": True, "rows": rows})


if __name__ == "__main__":
    main()
