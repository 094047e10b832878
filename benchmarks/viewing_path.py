"""Viewing paths on SIMULATED platforms against simple ways through a room.

``OMP_NUM_THREADS=1 python -m benchmarks.viewing_path`` writes results/viewing_path.json. Users who
are about get 20 minutes for rooms that have been on for a while and have something for them, by
several ways; what they would do
follows from the simulator's own equations: they open a stretch of a segment, stay by how well it
suits them then, and a tag wears off with every segment of it. Who leaves a segment does not come
back to it. Means over users and rooms by world, paired by world. Settings were tried on seeds from
100 on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.live_worlds import interval
from benchmarks.record import write_result
from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.data.simulate.live.match import leaving_rate, opening_chance
from tagcf.data.simulate.live.session import RECOVERY, WEARY
from tagcf.live.interest import InterestEngine, TagInterest
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.viewing.guide import RoomGuide, counted, guide_of
from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.path import PathSettings, viewing_path
from tagcf.live.wire import BadEvents, from_table, id_key

JUDGED = range(10)
MINUTES, USERS, ROOMS = 20.0, 40, 4
EARLIEST = 8  # parts that a room must have shown
Stretch = tuple[RoomPart, float, float, float]  # part, from, to, and when it is watched


def in_order(pieces: Sequence[tuple[RoomPart, float, float]], at: float) -> list[Stretch]:
    """Take pieces one after the other until the time is up."""
    found: list[Stretch] = []
    clock, until = at, at + 60 * MINUTES
    for part, start, end in pieces:
        long = min(end - start, until - clock)
        if long <= 0:
            break
        found.append((part, start, start + long, clock))
        clock += long
    return found


def whole(parts: Sequence[RoomPart]) -> list[tuple[RoomPart, float, float]]:
    """Parts from their beginning to their end."""
    return [(part, part.start, part.end) for part in parts]


class Ways:
    """Ways through a room."""

    def __init__(self, guide: RoomGuide, engine: InterestEngine) -> None:
        self.guide, self.engine = guide, engine
        seconds = counted(guide.events)
        likes, viewers = seconds.counts[:, 0], seconds.viewers
        self.seconds, self.likes, self.viewers = seconds, likes, viewers

    def like_rate(self, part: RoomPart) -> float:
        """Likes a viewer and second, drawn to none by a minute of ten viewers."""
        room = int(np.flatnonzero(self.seconds.rooms == np.uint64(id_key(part.room_id)))[0])
        inside = (self.seconds.room == room) & (self.seconds.second >= part.start)
        inside &= self.seconds.second < part.end
        return float(self.likes[inside].sum() / (self.viewers[inside].sum() + 600))

    def start(self, past: list[RoomPart], _: Any, __: Any) -> list[Stretch]:
        """From the start."""
        return in_order(whole(past), self.guide.at)

    def liked(self, past: list[RoomPart], _: Any, __: Any) -> list[Stretch]:
        """Most liked parts first."""
        return in_order(whole(sorted(past, key=lambda p: -self.like_rate(p))), self.guide.at)

    def highlights(self, past: list[RoomPart], _: Any, __: Any) -> list[Stretch]:
        """Highlights alone, the surest first, with the same lead as in paths."""
        lead = PathSettings().lead
        found = [(one, part) for part in past for one in part.highlights]
        found.sort(key=lambda pair: -pair[0].score)
        pieces = [(part, one.start - lead, one.end + lead) for one, part in found]
        return in_order(pieces, self.guide.at)

    def interest(self, past: list[RoomPart], user: str, _: Any) -> list[Stretch]:
        """Parts by the engine's score for the user, nothing else."""
        rows = self.engine.content_rows([part.segment_id for part in past])
        scores = self.engine.scores(user, rows, self.guide.at)
        order = np.argsort(-scores, kind="stable").tolist()
        return in_order(whole([past[k] for k in order]), self.guide.at)

    def path(self, past: list[RoomPart], _: Any, told: Sequence[TagInterest]) -> list[Stretch]:
        """The viewing path, of the same parts: what was."""
        found = viewing_path(past, told, self.guide.at, MINUTES)
        return [(stop.part, stop.start, stop.end, stop.begin) for stop in found.stops]

    def path_live(self, past: list[RoomPart], _: Any, told: Sequence[TagInterest]) -> list[Stretch]:
        """The viewing path, of what is on and announced as well."""
        found = viewing_path(self.guide.of(past[0].room_id), told, self.guide.at, MINUTES)
        return [(stop.part, stop.start, stop.end, stop.begin) for stop in found.stops]


class Judge:
    """What users would do, by the simulator."""

    def __init__(self, world: LiveWorld) -> None:
        self.world = world
        self.row = {name: k for k, name in enumerate(world.names.segments)}
        truth = world.truth.filter(kind="highlight")
        self.highlights = truth.select("room_id", "start", "end").rows()

    def __call__(self, user: int, stretches: list[Stretch]) -> dict[str, float]:
        """Figures of one way, for one user and room."""
        made = self.world.mechanism
        sums = dict.fromkeys(("watch_min", "opened", "hit_min", "highlights", "planned_min"), 0.0)
        segments: dict[str, list[Stretch]] = {}
        for one in stretches:
            segments.setdefault(one[0].segment_id, []).append(one)
        shown: list[tuple[int, float]] = []
        for name, own in segments.items():
            g, begin = self.row[name], own[0][3]
            wanted = self.world.interest([user], [begin])
            long = sum(end - start for _, start, end, _ in own)
            main = int(made.segments.main[g])
            weary = sum(np.exp(-(begin - t) / RECOVERY) for tag, t in shown if tag == main)
            shown.append((main, begin))
            match = made.reach.match(
                made.segments, made.rooms, np.array([user]), np.maximum(wanted, 0), np.array([g])
            )
            match = match - WEARY * weary
            rate = float(leaving_rate(match, np.zeros(1), np.zeros(1, bool))[0])
            stays = (1 - np.exp(-rate * long)) / rate
            opened = float(opening_chance(match)[0])
            sums["planned_min"] += long / 60
            sums["watch_min"] += opened * stays / 60
            sums["opened"] += opened
            sums["hit_min"] += (main == int(wanted[0])) * long / 60
            sums["highlights"] += opened * sum(
                any(start <= (a + b) / 2 < end for _, start, end, _ in own)
                for room, a, b in self.highlights
                if room == own[0][0].room_id
            )
        sums["segments"] = float(len(segments))
        return sums


def suited(
    engine: InterestEngine,
    user: str,
    rooms: Sequence[str],
    past: dict[str, list[RoomPart]],
    at: float,
) -> list[str]:
    """Rooms whose parts the engine scores highest for a user: those that would be looked at."""
    scores = [
        engine.scores(user, engine.content_rows([p.segment_id for p in past[room]]), at).max()
        for room in rooms
    ]
    return [rooms[k] for k in np.argsort(scores)[::-1][:ROOMS].tolist()]


def of_world(seed: int) -> dict[str, dict[str, float]]:
    world = simulate_live(LivePlatform(seed=seed, users=300, rooms=16, days=1))
    settings, rng = world.settings, np.random.default_rng(seed)
    at = float(settings.epoch(np.array([0.6 * settings.window]))[0])
    tables = LiveTables(from_table(world.events), world.segments, world.tags, BadEvents(), 0, 0)
    guide = guide_of(tables, at)
    engine = InterestEngine(world.tags, segments=world.segments, users_at_most=4096)
    engine.update(guide.events)
    past: dict[str, list[RoomPart]] = {}
    for part in guide.parts:
        if part.airing == "past":
            past.setdefault(part.room_id, []).append(part)
    rooms = [room for room, parts in past.items() if len(parts) >= EARLIEST]
    names = list(world.names.users[: settings.users])
    about = [k for k, name in enumerate(names) if guide.room_of(name) is not None]
    ways, judge = Ways(guide, engine), Judge(world)
    tries: dict[str, Callable[..., list[Stretch]]] = {
        "from the start": ways.start,
        "most liked parts": ways.liked,
        "highlights only": ways.highlights,
        "interest alone": ways.interest,
        "viewing path": ways.path,
        "viewing path, live parts too": ways.path_live,
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in tries}
    gaps = []
    for user in rng.permutation(about)[:USERS].tolist():
        told = engine.interest(names[user], at, k=len(engine.slugs))
        for room in suited(engine, names[user], rooms, past, at):
            for name, way in tries.items():
                rows[name].append(judge(user, way(past[room], names[user], told)))
            found = viewing_path(past[room], told, at, MINUTES)
            gaps.append(found.value / found.best_possible)
    means = {
        name: {key: float(np.mean([row[key] for row in some])) for key in some[0]}
        for name, some in rows.items()
    }
    means["viewing path"]["share_of_bound"] = float(np.mean(gaps))
    means["viewing path"]["paths"] = float(len(gaps))
    return means


def main() -> None:
    """Measure and write ``results/viewing_path.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
    began = time.process_time()
    worlds = []
    for seed in range(options.first, options.first + options.seeds):
        worlds.append(of_world(seed))
        if options.dry:
            for name, row in worlds[-1].items():
                print(seed, name, {k: round(v, 2) for k, v in row.items()}, flush=True)
    names = list(worlds[0])
    metrics = ("watch_min", "opened", "hit_min", "highlights", "planned_min", "segments")
    result = {
        "simulated": True,
        "worlds": len(worlds),
        "minutes": MINUTES,
        "ways": {n: {m: interval([w[n][m] for w in worlds]) for m in metrics} for n in names},
        "share_of_bound": interval([w["viewing path"]["share_of_bound"] for w in worlds]),
        "paths": sum(w["viewing path"]["paths"] for w in worlds),
        "paired": [
            {
                "against": other,
                "metric": m,
                "difference": interval([w["viewing path"][m] - w[other][m] for w in worlds]),
                "relative": interval([w["viewing path"][m] / w[other][m] - 1 for w in worlds])
                if m == "watch_min"
                else None,
            }
            for other in names
            if other != "viewing path"
            for m in metrics[:4]
        ],
        "cpu_s": round(time.process_time() - began, 1),
    }
    if not options.dry:
        write_result("viewing_path", result)


if __name__ == "__main__":
    main()
