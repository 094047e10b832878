"""Host reports on worlds with known truth; hints in quiet rooms; hosts matched to viewers.

``python -m benchmarks.host_report [PART ...]`` writes results/host_report.json; with parts, the
others stay as they were. All of it is SIMULATED.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.host_guide import guided
from benchmarks.host_match import matched
from benchmarks.host_world import PRICE_SLOPE, Setting, World, made_up
from benchmarks.live_worlds import interval
from benchmarks.record import RESULTS, write_result
from tagcf.live.hosts.answers import Comparison, Figure
from tagcf.live.hosts.compare import compare, own_level, rate_of
from tagcf.live.hosts.measures import Measured, MeasureName
from tagcf.live.hosts.platform import Platform, measure_platform
from tagcf.live.hosts.report import report_host
from tagcf.live.hosts.usual import Usual
from tagcf.live.hosts.verdicts import judge
from tagcf.live.hosts.visits import Viewing

VARIED = Setting()
ALIKE = Setting(of_host=0.0, of_segment=0.0, of_tag=0.0)
COVERED, DISCOVERED = range(40), range(1_000, 1_040)
RATE_OF: dict[MeasureName, int] = {"held": 0, "lost": 0, "interactions": 1, "purchases": 2}
SPREADS, CROWDS, TRIALS = (0.0, 0.1, 0.2, 0.3), (50, 500, 3_000), 400
NULL = 0.02  # log ratio below which there is nothing to find


def true_ratio(
    world: World, platform: Platform, row: int, figure: Figure, one: Comparison
) -> float:
    """Log ratio of the true rate to that of what it is compared with."""
    k = RATE_OF[figure.measure]
    mine = world.log[row, k]
    if one.against == "peers":
        return float(mine - world.peers[row, k])
    own = platform.rows_of("host00")
    past = own[platform.segments.end[own] <= platform.segments.start[row] + 1.0]
    measured, usual = platform.measured[figure.measure], platform.usual[figure.measure]
    if figure.measure == "purchases":
        past = past[platform.selling[past]]
    weight = (measured.chance * usual.rate)[past]
    return float(mine - np.log(weight @ np.exp(world.log[past, k]) / weight.sum()))


def usual_segment(
    world: World, platform: Platform, row: int, figure: Figure, rng: np.random.Generator
) -> float:
    """Log rate of one of the host's earlier segments, drawn from those without an effect."""
    own = platform.rows_of("host00")
    past = own[platform.segments.end[own] <= platform.segments.start[row] + 1.0]
    if figure.measure == "purchases":
        past = past[platform.selling[past]]
    plain = past[~world.planted[past]]
    drawn = rng.choice(plain if len(plain) else past)
    return float(world.log[drawn, RATE_OF[figure.measure]])


def judge_world(seed: int, setting: Setting) -> list[dict[str, Any]]:
    """All comparisons of the first host of a world, with their truth."""
    world = made_up(seed, setting)
    platform = measure_platform(world.tables)
    report = report_host(platform, "host00")
    row_of = {name: k for k, name in enumerate(platform.segments.segment_id)}
    place = {name: k for k, name in enumerate(world.ids)}
    order = np.array([place[name] for name in platform.segments.segment_id])
    sorted_world = World(
        world.tables,
        world.log[order],
        world.peers[order],
        world.price,
        world.ids,
        world.planted[order],
    )
    rng = np.random.default_rng([seed, 9])
    told = []
    for segment in report.segments:
        for figure in segment.figures:
            for one in (figure.own, figure.peers):
                if figure.measure not in RATE_OF or not np.isfinite(one.ratio):
                    continue
                row = row_of[segment.segment_id]
                truth = true_ratio(sorted_world, platform, row, figure, one)
                held = truth
                if one.against == "own":
                    mine = sorted_world.log[row, RATE_OF[figure.measure]]
                    held = mine - usual_segment(sorted_world, platform, row, figure, rng)
                told.append(
                    {
                        "measure": figure.measure,
                        "against": one.against,
                        "truth": truth,
                        "covered": one.low <= np.exp(held) <= one.high,
                        "side": one.side,
                        "width": float(np.log(one.high / max(one.low, 1e-3))),
                        "error": float(np.log(one.ratio)) - truth,
                    }
                )
    return told


def coverage(seeds: range) -> dict[str, Any]:
    """Share of 95% intervals that hold the truth, by measure, with an interval over worlds."""
    shares: dict[str, list[float]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    n = 0
    for seed in seeds:
        told = judge_world(seed, VARIED)
        n += len(told)
        groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in told:
            groups[f"{one['measure']}, {one['against']}"].append(one)
        groups["all"] = told
        for name, group in groups.items():
            shares[name].append(float(np.mean([one["covered"] for one in group])))
            errors[name].append(float(np.mean([one["error"] for one in group])))
    return {
        "worlds": len(seeds),
        "comparisons": n,
        "share": {name: interval(values) for name, values in sorted(shares.items())},
        "bias_log_ratio": {name: interval(values) for name, values in sorted(errors.items())},
    }


def discoveries(seeds: range, level: float = 0.1) -> dict[str, Any]:
    """False discovery proportion and power where most segments are like all others."""
    false, found, power = [], [], []
    sides: Counter[str] = Counter()
    for seed in seeds:
        told = judge_world(seed, ALIKE)
        called = [one for one in told if one["side"] in ("more", "less")]
        wrong = [
            one
            for one in called
            if abs(one["truth"]) < NULL or (one["truth"] > 0) != (one["side"] == "more")
        ]
        real = [one for one in told if abs(one["truth"]) > 0.3]
        false.append(len(wrong) / max(len(called), 1))
        found.append(len(called))
        power.append(float(np.mean([one["side"] in ("more", "less") for one in real])))
        sides.update(one["side"] for one in told if abs(one["truth"]) < NULL)
    return {
        "worlds": len(seeds),
        "level": level,
        "false_discovery_rate": interval(false),
        "found_per_report": interval(found),
        "power_at_effects_above_0.3": interval(power),
        "sides_where_nothing_is": dict(sides),
    }


def speed() -> dict[str, float]:
    world = made_up(7, VARIED)
    started = time.process_time()
    platform = measure_platform(world.tables)
    measured = time.process_time()
    report = report_host(platform, "host00")
    done = time.process_time()
    judged = time.process_time()
    judge(report.segments, 0.1, 1.5)
    return {
        "events": len(world.tables.events),
        "segments": len(platform.segments),
        "platform_cpu_s": round(measured - started, 3),
        "report_cpu_s": round(done - measured, 3),
        "judge_cpu_s": round(time.process_time() - judged, 3),
    }


def merely_varying(rng: np.random.Generator, between: float, viewers: int) -> float:
    """P value of a segment that differs from 19 others as they do among themselves."""
    n, rate = 20, 0.1
    rates = rate * np.exp(rng.normal(-(between**2) / 2, between, n) if between else np.zeros(n))
    segment = np.repeat(np.arange(n), viewers)
    users, user = np.unique(rng.integers(0, 10**6, len(segment)), return_inverse=True)
    den = rng.exponential(5.0, len(segment))
    num = rng.poisson(rates[segment] * den).astype(float)
    total, chance = np.bincount(segment, num, n), np.bincount(segment, den, n)
    measured = Measured(num, den, total, chance, np.asarray(1.0))
    usual = Usual(np.full(n, rate), np.zeros((n, 1)), np.zeros((1, 1)))
    there = np.ones(len(segment), bool)
    viewing = Viewing(segment, user, den, num, there, den, num > 0, users.astype(np.uint64))
    level = own_level(measured, usual, viewing, np.arange(n - 1), n - 1)
    return compare("own", rate_of(total[-1], chance[-1], 1.0), rate, level, viewers).p


def varying() -> list[dict[str, Any]]:
    """Share of segments with p below 0.05, of those that merely vary, by spread and viewers."""
    found = []
    for between in SPREADS:
        for viewers in CROWDS:
            rng = np.random.default_rng([viewers, int(100 * between)])
            low = [merely_varying(rng, between, viewers) < 0.05 for _ in range(TRIALS)]
            share = interval([float(one) for one in low])
            found.append({"spread": between, "viewers": viewers, "below_0.05": share})
    return found


PARTS: dict[str, Callable[[], Any]] = {
    "coverage": lambda: coverage(COVERED),
    "discoveries": lambda: discoveries(DISCOVERED),
    "varying": varying,
    "speed": speed,
    "guide": guided,
    "match": matched,
}


def main(*parts: str) -> None:
    """Judge everything, or some parts of it again, and write the result."""
    before = json.loads((RESULTS / "host_report.json").read_text()) if parts else {}
    found = {
        name: run() if name in (parts or PARTS) else before[name] for name, run in PARTS.items()
    }
    write_result("host_report", {"simulated": True, "price_slope": PRICE_SLOPE, **found})


if __name__ == "__main__":
    main(*sys.argv[1:])
