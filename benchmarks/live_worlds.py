"""Simulated live platforms as the benchmarks of live dynamics read them; SIMULATED throughout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.live.dynamics.evidence import Evidence
from tagcf.live.dynamics.fitting import Labelled, labelled
from tagcf.live.dynamics.steps import Steps, first_of_each, stage_of, steps_of
from tagcf.live.interest.content import Shelf, shelve
from tagcf.live.wire import from_table
from tagcf.types import Codes, Floats
from tagcf.types.live import LiveEvents

FITTED = (1000, 1001, 1002)  # seeds of worlds that the evidence was learned from
SET = (1100, 1101, 1102)  # seeds of worlds that thresholds were set on
JUDGED = tuple(range(10))


@dataclass(frozen=True)
class Recorded:
    """A world with its events read, each id once."""

    world: LiveWorld
    events: LiveEvents
    shelf: Shelf
    user: Codes  # (n,) code; -1: not one of the platform's users, or seen before
    wanted: Codes  # (n,) tag that the user wanted: the truth


@cache
def recorded(seed: int, **settings: Any) -> Recorded:
    world = simulate_live(LivePlatform(seed=seed, **settings))
    events = from_table(world.events)
    code = {name: at for at, name in enumerate(world.names.users[: world.settings.users])}
    ids = world.events["user_id"].to_pylist()
    user = np.array([code.get(one, -1) for one in ids], np.int32)
    user = np.where(first_of_each(events), user, -1).astype(np.int32)
    wanted = np.where(user >= 0, world.interest(np.maximum(user, 0), events.ts), -1)
    shelf = shelve(world.tags, world.segments)
    return Recorded(world, events, shelf, user, wanted.astype(np.int32))


def by_user(one: Recorded, evidence: Evidence) -> Labelled:
    stage = stage_of(one.shelf, evidence)
    steps = steps_of(one.events, one.user.astype(np.int64), stage)
    return labelled(stage, steps, one.wanted[steps.event])


def in_time(stream: Labelled) -> tuple[Steps, Codes]:
    """Steps and labels of a stream in the order of time."""
    order = np.argsort(stream.steps.tick, kind="stable")
    columns = (getattr(stream.steps, name)[order] for name in Steps.__slots__)
    return Steps(*columns), stream.label[order]


def interval(values: Floats | list[float], digits: int = 4) -> dict[str, float]:
    """Mean over seeds with a 95 % t interval."""
    x = np.asarray(values, np.float64)
    half = float(stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    mean = float(x.mean())
    return {
        "mean": round(mean, digits),
        "low": round(mean - half, digits),
        "high": round(mean + half, digits),
    }
