"""Purchase intent: nothing from the future, calibrated, and the moment to reach out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.live.rooms.outreach import Offer, Reached, gain, reach_out
from tagcf.live.rooms.purchase import (
    Moments,
    bought_within,
    find_moments,
    read_intent,
    shipped_intent,
    write_intent,
)
from tagcf.live.rooms.purchase.model import newton
from tagcf.live.rooms.purchase.moments import SILENT
from tagcf.live.rooms.segments import cut_rooms
from tagcf.live.wire import from_table, kept
from tagcf.types.live import LiveEvents


@pytest.fixture(scope="module")
def world() -> LiveWorld:
    return simulate_live(LivePlatform(users=80, rooms=4, days=1, seed=11))


@pytest.fixture(scope="module")
def events(world: LiveWorld) -> LiveEvents:
    every = from_table(world.events)
    first = np.zeros(len(every), bool)
    first[np.unique(every.event, return_index=True)[1]] = True
    return kept(every, first)


@pytest.fixture(scope="module")
def moments(world: LiveWorld, events: LiveEvents) -> Moments:
    return find_moments(events, cut_rooms(world.segments, world.tags), world.tags)


def test_what_comes_later_changes_nothing(
    world: LiveWorld, events: LiveEvents, moments: Moments
) -> None:
    until = float(np.quantile(moments.ts, 0.5))
    earlier = kept(events, events.ts < until)
    before = find_moments(earlier, cut_rooms(world.segments, world.tags), world.tags)
    known = {
        (u, r, t): row
        for u, r, t, row in zip(
            moments.user.tolist(),
            moments.room.tolist(),
            moments.ts.tolist(),
            moments.features,
            strict=True,
        )
    }
    rows = list(zip(before.user.tolist(), before.room.tolist(), before.ts.tolist(), strict=True))
    assert len(rows) > 1_000
    # Whether somebody is still there is known after a silence: the room's count of viewer-minutes
    # may differ until then.
    settled = before.ts < until - SILENT
    for key, row, same in zip(rows, before.features, settled.tolist(), strict=True):
        if not same:
            continue
        np.testing.assert_allclose(row, known[key], atol=1e-5)


def test_labels_are_those_of_a_plain_loop(events: LiveEvents, moments: Moments) -> None:
    found = bought_within(moments, events, 300.0)
    buys = events.action == 13
    for k in np.random.default_rng(0).choice(len(moments), 300, replace=False):
        same = buys & (events.user == moments.user[k]) & (events.room == moments.room[k])
        later = events.ts[same] - moments.ts[k]
        assert found[k] == bool(((later > 0) & (later <= 300)).any())
    assert found.any()


def test_the_shipped_model_ranks_a_world_that_it_has_not_seen(
    events: LiveEvents, moments: Moments
) -> None:
    bought = bought_within(moments, events, 300.0)
    chance = shipped_intent().probability(moments)
    assert chance[bought].mean() > 1.8 * chance[~bought].mean()
    assert abs(chance.mean() - bought.mean()) < 0.02


def test_newton_is_the_maximum() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4_000, 3))
    truth = np.array([0.8, -0.5, 0.0, -1.0])
    y = (rng.random(4_000) < 1 / (1 + np.exp(-(x @ truth[:3] + truth[3])))).astype(float)
    w = newton(x, y, 0.0)
    p = 1 / (1 + np.exp(-(x @ w[:3] + w[3])))
    np.testing.assert_allclose(x.T @ (p - y), 0, atol=1e-3)
    np.testing.assert_allclose(w, truth, atol=0.15)


def test_a_model_survives_its_file(tmp_path, moments: Moments) -> None:
    model = shipped_intent()
    write_intent(model, tmp_path / "own.npz")
    again = read_intent(tmp_path / "own.npz")
    np.testing.assert_array_equal(model.probability(moments), again.probability(moments))


def test_reaching_out_is_worth_it_or_not(moments: Moments) -> None:
    model = shipped_intent()
    some = Moments(*(getattr(moments, name)[:200] for name in Moments.__slots__))
    useless = reach_out(some, model, Offer(odds=1.0, margin=20))
    assert {one.advice for one in useless} == {"never"}
    good = reach_out(some, model, Offer(odds=3.0, margin=200), Reached(a_day=1))
    users = [u for u, one in zip(some.user.tolist(), good, strict=True) if one.advice == "now"]
    assert users
    assert len(users) == len(set(users))  # once a day


def test_gain_counts_what_is_given_away() -> None:
    chance = np.array([0.1])
    free = gain(chance, Offer(odds=2.0, margin=10, disturbance=0))
    dear = gain(chance, Offer(odds=2.0, margin=10, discount=9, disturbance=0))
    assert free[0] == pytest.approx(10 * (2 / 11) - 1)
    assert dear[0] < 0 < free[0]


def test_a_minute_later_the_user_has_stayed_longer(moments: Moments) -> None:
    from tagcf.live.rooms.outreach import a_minute_on

    later = a_minute_on(replace(moments))
    np.testing.assert_allclose(
        60 * np.expm1(later.features[:, 0]), 60 * np.expm1(moments.features[:, 0]) + 60
    )
