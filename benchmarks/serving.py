"""Serving on a SIMULATED platform of 100,000 items: a request with its reasons, and an event.

``OMP_NUM_THREADS=1 python -m benchmarks.serving`` trains the linear model, the ranker and the
effects of tags on one simulated log, then asks for lists of 10 out of 1,000 candidates, one at a
time, in one thread: wall and CPU time per request, by percentiles, with what it is made of.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.record import write_result
from tagcf import estimate_effects
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.steer import Rule
from tagcf.settings import RecommendSettings
from tagcf.types import EventLog, TagEffects, TagMatrix

ITEMS, USERS, EVENTS, TAGS, GROUPS = 100_000, 20_000, 40, 64, 500
DAY = 86_400.0


def platform(n_items: int, n_users: int, seed: int = 0) -> tuple[EventLog, TagMatrix]:
    """Users who stay within a few groups of items, by popularity; tags that do something."""
    rng = np.random.default_rng(seed)
    n = n_users * EVENTS
    user = np.repeat(np.arange(n_users), EVENTS)
    taste = rng.integers(0, GROUPS, (n_users, 3))
    group = taste[user, rng.integers(0, 3, n)]
    members = n_items // GROUPS
    within = (members * rng.random(n) ** 4).astype(np.int64)  # the first of a group are popular
    item = np.where(rng.random(n) < 0.2, rng.integers(0, n_items, n), group * members + within)
    carried = rng.random((n_items, TAGS)) < 4 / TAGS
    effect = rng.normal(0, 0.05, TAGS) * (rng.random(TAGS) < 0.5)
    push = carried[item] @ effect
    outcomes = {
        name: (rng.random(n) < np.clip(base + push, 0.02, 0.98)).astype(np.float64)
        for name, base in (("click", 0.6), ("completion", 0.4), ("like", 0.2))
    }
    log = log_from_arrays(
        user=np.char.add("u", user.astype(str)),
        item=np.char.add("i", item.astype(str)),
        ts=rng.random(n) * 28 * DAY,
        outcomes=outcomes,
        kinds=dict.fromkeys(outcomes, "binary"),
        randomized=rng.random(n) < 0.2,
        simulated=True,
    )
    at = np.array([int(one[1:]) for one in log.items.ids.to_pylist()])
    return log, tags_from_arrays(log.items, sparse.csr_array(carried[at]), tag_names())


def tag_names() -> list[str]:
    """Slugs of the simulated tags."""
    return [f"t{k}" for k in range(TAGS)]


def timed(call: Callable[[int], Any], n: int) -> dict[str, float]:
    """Percentiles of wall and CPU milliseconds over n calls, after some that do not count."""
    for at in range(20):
        call(at)
    wall, cpu = np.empty(n), np.empty(n)
    for at in range(n):
        started, used = time.perf_counter(), time.process_time()
        call(at)
        wall[at], cpu[at] = time.perf_counter() - started, time.process_time() - used
    return {
        f"{name}_{which}_ms": round(1e3 * float(np.quantile(values, share)), 3)
        for name, values in (("wall", wall), ("cpu", cpu))
        for which, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
    }


def train(
    log: EventLog, tags: TagMatrix, effects: TagEffects, utility: dict[str, float]
) -> Recommender:
    """Fit with hyper-parameters as they are by default."""
    settings = RecommendSettings(utility=utility)
    return Recommender.fit(log, tags, effects, settings, search=False)


def requests(
    trained: Recommender, n: int, seed: int = 1
) -> Iterator[tuple[str, Callable[[int], Any]]]:
    """Yield the kinds of requests, each a function of its number."""
    users = [str(one) for one in np.random.default_rng(seed).choice(trained.people.ids, n + 20)]
    rule = Rule("t3", boost=0.5)
    histories = [
        [trained.catalogue.ids[one] for one in trained.people.history(at)[0][-20:]]
        for at in range(n + 20)
    ]
    yield "known user", lambda at: trained.recommend(users[at])
    yield "unknown history", lambda at: trained.recommend(histories=[histories[at]])
    yield (
        "one boost, one block",
        lambda at: trained.recommend(users[at], rules=[rule, Rule("t5", block=True)]),
    )


def main() -> None:
    """Measure and write ``results/serving.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--items", type=int, default=ITEMS)
    asked.add_argument("--users", type=int, default=USERS)
    asked.add_argument("--requests", type=int, default=1000)
    asked.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = asked.parse_args()
    log, tags = platform(options.items, options.users)
    started = time.process_time()
    effects = estimate_effects(log, tags)
    effects_cpu = time.process_time() - started
    rows: list[dict[str, Any]] = []
    for utility in ({}, {"click": 0.3, "completion": 0.5, "like": 1.0}):
        started = time.process_time()
        trained = train(log, tags, effects, utility)
        cpu = time.process_time() - started
        for name, call in requests(trained, options.requests):
            rows.append(
                {
                    "ranked_by": "utility" if utility else "next choice",
                    "request": name,
                    "reasons": reasons_of(call),
                    **timed(call, options.requests),
                }
            )
            print(rows[-1], flush=True)
    result = {
        "simulated": True,
        "load_average": [round(one, 1) for one in os.getloadavg()],  # of what else ran
        "items": len(log.items),
        "users": len(log.users),
        "rows": log.n_rows,
        "candidates": 1000,
        "k": 10,
        "requests": options.requests,
        "train_cpu_s": round(cpu, 1),
        "effects_cpu_s": round(effects_cpu, 1),
        "lists": rows,
        "updates": updates(trained, options.requests),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if options.dry:
        print(result)
    else:
        write_result("serving", result)


def reasons_of(call: Callable[[int], Any]) -> dict[str, float]:
    """Reasons that an item came with, on average, and how they stand the test; 50 requests."""
    items = [item for at in range(50) for ranking in call(at) for item in ranking.items]
    tested = [item.fidelity for item in items if item.fidelity is not None]
    return {
        "tags": round(float(np.mean([len(item.reasons) for item in items])), 2),
        "events": round(float(np.mean([len(item.history) for item in items])), 2),
        "hold": round(float(np.mean([one.holds for one in tested])), 3),
        "score_left": round(
            sum(one.without_evidence for one in tested) / sum(one.score for one in tested), 3
        ),
    }


def updates(trained: Recommender, n: int) -> dict[str, Any]:
    """One event at a time, and the tables solved again for all of them."""
    rng = np.random.default_rng(2)
    users = rng.choice(trained.people.ids, n + 20)
    items = rng.choice(trained.catalogue.ids, n + 20)
    found = timed(lambda at: trained.update([(users[at], items[at], 29 * DAY + at)]), n)
    started = time.process_time()
    learned = trained.learn()
    return {
        "event": found,
        "learned": learned,
        "learn_cpu_s": round(time.process_time() - started, 2),
    }


if __name__ == "__main__":
    main()
