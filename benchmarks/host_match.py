"""Hosts for viewers on simulated live platforms, in the order of time: SIMULATED.

The first part of a world is learned from; visits that begin later are judged. At each, the rooms on
air are ranked: by viewers there now, by tags in common with the viewer's live interest, and by
`HostMatcher`. A hit is that the room which was then watched for a minute or more is among the first
three. What the viewer would have watched of each first choice is known: the simulator's expected
seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.live_worlds import interval
from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.data.simulate.live.match import leaving_rate
from tagcf.live.hosts.match.past import EVERY, gather_visits
from tagcf.live.hosts.match.suit import learn, match_hosts
from tagcf.live.hosts.visits import Visits, find_visits
from tagcf.live.interest import InterestEngine
from tagcf.live.rooms.segments import RoomSegments, cut_rooms
from tagcf.live.wire import from_table, id_key
from tagcf.live.wire.batch import cut, kept
from tagcf.types.live import LiveEvents

SEEDS = range(5)
DAYS, USERS, SPLIT = 4, 400, 3
SETTLED, FIRST, MOST = 60.0, 3, 600  # seconds, rank, visits judged a world
LONGEST = 300.0
RANKINGS = ("viewers now", "tags in common", "matcher")


def in_order(events: LiveEvents) -> LiveEvents:
    """Each event once, in the order of time."""
    first = np.zeros(len(events), bool)
    first[np.unique(events.event, return_index=True)[1]] = True
    once = kept(events, first)
    order = np.argsort(once.ts, kind="stable")
    arrays = {name: getattr(once, name)[order] for name in LiveEvents.__slots__ if name != "rows"}
    return LiveEvents(**arrays, rows=once.rows.take(pa.array(order)))


def judge(seed: int) -> dict[str, Any]:
    world = simulate_live(LivePlatform(seed=seed, users=USERS, days=DAYS))
    events = in_order(from_table(world.events))
    segments = cut_rooms(world.segments, world.tags)
    split = world.settings.start + SPLIT * 86_400.0
    edge = int(np.searchsorted(events.ts, split))
    engine = InterestEngine(world.tags, segments=world.segments)
    past = gather_visits(engine, cut(events, 0, edge), segments)
    early = np.flatnonzero(segments.start < split)
    matcher = learn(past, _some(segments, early), engine)
    visits = find_visits(events)
    chosen = _to_judge(world, visits, split, np.random.default_rng([seed, 5]))
    names = {name: k for k, name in enumerate(world.names.segments)}
    code_of = np.array([names[one] for one in segments.segment_id])
    codes = {id_key(name): k for k, name in enumerate(world.names.users)}
    hits: dict[str, list[float]] = {name: [] for name in RANKINGS}
    seconds: dict[str, list[float]] = {name: [] for name in RANKINGS}
    oracle: list[float] = []
    done = edge
    for k in chosen.tolist():
        at = float(visits.start[k])
        stop = int(np.searchsorted(events.ts, at - EVERY, side="left"))
        if stop > done:
            engine.update(cut(events, done, stop))
            done = stop
        user = codes[int(visits.user[k])]
        rooms = np.unique(segments.room)
        rows = segments.at(rooms, np.full(len(rooms), at))
        rows = rows[rows >= 0]
        if len(rows) < FIRST + 2:
            continue
        name = world.names.users[user]
        orders = _orders(world, engine, matcher, visits, segments, rows, name, at)
        worth = _expected(world, user, code_of[rows], at)
        oracle.append(float(worth.max()))
        truth = int(np.flatnonzero(segments.room[rows] == visits.room[k])[0])
        for ranking, order in orders.items():
            hits[ranking].append(float(truth in order[:FIRST]))
            seconds[ranking].append(float(worth[order[0]]))
    return {
        "seed": seed,
        "judged": len(oracle),
        "hit_at_3": {name: round(float(np.mean(one)), 4) for name, one in hits.items()},
        "seconds": {name: round(float(np.mean(one)), 2) for name, one in seconds.items()},
        "seconds_of_the_best": round(float(np.mean(oracle)), 2),
    }


def _some(segments: RoomSegments, rows: np.ndarray) -> RoomSegments:
    columns = {}
    for name in RoomSegments.__slots__:
        value = getattr(segments, name)
        columns[name] = (
            value[rows] if isinstance(value, np.ndarray) else tuple(value[row] for row in rows)
        )
    return RoomSegments(**columns)


def _to_judge(
    world: LiveWorld, visits: Visits, split: float, rng: np.random.Generator
) -> np.ndarray:
    known = {id_key(name) for name in world.names.users[: world.settings.users]}
    mine = np.array([int(key) in known for key in visits.user.tolist()])
    rows = np.flatnonzero(mine & (visits.start > split) & (visits.end - visits.start >= SETTLED))
    rows = np.sort(rng.permutation(rows)[:MOST])
    return rows[np.argsort(visits.start[rows], kind="stable")]


def _orders(world, engine, matcher, visits, segments, rows, name, at):  # type: ignore[no-untyped-def]
    """Positions in `rows`, best first, of each ranking."""
    there = [
        int(((visits.room == segments.room[r]) & (visits.start < at) & (visits.end > at)).sum())
        for r in rows
    ]
    ids = [segments.segment_id[r] for r in rows]
    cosine = engine.scores(name, pa.array(ids, pa.string()), at)
    on_air = {segments.streamer_id[r]: segments.segment_id[r] for r in rows}
    found = match_hosts(matcher, engine, name, len(rows), at=at, on_air=on_air)
    place = {segments.streamer_id[r]: j for j, r in enumerate(rows)}
    return {
        "viewers now": np.argsort(-np.array(there), kind="stable"),
        "tags in common": np.argsort(-cosine, kind="stable"),
        "matcher": np.array([place[one.host] for one in found]),
    }


def _expected(world: LiveWorld, user: int, code: np.ndarray, at: float) -> np.ndarray:
    """Expected seconds that the user would watch, were each room opened now."""
    made = world.mechanism
    interest = int(world.interest([user], [at])[0])
    users = np.full(len(code), user)
    match = made.reach.match(made.segments, made.rooms, users, np.full(len(code), interest), code)
    rate = leaving_rate(match, np.zeros(len(code)), np.zeros(len(code), bool))
    return (1 - np.exp(-rate * LONGEST)) / rate


def matched(seeds: range = SEEDS) -> dict[str, Any]:
    """All worlds, and the matcher against the other two, paired by world."""
    worlds = [judge(seed) for seed in seeds]
    paired = {
        f"matcher - {other}": {
            measure: interval([one[measure]["matcher"] - one[measure][other] for one in worlds])
            for measure in ("hit_at_3", "seconds")
        }
        for other in RANKINGS[:2]
    }
    means = {
        measure: {name: interval([one[measure][name] for one in worlds]) for name in RANKINGS}
        for measure in ("hit_at_3", "seconds")
    }
    best = interval([one["seconds_of_the_best"] for one in worlds])
    return {"worlds": worlds, **means, "seconds_of_the_best": best, "paired": paired}
