"""The peer benchmark: its worlds are what they say, and its record follows from its timings."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.dgp import Size, World, make_world
from benchmarks.peers import exponent, ratios
from benchmarks.record import RESULTS

SMALL = Size(20_000, 10, 30, 2)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SMALL)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "peers.json").read_text("utf-8"))
    return found


def test_same_seed_same_world(world: World) -> None:
    assert make_world(SMALL).fingerprint() == world.fingerprint()
    assert make_world(replace(SMALL, seed=1)).fingerprint() != world.fingerprint()


def test_world_is_as_described(world: World) -> None:
    assert 0.12 < world.carried.mean() < 0.28
    assert np.mean(world.theta == 0) == 0.5
    correlation = np.corrcoef(world.carried.T)[np.triu_indices(SMALL.tags, 1)]
    assert np.abs(correlation).max() > 0.1  # latent topics


def test_who_sees_a_tag_is_not_random(world: World) -> None:
    of_user = world.x[:, : SMALL.covariates // 2]
    seen = world.carried[world.item].astype(float)
    chosen = np.corrcoef(of_user.T, seen.T)[: of_user.shape[1], of_user.shape[1] :]
    shuffled = np.random.default_rng(0).permutation(seen)
    chance = np.corrcoef(of_user.T, shuffled.T)[: of_user.shape[1], of_user.shape[1] :]
    assert np.mean(chosen**2) > 4 * np.mean(chance**2)


def test_least_squares_with_all_tags_finds_the_effects(world: World) -> None:
    everything = np.hstack([np.ones((SMALL.rows, 1)), world.x, world.carried[world.item]])
    coef = np.linalg.lstsq(everything.astype(float), world.y.astype(float))[0]
    miss = coef[1 + SMALL.covariates :] - world.theta
    assert np.sqrt(np.mean(miss**2)) < 0.25 * world.theta.std() + 0.03


def test_every_row_its_own_item() -> None:
    own = make_world(replace(SMALL, own_items=True))
    assert len(np.unique(own.item)) == SMALL.rows == len(own.carried)


def test_unseen_mood_misleads_least_squares() -> None:
    moved = make_world(Size(20_000, 4, 5, 1, instrumented=True))
    d = moved.carried[moved.item].astype(float)
    x = np.hstack([np.ones((len(d), 1)), moved.x])
    both = np.hstack([x, d]).astype(float)
    bias = (np.linalg.lstsq(both, moved.y.astype(float))[0][-5:] - moved.theta)[:, 0]
    assert bias.min() > 0.05


def test_exponent() -> None:
    assert exponent({10: 1.0, 20: 4.0, 40: 16.0}) == 2.0


def test_recorded_ratios_follow_from_recorded_timings(recorded: dict[str, Any]) -> None:
    assert ratios(recorded["ours"], recorded["peers"]) == recorded["ratios"]


def test_both_sides_saw_the_same_worlds(recorded: dict[str, Any]) -> None:
    ours, theirs = recorded["ours"]["timed"], recorded["peers"]["timed"]
    wide = {theirs[name]["world"] for name in ("pyfixest", "econml", "doubleml")}
    assert wide == {ours["joint"]["world"]}
    assert theirs["dowhy"]["world"] == ours["matching"]["world"]
    assert theirs["linearmodels"]["world"] == ours["two-stage alone"]["world"]


def test_we_are_as_precise_as_pyfixest(recorded: dict[str, Any]) -> None:
    ours = recorded["ours"]["timed"]["joint, plain"]
    assert ours["rmse"] == pytest.approx(recorded["peers"]["timed"]["pyfixest"]["rmse"], rel=0.01)
