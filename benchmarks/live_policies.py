"""Three policies in a closed loop on SIMULATED platforms: static tags, item-kNN, live state.

``OMP_NUM_THREADS=1 python -m benchmarks.live_policies``: every policy shows the same users the same
200 contents in the same worlds, with the same luck; it decides what, one content after another.
Nobody is shown the same content twice. Reported per showing, by paired intervals over worlds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.live_worlds import JUDGED, interval, recorded
from benchmarks.record import write_result
from tagcf.data.simulate.live import LiveSession
from tagcf.live.dynamics.switches import SwitchDetector
from tagcf.live.interest import InterestEngine
from tagcf.live.interest.content import restocked, shelve
from tagcf.live.wire import from_table, id_keys
from tagcf.types import Floats
from tagcf.types.live import LiveEvents

STEPS, CONTENTS, K = 40, 200, 10
USERS, DAYS = 200, 1
SHRINK = 5.0  # pseudo-counts of the item-kNN's similarities


class Static:
    """Tags that each user liked up to the start of the loop, and nothing later."""

    def __init__(self, engine: InterestEngine, users: list[str], items: pa.Array) -> None:
        rows = engine.content_rows(items)
        at = engine.now
        self._scores = np.array([engine.scores(user, rows, at) for user in users])

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        return self._scores

    def learn(self, events: LiveEvents, shown: np.ndarray, clicked: np.ndarray) -> None:
        """Learn from one showing to everybody."""


class ItemKNN:
    """Cosine between contents by who opened both; learns from everybody after every showing."""

    def __init__(self, n_users: int) -> None:
        self._opened = np.zeros((n_users, CONTENTS))
        self._shown = np.zeros(CONTENTS)

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        both = self._opened.T @ self._opened
        times = np.diag(both)
        alike = both / (np.sqrt(np.outer(times, times)) + SHRINK)
        np.fill_diagonal(alike, 0)
        popular = (times + 1) / (self._shown + 3)
        return self._opened @ alike + 1e-2 * popular

    def learn(self, events: LiveEvents, shown: np.ndarray, clicked: np.ndarray) -> None:
        """Learn from one showing to everybody."""
        self._opened[np.arange(len(shown))[clicked], shown[clicked]] = 1.0
        np.add.at(self._shown, shown, 1)


class Live:
    """The interest engine, updated by every event."""

    def __init__(self, engine: InterestEngine, users: list[str], items: pa.Array) -> None:
        self._engine, self._users = engine, users
        self._rows = engine.content_rows(items)

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        return np.array(
            [
                self._engine.scores(user, self._rows, float(at))
                for user, at in zip(self._users, ts, strict=True)
            ]
        )

    def learn(self, events: LiveEvents, shown: np.ndarray, clicked: np.ndarray) -> None:
        """Learn from one showing to everybody."""
        self._engine.update(events)


class Believed:
    """What the user wants now, by the belief of the switch detector, beside the engine's scores."""

    def __init__(
        self, live: Live, detector: SwitchDetector, users: list[str], strength: Floats
    ) -> None:
        self._live, self._detector = live, detector
        self._keys = id_keys(pa.array(users))
        self._strength = strength

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        belief = self._detector.beliefs(self._keys).astype(np.float64)
        return belief @ self._strength.T + 0.5 * self._live.scores(ts)

    def learn(self, events: LiveEvents, shown: np.ndarray, clicked: np.ndarray) -> None:
        """Learn from one showing to everybody."""
        self._live.learn(events, shown, clicked)
        self._detector.update(events)


def loop(session: LiveSession, policy: Any) -> dict[str, float]:
    """Figures of one policy, per showing."""
    n = len(session.users)
    seen = np.zeros((n, CONTENTS), bool)
    sums = dict.fromkeys(("hit@10", "watch_s", "interactions", "opened", "purchases"), 0.0)
    for _ in range(STEPS):
        scores = np.where(seen, -np.inf, policy.scores(session.ts))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        wanted, ts = session.wanted(), session.ts.copy()
        sums["hit@10"] += float((order == wanted[:, None]).any(axis=1).mean())
        shown = order[:, 0]
        done = session.respond(shown)
        seen[np.arange(n), shown] = True
        policy.learn(from_table(session.events(done, ts)), shown, done.click)
        acted = done.like | done.danmaku | done.purchase
        sums["watch_s"] += float(done.watch.mean())
        sums["interactions"] += float(acted.mean())
        sums["opened"] += float(done.click.mean())
        sums["purchases"] += float(done.purchase.mean())
    return {name: value / STEPS for name, value in sums.items()}


def of_world(seed: int) -> dict[str, dict[str, float]]:
    one = recorded(seed, users=USERS, days=DAYS)
    world = one.world
    users = list(world.names.users[: world.settings.users])

    def start() -> tuple[LiveSession, InterestEngine, pa.Array]:
        session = world.session(seed, CONTENTS)
        engine = InterestEngine(world.tags, segments=world.segments, users_at_most=8192)
        engine.update(one.events)
        engine.add_content(session.tags)
        return session, engine, session.segments["segment_id"].to_arrow().cast("string")

    def static() -> tuple[LiveSession, Any]:
        session, engine, items = start()
        return session, Static(engine, users, items)

    def knn() -> tuple[LiveSession, Any]:
        return world.session(seed, CONTENTS), ItemKNN(len(users))

    def live() -> tuple[LiveSession, Any]:
        session, engine, items = start()
        return session, Live(engine, users, items)

    def believed() -> tuple[LiveSession, Any]:
        session, engine, items = start()
        shelf = restocked(one.shelf, shelve(session.tags))
        detector = SwitchDetector(shelf)
        detector.update(one.events)
        strength = session.tags.strength[:CONTENTS].toarray().astype(np.float64)
        return session, Believed(Live(engine, users, items), detector, users, strength)

    makers: dict[str, Callable[[], tuple[LiveSession, Any]]] = {
        "static tags": static,
        "item-kNN": knn,
        "live state": live,
        "live state and belief": believed,
    }
    return {name: loop(*make()) for name, make in makers.items()}


def main() -> None:
    """Measure and write ``results/live_policies.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
    began = time.process_time()
    worlds = []
    for seed in JUDGED[: options.seeds]:
        worlds.append(of_world(seed))
        print(seed, worlds[-1], flush=True)
    names, metrics = list(worlds[0]), list(worlds[0]["live state"])
    result = {
        "simulated": True,
        "worlds": len(worlds),
        "users": USERS,
        "showings_per_user": STEPS,
        "contents": CONTENTS,
        "policies": {
            name: {m: interval([w[name][m] for w in worlds]) for m in metrics} for name in names
        },
        "paired": [
            {
                "policy": better,
                "against": name,
                "metric": m,
                "difference": interval([w[better][m] - w[name][m] for w in worlds]),
                "relative": interval([w[better][m] / w[name][m] - 1 for w in worlds])
                if m != "purchases"  # none at all in some worlds
                else None,
            }
            for better in ("live state", "live state and belief")
            for name in names[:2]
            for m in metrics
        ],
        "cpu_s": round(time.process_time() - began, 1),
    }
    if not options.dry:
        write_result("live_policies", result)


if __name__ == "__main__":
    main()
