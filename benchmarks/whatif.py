"""What-if answers: latency of one, and questions per second in a batch, against pyfixest.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.whatif``; it writes ``benchmarks/results/whatif.json``.

All figures of a run stand on one fit: pyfixest estimates the tags' coefficients with errors
clustered by item, and they are handed to both sides. Peers, asked the same questions in the
same process: pyfixest's ``predict`` on two frames (before and after; a difference without
interval), and plain numpy with scipy.stats (difference and interval). Neither looks up a
prediction for the pair, checks support or names contributions; ours does all three. Our
deltas are checked against the peer's, our intervals against those of plain numpy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyfixest as pf
from scipy import stats

from benchmarks.record import write_result
from tagcf.counterfactual.answer import ask
from tagcf.counterfactual.batch import what_if_many
from tagcf.counterfactual.model import fit_response
from tagcf.counterfactual.prepare import Prepared, prepare
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.types import IdMap, JointFit, TagEffects

N_ROWS, N_ITEMS, N_USERS, N_TAGS = 200_000, 20_000, 20_000, 100
SINGLE, SINGLE_PEER, BATCH = 5_000, 300, 100_000


def main() -> None:
    """Measure and write the result."""
    rng = np.random.default_rng(0)
    carried = rng.random((N_ITEMS, N_TAGS)) < rng.uniform(0.02, 0.15, N_TAGS)
    item, user = rng.integers(0, N_ITEMS, N_ROWS), rng.integers(0, N_USERS, N_ROWS)
    effect = rng.normal(0, 0.03, N_TAGS) * (rng.random(N_TAGS) < 0.5)
    chance = 0.4 + carried @ effect + rng.normal(0, 0.05, N_ITEMS)
    click = (rng.random(N_ROWS) < chance[item]).astype(float)
    names = [f"t{t}" for t in range(N_TAGS)]
    frame = pd.DataFrame(carried[item].astype(float), columns=names)
    frame["click"], frame["item"] = click, item
    peer = pf.feols("click ~ " + " + ".join(names), frame, vcov={"CRV1": "item"})
    started = time.perf_counter()
    ready = ready_of(peer, carried, item, user, click)
    prepared = time.perf_counter() - started
    rows, tags = pick_edits(carried, rng)
    result = {
        "world": {"rows": N_ROWS, "items": N_ITEMS, "users": N_USERS, "tags": N_TAGS},
        "prepare_seconds": round(prepared, 3),
        **one_at_a_time(ready, peer, carried, rows, tags),
        **all_at_once(ready, peer, carried, rows, tags),
    }
    result["ratios"] = {
        "pyfixest predict p50 / ours": round(
            result["one"]["pyfixest predict"]["p50_ms"] / result["one"]["tagcf ask"]["p50_ms"], 1
        ),
        "numpy p50 / ours": round(
            result["one"]["numpy contrast"]["p50_ms"] / result["one"]["tagcf ask"]["p50_ms"], 2
        ),
        "batch: ours / pyfixest predict": round(
            result["batch"]["tagcf what_if_many"] / result["batch"]["pyfixest predict"], 2
        ),
    }
    write_result("whatif", result)


def ready_of(
    peer: Any, carried: np.ndarray, item: np.ndarray, user: np.ndarray, click: np.ndarray
) -> Prepared:
    """Put the peer's coefficients in the place of ours, and fit the response model."""
    names = [f"t{t}" for t in range(N_TAGS)]
    coef = peer.coef()
    at = [list(coef.index).index(name) for name in names]
    fit = JointFit(
        outcome="click",
        kind="binary",
        tags=tuple(names),
        coef=coef.to_numpy()[at],
        cov=np.asarray(peer._vcov)[np.ix_(at, at)],
        df=np.full(N_TAGS, 500.0),
        usable=np.ones(N_TAGS, dtype=bool),
        baseline=float(click.mean()),
    )
    items = IdMap(pa.array([f"i{k}" for k in range(N_ITEMS)]))
    users = IdMap(pa.array([f"u{k}" for k in range(N_USERS)]))
    log = log_from_arrays(
        item=item.astype(np.int32),
        items=items,
        user=user.astype(np.int32),
        users=users,
        outcomes={"click": click},
    )
    tags = tags_from_arrays(items, carried, names)
    return prepare(TagEffects((), (fit,)), tags, fit_response(log))


def pick_edits(carried: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw items, and of each a tag that it carries."""
    some = np.nonzero(carried.any(1))[0]
    rows = rng.choice(some, BATCH)
    weight = carried[rows] * rng.random((BATCH, N_TAGS))
    return rows, weight.argmax(1)


def one_at_a_time(
    ready: Prepared, peer: Any, carried: np.ndarray, rows: np.ndarray, tags: np.ndarray
) -> dict[str, Any]:
    """Latency of single questions; all three ways must agree."""
    names = [f"t{t}" for t in range(N_TAGS)]
    fit = ready.effects.joint[0]

    def ours(k: int) -> tuple[float, float]:
        answer = ask(ready, item=f"i{rows[k]}", user=f"u{rows[k]}", without=(names[tags[k]],))
        return float(answer.delta or 0.0), float(answer.ci_high or 0.0)

    def predicted(k: int) -> tuple[float, float]:
        now = pd.DataFrame(carried[[rows[k]]].astype(float), columns=names)
        then = now.copy()
        then[names[tags[k]]] = 0.0
        change = peer.predict(newdata=then) - peer.predict(newdata=now)
        return float(change[0]), np.nan

    def by_hand(k: int) -> tuple[float, float]:
        sign = np.zeros(N_TAGS)
        sign[tags[k]] = -1.0
        delta = sign @ fit.coef
        return delta, delta + stats.t.ppf(0.975, 500.0) * np.sqrt(sign @ fit.cov @ sign)

    mine = latency(ours, SINGLE)
    pyfixest = latency(predicted, SINGLE_PEER)
    numpy = latency(by_hand, SINGLE)
    for k in range(SINGLE_PEER):
        assert abs(ours(k)[0] - predicted(k)[0]) < 1e-9
        assert np.allclose(ours(k), by_hand(k))
    return {"one": {"tagcf ask": mine, "pyfixest predict": pyfixest, "numpy contrast": numpy}}


def latency(answer: Callable[[int], object], n: int) -> dict[str, float]:
    """Milliseconds of wall time per call, after a warm-up."""
    for k in range(min(n, 50)):
        answer(k)
    times = np.empty(n)
    for k in range(n):
        started = time.perf_counter()
        answer(k)
        times[k] = time.perf_counter() - started
    p50, p99 = np.quantile(times, [0.5, 0.99]) * 1e3
    return {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4), "calls": n}


def all_at_once(
    ready: Prepared, peer: Any, carried: np.ndarray, rows: np.ndarray, tags: np.ndarray
) -> dict[str, Any]:
    """Questions per CPU-second in one batch; both must agree."""
    names = [f"t{t}" for t in range(N_TAGS)]
    questions = pl.DataFrame(
        {
            "item_id": [f"i{k}" for k in rows],
            "user_id": [f"u{k}" for k in rows],
            "without": [[names[t]] for t in tags],
        }
    )
    started = time.process_time()
    answers = what_if_many(ready, questions)
    mine = time.process_time() - started
    started = time.process_time()
    now = pd.DataFrame(carried[rows].astype(float), columns=names)
    then = now.to_numpy().copy()
    then[np.arange(BATCH), tags] = 0.0
    change = peer.predict(newdata=pd.DataFrame(then, columns=names)) - peer.predict(newdata=now)
    theirs = time.process_time() - started
    assert np.allclose(answers["delta"].to_numpy(), change)
    return {
        "batch": {
            "questions": BATCH,
            "unit": "questions per CPU-second",
            "tagcf what_if_many": round(BATCH / mine),
            "pyfixest predict": round(BATCH / theirs),
        }
    }


if __name__ == "__main__":
    main()
