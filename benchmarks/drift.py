"""Switches of interest told on SIMULATED platforms: delay in events against false alarms.

``OMP_NUM_THREADS=1 python -m benchmarks.drift --fit`` learns the evidence from worlds of other
seeds than are judged, sets the threshold on yet others, and writes the table that the package
ships. Without ``--fit`` it judges that table, beside Page–Hinkley on the surprise of what users do.

A switch is told by the first alarm after it and before the user's next switch; its delay is the
number of the user's events up to and with that alarm (infinite where there is none, so that medians
count the missed). Every other alarm is false. Switch-free events are all but those between a
switch and the alarm that told it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks.live_worlds import (
    FITTED,
    JUDGED,
    SET,
    Recorded,
    by_user,
    in_time,
    interval,
    recorded,
)
from benchmarks.record import RESULTS, write_result
from tagcf.live import dynamics
from tagcf.live.dynamics.belief.kernels import width_of
from tagcf.live.dynamics.evidence import Evidence, default_evidence, no_evidence
from tagcf.live.dynamics.fitting import Labelled, fit_evidence, mean_log_belief
from tagcf.live.dynamics.steps import Steps
from tagcf.live.dynamics.switches import SwitchDetector

THRESHOLDS = np.round(np.concatenate([np.arange(0.8, 0.95, 0.01), np.arange(0.95, 1.0, 0.005)]), 3)
AIM = 0.55  # false alarms per 1,000 switch-free events; worlds differ, and 1 is the limit
GRID = [{"pace": 1 / 1100, "pull": pull} for pull in (4.0, 5.0)]


def judge(stream: Labelled, event: np.ndarray, to: np.ndarray) -> dict[str, float]:
    """Delay and false alarms of alarms at positions `event` (ascending) for tags `to`."""
    user, label = stream.steps.user, stream.label
    n = len(user)
    moved = (user[1:] == user[:-1]) & (label[1:] != label[:-1]) & (label[:-1] >= 0)
    switch = np.flatnonzero(moved) + 1
    until = np.append(switch[1:], n)
    until = np.minimum(until, np.searchsorted(user, user[switch], side="right"))
    at = np.searchsorted(event, switch)
    told = at < len(event)
    told[told] = event[at[told]] < until[told]
    alarm = np.where(told, event[np.minimum(at, len(event) - 1)], until)
    delay = np.where(told, alarm - switch + 1.0, np.inf)
    right = told.copy()
    right[told] = to[at[told]] == label[switch[told]]
    named = _named_in_time(switch, until, event, to, label)
    false = len(event) - int(told.sum())
    waiting = int((np.where(told, alarm + 1, until) - switch).sum())
    return {
        "switches": len(switch),
        "median_delay": float(np.median(delay)),
        "told": float(told.mean()),
        "right_tag_at_once": float(right[told].mean()) if told.any() else 0.0,
        "median_delay_right_tag": float(np.median(named)),
        "false_per_1000": 1000 * false / max(n - waiting, 1),
    }


def _named_in_time(
    switch: np.ndarray, until: np.ndarray, event: np.ndarray, to: np.ndarray, label: np.ndarray
) -> np.ndarray:
    """Events until an alarm names the new tag."""
    delay = np.full(len(switch), np.inf)
    first, last = np.searchsorted(event, switch), np.searchsorted(event, until)
    for k in range(len(switch)):
        named = np.flatnonzero(to[first[k] : last[k]] == label[switch[k]])
        if len(named):
            delay[k] = event[first[k] + named[0]] - switch[k] + 1
    return delay


def alarms(stream: Labelled, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    detector = SwitchDetector(stream.stage.shelf, evidence)
    detector.reserve(len(stream.starts))
    at, tags, _ = detector.follow(stream.steps)
    return at, tags[:, 1]


def fit() -> Evidence:
    """Learn on some worlds, choose settings and threshold on others."""
    worlds = [recorded(seed) for seed in FITTED]
    held = [recorded(seed) for seed in SET]
    found: list[tuple[float, Evidence]] = []
    for settings in GRID:
        begin = no_evidence(**settings)
        evidence = fit_evidence([by_user(one, begin) for one in worlds], begin)
        belief = np.mean([mean_log_belief(by_user(one, begin), evidence) for one in held])
        found.append((float(belief), evidence))
        print(settings, round(float(belief), 4), flush=True)
    best = max(found, key=lambda pair: pair[0])[1]
    return set_threshold(best, [by_user(one, best) for one in held])


def set_threshold(evidence: Evidence, streams: list[Labelled]) -> Evidence:
    """Take the lowest threshold with at most `AIM` false alarms per 1,000 switch-free events."""
    for threshold in THRESHOLDS:
        tried = replace(evidence, threshold=float(threshold))
        rates = [judge(one, *alarms(one, tried))["false_per_1000"] for one in streams]
        if np.mean(rates) <= AIM:
            return replace(tried, false_alarms=round(float(np.mean(rates)), 3))
    return tried


@njit(cache=False)
def page_hinkley(user, x, allowed, limit, mean, count, up, low, at):
    """Page–Hinkley test per user on x; returns the number of alarms."""
    found = 0
    for e in range(user.size):
        u = user[e]
        count[u] += 1
        mean[u] += (x[e] - mean[u]) / count[u]
        up[u] += x[e] - mean[u] - allowed
        low[u] = min(low[u], up[u])
        if up[u] - low[u] > limit:
            at[found] = e
            found += 1
            mean[u], count[u], up[u], low[u] = 0.0, 0, 0.0, 0.0
    return found


def surprise(stream: Labelled) -> np.ndarray:
    """(n,) how far content is from what the user was on lately: 1 − cosine to a decayed mean."""
    steps, strength = stream.steps, stream.stage.shelf.strength
    return _surprise(
        steps.user, steps.content, stream.starts, strength.indptr, strength.indices, strength.data,
        len(stream.stage.prior),
    )  # fmt: skip


@njit(cache=False)
def _surprise(user, content, starts, indptr, tag, strength, n_tags):
    out = np.zeros(user.size)
    lately = np.empty(n_tags)
    for u in range(starts.size - 1):
        lately[:] = 1e-3
        for e in range(starts[u], starts[u + 1]):
            item = content[e]
            if item < 0:
                continue
            dot, size = 0.0, 1e-9
            for j in range(indptr[item], indptr[item + 1]):
                dot += lately[tag[j]] * strength[j]
                size += strength[j] ** 2
            out[e] = 1 - dot / np.sqrt(size * (lately**2).sum())
            lately *= 0.9
            for j in range(indptr[item], indptr[item + 1]):
                lately[tag[j]] += strength[j]
    return out


def hinkley_alarms(stream: Labelled, x: np.ndarray, limit: float) -> np.ndarray:
    n = len(stream.starts)
    at = np.empty(len(x), np.int64)
    mean, up, low = np.zeros(n), np.zeros(n), np.zeros(n)
    count = np.zeros(n, np.int64)
    found = page_hinkley(stream.steps.user, x, 0.1, limit, mean, count, up, low, at)
    return at[:found]


TURNS = 5  # of the speed


def speed(n_users: int = 1_000_000, minutes: int = 4) -> dict[str, Any]:
    """Events a second of the kernels, over a million users, in one thread; CPU time.

    The busiest minutes of a world, its users cloned until there are `n_users`. Every clone lives up
    to a minute later than its user, so that neighbouring events are of other kinds and contents.
    The first half warms the beliefs, the second is timed, in several turns.
    """
    evidence = default_evidence()
    one = recorded(JUDGED[0])
    warm, timed = _cloned(one, evidence, n_users, 60 * minutes)
    turns = []
    for _ in range(TURNS):
        detector = SwitchDetector(one.shelf, evidence)
        detector.reserve(n_users)
        detector.follow(warm)
        began = time.process_time()
        detector.follow(timed)
        turns.append((time.process_time() - began) / len(timed))
    x = np.random.default_rng(1).random(len(timed))
    state = (np.zeros(n_users), np.zeros(n_users, np.int64), np.zeros(n_users), np.zeros(n_users))
    at = np.empty(len(x), np.int64)
    page_hinkley(timed.user[:10], x[:10], 0.1, 5.0, *state, at)
    began = time.process_time()
    page_hinkley(timed.user, x, 0.1, 5.0, *state, at)
    hinkley = (time.process_time() - began) / len(x)
    n_tags = len(detector.stage.prior)
    return {
        "users": n_users,
        "events": len(x),
        "tags": n_tags,
        "impressions": round(float((timed.kind == 0).mean()), 3),
        "bytes_per_user": 4 * width_of(n_tags),
        "belief_events_per_s": round(1 / float(np.median(turns))),
        "belief_best_events_per_s": round(1 / min(turns)),
        "page_hinkley_events_per_s": round(1 / hinkley),
        "load_average": [round(float(one), 1) for one in os.getloadavg()],
    }


def _cloned(one: Recorded, evidence: Evidence, n_users: int, seconds: int) -> tuple[Steps, Steps]:
    """The busiest `seconds` of a world with many clones of its users, in two halves."""
    steps, _ = in_time(by_user(one, evidence))
    starts = np.arange(int(steps.tick[0]), int(steps.tick[-1]), 600)
    edges = np.searchsorted(steps.tick, starts), np.searchsorted(steps.tick, starts + seconds)
    busiest = int((edges[1] - edges[0]).argmax())
    window = slice(int(edges[0][busiest]), int(edges[1][busiest]))
    clones = n_users // one.world.settings.users
    columns = {name: np.repeat(getattr(steps, name)[window], clones) for name in Steps.__slots__}
    clone = np.tile(np.arange(clones), len(columns["user"]) // clones)
    mixed = np.random.default_rng(0).permutation(n_users)  # neighbours in memory are strangers
    columns["user"] = mixed[columns["user"] * clones + clone]
    later = np.random.default_rng(1).uniform(0, 60, n_users)[columns["user"]]
    order = np.argsort(columns["tick"] + later, kind="stable")
    columns["tick"] = (columns["tick"] + later).astype(np.int64)
    half = len(clone) // 2
    first, second = (
        Steps(*(columns[name][part] for name in Steps.__slots__))
        for part in (order[:half], order[half:])
    )
    return first, second


def main() -> None:
    """Fit where asked, judge, and write ``results/drift.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--fit", action="store_true")
    asked.add_argument("--set", action="store_true", help="set the threshold of the table again")
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--speed", action="store_true", help="measure only the speed again")
    options = asked.parse_args()
    if options.speed:
        path = RESULTS / "drift.json"
        kept = {k: v for k, v in json.loads(path.read_text("utf-8")).items() if k != "machine"}
        write_result("drift", {**kept, "speed": speed()})
        return
    if options.fit:
        fit().save(Path(dynamics.__file__).parent / "evidence.json")
        default_evidence.cache_clear()
    elif options.set:
        shipped = default_evidence()
        held = [by_user(recorded(seed), shipped) for seed in SET]
        set_threshold(shipped, held).save(Path(dynamics.__file__).parent / "evidence.json")
        default_evidence.cache_clear()
    evidence = default_evidence()
    limit = set_hinkley([by_user(recorded(seed), evidence) for seed in SET])
    ours, theirs = [], []
    for seed in JUDGED[: options.seeds]:
        stream = by_user(recorded(seed), evidence)
        ours.append(judge(stream, *alarms(stream, evidence)))
        at = hinkley_alarms(stream, surprise(stream), limit)
        theirs.append(judge(stream, at, np.full(len(at), -1)))
        print(seed, ours[-1], theirs[-1], flush=True)
    write_result(
        "drift",
        {
            "simulated": True,
            "worlds": len(ours),
            "fitted_on_seeds": list(FITTED),
            "threshold_set_on_seeds": list(SET),
            "threshold": evidence.threshold,
            "belief": summary(ours),
            "page_hinkley": {"limit": limit, **summary(theirs)},
            "speed": speed(),
        },
    )


def set_hinkley(streams: list[Labelled]) -> float:
    """Lowest limit with at most `AIM` false alarms per 1,000 switch-free events."""
    known = [(one, surprise(one)) for one in streams]
    for limit in np.geomspace(0.5, 60, 40):
        rates = []
        for one, x in known:
            at = hinkley_alarms(one, x, float(limit))
            rates.append(judge(one, at, np.full(len(at), -1))["false_per_1000"])
        if np.mean(rates) <= AIM:
            return float(limit)
    return 60.0


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Means with intervals over worlds; medians of infinity become null."""
    told: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if np.isfinite(values).all():
            told[name] = interval(values, 3)
        else:
            told[name] = {"mean": None, "finite_in": int(np.isfinite(values).sum())}
    return told


if __name__ == "__main__":
    main()
