"""What interests move on to, on SIMULATED platforms: hit@3 against last-tag and popularity.

``OMP_NUM_THREADS=1 python -m benchmarks.next_interest``: everything is learned while the stream
runs, from switches that the detector told; nothing reads the truth but the judge. Judged are true
switches within a session in the second half of a world, predicted from the events before them.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.live_worlds import JUDGED, Recorded, by_user, in_time, interval, recorded
from benchmarks.record import write_result
from tagcf.live.dynamics import kernels
from tagcf.live.dynamics.evidence import default_evidence
from tagcf.live.dynamics.next_interest import FEATURES, NextInterest, hit
from tagcf.live.dynamics.social import friends_of
from tagcf.live.dynamics.steps import ORIGIN, Steps
from tagcf.live.dynamics.switches import SwitchDetector
from tagcf.types import Floats

LOVE = 4  # worlds of 30 days
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
    belief = np.empty((1, n_tags), np.float32)
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
        lines = detector._lines
        kernels.beliefs(lines, user[k : k + 1], detector.stage.prior, belief)
        present = belief[0].astype(np.float64)
        for name, model in models.items():
            hits[name].append(hit(model.chances(int(user[k]), present, start[k]), to[k]))
        for name, row in counts.chances(int(user[k]), int(present.argmax())).items():
            hits[name].append(hit(row, to[k]))
    return {
        "switches": len(hits["model"]),
        "hit@3": {name: float(np.mean(got)) for name, got in hits.items()},
        "weights": dict(zip(FEATURES, models["model"].weights.round(3).tolist(), strict=True)),
    }


def adoption(seed: int, days: int = 30, users: int = 50) -> dict[str, float] | None:
    """Rank of tags that users came to love within 30 days, told after the first six."""
    one = recorded(seed, days=days, users=users, rooms=16, hours=4.0)
    stream = by_user(one, default_evidence())
    steps, _ = in_time(stream)
    settings = one.world.settings
    until = settings.start + 6 * 86_400.0
    first = int(np.searchsorted(steps.tick + ORIGIN, until))
    detector = SwitchDetector(one.shelf)
    detector.reserve(users)
    n_tags = len(detector.stage.prior)
    model = NextInterest(users, n_tags)
    part = Steps(*(getattr(steps, name)[:first] for name in Steps.__slots__))
    at, tags, _ = detector.follow(part)
    popular = np.zeros(n_tags)
    own = np.zeros((users, n_tags))
    for e, (source, target) in zip(at, tags, strict=True):
        model.observe(int(part.user[e]), float(part.tick[e] + ORIGIN), int(source), int(target))
        popular[target] += 1
        own[part.user[e], target] += 1
    truth = one.world.truth.filter((pl.col("kind") == "adoption") & (pl.col("start") > until))
    code = {name: n for n, name in enumerate(one.world.names.users)}
    slug = {tag.slug: n for n, tag in enumerate(one.world.tags.tags)}
    ours, theirs, chance = [], [], []
    for who, what in zip(truth["user_id"], truth["to"], strict=True):
        user, tag = code[who], slug[what]
        share = own[user] / max(own[user].sum(), 1.0)
        if share[tag] >= 0.02:
            continue
        untouched = np.flatnonzero((share < 0.02) & (popular > 0))
        if tag not in untouched:
            continue
        ours.append(tag in [t for t, _ in model.may_love(user, 5)])
        theirs.append(tag in untouched[np.argsort(-popular[untouched], kind="stable")[:5]])
        chance.append(5 / max(len(untouched), 5))
    if not ours:
        return None
    return {
        "n": len(ours),
        "hit@5": float(np.mean(ours)),
        "popularity_hit@5": float(np.mean(theirs)),
        "chance_hit@5": float(np.mean(chance)),
    }


def main() -> None:
    """Measure and write ``results/next_interest.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
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
    loved = [got for seed in range(LOVE) if (got := adoption(seed))]
    print(loved, flush=True)
    result["may_love_30_days"] = {
        "worlds": len(loved),
        "cases": int(sum(one["n"] for one in loved)),
        **{
            name: interval([one[name] for one in loved])
            for name in ("hit@5", "popularity_hit@5", "chance_hit@5")
        },
        "difference": interval([one["hit@5"] - one["popularity_hit@5"] for one in loved]),
    }
    if not options.dry:
        write_result("next_interest", result)


if __name__ == "__main__":
    main()
