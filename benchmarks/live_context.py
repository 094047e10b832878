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

import tagcf.live.dynamics.phase as phase_package
from benchmarks.live_worlds import FITTED, JUDGED, Recorded, interval, recorded
from benchmarks.record import write_result
from tagcf.live.dynamics.content import contents_of
from tagcf.live.dynamics.context import CROSSES, context_columns
from tagcf.live.dynamics.phase import PHASES, PhaseReader, PhaseWeights, fit_phases
from tagcf.live.dynamics.transfer import fit_transfer
from tagcf.live.online.learner import OUTCOMES, OutcomeLearner, hash_features
from tagcf.live.online.progress import judge
from tagcf.live.online.showings import Showings
from tagcf.live.wire.batch import cut
from tagcf.types import Floats
from tagcf.types.live import ACTIONS, LiveEvents

BATCH = 1000


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


def judge_transfer(one: Recorded) -> dict[str, float] | None:
    """Top tag of users in a scene that they enter in the second half, told from the first."""
    events, user = in_order(one)
    strength = one.shelf.strength
    content = contents_of(events, one.shelf)
    watched = np.isin(events.action, [ACTIONS.index("dwell"), ACTIONS.index("leave")])
    watched &= (content >= 0) & (np.nan_to_num(events.value) >= 20)
    weight = np.log1p(np.nan_to_num(events.value))
    truth, topics = one.world.mechanism.people, one.world.mechanism.topics
    inner = one.world.settings.inner(events.ts)
    early = inner < 0.45 * one.world.settings.seconds  # before anybody enters a new scene
    tastes = []
    for part in (early, ~early):
        rows = watched & part
        own = np.zeros((one.world.settings.users, strength.shape[1]))
        for u, c, w in zip(user[rows], content[rows], weight[rows], strict=True):
            own[u, strength.indices[strength.indptr[c] : strength.indptr[c + 1]]] += (
                w * strength.data[strength.indptr[c] : strength.indptr[c + 1]]
            )
        tastes.append(own)
    before, after = tastes
    ours, theirs = [], []
    for scene in range(len(topics.scenes)):
        inside = topics.scene_of == scene
        new = (truth.new_scene == scene) & (after[:, inside].sum(axis=1) > 0)
        if not new.any():
            continue
        made = fit_transfer(before[truth.new_scene != scene], inside)
        expected = made.expected(before[new][:, ~inside])
        real = after[new][:, inside]
        real = real / real.sum(axis=1, keepdims=True)
        row = np.arange(len(real))
        ours += real[row, expected.argmax(axis=1)].tolist()
        theirs += real[:, made.mean.argmax()].tolist()
    if not ours:
        return None
    return {"n": len(ours), "transfer": float(np.mean(ours)), "popularity": float(np.mean(theirs))}


def judge_online(one: Recorded) -> dict[str, dict[str, float]]:
    """Progressive validation over the second half of a world, with and without context."""
    events, user = in_order(one)
    content = contents_of(events, one.shelf)
    n_users = one.world.settings.users
    found: dict[str, dict[str, float]] = {}
    for name in ("user and room", "context"):
        learner = OutcomeLearner(window=10**9)
        showings = Showings(learner, n_users)
        for first in range(0, len(events), BATCH):
            at = slice(first, first + BATCH)
            batch, who = cut(events, first, first + BATCH), user[at]
            shown = batch.action == ACTIONS.index("impression")
            columns = context_columns(batch)
            columns.append((content[at] + 2).astype(np.uint64))
            if name == "context":
                picked = [one[shown] for one in columns]
                features = hash_features(picked, crosses=CROSSES)
            else:
                features = hash_features([columns[0][shown], columns[1][shown]])
            showings.update(batch, who, features)
        for outcome in OUTCOMES:
            held = learner.progress[outcome]
            chances, came = np.concatenate(held._chances), np.concatenate(held._came)
            half = len(came) // 2
            got = judge(chances[half:], came[half:])
            row = {
                "rate": got.rate,
                "auc": got.auc,
                "log_loss": got.log_loss,
                "calibration": got.calibration,
                "calibration_error": got.calibration_error,
            }
            found.setdefault(outcome, {}).update({f"{name}: {k}": v for k, v in row.items()})
    return found


def speed(n: int = 200_000) -> dict[str, Any]:
    """Rows a second, 8 features a row, beside River's logistic regression with FTRL."""
    draw = np.random.default_rng(0)
    columns = [draw.integers(1, 5000, n).astype(np.uint64) for _ in range(7)]
    came = (draw.random((n, 1)) < 0.2).astype(np.float64)
    learner = OutcomeLearner(("click",), window=10**9)
    features = hash_features(columns)
    learner.learn(features.rows(np.arange(10)), came[:10])
    began = time.process_time()
    learner.learn(hash_features(columns), came)
    ours = n / (time.process_time() - began)
    from river import linear_model, optim

    model = linear_model.LogisticRegression(optim.FTRLProximal(), intercept_lr=0)
    few = 5_000
    rows = [{int(place): 1.0 for place in row} for row in features.places[:few]]
    began = time.process_time()
    for row, label in zip(rows, came[:few, 0], strict=True):
        model.predict_proba_one(row)
        model.learn_one(row, bool(label))
    theirs = few / (time.process_time() - began)
    return {"rows_per_s": round(ours), "river_rows_per_s": round(theirs)}


def main() -> None:
    """Fit the phases, judge, and write ``results/live_context.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(JUDGED))
    options = asked.parse_args()
    weights = fit()
    weights.save(Path(phase_package.__file__).parent / "phases.json")
    phases, transfers, online = [], [], []
    for seed in JUDGED[: options.seeds]:
        one = recorded(seed)
        phases.append(judge_phases(one, weights))
        transfers.append(judge_transfer(one))
        online.append(judge_online(one))
        print(seed, phases[-1], transfers[-1], online[-1], flush=True)
    found = [one for one in transfers if one]
    write_result(
        "live_context",
        {
            "simulated": True,
            "worlds": len(phases),
            "phases": {name: interval([one[name] for one in phases]) for name in phases[0]},
            "transfer": {
                "users": int(sum(one["n"] for one in found)),
                "share_of_watching_on_told_tag": {
                    name: interval([one[name] for one in found])
                    for name in ("transfer", "popularity")
                },
                "difference": interval([one["transfer"] - one["popularity"] for one in found]),
            },
            "online": {
                outcome: {
                    name: interval([one[outcome][name] for one in online])
                    for name in online[0][outcome]
                }
                for outcome in OUTCOMES
            },
            "speed": speed(),
        },
    )


if __name__ == "__main__":
    main()
