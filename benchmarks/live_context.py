"""Phases of sessions, transfer to new scenes, and online outcome models, on SIMULATED platforms.

``OMP_NUM_THREADS=1 python -m benchmarks.live_context`` learns the weights of the phases from worlds
of other seeds and writes those that the package ships; then it judges all three on ten worlds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from scipy import sparse

import tagcf.live.dynamics.phase as phase_package
from benchmarks.live_worlds import FITTED, JUDGED, Recorded, interval, recorded
from benchmarks.record import write_result
from tagcf.live.dynamics.content import contents_of
from tagcf.live.dynamics.context import FriendsColumn, context_columns
from tagcf.live.dynamics.phase import PHASES, PhaseReader, PhaseWeights, fit_phases
from tagcf.live.dynamics.social import friends_of
from tagcf.live.dynamics.switches import SwitchDetector
from tagcf.live.dynamics.transfer import fit_transfer
from tagcf.live.online.learner import OUTCOMES, Ftrl, OutcomeLearner, hash_features
from tagcf.live.online.progress import Progress, judge
from tagcf.live.online.showings import Showings
from tagcf.live.wire.batch import cut
from tagcf.types import Floats
from tagcf.types.live import ACTIONS, LiveEvents

BATCH = 1000
TRANSFER_WORLD = {"days": 8}
TASTE = 1.4  # log weight of a taste in the simulation's next interest


def in_order(one: Recorded) -> tuple[LiveEvents, np.ndarray]:
    """Events of the platform's users by time, each id once, and their codes."""
    order = np.argsort(one.events.ts, kind="stable")
    order = order[one.user[order] >= 0]
    columns = {
        name: getattr(one.events, name)[order] for name in LiveEvents.__slots__ if name != "rows"
    }
    ordered = LiveEvents(**columns, rows=one.events.rows.take(pa.array(order)))
    return ordered, one.user[order].astype(np.int64)


def true_phase(one: Recorded, user: np.ndarray, ts: Floats) -> np.ndarray:
    """(n,) position in `PHASES`; −1 between phases."""
    truth = one.world.truth.filter(pl.col("kind") == "phase")
    code = {name: at for at, name in enumerate(one.world.names.users)}
    who = np.array([code[name] for name in truth["user_id"]])
    what = np.array([PHASES.index(name) for name in truth["to"]])
    start, end = truth["start"].to_numpy(), truth["end"].to_numpy()
    found = np.full(len(user), -1)
    order = np.argsort(user, kind="stable")
    edges = np.searchsorted(user[order], np.arange(int(user.max()) + 2))
    for k in range(len(who)):
        own = order[edges[who[k]] : edges[who[k] + 1]]
        first, last = np.searchsorted(ts[own], (start[k] - 1e-3, end[k]))
        found[own[first:last]] = what[k]
    return found


def phases_of(one: Recorded) -> tuple[Floats, np.ndarray]:
    events, user = in_order(one)
    features = PhaseReader(one.world.settings.users, PhaseWeights(np.zeros((3, 16)))).features(
        events, user
    )
    known = true_phase(one, user, events.ts)
    return features[known >= 0], known[known >= 0]


def fit() -> PhaseWeights:
    features, phase = zip(*(phases_of(recorded(seed)) for seed in FITTED), strict=True)
    return fit_phases(np.concatenate(features)[::3], np.concatenate(phase)[::3])


def judge_phases(one: Recorded, weights: PhaseWeights) -> dict[str, float]:
    features, phase = phases_of(one)
    chances = weights.chances(features)
    told = chances.argmax(axis=1)
    scores: dict[str, float] = {"accuracy": float((told == phase).mean())}
    scores["most_common"] = float(np.bincount(phase).max() / len(phase))
    for at, name in enumerate(PHASES):
        got = judge(chances[:, at], (phase == at).astype(np.float64))
        scores |= {f"{name}_auc": got.auc, f"{name}_calibration_error": got.calibration_error}
    return scores


def tastes(one: Recorded) -> tuple[Floats, Floats]:
    """(U, T) what users watched before anybody enters a new scene, and after; log seconds."""
    events, user = in_order(one)
    content = contents_of(events, one.shelf)
    seconds = np.nan_to_num(events.value)
    watched = np.isin(events.action, [ACTIONS.index("dwell"), ACTIONS.index("leave")])
    watched &= (content >= 0) & (seconds >= 20)
    early = one.world.settings.inner(events.ts) < 0.45 * one.world.settings.seconds
    shape = (one.world.settings.users, one.shelf.strength.shape[0])
    found = []
    for part in (early, ~early):
        rows = watched & part
        seen = sparse.csr_array((np.log1p(seconds[rows]), (user[rows], content[rows])), shape=shape)
        found.append((seen @ one.shelf.strength).toarray())
    return found[0], found[1]


def judge_transfer(seed: int) -> dict[str, dict[str, float]]:
    """Users in a scene that they enter in the second half, told from the first half.

    Beside it two bounds: what the true tastes of these users in the scene would tell, and the same
    method where what users like in the scene was shuffled among them: nothing to transfer.
    """
    one = recorded(seed, **TRANSFER_WORLD)
    recorded.cache_clear()
    before, after = tastes(one)
    people, topics = one.world.mechanism.people, one.world.mechanism.topics
    rows: dict[str, list[Floats]] = {name: [] for name in ("transfer", "shuffled", "true taste")}
    claims = {"transfer": 0, "shuffled": 0}
    for scene in range(len(topics.scenes)):
        inside = topics.scene_of == scene
        new = (people.new_scene == scene) & (after[:, inside].sum(axis=1) > 0)
        known = people.new_scene != scene
        if not new.any():
            continue
        real = after[new][:, inside]
        real = real / real.sum(axis=1, keepdims=True)
        mixed = before.copy()
        order = np.random.default_rng(seed).permutation(len(mixed))
        mixed[:, inside] = mixed[order][:, inside]
        for name, seen in (("shuffled", mixed), ("transfer", before)):
            made = fit_transfer(seen[known], inside)
            told = made.expected(before[new][:, ~inside])
            rows[name].append(lifts(real, told, made.mean))
            claims[name] += made.shown
        taste = people.taste[:, inside]
        odds = made.mean * np.exp(TASTE * (taste[new] - taste[known].mean(axis=0)))
        rows["true taste"].append(lifts(real, odds / odds.sum(axis=1, keepdims=True), made.mean))
    found = {}
    for name, parts in rows.items():
        share, log = np.concatenate(parts).mean(axis=0)
        found[name] = {"n": len(np.concatenate(parts)), "share": share, "log_likelihood": log}
        if name in claims:
            found[name]["scenes_claimed"] = claims[name]
    return found


def lifts(real: Floats, told: Floats, mean: Floats) -> Floats:
    """(n, 2) above the scene's means: share of the tag that is told first, log-likelihood."""
    row = np.arange(len(real))
    share = real[row, told.argmax(axis=1)] - real[:, mean.argmax()]
    common = mean / mean.sum()
    return np.column_stack([share, (real * np.log(told / common)).sum(axis=1)])


PARTS = ("scene", "hour", "weekday", "device", "friends")
VARIANTS = ("content", *PARTS, "all")


def features_of(variant: str, columns: list[Any], friends: Floats) -> Any:
    """Features of showings: user, room and content, and a part of the context or all of it.

    Where a part has no column, a constant one stands in its place and is crossed with the user too:
    what is gained is the context's then, and not that of learning a user's weight twice.
    """
    user, room, scene, device, hour, weekday, content = columns
    known = {"scene": scene, "hour": hour, "weekday": weekday, "device": device}
    kept = [column for name, column in known.items() if variant in {name, "all"}]
    keys = [user, room, content, *(kept or [np.ones_like(user)])]
    crosses = [(0, 1), *((0, at) for at in range(3, len(keys)))]
    if variant == "all":
        crosses.append((3, 4))  # scene by hour
    numbers = [friends] if variant in {"friends", "all"} else []
    return hash_features(keys, numbers, crosses)


def judge_online(one: Recorded) -> dict[str, dict[str, float]]:
    """Progressive validation over the second half of a world, with and without each context."""
    events, user = in_order(one)
    content = contents_of(events, one.shelf)
    n_users = one.world.settings.users
    showings = {name: Showings(OutcomeLearner(window=10**9), n_users) for name in VARIANTS}
    detector = SwitchDetector(one.shelf)
    links = friends_of(one.world.social, list(one.world.names.users[:n_users]))
    friends = FriendsColumn(links, one.shelf.strength)
    for first in range(0, len(events), BATCH):
        at = slice(first, first + BATCH)
        batch, who = cut(events, first, first + BATCH), user[at]
        shown = batch.action == ACTIONS.index("impression")
        columns = [*context_columns(batch), (content[at] + 2).astype(np.uint64)]
        picked = [one[shown] for one in columns]
        near = friends.column(who[shown], content[at][shown], batch.ts[shown])
        for name, joined in showings.items():
            joined.update(batch, who, features_of(name, picked, near))
        told = detector.update(batch)
        friends.update(who[told.event], told.target, told.ts)
    return {
        outcome: {
            f"{name}: {key}": value
            for name, joined in showings.items()
            for key, value in second_half(joined.learner.progress[outcome]).items()
        }
        for outcome in OUTCOMES
    }


def second_half(progress: Progress) -> dict[str, float]:
    """Figures of the second half of all predictions."""
    chances, came = np.concatenate(progress._chances), np.concatenate(progress._came)
    half = len(came) // 2
    got = judge(chances[half:], came[half:])
    return {"rate": got.rate, "auc": got.auc, "log_loss": got.log_loss,
            "calibration_error": got.calibration_error}  # fmt: skip


def speed(n: int = 200_000, few: int = 20_000) -> dict[str, Any]:
    """Rows a second, 8 features a row, beside River's FTRL: speed, and how well both predict."""
    from river import linear_model, optim

    draw = np.random.default_rng(0)
    columns = [draw.integers(1, 500, n).astype(np.uint64) for _ in range(7)]
    effect = sum(draw.normal(0, 0.5, 500)[one.astype(int)] for one in columns)
    came = (draw.random((n, 1)) < 1 / (1 + np.exp(1.5 - effect[:, None]))).astype(np.float64)
    own = Ftrl(rate=0.1, smoothing=1.0, l1=0.1, l2=0.1)
    learner = OutcomeLearner(("click",), using=own, window=10**9)
    features = hash_features(columns)
    learner.learn(features.rows(np.arange(10)), came[:10])
    learner = OutcomeLearner(("click",), using=own, window=10**9)
    began = time.process_time()
    chances = learner.learn(hash_features(columns), came)[:few, 0]
    ours = n / (time.process_time() - began)
    model = linear_model.LogisticRegression(
        optim.FTRLProximal(alpha=0.1, beta=1.0, l1=0.1, l2=0.1), intercept_lr=0
    )
    rows = [{int(place): 1.0 for place in row} for row in features.places[:few]]
    theirs = np.empty(few)
    began = time.process_time()
    for at, (row, label) in enumerate(zip(rows, came[:few, 0], strict=True)):
        theirs[at] = model.predict_proba_one(row)[True]
        model.learn_one(row, bool(label))
    took = time.process_time() - began
    judged = {name: judge(p, came[:few, 0]) for name, p in (("ours", chances), ("river", theirs))}
    return {
        "rows_per_s": round(ours),
        "river_rows_per_s": round(few / took),
        "rows_judged": few,
        "log_loss": {name: round(one.log_loss, 4) for name, one in judged.items()},
        "auc": {name: round(one.auc, 4) for name, one in judged.items()},
        "correlation": round(float(np.corrcoef(chances, theirs)[0, 1]), 4),
    }


def main() -> None:
    """Fit the phases, judge, and write ``results/live_context.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    options = asked.parse_args()
    weights = fit()
    weights.save(Path(phase_package.__file__).parent / "phases.json")
    phases, online = [], []
    for seed in JUDGED[: options.seeds]:
        one = recorded(seed)
        phases.append(judge_phases(one, weights))
        online.append(judge_online(one))
        print(seed, phases[-1], online[-1], flush=True)
    recorded.cache_clear()
    transfers = [judge_transfer(seed) for seed in JUDGED[: options.seeds]]
    print(transfers, flush=True)
    write_result(
        "live_context",
        {
            "simulated": True,
            "worlds": len(phases),
            "phases": {name: interval([one[name] for one in phases]) for name in phases[0]},
            "transfer": transfer_summary(transfers),
            "online": {outcome: online_summary(outcome, online) for outcome in OUTCOMES},
            "speed": speed(),
        },
    )


def transfer_summary(worlds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Lifts over worlds, above what is told without transfer."""
    found: dict[str, Any] = {
        name: {
            key: interval([one[name][key] for one in worlds]) for key in ("share", "log_likelihood")
        }
        for name in worlds[0]
    }
    for name in ("transfer", "shuffled"):
        found[name]["scenes_claimed"] = int(sum(one[name]["scenes_claimed"] for one in worlds))
    return {"users": int(sum(one["transfer"]["n"] for one in worlds)), **TRANSFER_WORLD, **found}


def online_summary(outcome: str, worlds: list[Any]) -> dict[str, Any]:
    """Figures of every variant, and paired differences from that without context."""
    rows = [one[outcome] for one in worlds]
    found: dict[str, Any] = {name: interval([one[name] for one in rows]) for name in rows[0]}
    for name in VARIANTS[1:]:
        for key in ("auc", "log_loss"):
            gained = [one[f"{name}: {key}"] - one[f"content: {key}"] for one in rows]
            found[f"{name}: {key} gained"] = interval(gained, 5)
    return found


if __name__ == "__main__":
    main()
