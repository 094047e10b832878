"""Observational answers on one half of the archive's stories, randomised ones on the other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.record import RESULTS
from benchmarks.upworthy_halves import (
    Arms,
    Pair,
    both_ways,
    load_arms,
    randomised_twice,
    split_stories,
    summary,
)
from tagcf.effects.methods import Joint

SPLITS = 3


@pytest.fixture(scope="module")
def arms(shared_data: Path) -> Arms:
    del shared_data  # only to skip where the data are missing
    return load_arms()


@pytest.fixture(scope="module")
def pairs(arms: Arms) -> list[Pair]:
    splits = [split_stories(arms, seed) for seed in range(SPLITS)]
    return [pair for halves in splits for pair in both_ways(arms, Joint(), halves)]


def test_halves_share_no_story(arms: Arms) -> None:
    first, second = split_stories(arms, 0)
    assert not set(arms.story[first]) & set(arms.story[second])
    assert not set(arms.test[first]) & set(arms.test[second])
    assert first.size + second.size == arms.item.size


def test_within_test_answers_agree_with_one_another(arms: Arms) -> None:
    """Both unbiased: if z is too large here, the errors are too small, whatever the bias."""
    z = np.concatenate([randomised_twice(arms, seed) for seed in range(SPLITS)])
    assert 0.7 < np.mean(z**2) < 1.3
    assert np.mean(np.abs(z) > 2) <= 0.08


def test_observational_intervals_are_too_narrow(pairs: list[Pair]) -> None:
    found = summary(pairs)["without bias variance"]
    assert found["mean z²"] > 1.4
    assert found["share |z| > 2"] > 0.10


def test_learned_bias_variance_makes_them_honest(pairs: list[Pair]) -> None:
    found = summary(pairs)["with learned bias variance"]
    assert 0.8 < found["mean z²"] < 1.35
    assert found["share |z| > 2"] <= 0.08
    told = summary(pairs)["as told with the learned bias"]
    assert 0.6 < told["mean z²"] < found["mean z²"]
    assert told["share |z| > 2"] <= 0.06


def test_confounding_is_as_large_as_the_effects(pairs: list[Pair]) -> None:
    """Why: with the tests hidden an answer is mostly about the stories that carry the tag."""
    effects = np.nanstd([pair.true.estimate for pair in pairs])
    assert np.mean([pair.bias_sd for pair in pairs]) > 0.7 * effects
    assert 0.1 < summary(pairs)["slope of randomised on observational"] < 0.5


def test_fewer_claims_and_none_reversed(pairs: list[Pair]) -> None:
    without, learned = summary(pairs)["claims"], summary(pairs)["claims, with bias variance"]
    assert without["opposite claim by randomised"] == 0
    assert learned["opposite claim by randomised"] == 0
    assert learned["made"] < 0.6 * without["made"]


def test_where_the_halves_differ_few_claims_are_left(pairs: list[Pair]) -> None:
    """Claims that the experiments do not share, among tags on which both differ by two errors."""

    def alone(said: dict[str, int]) -> int:
        return said.get("raises / no clear effect", 0) + said.get("lowers / no clear effect", 0)

    found = summary(pairs)
    before = alone(found["verdicts where |z| > 2"])
    assert before >= 15
    assert alone(found["verdicts where |z| > 2, with bias variance"]) <= 0.5 * before


@pytest.mark.parametrize("name", ["joint", "matching", "robust"])
def test_recorded_calibration(name: str) -> None:
    recorded: dict[str, Any] = json.loads((RESULTS / "upworthy_halves.json").read_text("utf-8"))
    found = recorded["calibration"][name]
    assert found["contrasts"] >= 500
    assert found["with learned bias variance"]["share |z| > 2"] <= 0.08
    assert found["as told with the learned bias"]["share |z| > 2"] <= 0.06
    assert (
        found["without bias variance"]["mean z²"] > found["with learned bias variance"]["mean z²"]
    )
