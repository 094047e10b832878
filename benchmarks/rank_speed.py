"""Speed of the many-outcome ranker: 1,000 candidates at a time, and rows per second when fitting.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.rank_speed``; it writes
``benchmarks/results/rank_speed.json``. Simulated: 100,000 items, 20,000 users, 200 tags. One
request predicts six outcomes of 1,000 candidates for one user (``score``), weighs them and picks
20 by maximal marginal relevance or by the determinant. CPU time stands beside wall time, which
other work on the machine stretches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.measure import measure
from benchmarks.record import write_result
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.recommend.rank.diversity import Determinantal, MarginalRelevance, unit_vectors
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.rank.utility import Utility
from tagcf.types import EventLog, IdMap, TagMatrix

ITEMS, USERS, TAGS, ROWS, CANDIDATES, CALLS = 100_000, 20_000, 200, 1_000_000, 1_000, 500
OUTCOMES = ("click", "completion", "watch_time", "like", "depth", "share")


def make_log() -> tuple[EventLog, TagMatrix]:
    """A log without any structure: only its size matters here."""
    rng = np.random.default_rng(0)
    items = IdMap(pa.array([f"i{k}" for k in range(ITEMS)], pa.string()))
    users = IdMap(pa.array([f"u{k}" for k in range(USERS)], pa.string()))
    item = rng.integers(0, ITEMS, ROWS, dtype=np.int32)
    log = log_from_arrays(
        item=item,
        items=items,
        user=rng.integers(0, USERS, ROWS, dtype=np.int32),
        users=users,
        ts=np.sort(rng.uniform(1.7e9, 1.7e9 + 28 * 86_400, ROWS)),
        outcomes={name: (rng.random(ROWS) < 0.3).astype(float) for name in OUTCOMES},
        covariates={"duration_s": rng.lognormal(3, 0.5, ITEMS)[item]},
        randomized=rng.random(ROWS) < 0.2,
        propensity=np.full(ROWS, 1e-5),
    )
    carried = (rng.random((ITEMS, TAGS)) < 0.03).astype(np.float32)
    return log, tags_from_arrays(items, carried, [f"t{k}" for k in range(TAGS)])


def latency(call: Callable[[], object]) -> dict[str, float]:
    """Milliseconds per call: wall at p50 and p99, CPU on average."""
    for _ in range(20):
        call()
    wall = np.empty(CALLS)
    began = time.process_time()
    for at in range(CALLS):
        start = time.perf_counter()
        call()
        wall[at] = time.perf_counter() - start
    cpu = (time.process_time() - began) / CALLS
    p50, p99 = np.quantile(wall, [0.5, 0.99])
    return {name: round(1e3 * ms, 3) for name, ms in (("p50", p50), ("p99", p99), ("cpu", cpu))}


def main() -> None:
    """Measure and record."""
    log, tags = make_log()
    Ranker().fit(log, tags)  # compiles
    fit = measure(lambda: Ranker().fit(log, tags))
    fitted = fit.value
    rng = np.random.default_rng(1)
    some = rng.permutation(ITEMS)[:CANDIDATES]
    vectors = unit_vectors(tags.carried()[some])
    utility = Utility.stated({"click": 1.0, "like": 2.0}, fitted.names)
    value = utility.of(fitted.names, fitted.outcomes(7, some))
    relevance, determinant = MarginalRelevance(), Determinantal()
    result: dict[str, Any] = {
        "world": {"items": ITEMS, "users": USERS, "tags": TAGS, "rows": ROWS},
        "fit": {"cpu_s": round(fit.cpu, 2), "rows_per_cpu_s": round(ROWS / fit.cpu)},
        "memory_above_log_mb": round(fit.extra_mb),
        "ms": {
            "score 1,000 candidates": latency(lambda: fitted.outcomes(7, some)),
            "weigh": latency(lambda: utility.of(fitted.names, fitted.outcomes(7, some))),
            "20 by marginal relevance": latency(lambda: relevance.pick(value, vectors, 20)),
            "20 by determinant": latency(lambda: determinant.pick(value, vectors, 20)),
        },
    }
    write_result("rank_speed", result)


if __name__ == "__main__":
    main()
