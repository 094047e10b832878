"""Highlights on simulated live platforms, beside a rolling z-score; speed of the kernels.

``python -m benchmarks.highlights`` judges on seeds 0 to 9 and writes results/highlights.json. The
threshold and all other settings of `Bursts` were chosen on seeds from 100 on. A highlight is found
where a found start (or end as well, or the overlap with the true span) is within 15 s, one to one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from benchmarks.live_sim import Spans, matched, overlapping, true_highlights, z_score_f1
from benchmarks.purchase import interval, once
from benchmarks.record import write_result
from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.live.rooms.highlights import HighlightWatch, find_bursts
from tagcf.live.rooms.seconds import RoomSeconds, Seconds, join_seconds
from tagcf.live.wire import from_table, id_key
from tagcf.types.live import EVENT_SCHEMA, LiveEvents

JUDGED = range(10)
LATE, PATIENCE = 600, 10  # seconds that events may come late: looking back, and for alarms
ROOM_SECONDS, EVENTS, ROOMS = 4_000_000, 4_000_000, 1_000


def count(events: LiveEvents, late: int) -> Seconds:
    counter = RoomSeconds(late=late)
    return join_seconds([counter.update(events), counter.finish()])


def spans(world: LiveWorld, seconds: Seconds, rows: np.ndarray) -> Spans:
    """Rows of room, start, end and score on the world's inner clock."""
    code = {id_key(name): k for k, name in enumerate(world.names.rooms)}
    rooms = np.array([code[int(key)] for key in seconds.rooms])
    room, start, end, score = rows.reshape(-1, 4).T
    inner = world.settings.inner
    return Spans(rooms[room.astype(int)], inner(start), inner(end), score)


def both_edges(found: Spans, truth: Spans, tolerance: float = 15.0) -> int:
    """Count one-to-one matches of which start and end are within the tolerance."""
    free = np.ones(len(truth.room), bool)
    hits = 0
    for k in np.argsort(-found.score, kind="stable"):
        away = np.maximum(np.abs(truth.start - found.start[k]), np.abs(truth.end - found.end[k]))
        away = np.where(free & (truth.room == found.room[k]), away, np.inf)
        best = int(away.argmin())
        if away[best] <= tolerance:
            free[best] = False
            hits += 1
    return hits


def f1(found: Spans, truth: Spans, rule: Callable[[Spans, Spans], int]) -> dict[str, float]:
    hits = rule(found, truth)
    precision, recall = hits / max(1, len(found.room)), hits / max(1, len(truth.room))
    both = 2 * precision * recall / max(1e-9, precision + recall)
    return {"f1": both, "precision": precision, "recall": recall}


def judge(seed: int) -> dict[str, Any]:
    world = simulate_live(LivePlatform(seed=seed))
    events, truth = once(from_table(world.events)), true_highlights(world)
    started = time.process_time()
    seconds = count(events, LATE)
    bursts = find_bursts(seconds)
    spent = time.process_time() - started
    found = spans(world, seconds, np.array([(b.room, b.start, b.end, b.score) for b in bursts]))
    quick = count(events, PATIENCE)
    alarms = HighlightWatch().update(quick)
    raised = spans(world, quick, np.array([(a.room, a.since, a.at, 1.0) for a in alarms]))
    return {
        "seed": seed,
        "highlights": len(truth.room),
        "found": len(bursts),
        "start": f1(found, truth, matched),
        "both_edges": f1(found, truth, both_edges),
        "overlap": f1(found, truth, overlapping),
        "alarms_overlap": f1(raised, truth, overlapping),
        "rolling_z_start": z_score_f1(world),
        "rolling_z_interactions_start": z_score_f1(world, interactions=True),
        "cpu_s": round(spent, 2),
    }


def busy_rooms(rng: np.random.Generator) -> Seconds:
    """Room-seconds of many rooms, as counts of any rates."""
    each = ROOM_SECONDS // ROOMS
    room = np.repeat(np.arange(ROOMS, dtype=np.int32), each)
    weighted = rng.poisson(0.06, (ROOM_SECONDS, 10)).astype(np.float32)
    second = np.tile(np.arange(each), ROOMS)
    viewers = rng.integers(20, 60, ROOM_SECONDS).astype(np.int32)
    none = np.zeros(ROOM_SECONDS, np.int32)
    counts = weighted.astype(np.int32)
    keys = np.arange(1, ROOMS + 1).astype(np.uint64)
    return Seconds(keys, room, second, viewers, none, none, none, counts, weighted)


def speed() -> dict[str, Any]:
    """Room-seconds per second of CPU, beside a rolling z-score of sums by numpy and polars."""
    seconds = busy_rooms(np.random.default_rng(0))
    table = pl.DataFrame(
        {"room": seconds.room, "total": seconds.weighted.sum(axis=1).astype(np.float64)}
    )

    def by_numpy() -> object:
        total = seconds.weighted.sum(axis=1, dtype=np.float64).reshape(ROOMS, -1)
        run, squares = total.cumsum(axis=1), (total**2).cumsum(axis=1)
        mean = (run[:, 300:] - run[:, :-300]) / 300
        spread = np.sqrt((squares[:, 300:] - squares[:, :-300]) / 300 - mean**2)
        return (total[:, 300:] - mean) / (spread + 1e-9)

    def by_polars() -> object:
        mean = pl.col("total").rolling_mean(300).over("room")
        spread = pl.col("total").rolling_std(300).over("room")
        return table.select((pl.col("total") - mean) / spread)

    calls: dict[str, Callable[[], object]] = {
        "watch": lambda: HighlightWatch().update(seconds),
        "numpy_rolling_z": by_numpy,
        "polars_rolling_z": by_polars,
    }
    rates = {name: ROOM_SECONDS / quickest(call) / 1e6 for name, call in calls.items()}
    events = many_events(np.random.default_rng(1))
    counter = RoomSeconds(late=PATIENCE)
    counter.update(events)
    spent = quickest(lambda: RoomSeconds(late=PATIENCE).update(events))
    grouped = quickest(lambda: by_group(events))
    return {
        "million_room_seconds_per_s": {name: round(rate, 1) for name, rate in rates.items()},
        "million_events_per_s": {
            "room_seconds": round(EVENTS / spent / 1e6, 1),
            "polars_group_by": round(EVENTS / grouped / 1e6, 1),
        },
        "rooms": ROOMS,
    }


def many_events(rng: np.random.Generator) -> LiveEvents:
    """Events of many rooms and users in the order of time."""
    ts = np.sort(rng.uniform(1.7e9, 1.7e9 + 1_200, EVENTS))
    room = rng.integers(1, ROOMS + 1, EVENTS).astype(np.uint64)
    user = (room * np.uint64(1_000) + rng.integers(0, 50, EVENTS).astype(np.uint64)) | np.uint64(1)
    action = rng.choice(np.array([1, 3, 5, 8, 11], np.uint8), EVENTS)
    none = np.zeros(EVENTS, np.uint64)
    value = np.zeros(EVENTS, np.float32)
    rows = EVENT_SCHEMA.empty_table()
    return LiveEvents(user, user, room, none, none, none, none, ts, action, value, rows)


def by_group(events: LiveEvents) -> object:
    """Plain counts by room, second and action: less than what `RoomSeconds` does."""
    frame = pl.DataFrame({"room": events.room, "ts": events.ts, "action": events.action})
    return frame.group_by("room", pl.col("ts").floor(), "action").len()


def quickest(call: Callable[[], object], repeats: int = 5) -> float:
    best = np.inf
    for _ in range(repeats):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return float(best)


def main() -> None:
    """Judge the seeds held out and measure the kernels."""
    worlds = [judge(seed) for seed in JUDGED]
    rules = [name for name, value in worlds[0].items() if isinstance(value, dict)]
    mean = {name: interval([one[name]["f1"] for one in worlds]) for name in rules}
    write_result(
        "highlights",
        {
            "simulated": True,
            "tolerance_s": 15.0,
            "judged_seeds": list(JUDGED),
            "f1": mean,
            "speed": speed(),
            "worlds": worlds,
        },
    )


if __name__ == "__main__":
    main()
