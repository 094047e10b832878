"""What interests move on to, on SIMULATED platforms: hit@3 against last-tag and popularity.

``OMP_NUM_THREADS=1 python -m benchmarks.next_interest``: everything is learned while the stream
runs, from switches that the detector told; nothing reads the truth but the judge. Judged are true
switches within a session in the second half of a world, predicted from the events before them.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.live_worlds import JUDGED, Recorded, by_user, in_time, interval, recorded
from benchmarks.record import RESULTS, write_result
from tagcf.live.dynamics.coming import (
    DAY,
    InterestHistory,
    Surroundings,
    fit_coming,
    loved,
    untouched,
)
from tagcf.live.dynamics.evidence import default_evidence
from tagcf.live.dynamics.next_interest import FEATURES, NextInterest, hit
from tagcf.live.dynamics.social import friends_of
from tagcf.live.dynamics.steps import ORIGIN, Steps
from tagcf.live.dynamics.switches import SwitchDetector
from tagcf.types import Floats

LOVE = 10  # worlds
LOVE_WORLD = {"days": 61, "users": 120, "rooms": 16, "hours": 3.0}
MODELS = ("model", "model with logic graph", "last tag", "last-tag transition", "popularity")


def true_switches(one: Recorded) -> tuple[np.ndarray, ...]:
    """User, start, to, whether within a session; by time."""
    truth = one.world.truth.filter(pl.col("kind") == "switch").sort("start")
    user = {name: at for at, name in enumerate(one.world.names.users)}
    slug = {tag.slug: at for at, tag in enumerate(one.world.tags.tags)}
    return (
        np.array([user[name] for name in truth["user_id"]]),
        truth["start"].to_numpy(),
        np.array([slug[name] for name in truth["to"]]),
        (truth["detail"] == "within a session").to_numpy(),
    )


class Counts:
    """The baselines: what was common, and what followed the present tag."""

    def __init__(self, n_users: int, n_tags: int) -> None:
        self.moves, self.popular = np.zeros((n_tags, n_tags)), np.ones(n_tags)
        self.last = np.zeros((n_users, n_tags))  # running number of each tag's last time
        self.seen = 0

    def observe(self, user: int, source: int, target: int) -> None:
        """Count a switch."""
        self.seen += 1
        self.moves[source, target] += 1
        self.popular[target] += 1
        self.last[user, source], self.last[user, target] = self.seen, self.seen + 0.5

    def chances(self, user: int, now: int) -> dict[str, Floats]:
        """Score every tag as the next, by each baseline."""
        small = 1e-6 * self.popular / self.popular.sum()
        rows = {
            "last tag": self.last[user] + small,  # back to what the user left last
            "last-tag transition": self.moves[now] + small,
            "popularity": self.popular.copy(),
        }
        for row in rows.values():
            row[now] = -1.0
        return rows


def of_world(seed: int) -> dict[str, Any]:
    one = recorded(seed)
    stream = by_user(one, default_evidence())
    steps, _ = in_time(stream)
    detector = SwitchDetector(one.shelf)
    n_users, n_tags = one.world.settings.users, len(detector.stage.prior)
    detector.reserve(n_users)
    friends: sparse.csr_array = friends_of(one.world.social, list(one.world.names.users[:n_users]))
    logic = one.world.mechanism.topics.logic.astype(np.float64)
    models = {
        "model": NextInterest(n_users, n_tags, friends=friends),
        "model with logic graph": NextInterest(n_users, n_tags, friends=friends, logic=logic),
    }
    counts = Counts(n_users, n_tags)
    user, start, to, within = true_switches(one)
    until = np.searchsorted(steps.tick + ORIGIN, start)
    middle = (start[0] + start[-1]) / 2
    hits: dict[str, list[bool]] = {name: [] for name in MODELS}
    done = 0
    for k in np.flatnonzero(within & (start > middle)):
        if until[k] > done:
            part = Steps(*(getattr(steps, name)[done : until[k]] for name in Steps.__slots__))
            at, tags, _ = detector.follow(part)
            for e, (source, target) in zip(at, tags, strict=True):
                who, when = int(part.user[e]), float(part.tick[e] + ORIGIN)
                counts.observe(who, source, target)
                for model in models.values():
                    model.observe(who, when, int(source), int(target))
            done = until[k]
        present = detector.beliefs_at(user[k : k + 1])[0].astype(np.float64)
        for name, model in models.items():
            hits[name].append(hit(model.chances(int(user[k]), present, start[k]), to[k]))
        for name, row in counts.chances(int(user[k]), int(present.argmax())).items():
            hits[name].append(hit(row, to[k]))
    return {
        "switches": len(hits["model"]),
        "hit@3": {name: float(np.mean(got)) for name, got in hits.items()},
        "weights": dict(zip(FEATURES, models["model"].weights.round(3).tolist(), strict=True)),
    }


def told_history(one: Recorded, until: float) -> InterestHistory:
    """Interests that the detector told up to a time."""
    steps, _ = in_time(by_user(one, default_evidence()))
    first = int(np.searchsorted(steps.tick + ORIGIN, until))
    detector = SwitchDetector(one.shelf)
    detector.reserve(one.world.settings.users)
    part = Steps(*(getattr(steps, name)[:first] for name in Steps.__slots__))
    at, tags, _ = detector.follow(part)
    columns = (part.user[at], tags[:, 0], tags[:, 1])
    return InterestHistory(
        *(one.astype(np.int32) for one in columns),
        part.tick[at] + ORIGIN,
        one.world.settings.users,
        len(detector.stage.prior),
    )


def adoption(seed: int) -> dict[str, Any]:
    """Whether tags that users came to love within 30 days were told at the end of the first 30.

    Twice: tags that the simulation made newly loved, whether or not much came of it, and tags that
    had hardly been touched and then were a good part of what users truly wanted.
    """
    one = recorded(seed, **LOVE_WORLD)
    recorded.cache_clear()
    world, start = one.world, one.world.settings.start
    now = start + 30 * DAY
    history = told_history(one, now)
    friends = friends_of(world.social, list(world.names.users[: world.settings.users]))
    logic = world.mechanism.topics.logic.astype(np.float64)
    scores = baselines(history)
    for name, known in (("with logic graph", logic), ("without", None)):
        cutoffs = [start + day * DAY for day in (8, 14, 20)]
        model = fit_coming(history, cutoffs, 10 * DAY, Surroundings(known, friends))
        scores[name] = model.chances(history)
    asked = untouched(history)
    wanted, adopted = true_history(one, "switch"), true_history(one, "adoption")
    new = adopted.between(now, now + 30 * DAY)
    cases = {
        "newly loved": (new.user, new.target),
        "wanted": np.nonzero(loved(wanted.between(now, now + 30 * DAY))),
    }
    return {name: told_of(scores, asked, *pairs) for name, pairs in cases.items()}


def true_history(one: Recorded, kind: str) -> InterestHistory:
    """What users truly turned to, or newly loved."""
    truth = one.world.truth.filter(pl.col("kind") == kind).sort("start")
    code = {name: n for n, name in enumerate(one.world.names.users)}
    slug = {tag.slug: n for n, tag in enumerate(one.world.tags.tags)}
    user = np.array([code[name] for name in truth["user_id"]], np.int32)
    tag = np.array([slug[name] for name in truth["to"]], np.int32)
    return InterestHistory(
        user, tag, tag, truth["start"].to_numpy(), one.world.settings.users, len(slug)
    )


def told_of(
    scores: dict[str, Floats], asked: np.ndarray, user: np.ndarray, tag: np.ndarray
) -> dict[str, Any]:
    """Share of the pairs, of those asked for, that each score (U, T) has among a user's first."""
    kept = asked[user, tag]
    user, tag = user[kept], tag[kept]
    rivals = asked[user].sum(axis=1)
    hits = {}
    for name, score in scores.items():
        ranked = np.where(asked[user], score[user], -np.inf)
        better = (ranked > ranked[np.arange(len(user)), tag][:, None]).sum(axis=1)
        hits[name] = {f"hit@{k}": float((better < k).mean()) for k in (3, 5)}
    hits["chance"] = {f"hit@{k}": float(np.minimum(k / rivals, 1).mean()) for k in (3, 5)}
    return {"n": len(user), "untouched": float(rivals.mean()), "hits": hits}


def baselines(history: InterestHistory) -> dict[str, Floats]:
    """(U, T) scores by what is popular, and by what followed the user's last tag."""
    counts = history.counts()
    moves = np.zeros((history.n_tags, history.n_tags))
    np.add.at(moves, (history.source, history.target), 1.0)
    last = np.zeros(history.n_users, int)
    last[history.user] = history.target  # of several the last stays
    popular = counts.sum(axis=0)
    return {
        "last-tag transition": moves[last] + 1e-6 * popular,
        "popularity": np.broadcast_to(popular, counts.shape),
    }


def summary(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over worlds, and paired differences from the baselines."""
    hits = [one["hits"] for one in cases]
    return {
        "worlds": len(cases),
        "cases": int(sum(one["n"] for one in cases)),
        "untouched_tags": round(float(np.mean([one["untouched"] for one in cases])), 1),
        "hits": {
            name: {k: interval([one[name][k] for one in hits]) for k in ("hit@3", "hit@5")}
            for name in hits[0]
        },
        "paired": [
            {
                "model": ours,
                "against": name,
                **{
                    k: interval([one[ours][k] - one[name][k] for one in hits])
                    for k in ("hit@3", "hit@5")
                },
            }
            for ours in ("with logic graph", "without")
            for name in ("last-tag transition", "popularity", "chance")
        ],
    }


def measured_love() -> dict[str, Any]:
    """Both kinds of cases, over worlds."""
    worlds = []
    for seed in range(LOVE):
        worlds.append(adoption(seed))
        print(seed, worlds[-1], flush=True)
    return {name: summary([one[name] for one in worlds]) for name in worlds[0]}


def main() -> None:
    """Measure and write ``results/next_interest.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--dry", action="store_true")
    asked.add_argument("--love", action="store_true", help="measure only what is newly loved again")
    options = asked.parse_args()
    if options.love:
        path = RESULTS / "next_interest.json"
        kept = {k: v for k, v in json.loads(path.read_text("utf-8")).items() if k != "machine"}
        write_result("next_interest", {**kept, "may_love_30_days": measured_love()})
        return
    began = time.process_time()
    worlds = []
    for seed in JUDGED[: options.seeds]:
        worlds.append(of_world(seed))
        print(seed, worlds[-1], flush=True)
    result: dict[str, Any] = {
        "simulated": True,
        "worlds": len(worlds),
        "switches": sum(one["switches"] for one in worlds),
        "hit@3": {name: interval([one["hit@3"][name] for one in worlds]) for name in MODELS},
        "paired": [
            {
                "model": ours,
                "against": name,
                "difference": interval([w["hit@3"][ours] - w["hit@3"][name] for w in worlds]),
            }
            for ours in MODELS[:2]
            for name in MODELS[2:]
        ],
        "weights": worlds[0]["weights"],
        "cpu_s": round(time.process_time() - began, 1),
    }
    if not options.dry:
        write_result("next_interest", result)
    result["may_love_30_days"] = measured_love()
    if not options.dry:
        write_result("next_interest", result)


if __name__ == "__main__":
    main()
