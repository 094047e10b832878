"""Emotional resonance on SIMULATED rooms: false alarms, power, strength, lag, forecast.

``OMP_NUM_THREADS=1 python -m benchmarks.resonance`` writes results/resonance.json. Worlds are those
of `tagcf.data.simulate.live`, in which a line shows the content's emotion with the room's own
chance (.2 to .8, uniform) and an emotion of the audience's otherwise, put into words, with typos.
False alarms: each room's audience against the content of another room, both as they were, so that
both keep their memory and only the link is broken. The simulator has no lag: lags are judged on
series made here (`late_series`), whose audience's mood is moreover contagious.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.live_worlds import interval
from benchmarks.record import write_result
from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.live.danmaku.labels import EMOTIONS
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.viewing.guide import guide_of
from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.resonance import (
    EmotionSeries,
    Shifts,
    emotion_series,
    find_partings,
    fit_forecast,
    resonance,
)
from tagcf.live.viewing.resonance.series import STEP
from tagcf.live.wire import BadEvents, from_table

JUDGED = range(5)
DAYS, USERS = 3, 400
MADE = 200  # series of each kind with a known lag
E = len(EMOTIONS)


def series_of(world: LiveWorld, at: float | None = None) -> tuple[EmotionSeries, ...]:
    """Series of a world's rooms, up to a time."""
    tables = LiveTables(from_table(world.events), world.segments, world.tags, BadEvents(), 0, 0)
    guide = guide_of(tables, at)
    return emotion_series(guide.parts, guide.events)


def swapped(series: tuple[EmotionSeries, ...], by: int) -> list[EmotionSeries]:
    """Each room's audience with the content of the room `by` places on, day by day."""
    found = []
    for k, one in enumerate(series):
        other = series[(k + by) % len(series)]
        rows, theirs = [], []
        for run in np.unique(one.stretch).tolist():
            own = np.flatnonzero(one.stretch == run)
            far = np.flatnonzero(other.stretch == run)
            n = min(len(own), len(far))
            rows.append(own[:n])
            theirs.append(far[:n])
        at, of = np.concatenate(rows), np.concatenate(theirs)
        shown, segment = np.unique(other.segment[of], return_inverse=True)
        found.append(
            EmotionSeries(
                one.room_id,
                one.start[at],
                one.stretch[at],
                segment.astype(np.int32),
                other.content[of],
                one.audience[at],
                tuple(other.parts[g] for g in shown.tolist()),
                0,
            )
        )
    return found


def late_series(
    lag: int, follows: float, rng: np.random.Generator, *, days: int = 2
) -> EmotionSeries:
    """Make a room whose audience follows after `lag` seconds, and infects itself."""
    contents, audiences, stretch, segment = [], [], [], []
    parts: list[RoomPart] = []
    usual = np.array([0.36, 0.18, 0.08, 0.05, 0.06, 0.04, 0.23])
    for day in range(days):
        shown: list[tuple[int, int]] = []
        emotion = int(rng.integers(3))
        while sum(shown_n for _, shown_n in shown) < 1_300:
            if rng.random() < 0.6:
                emotion = int(rng.choice([0, 1, 2, 4, 6]))
            shown.append((emotion, int(rng.integers(60, 120))))
        content = np.concatenate([np.full(n, e) for e, n in shown])
        for e, n in shown:
            segment.append(np.full(n, len(parts)))
            begin = float(day * 86_400 + 5 * sum(len(s) for s in segment[:-1]))
            parts.append(
                RoomPart(f"s{len(parts)}", "r", begin, begin + 5 * n, "past", (), None, None,
                         EMOTIONS[e], "")
            )  # fmt: skip
        hot = np.exp(0.8 * _memory(len(content), 0.98, rng))
        lines = rng.poisson(0.5 * hot)
        mood, audience = usual.copy(), np.zeros((len(content), E))
        for t in range(len(content)):
            target = usual.copy()
            if t >= lag // STEP:
                target = (1 - follows) * usual
                target[content[t - lag // STEP]] += follows
            share = 0.7 * target + 0.3 * mood  # the rest is caught from what was just written
            audience[t] = rng.multinomial(lines[t], share / share.sum())
            if lines[t]:
                mood = 0.9 * mood + 0.1 * audience[t] / lines[t]
        contents.append(np.eye(E)[content])
        audiences.append(audience)
        stretch.append(np.full(len(content), day))
    content = np.concatenate(contents)
    return EmotionSeries(
        "r", np.arange(len(content), dtype=np.float64) * STEP,
        np.concatenate(stretch).astype(np.int32),
        np.concatenate(segment).astype(np.int32), content, np.concatenate(audiences),
        tuple(parts), len(parts),
    )  # fmt: skip


def _memory(n: int, keep: float, rng: np.random.Generator) -> np.ndarray:
    noise, x = rng.normal(size=n), np.zeros(n)
    for t in range(1, n):
        x[t] = keep * x[t - 1] + np.sqrt(1 - keep**2) * noise[t]
    return x


def false_alarms(worlds: list[tuple[EmotionSeries, ...]]) -> dict[str, Any]:
    chances, links, told, follows = [], [], 0, 0
    for series in worlds:
        for by in range(1, 9):
            for one in resonance(swapped(series, by), Shifts(draws=499, seed=by)):
                told += one.verdict != "cannot tell"
                follows += one.verdict == "follows"
                chances.append(one.p)
                links += [link.p for link in one.emotions]
    p, q = np.array(chances), np.array(links)
    p, q = p[np.isfinite(p)], q[np.isfinite(q)]
    return {
        "rooms": len(chances),
        "told": int(told),
        "follows": int(follows),
        "at_5%": share(p <= 0.05),
        "at_1%": share(p <= 0.01),
        "at_20%": share(p <= 0.2),
        "by_emotion_at_5%": share(q <= 0.05),
    }


def share(hits: np.ndarray) -> dict[str, float]:
    """A share with its Wilson 95% interval."""
    n, p, z = len(hits), float(hits.mean()), 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    width = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return {"n": n, "mean": p, "low": float(middle - width), "high": float(middle + width)}


def power(worlds: list[tuple[LiveWorld, tuple[EmotionSeries, ...]]]) -> dict[str, Any]:
    rows = []
    for world, series in worlds:
        true = dict(zip(world.names.rooms, world.mechanism.rooms.resonance, strict=True))
        rows += [
            (true[one.room_id], one.p, one.strength, one.low, one.high, one.lag)
            for one in resonance(series)
        ]
    table = np.array([row for row in rows if np.isfinite(row[1])])
    true, p, found, low, high, lag = table.T
    return {
        "rooms": len(rows),
        "told": len(table),
        "follows": share(p <= 0.05),
        "follows_by_strength": {
            f"{a:.1f}-{b:.1f}": share(p[(true >= a) & (true < b)] <= 0.05)
            for a, b in ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8))
        },
        "strength_correlation": float(np.corrcoef(true, found)[0, 1]),
        "strength_slope": float(np.polyfit(true, found, 1)[0]),
        "strength_bias": float((found - true).mean()),
        "true_within_interval": share((low <= true) & (true <= high)),
        "lag_0_or_5": share(lag <= 5),
    }


def lags(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for lag in (0, 10, 30):
        for follows in (0.0, 0.15, 0.3, 0.5):
            made = [late_series(lag, follows, rng) for _ in range(MADE)]
            found = resonance(made, Shifts(draws=299, seed=lag))
            p = np.array([one.p for one in found])
            off = np.array([abs(one.lag - lag) for one in found])
            inside = np.array([one.lag_low <= lag <= one.lag_high for one in found])
            rows.append(
                {
                    "lag": lag,
                    "follows": follows,
                    "found": share(p <= 0.05),
                    "median_lag_off": float(np.median(off)),
                    "lag_within_interval": share(inside),
                    "strength": float(np.mean([one.strength for one in found])),
                }
            )
            print(rows[-1], flush=True)
    return rows


def forecasts(worlds: list[tuple[LiveWorld, tuple[EmotionSeries, ...]]]) -> dict[str, Any]:
    """Fit on all days but the last, judge on the last."""
    losses: dict[str, list[float]] = {"forecast": [], "room": [], "all": []}
    bins, top = np.zeros((10, 3)), []
    for world, whole in worlds:
        settings = world.settings
        last = settings.start + (settings.days - 1) * 86_400.0
        past = series_of(world, last)
        model = fit_forecast(past)
        mean = sum(one.audience.sum(axis=0) for one in past) + 1.0
        by_room = {one.room_id: one.audience.sum(axis=0) for one in past}
        sums = dict.fromkeys(losses, 0.0)
        n = 0.0
        for one in whole:
            lines = np.zeros((len(one.parts), E))
            np.add.at(lines, one.segment, one.audience)
            rows = [g for g, part in enumerate(one.parts) if part.start >= last and lines[g].sum()]
            if not rows:
                continue
            expected = np.array([e.shares for e in model.expect([one.parts[g] for g in rows])])
            room = by_room.get(one.room_id, 0) + 20 * mean / mean.sum()
            tries = {"forecast": expected, "room": room / room.sum(), "all": mean / mean.sum()}
            for name, shares in tries.items():
                sums[name] -= float((lines[rows] * np.log(shares)).sum())
            n += lines[rows].sum()
            place = (expected * 10).astype(int).clip(0, 9)
            total = lines[rows].sum(axis=1, keepdims=True) * np.ones(E)
            for column, value in enumerate((total, total * expected, lines[rows])):
                np.add.at(bins[:, column], place, value)
            top += (expected.argmax(axis=1) == lines[rows].argmax(axis=1)).tolist()
        for name, value in sums.items():
            losses[name].append(value / n)
    used = bins[bins[:, 0] > 0]
    error = np.abs(used[:, 1] - used[:, 2]).sum() / used[:, 0].sum()
    return {
        "log_loss": {name: interval(values) for name, values in losses.items()},
        "less_loss_than_room": interval(
            [a - b for a, b in zip(losses["room"], losses["forecast"], strict=True)]
        ),
        "calibration_error": float(error),
        "reliability": [
            {"expected": float(e / t), "seen": float(s / t), "lines": float(t)} for t, e, s in used
        ],
        "likeliest_right": share(np.array(top)),
    }


def partings(worlds: list[tuple[LiveWorld, tuple[EmotionSeries, ...]]]) -> dict[str, Any]:
    """Minutes found in worlds without any, and in the same with some put in."""
    rng, false, minutes, found, planted = np.random.default_rng(5), 0, 0.0, 0, 0
    for _, series in worlds:
        false += len(find_partings(series))
        minutes += sum(len(one.start) * STEP / 60 for one in series)
        changed = []
        where = []
        for one in series:
            audience = one.audience.copy()
            busy = [
                g
                for g in range(len(one.parts))
                if one.parts[g].emotion in ("joy", "affection")
                and one.audience[one.segment == g].sum() >= 60
            ]
            for g in rng.permutation(busy)[:1].tolist():
                rows = np.flatnonzero(one.segment == g)[12:36]  # two minutes
                glad = audience[rows][:, :2].sum(axis=1)
                audience[rows, 3] += rng.binomial(glad.astype(int), 0.7)
                audience[rows, :2] *= 0.3
                where.append((one.room_id, one.start[rows[0]], one.start[rows[-1]] + STEP))
            changed.append(replace(one, audience=np.round(audience)))
        told = find_partings(changed)
        planted += len(where)
        found += sum(
            any(t.room_id == room and t.start < end and t.end > start for t in told)
            for room, start, end in where
        )
    return {
        "false_per_100_minutes": 100 * false / minutes,
        "planted": planted,
        "found": found / max(1, planted),
    }


def main() -> None:
    """Measure and write ``results/resonance.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
    began = time.process_time()
    worlds = []
    for seed in range(options.first, options.first + options.seeds):
        world = simulate_live(LivePlatform(seed=seed, users=USERS, days=DAYS))
        worlds.append((world, series_of(world)))
    result: dict[str, Any] = {"simulated": True, "worlds": len(worlds), "days": DAYS}
    result["false_alarms"] = false_alarms([series for _, series in worlds])
    result["power"] = power(worlds)
    result["forecast"] = forecasts(worlds)
    result["partings"] = partings(worlds)
    if options.dry:
        print(result)
        return
    result["lags"] = lags(np.random.default_rng(9))
    result["cpu_s"] = round(time.process_time() - began, 1)
    write_result("resonance", result)


if __name__ == "__main__":
    main()
