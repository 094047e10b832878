"""Outcome models against River's FTRL, against the truth, and on streams cut anywhere."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from tagcf.live.online.learner import Features, Ftrl, OutcomeLearner, hash_features
from tagcf.live.online.progress import judge
from tagcf.live.online.showings import Showings
from tagcf.live.wire import from_table
from tagcf.types.live import ACTIONS, EVENT_SCHEMA, LiveEvents


def stream(n: int = 4000, seed: int = 0) -> tuple[Features, np.ndarray, np.ndarray]:
    """Features, outcomes (n, 1) and true chances."""
    draw = np.random.default_rng(seed)
    users, rooms = draw.integers(1, 30, n), draw.integers(1, 10, n)
    effect = draw.normal(0, 1.2, 30)[users] + draw.normal(0, 0.8, 10)[rooms]
    chance = 1 / (1 + np.exp(1.0 - effect))
    came = (draw.random(n) < chance).astype(np.float64)
    features = hash_features([users.astype(np.uint64), rooms.astype(np.uint64)], bits=12)
    return features, came[:, None], chance


def plain_ftrl(rows: list[list[int]], came: np.ndarray, own: Ftrl) -> np.ndarray:
    """Algorithm 1 of McMahan et al. (2013), word by word."""
    z: dict[int, float] = defaultdict(float)
    n: dict[int, float] = defaultdict(float)
    chances = np.empty(len(rows))
    for at, row in enumerate(rows):
        weight = {}
        for i in row:
            weight[i] = 0.0
            if abs(z[i]) > own.l1:
                spread = (own.smoothing + math.sqrt(n[i])) / own.rate + own.l2
                weight[i] = -(z[i] - math.copysign(own.l1, z[i])) / spread
        chances[at] = 1 / (1 + math.exp(-sum(weight.values())))
        gradient = chances[at] - came[at]
        for i in row:
            step = (math.sqrt(n[i] + gradient**2) - math.sqrt(n[i])) / own.rate
            z[i] += gradient - step * weight[i]
            n[i] += gradient**2
    return chances


def test_predictions_are_those_of_the_paper() -> None:
    features, came, _ = stream(800)
    own = Ftrl(rate=0.1, smoothing=1.0, l1=0.3, l2=0.7)
    chances = OutcomeLearner(("click",), using=own, bits=12).learn(features, came)
    assert np.allclose(chances[:, 0], plain_ftrl(features.places.tolist(), came[:, 0], own))


def test_it_predicts_as_well_as_rivers_ftrl() -> None:
    """River's weights lag by one event of a feature, so that single predictions differ."""
    from river import linear_model, optim

    features, came, _ = stream(3000)
    own = Ftrl(rate=0.1, smoothing=1.0, l1=0.3, l2=0.7)
    chances = OutcomeLearner(("click",), using=own, bits=12).learn(features, came)[:, 0]
    ftrl = optim.FTRLProximal(alpha=0.1, beta=1.0, l1=0.3, l2=0.7)
    peer = linear_model.LogisticRegression(ftrl, intercept_lr=0.0)
    theirs = np.empty(3000)
    for row in range(3000):
        known = {int(place): 1.0 for place in features.places[row]}
        theirs[row] = peer.predict_proba_one(known)[True]
        peer.learn_one(known, bool(came[row, 0]))
    assert np.abs(theirs - chances).max() < 0.08
    assert np.corrcoef(theirs, chances)[0, 1] > 0.99
    assert judge(chances, came[:, 0]).log_loss < judge(theirs, came[:, 0]).log_loss + 1e-3


def test_it_finds_most_of_what_there_is_to_find_and_is_calibrated() -> None:
    features, came, chance = stream(20_000)
    learner = OutcomeLearner(("click",), using=Ftrl(rate=0.2, l1=0.0), bits=12, window=5000)
    learner.learn(features, came)
    told = learner.progress["click"].latest
    best = judge(chance[-5000:], came[-5000:, 0])
    assert told is not None
    assert best.auc - 0.01 < told.auc
    assert told.calibration_error < 0.03
    assert 0.95 < told.calibration < 1.05
    first = learner.progress["click"].log[0]
    assert first.log_loss > told.log_loss  # it learned


def test_batches_do_not_matter_and_unknown_outcomes_change_nothing() -> None:
    features, came, _ = stream(1000)
    whole, parts = (OutcomeLearner(("click",), bits=12) for _ in range(2))
    at_once = whole.learn(features, came)
    in_parts = [
        parts.learn(features.rows(part), came[part])
        for part in np.split(np.arange(1000), [1, 17, 400])
    ]
    assert np.array_equal(at_once, np.concatenate(in_parts))
    before = whole.weights("click")
    whole.learn(features, np.full_like(came, np.nan))
    assert np.array_equal(before, whole.weights("click"))
    assert np.count_nonzero(before) < len(before) / 50  # hashed features that never came


def test_auc_counts_ties_half() -> None:
    got = judge(np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert got.auc == pytest.approx(3.5 / 4)
    assert np.isnan(judge(np.array([0.1, 0.2]), np.zeros(2)).auc)


def events(rows: list[tuple[str, str, str, float, float | None]]) -> LiveEvents:
    """Events (user, room, action, ts, value)."""
    columns = {name: [None] * len(rows) for name in EVENT_SCHEMA.names}
    for at, (user, room, action, ts, value) in enumerate(rows):
        columns["event_id"][at] = f"e{at}-{ts}"
        columns["user_id"][at], columns["room_id"][at] = user, room
        columns["ts"][at], columns["action"][at] = ts, ACTIONS.index(action)
        columns["value"][at] = value
    return from_table(pa.table(columns, schema=EVENT_SCHEMA))


def test_a_showing_is_joined_with_what_came_of_it() -> None:
    rows = [
        ("a", "r1", "impression", 1.0, None),
        ("b", "r1", "impression", 2.0, None),
        ("a", "r1", "click", 3.0, None),
        ("a", "r1", "dwell", 63.0, 60.0),
        ("b", "r2", "click", 64.0, None),  # another room: not of this showing
        ("a", "r1", "dwell", 95.0, 40.0),
        ("a", "r1", "purchase", 96.0, 9.9),
        ("a", "r2", "impression", 100.0, None),
        ("b", "r2", "impression", 101.0, None),
    ]
    learner = OutcomeLearner(bits=8, window=2)
    showings = Showings(learner, 2)
    keys = np.arange(1, 5, dtype=np.uint64)
    user = np.array([0 if row[0] == "a" else 1 for row in rows])
    done = 0
    for part, shown in ((slice(0, 4), slice(0, 2)), (slice(4, 9), slice(2, 4))):
        done += showings.update(
            events(rows[part]), user[part], hash_features([keys[shown]], bits=8)
        )
    assert done == 2
    came = {name: learner.progress[name].latest for name in learner.outcomes}
    assert [round(2 * one.rate) for one in came.values() if one] == [1, 1, 0, 1]
