"""How hard the simulated live platform is: a rolling z-score, and what the rates would tell.

``python -m benchmarks.live_sim`` writes results/live_sim.json. Highlights are found twice, by a
rolling z-score of a room's total counts at its best threshold and window, and by a likelihood
ratio that knows the true rates of everything but highlights, and every decoy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import write_result
from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.data.simulate.live.platform import TICK

SEEDS = 3
TOLERANCE = 15.0  # seconds
BASELINE = 300.0  # seconds of a room's past that the rolling z-score compares with
SMOOTHING = (20.0, 30.0, 45.0)  # seconds
ASSUMED = 3.0  # times the usual rate, in the likelihood ratio


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of a room's time, each with a score; seconds on the world's inner clock."""

    room: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray

    def at_least(self, score: float) -> Spans:
        """Keep those with such a score."""
        kept = self.score >= score
        return Spans(self.room[kept], self.start[kept], self.end[kept], self.score[kept])


def true_highlights(world: LiveWorld) -> Spans:
    """Return the planted highlights."""
    rows = world.truth.filter(pl.col("kind") == "highlight")
    inner = [world.settings.inner(rows[name].to_numpy()) for name in ("start", "end")]
    room = rows["room_id"].str.slice(1).cast(pl.Int32).to_numpy()
    return Spans(room, *inner, rows["value"].to_numpy())


def matched(found: Spans, truth: Spans, tolerance: float = TOLERANCE) -> int:
    """Count one-to-one matches, the best scores first: starts within the tolerance."""
    free = np.ones(len(truth.room), bool)
    hits = 0
    for k in np.argsort(-found.score, kind="stable"):
        away = np.abs(truth.start - found.start[k])
        away = np.where(free & (truth.room == found.room[k]), away, np.inf)
        best = int(away.argmin()) if len(away) else -1
        if best >= 0 and away[best] <= tolerance:
            free[best] = False
            hits += 1
    return hits


def overlapping(found: Spans, truth: Spans, tolerance: float = TOLERANCE) -> int:
    """Count one-to-one matches of spans that overlap when the true one is widened on both sides."""
    free = np.ones(len(truth.room), bool)
    hits = 0
    for k in np.argsort(-found.score, kind="stable"):
        meets = (truth.room == found.room[k]) & (found.start[k] <= truth.end + tolerance)
        meets &= free & (found.end[k] >= truth.start - tolerance)
        if meets.any():
            free[int(meets.argmax())] = False
            hits += 1
    return hits


def best_f1(found: Spans, truth: Spans, count: Any = matched) -> dict[str, float]:
    """F1 at the threshold that is best in hindsight."""
    best = {"f1": 0.0, "precision": 0.0, "recall": 0.0, "threshold": 0.0}
    for threshold in np.quantile(found.score, np.linspace(0, 1, 120)) if len(found.score) else []:
        some = found.at_least(threshold)
        hits = count(some, truth)
        precision, recall = hits / max(1, len(some.room)), hits / max(1, len(truth.room))
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        if f1 > best["f1"]:
            best = {"f1": f1, "precision": precision, "recall": recall, "threshold": threshold}
    return {name: round(float(value), 3) for name, value in best.items()}


def total_counts(world: LiveWorld) -> np.ndarray:
    """(R, ticks) events of all kinds by room, as they stand in the log."""
    rows = world.events
    ticks = (world.settings.inner(rows["ts"].to_numpy()) / TICK).astype(int)
    room = np.array([int(name[1:]) for name in rows["room_id"].to_pylist()])
    counts = np.zeros((world.settings.rooms, world.settings.ticks))
    np.add.at(counts, (room, np.minimum(ticks, counts.shape[1] - 1)), 1)
    return counts


def rolling_z(counts: np.ndarray, smoothing: float, baseline: float = BASELINE) -> np.ndarray:
    """(R, ticks) how far the last seconds are above the time before, in standard deviations."""
    k, n = int(smoothing / TICK), int(baseline / TICK)
    total = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1)], axis=1)
    squares = np.concatenate([np.zeros((len(counts), 1)), (counts**2).cumsum(axis=1)], axis=1)
    z = np.zeros_like(counts)
    t = np.arange(n + k, counts.shape[1] + 1)
    now = (total[:, t] - total[:, t - k]) / k
    mean = (total[:, t - k] - total[:, t - k - n]) / n
    variance = (squares[:, t - k] - squares[:, t - k - n]) / n - mean**2
    spread = np.sqrt(np.maximum(variance, 0.05) / k)
    z[:, t - 1] = np.where(mean > 0.1, (now - mean) / spread, 0.0)
    return z


def z_spans(z: np.ndarray, smoothing: float, threshold: float) -> Spans:
    """Return stretches above a threshold, joined over gaps of 15 s, scored by their highest."""
    found: list[tuple[int, float, float, float]] = []
    lag = smoothing / 2
    for room, row in enumerate(z):
        above = np.flatnonzero(row >= threshold)
        if len(above) == 0:
            continue
        for part in np.split(above, np.flatnonzero(np.diff(above) * TICK > 15) + 1):
            start, end = TICK * part[0] - lag + TICK, TICK * (part[-1] + 1)
            found.append((room, start, end, float(row[part].max())))
    columns = np.array(found).reshape(-1, 4).T
    return Spans(columns[0].astype(int), *columns[1:])


def z_score_f1(
    world: LiveWorld, count: Any = matched, *, interactions: bool = False
) -> dict[str, float]:
    """Best F1 of the rolling z-score over windows and thresholds.

    With `interactions`, of likes, danmaku, comments, shares, gifts, follows and rewatching alone.
    """
    truth = true_highlights(world)
    counts = world.observed_counts().sum(axis=1) if interactions else total_counts(world)
    best: dict[str, float] = {"f1": -1.0}
    for smoothing in SMOOTHING:
        z = rolling_z(counts, smoothing)
        for threshold in np.arange(1.5, 20.1, 0.5):
            found = z_spans(z, smoothing, threshold)
            hits = count(found, truth)
            precision, recall = hits / max(1, len(found.room)), hits / max(1, len(truth.room))
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            if f1 > best["f1"]:
                best = {
                    "f1": f1,
                    "precision": precision,
                    "recall": recall,
                    "threshold": float(threshold),
                    "smoothing": smoothing,
                }
    return {name: round(float(value), 3) for name, value in best.items()}


def oracle_spans(world: LiveWorld) -> Spans:
    """Return stretches in which the counts speak for a rise of all interactions.

    Each tick's log likelihood ratio of ASSUMED times the true rate against the true rate; a
    stretch is where their running sum (Page's CUSUM) rises from zero to its highest.
    """
    seen, expected = world.observed_counts(), world.expected_counts()
    parts = np.log(ASSUMED) * seen - (ASSUMED - 1) * expected
    ratio = parts.sum(axis=1)
    found: list[tuple[int, float, float, float]] = []
    for room, row in enumerate(ratio):
        level, since, top, peak = 0.0, 0, 0.0, 0
        for t, step in enumerate(row):
            if level <= 0:
                level, since, top, peak = 0.0, t, 0.0, t
            level += step
            if level > top:
                top, peak = level, t
            if top > 3 and (level < top - 8 or level <= 0 or (t - peak) * TICK > 30):
                found.append((room, TICK * since, TICK * (peak + 1), top))
                level, top = 0.0, 0.0
    columns = np.array(found).reshape(-1, 4).T
    return Spans(columns[0].astype(int), *columns[1:])


def difficulty(world: LiveWorld) -> dict[str, Any]:
    """Return both F1s, in both ways of matching."""
    truth = true_highlights(world)
    oracle = oracle_spans(world)
    return {
        "highlights": len(truth.room),
        "rolling_z": z_score_f1(world),
        "rolling_z_overlap": z_score_f1(world, overlapping),
        "rolling_z_interactions": z_score_f1(world, interactions=True),
        "rolling_z_interactions_overlap": z_score_f1(world, overlapping, interactions=True),
        "oracle": best_f1(oracle, truth),
        "oracle_overlap": best_f1(oracle, truth, overlapping),
    }


def main() -> None:
    """Measure over SEEDS worlds and write the result."""
    worlds: list[dict[str, Any]] = []
    for seed in range(SEEDS):
        started = time.process_time()
        world = simulate_live(LivePlatform(seed=seed))
        spent = time.process_time() - started
        facts = {"seed": seed, "events": world.events.num_rows, "cpu_s": round(spent, 2)}
        worlds.append(facts | difficulty(world))
    scores = (
        "rolling_z",
        "rolling_z_overlap",
        "rolling_z_interactions",
        "rolling_z_interactions_overlap",
        "oracle",
        "oracle_overlap",
    )
    mean = {name: round(float(np.mean([one[name]["f1"] for one in worlds])), 3) for name in scores}
    write_result(
        "live_sim", {"simulated": True, "tolerance_s": TOLERANCE, "mean_f1": mean, "worlds": worlds}
    )


if __name__ == "__main__":
    main()
