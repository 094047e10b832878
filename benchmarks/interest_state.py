"""The interest state beside the limit of the memory, numpy and polars.

Run ``python -m benchmarks.interest_state``; it writes ``benchmarks/results/interest_state.json``.
SIMULATED events: 1,000,000 users, 100,000 items with 3 of 300 tags each; users uniform, or by
Zipf's law. One process, one thread. The limit is a compiled loop that adds to random 4-byte cells
of the same table: 3 of them are one event of 3 tags. What is compared is run in turns, and a ratio
is the median over the turns, since the machine has other work. Times are CPU seconds, but for
latencies, which are of the clock on the wall.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.measure import run_child
from benchmarks.record import write_result
from tagcf.live.interest import InterestEngine
from tagcf.live.interest.content import Shelf, shelve
from tagcf.live.interest.index.rows import Table, new_table
from tagcf.live.interest.state import SLICE, new_scratch, no_resets
from tagcf.live.interest.update.arrays import Batch
from tagcf.live.interest.update.sums.kernels import add
from tagcf.live.wire.keys import id_keys
from tagcf.types import IdMap, Tag, TagMatrix

USERS, ITEMS, TAGS, EACH = 1_000_000, 100_000, 300, 3
EVENTS, TURNS = 1_000_000, 5
START, DAY = 1.7e9, 86_400.0
HALF_LIVES = (1_800.0, 7 * DAY, 90 * DAY)
ZIPF = 1.2


def content() -> TagMatrix:
    """Items with three tags each."""
    random = np.random.default_rng(1)
    indptr = np.arange(ITEMS + 1) * EACH
    first, step = random.integers(0, TAGS, ITEMS), random.integers(1, TAGS // EACH, ITEMS)
    tags = (first[:, None] + step[:, None] * np.arange(EACH)) % TAGS
    data = random.uniform(0.2, 1, ITEMS * EACH).astype(np.float32)
    table = sparse.csr_array((data, np.sort(tags, axis=1).ravel(), indptr), shape=(ITEMS, TAGS))
    names = tuple(Tag(f"tag{at}", f"tag{at}", f"tag{at}", "topic") for at in range(TAGS))
    items = IdMap(pa.array([f"i{at}" for at in range(ITEMS)]))
    source = sparse.csr_array((np.ones_like(data, np.int16), table.indices, indptr), table.shape)
    return TagMatrix(items, names, table, table, source, ("simulated",))


def users_of(law: str, n: int, seed: int = 2) -> NDArray[np.int64]:
    """Users of events; by Zipf's law a few have many, and they stand anywhere in memory."""
    random = np.random.default_rng(seed)
    if law == "uniform":
        return random.integers(0, USERS, n)
    rank = np.minimum(random.zipf(ZIPF, n) - 1, USERS - 1)
    return np.random.default_rng(3).permutation(USERS)[rank]


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    gc.disable()
    started = time.process_time()
    call()
    spent = time.process_time() - started
    gc.enable()
    return spent


@numba.njit
def add_at_random(cells: NDArray[np.float32], at: NDArray[np.int64]) -> None:
    """Add to cells: the limit."""
    for i in range(at.size):
        cells[at[i]] += np.float32(1)


def kernel(law: str, scales: int) -> dict[str, Any]:
    """Events per second of the kernel, the limit and the others, over the same table."""
    shelf = shelve(content())
    table = new_table(USERS, TAGS, scales)
    table.cells[:] = 0.5  # every page is there
    table.rows.about[:, 0] = START
    rates = tuple(1 / one for one in HALF_LIVES[:scales])
    random = np.random.default_rng(4)
    user, item = users_of(law, EVENTS), random.integers(0, ITEMS, EVENTS)
    ts = START + np.sort(random.random(EVENTS)) * 3_600
    anywhere = random.integers(0, USERS * table.width, EACH * EVENTS)
    same_rows = np.repeat(user, EACH) * table.width + random.integers(0, table.width, EACH * EVENTS)
    ways: dict[str, Callable[[], object]] = {
        "limit": lambda: add_at_random(table.cells, anywhere),
        "limit, same users": lambda: add_at_random(table.cells, same_rows),
        "kernel": _kernel(table, shelf, user, item, ts, rates),
        "numpy add.at": lambda: _add_at(table, shelf, user, item, ts, rates),
        "polars join and group": _polars(shelf, user, item, ts, rates),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        for name, way in ways.items():
            taken = seconds(way)
            if turn:  # the first turn compiles
                spent[name].append(taken)
    return {
        "users": law,
        "scales": scales,
        "table_gb": round(table.cells.nbytes / 1e9, 2),
        "m_events_per_s": {
            name: round(EVENTS / statistics.median(each) / 1e6, 2) for name, each in spent.items()
        },
        "best_m_events_per_s": {
            name: round(EVENTS / min(each) / 1e6, 2) for name, each in spent.items()
        },
        "kernel_over": {
            name: round(
                statistics.median(
                    other / own for other, own in zip(each, spent["kernel"], strict=True)
                ),
                3,
            )
            for name, each in spent.items()
        },
    }


def _kernel(
    table: Table,
    shelf: Shelf,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    ts: NDArray[np.float64],
    rates: tuple[float, ...],
) -> Callable[[], None]:
    """The engine's own kernel, over rows of users and content that are known already."""
    out, vectors = new_scratch(len(rates)), np.zeros((0, len(rates), 0), np.float32)
    out.evidence[:] = 1
    keys, where = user.astype(np.uint64), (table.cell_of, table.width)
    run = _chunks(ts, keys, user, item)

    def go() -> None:
        run(out, table.rows, where, table.cells, vectors, rates, shelf.arrays, no_resets())

    return go


def _chunks(ts: Any, keys: Any, user: Any, item: Any) -> Any:
    """A compiled loop over the chunks, as the engine's, but that rows and content are given."""

    @numba.njit
    def run(
        out: Any,
        rows: Any,
        where: Any,
        cells: Any,
        vectors: Any,
        rates: Any,
        content: Any,
        resets: Any,
    ) -> None:
        size = out.row.size
        for first in range(0, ts.size, size):
            n = min(size, ts.size - first)
            out.content[:n] = item[first : first + n]
            about = rows.about
            row = user[first : first + n]
            add(
                keys[first:],
                ts[first:],
                row,
                n,
                out,
                about,
                rows,
                where,
                cells,
                vectors,
                rates,
                content,
                resets,
            )

    return run


def slices() -> list[tuple[int, int]]:
    """Bounds of the slices that an engine works in."""
    return [(first, min(first + SLICE, EVENTS)) for first in range(0, EVENTS, SLICE)]


def _add_at(
    table: Table,
    shelf: Shelf,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    ts: NDArray[np.float64],
    rates: tuple[float, ...],
) -> None:
    """The same sums by numpy, in slices that stay in the nearest memory."""
    tags = shelf.strength.indices.reshape(ITEMS, EACH)
    strengths = shelf.strength.data.reshape(ITEMS, EACH)
    for first, last in slices():
        who, what = user[first:last], item[first:last]
        at = (who * table.width)[:, None] + table.cell_of[tags[what]]
        since = ts[first:last] - table.rows.about[who, 0]
        for scale, rate in enumerate(rates):
            weight = np.exp2(since * rate).astype(np.float32)
            np.add.at(table.cells, at + scale, weight[:, None] * strengths[what])


def _polars(
    shelf: Shelf,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    ts: NDArray[np.float64],
    rates: tuple[float, ...],
) -> Callable[[], object]:
    """What the events add, by user and tag; it is not even added to a state."""
    tags = pl.DataFrame(
        {
            "item": np.repeat(np.arange(ITEMS), EACH),
            "tag": shelf.strength.indices,
            "strength": shelf.strength.data,
        }
    )
    events = pl.DataFrame({"user": user, "item": item, "since": ts - START})
    weights = [
        (pl.col("since") * (rate * np.log(2))).exp().cast(pl.Float32).alias(f"w{at}")
        for at, rate in enumerate(rates)
    ]
    sums = [
        (pl.col(f"w{at}") * pl.col("strength")).sum().alias(f"s{at}") for at in range(len(rates))
    ]
    plan = (
        events.lazy().with_columns(weights).join(tags.lazy(), on="item").group_by("user", "tag")
    ).agg(sums)
    return plan.collect


def engine_with(n_users: int, law: str = "uniform") -> tuple[InterestEngine, Batch]:
    """An engine and a batch of a million events; the engine has seen each user once."""
    engine = InterestEngine(content(), HALF_LIVES, users_at_most=n_users)
    users = id_keys(pa.array([f"u{at}" for at in range(n_users)]))
    items = id_keys(engine.shelf.items.ids)
    random = np.random.default_rng(5)
    scenes = id_keys(pa.array(["beauty", "games", "music"]))
    none = np.zeros(EVENTS, np.uint64)
    who = users_of(law, EVENTS) % n_users
    batch = Batch(
        *(users[who], none, items[random.integers(0, ITEMS, EVENTS)], none),
        scenes[random.integers(0, 3, EVENTS)],
        START + np.sort(random.random(EVENTS)) * 3_600,
        np.full(EVENTS, 3, np.uint8),
        random.exponential(30, EVENTS).astype(np.float32),
    )
    first = Batch(*(column[:n_users] for column in batch))._replace(user=users)
    engine.update_batch(first)
    return engine, batch


def whole(n_users: int, law: str, *, scenes: bool) -> dict[str, Any]:
    """Events per second of the whole update: ids, content, evidence, rows, sums, remembering."""
    engine, batch = engine_with(n_users, law)
    if not scenes:
        batch = batch._replace(scene=np.zeros(EVENTS, np.uint64))
    taken = [seconds(lambda: engine.update_batch(batch)) for _ in range(5)]
    return {
        "users": law,
        "n_users": n_users,
        "scenes": scenes,
        "m_events_per_s": round(EVENTS / statistics.median(taken) / 1e6, 2),
        "best_m_events_per_s": round(EVENTS / min(taken) / 1e6, 2),
        "bytes_per_user": round(engine.memory_bytes() / n_users),
    }


def latencies(n_users: int) -> dict[str, Any]:
    """Microseconds on the wall from events to interests that can be read, and of reading."""
    engine, batch = engine_with(n_users)
    random = np.random.default_rng(6)
    who = random.integers(0, n_users, 20_000)
    found: dict[str, Any] = {}

    def told(name: str, calls: list[Callable[[], object]]) -> None:
        spent = []
        for call in calls:
            started = time.perf_counter()
            call()
            spent.append((time.perf_counter() - started) * 1e6)
        p50, p99 = np.percentile(spent, [50, 99])
        found[name] = {
            "calls": len(calls),
            "p50_us": round(float(p50), 1),
            "p99_us": round(float(p99), 1),
        }

    def then_read(first: int, n: int) -> Callable[[], object]:
        part = Batch(*(column[first : first + n].copy() for column in batch))

        def call() -> object:
            engine.update_batch(part)
            return engine.state.users.row(part.user[-1])

        return call

    for n, calls in ((1_000, 500), (100, 2_000), (10, 5_000)):
        told(f"batch of {n}", [then_read(n * at, n) for at in range(calls)])

    def one(at: int) -> Callable[[], object]:
        user, item = f"u{who[at]}", f"i{random.integers(0, ITEMS)}"
        return lambda: engine.update_one(user, "like", START + 7_200 + at, item=item, scene="games")

    told("one event", [one(at) for at in range(20_000)])
    told("interest, 20 tags", [lambda u=u: engine.interest(f"u{u}") for u in who[:5_000]])
    told(
        "interest in a scene",
        [lambda u=u: engine.interest(f"u{u}", scene="games") for u in who[:5_000]],
    )
    asked = random.integers(0, ITEMS, 500)
    told("scores of 500", [lambda u=u: engine.scores(f"u{u}", asked) for u in who[:5_000]])
    told("explain", [lambda u=u: engine.explain(f"u{u}", "tag7") for u in who[:2_000]])
    later = batch._replace(ts=batch.ts + 30 * DAY)
    moved = [
        Batch(*(column[at : at + 1_000].copy() for column in later))
        for at in range(0, 300_000, 1_000)
    ]
    told(
        "batch of 1000, every landmark moves",
        [lambda part=part: engine.update_batch(part) for part in moved],
    )
    return found


def snapshot(n_users: int, folder: str) -> dict[str, Any]:
    """Seconds on the wall to save and to load."""
    engine, _ = engine_with(n_users)
    started = time.perf_counter()
    engine.save(folder)
    saved = time.perf_counter()
    engine.load(folder)
    return {
        "n_users": n_users,
        "gb": round(engine.memory_bytes() / 1e9, 2),
        "save_s": round(saved - started, 2),
        "load_s": round(time.perf_counter() - saved, 2),
    }


def run(task: str, **facts: Any) -> Any:
    """One task, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        tasks: dict[str, Callable[[], Any]] = {
            "kernel": lambda: kernel(facts["law"], facts["scales"]),
            "whole": lambda: whole(facts["users"], facts["law"], scenes=facts["scenes"]),
            "latencies": lambda: latencies(facts["users"]),
            "snapshot": lambda: snapshot(facts["users"], folder),
        }
        return tasks[task]()


def main() -> None:
    """Measure everything, each task in a process of its own, or answer one order of `run_child`."""
    if sys.argv[1:]:
        print(json.dumps(run(**json.loads(sys.argv[1]))))
        return

    def child(task: str, **facts: object) -> dict[str, Any]:
        found = run_child(sys.executable, "benchmarks.interest_state", task, **facts)
        print(json.dumps(found), flush=True)
        return found

    settings = [(law, scales) for scales in (1, 3) for law in ("uniform", "zipf")]
    result = {
        "simulated": True,
        "events": EVENTS,
        "turns": TURNS,
        "kernel": [child("kernel", law=law, scales=scales) for law, scales in settings],
        "whole": [
            child("whole", users=users, law="uniform", scenes=scenes)
            for users in (100_000, USERS)
            for scenes in (False, True)
        ],
        "latency": child("latencies", users=100_000),
        "snapshot": child("snapshot", users=100_000),
    }
    write_result("interest_state", result)


if __name__ == "__main__":
    main()
