"""Hints in quiet rooms, where every one is false, and in rooms where something was planted.

SIMULATED: viewers come at a constant rate, stay eight minutes on average, and act at constant
rates, or at rates that wander by 30% (standard deviation, memory of two minutes).
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.signal import lfilter

from benchmarks.live_worlds import interval
from tagcf.live.hosts.guide import Guidance, Guide, Hint
from tagcf.live.wire import from_table
from tagcf.live.wire.batch import cut
from tagcf.types.live import ACTIONS, EVENT_SCHEMA, LiveEvents

ROOMS, HOURS, VIEWERS = 24, 2.0, (20, 300)
STAY = 480.0  # seconds, mean
TICK = 5
# Acts a viewer and second.
RATES = {
    "like": 0.012,
    "ask_price": 2e-4,
    "ask_detail": 2e-4,
    "complaint": 8e-5,
    "request": 1e-4,
    "none": 0.004,
    "purchase": 2e-4,
}
SAID = {
    "ask_price": ("这个多少钱", "价格多少", "how much is it"),
    "ask_detail": ("什么材质", "几天发货", "160穿多大码"),
    "complaint": ("声音好小听不清", "又卡了", "没声音啊"),
    "request": ("能转一圈看看吗", "镜头拉近点", "主播试一下"),
    "none": ("哈哈哈", "路过", "666", "来了"),
}
SEEDS = range(5)
PLANTS = ("ask_price", "complaint", "falling", "arrivals", "leaving")
LASTS = {"falling": 180.0}
FACTOR = {"ask_price": 12.0, "complaint": 25.0, "falling": 0.2, "arrivals": 6.0, "leaving": 12.0}
FOUND_WITHIN = 90.0  # seconds after a plant begins


def modulation(rooms: int, ticks: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """(R, ticks) what a rate is multiplied by: 1, or wandering around it."""
    if spread == 0:
        return np.ones((rooms, ticks))
    keep = float(np.exp(-TICK / 120.0))
    noise = rng.normal(0, spread * np.sqrt(1 - keep**2), (rooms, ticks + 200))
    return np.exp(lfilter([1.0], [1.0, -keep], noise, axis=1)[:, 200:] - spread**2 / 2)


def stream(seed: int, wander: float, plants: list[tuple[int, str, float]]) -> LiveEvents:
    """Events of quiet rooms in the order of time; plants are (room, kind, start second)."""
    rng = np.random.default_rng(seed)
    seconds, ticks = HOURS * 3_600, int(HOURS * 3_600 / TICK)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, str]] = []
    sizes = np.exp(rng.uniform(*np.log(VIEWERS), ROOMS))
    planted = {(room, kind): at for room, kind, at in plants}
    first = 0
    lift = {name: modulation(ROOMS, ticks, wander, rng) for name in RATES}
    for room, size in enumerate(sizes):
        flow = np.full(ticks, size / STAY)
        if (room, "arrivals") in planted:
            k = int(planted[room, "arrivals"] / TICK)
            flow[k : k + 12] *= FACTOR["arrivals"]
        count = rng.poisson(flow * TICK)
        came = TICK * (np.repeat(np.arange(ticks), count) + rng.random(count.sum()))
        came = np.concatenate([rng.uniform(0, 1, rng.poisson(size)), came])
        gone = came + rng.exponential(STAY, len(came))
        if (room, "leaving") in planted:
            at = planted[room, "leaving"]
            there = (came < at) & (gone > at)
            goes = there & (rng.random(len(came)) < 1 - np.exp(-30 * FACTOR["leaving"] / STAY))
            gone[goes] = at + rng.uniform(0, 30, goes.sum())
        gone = np.minimum(gone, seconds)
        who = first + np.arange(len(came))
        first += len(came)
        parts += [(who, came, np.full(len(who), room), "click")]
        told = gone < seconds  # nothing is said of how the shows end
        parts += [(who[told], gone[told], np.full(told.sum(), room), "leave")]
        beat = np.arange(120.0, seconds, 120.0)
        for at in beat:
            stays = gone - came > at
            parts += [(who[stays], came[stays] + at, np.full(stays.sum(), room), "dwell")]
        for name, rate in RATES.items():
            level = lift[name][room].copy()
            for kind in (name, "falling" if name in ("like", "none") else ""):
                if (room, kind) in planted:
                    k = int(planted[room, kind] / TICK)
                    level[k : k + int(LASTS.get(kind, 30.0) / TICK)] *= FACTOR[kind]
            most = float(level.max())
            acts = rng.poisson(rate * most * (gone - came))
            k = np.repeat(np.arange(len(came)), acts)
            at = came[k] + rng.random(len(k)) * (gone - came)[k]
            kept = rng.random(len(k)) * most < level[np.minimum(at // TICK, ticks - 1).astype(int)]
            parts += [(who[k[kept]], at[kept], np.full(kept.sum(), room), name)]
    return _events(parts, rng)


def _events(parts: list[tuple[np.ndarray, ...]], rng: np.random.Generator) -> LiveEvents:
    user, ts, room = (np.concatenate([part[k] for part in parts]) for k in range(3))
    name = np.concatenate([np.full(len(part[0]), part[3], dtype=object) for part in parts])
    order = np.argsort(ts, kind="stable")
    user, ts, room, name = user[order], ts[order], room[order], name[order]
    action = [ACTIONS.index("danmaku" if one in SAID else one) for one in name]
    text = [SAID[one][rng.integers(len(SAID[one]))] if one in SAID else None for one in name]
    n = len(user)
    none = pa.nulls(n, pa.string())
    columns = {
        "event_id": [f"e{k}" for k in range(n)],
        "user_id": [f"u{k}" for k in user],
        "room_id": [f"r{k}" for k in room],
        "item_id": none, "product_id": none, "scene": none, "device": none,
        "ts": 1.7386e9 + ts,
        "action": np.array(action, np.uint8),
        "value": pa.nulls(n, pa.float32()),
        "text": text,
    }  # fmt: skip
    return from_table(pa.table(columns, schema=EVENT_SCHEMA))


def hints_of(events: LiveEvents, using: Guidance | None = None) -> tuple[list[Hint], float]:
    guide = Guide(using=using)
    started = time.process_time()
    hints: list[Hint] = []
    for start in range(0, len(events), 5_000):
        hints += guide.update(cut(events, start, start + 5_000))
    hints += guide.finish()
    return hints, time.process_time() - started


def quiet(wander: float, seeds: range = SEEDS) -> dict[str, Any]:
    """False hints an hour in rooms where nothing happens."""
    rates, kinds, spent, n = [], Counter(), 0.0, 0
    for seed in seeds:
        events = stream(seed, wander, [])
        hints, cpu = hints_of(events)
        rates.append(len(hints) / (ROOMS * HOURS))
        kinds.update(one.kind for one in hints)
        spent, n = spent + cpu, n + len(events)
    return {
        "room_hours": ROOMS * HOURS * len(seeds),
        "hints_per_room_hour": interval(rates),
        "by_kind": dict(kinds),
        "events_per_cpu_s": round(n / spent),
    }


def planted(wander: float, seeds: range = SEEDS) -> dict[str, Any]:
    """Share of planted changes that are told within a minute and a half, and how soon."""
    told: dict[str, list[float]] = {kind: [] for kind in PLANTS}
    missed: Counter[str] = Counter()
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        plants = [
            (room, kind, float(rng.uniform(1_200, HOURS * 3_600 - 600)) // TICK * TICK)
            for room in range(ROOMS)
            for kind in [PLANTS[room % len(PLANTS)]]
        ]
        hints, _ = hints_of(stream(seed, wander, plants))
        for room, kind, at in plants:
            reach = FOUND_WITHIN + LASTS.get(kind, 0.0)
            found = [
                one.at - 1.7386e9 - at
                for one in hints
                if one.room_id == f"r{room}"
                and one.kind == kind
                and 0 <= one.at - 1.7386e9 - at <= reach
            ]
            if found:
                told[kind].append(min(found))
            else:
                missed[kind] += 1
    return {
        kind: {
            "planted": len(delays) + missed[kind],
            "told": round(len(delays) / max(1, len(delays) + missed[kind]), 3),
            "median_delay_s": round(float(np.median(delays)), 1) if delays else None,
        }
        for kind, delays in told.items()
    }


def guided(seeds: range = SEEDS) -> dict[str, Any]:
    """All about hints."""
    return {
        "budget_per_room_hour": Guidance().by_chance,
        "viewers": list(VIEWERS),
        "factors": FACTOR,
        "quiet_constant": quiet(0.0, seeds),
        "quiet_wandering": quiet(0.3, seeds),
        "planted_wandering": planted(0.3, seeds),
    }
