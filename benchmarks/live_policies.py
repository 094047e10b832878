"""Policies in a closed loop on SIMULATED platforms: what live state is worth, and what is variety.

``OMP_NUM_THREADS=1 python -m benchmarks.live_policies``: every policy shows the same users the same
200 contents in the same worlds, with the same luck; it decides what, one content after another.
Nobody is shown the same content twice. Reported per showing, by paired intervals over worlds.

Users tire of a tag that is shown again and again, so that variety alone is worth something. Each
policy but the simplest therefore runs a second time behind the same re-ranking (`Varied`), whose
strength is chosen for each on worlds of other seeds by what users watched.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.live_worlds import JUDGED, SET, Recorded, interval, recorded
from benchmarks.record import write_result
from tagcf.data.simulate.live import LiveSession, Responses
from tagcf.live.dynamics.switches import SwitchDetector
from tagcf.live.interest import FOR_A_FEED, InterestEngine
from tagcf.live.interest.content import restocked, shelve
from tagcf.live.wire import from_table, id_keys
from tagcf.types import Floats
from tagcf.types.live import LiveEvents

STEPS, CONTENTS, K = 40, 200, 10
USERS, DAYS = 200, 1
SHRINK = 5.0  # pseudo-counts of the item-kNN's similarities
FADING = 600.0  # seconds in which a showing is forgotten, by the re-ranking
NOW = 1200.0  # seconds in which what is popular fades
LASTS = 0.7  # what a showing counts after the next one, by recency
STRENGTHS = (0.25, 0.5, 1.0, 2.0)  # of the re-ranking, to choose from
STATIC, KNN, POPULAR, RECENT = "static tags", "item-kNN", "popular now", "last watched"
LIVE, FEED = "live state, defaults", "live state, for a feed"
BELIEF = "live state, for a feed, and belief"
VARIED = (STATIC, RECENT, LIVE, FEED, BELIEF)


class Static:
    """Tags that each user liked up to the start of the loop, and nothing later."""

    def __init__(self, engine: InterestEngine, users: list[str], items: pa.Array) -> None:
        rows = engine.content_rows(items)
        at = engine.now
        self._scores = np.array([engine.scores(user, rows, at) for user in users])

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        return self._scores

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
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

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
        """Learn from one showing to everybody."""
        self._opened[np.arange(len(shown))[done.click], shown[done.click]] = 1.0
        np.add.at(self._shown, shown, 1)


class Popular:
    """What everybody watches now: seconds a showing of a content, fading, shrunk to its tags'."""

    def __init__(self, strength: Floats) -> None:
        self._strength = strength / strength.sum(axis=1, keepdims=True)
        self._watched, self._shown = np.zeros(CONTENTS), np.full(CONTENTS, 1e-9)
        self._at: float | None = None

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        overall = self._watched.sum() / self._shown.sum()
        shown = self._strength.T @ self._shown
        tags = (self._strength.T @ self._watched + overall) / (shown + 1)
        rate = (self._watched + 3 * (self._strength @ tags)) / (self._shown + 3)
        return np.tile(rate, (len(ts), 1))

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
        """Learn from one showing to everybody."""
        at = float(ts.mean())
        fading = 1.0 if self._at is None else np.exp(-(at - self._at) / NOW)
        self._watched, self._shown, self._at = self._watched * fading, self._shown * fading, at
        np.add.at(self._watched, shown, done.watch)
        np.add.at(self._shown, shown, 1)


class Recent:
    """Tags of what the user watched last, the longer the more; nothing from before the loop."""

    def __init__(self, n_users: int, strength: Floats) -> None:
        self._strength = strength / np.linalg.norm(strength, axis=1, keepdims=True)
        self._lately = np.zeros((n_users, strength.shape[1]))

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        return self._lately @ self._strength.T

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
        """Learn from one showing to everybody."""
        liking = np.log1p(done.watch / 10) - 0.5 * ~done.click
        self._lately = LASTS * self._lately + liking[:, None] * self._strength[shown]


class Varied:
    """Another policy, re-ranked: content like what was shown lately goes down."""

    def __init__(self, policy: Any, strength: Floats, much: float, n_users: int) -> None:
        self._policy, self._much = policy, much
        self._unit = strength / np.linalg.norm(strength, axis=1, keepdims=True)
        self._lately = np.zeros((n_users, strength.shape[1]))
        self._at: Floats | None = None

    def scores(self, ts: Floats) -> Floats:
        """Scores (U, contents) at everybody's time."""
        scores = self._policy.scores(ts)
        spread = np.maximum(scores.std(axis=1, keepdims=True), 1e-9)
        if self._at is not None:
            self._lately *= np.exp(-(ts - self._at) / FADING)[:, None]
        self._at = ts.copy()
        return scores / spread - self._much * self._lately @ self._unit.T

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
        """Learn from one showing to everybody."""
        self._policy.learn(events, shown, done, ts)
        self._lately += self._unit[shown]


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

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
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

    def learn(self, events: LiveEvents, shown: np.ndarray, done: Responses, ts: Floats) -> None:
        """Learn from one showing to everybody."""
        self._live.learn(events, shown, done, ts)
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
        policy.learn(from_table(session.events(done, ts)), shown, done, ts)
        acted = done.like | done.danmaku | done.purchase
        sums["watch_s"] += float(done.watch.mean())
        sums["interactions"] += float(acted.mean())
        sums["opened"] += float(done.click.mean())
        sums["purchases"] += float(done.purchase.mean())
    return {name: value / STEPS for name, value in sums.items()}


def opened(one: Recorded, seed: int, name: str) -> tuple[LiveSession, Any, Floats]:
    """A session, a policy for it, and tags of the contents (contents, T)."""
    world = one.world
    users = list(world.names.users[: world.settings.users])
    session = world.session(seed, CONTENTS)
    strength = session.tags.strength[:CONTENTS].toarray().astype(np.float64)
    if name in {KNN, POPULAR, RECENT}:
        simple: dict[str, Callable[[], Any]] = {
            KNN: lambda: ItemKNN(len(users)),
            POPULAR: lambda: Popular(strength),
            RECENT: lambda: Recent(len(users), strength),
        }
        return session, simple[name](), strength
    # The preset was chosen on the worlds of `SET`.
    preset: dict[str, Any] = dict(FOR_A_FEED) if name in {FEED, BELIEF} else {}
    engine = InterestEngine(world.tags, segments=world.segments, users_at_most=8192, **preset)
    engine.update(one.events)
    engine.add_content(session.tags)
    items = session.segments["segment_id"].to_arrow().cast("string")
    if name == STATIC:
        return session, Static(engine, users, items), strength
    live = Live(engine, users, items)
    if name in {LIVE, FEED}:
        return session, live, strength
    detector = SwitchDetector(restocked(one.shelf, shelve(session.tags)))
    detector.update(one.events)
    return session, Believed(live, detector, users, strength), strength


def played(seed: int, name: str, much: float = 0.0) -> dict[str, float]:
    """Figures of a policy in a world; `much` is the strength of the re-ranking."""
    one = recorded(seed, users=USERS, days=DAYS)
    session, policy, strength = opened(one, seed, name)
    if much:
        policy = Varied(policy, strength, much, len(session.users))
    return loop(session, policy)


def chosen_strengths() -> dict[str, float]:
    """Strength of the re-ranking with which users watch most, of each policy, on other worlds."""
    found = {}
    for name in VARIED:
        watched = {
            much: np.mean([played(seed, name, much)["watch_s"] for seed in SET])
            for much in STRENGTHS
        }
        found[name] = max(watched, key=lambda much: watched[much])
        print(name, watched, flush=True)
    return found


def of_world(seed: int, strengths: dict[str, float]) -> dict[str, dict[str, float]]:
    rows = {name: played(seed, name) for name in (STATIC, KNN, POPULAR, RECENT, LIVE, FEED, BELIEF)}
    for name, much in strengths.items():
        rows[f"{name}, varied"] = played(seed, name, much)
    return rows


def paired(worlds: list[dict[str, dict[str, float]]], better: str, name: str) -> list[Any]:
    """Differences of two policies in each figure, over worlds."""
    rows = []
    for m in worlds[0][better]:
        ours, theirs = (np.array([w[one][m] for w in worlds]) for one in (better, name))
        with_none = m == "purchases"  # none at all in some worlds
        relative = None if with_none else interval(ours / theirs - 1)
        difference = interval(ours - theirs)
        rows.append({"policy": better, "against": name, "metric": m, "difference": difference,
                     "relative": relative})  # fmt: skip
    return rows


def main() -> None:
    """Measure and write ``results/live_policies.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
    began = time.process_time()
    strengths = chosen_strengths()
    worlds = []
    for seed in JUDGED[: options.seeds]:
        worlds.append(of_world(seed, strengths))
        print(seed, worlds[-1], flush=True)
    names, metrics = list(worlds[0]), list(worlds[0][LIVE])
    pairs = [(f"{STATIC}, varied", STATIC)]
    pairs += [(LIVE, name) for name in (STATIC, f"{STATIC}, varied", RECENT)]
    pairs += [(f"{LIVE}, varied", f"{name}, varied") for name in (STATIC, RECENT)]
    for better in (FEED, BELIEF):
        pairs += [(better, name) for name in (STATIC, f"{STATIC}, varied", KNN, POPULAR, RECENT)]
        pairs += [(f"{better}, varied", f"{name}, varied") for name in (STATIC, RECENT)]
    result = {
        "simulated": True,
        "worlds": len(worlds),
        "users": USERS,
        "showings_per_user": STEPS,
        "contents": CONTENTS,
        "varied": strengths,
        "varied_chosen_on_seeds": list(SET),
        "policies": {
            name: {m: interval([w[name][m] for w in worlds]) for m in metrics} for name in names
        },
        "paired": [row for better, name in pairs for row in paired(worlds, better, name)],
        "cpu_s": round(time.process_time() - began, 1),
    }
    if not options.dry:
        write_result("live_policies", result)


if __name__ == "__main__":
    main()
