"""Observational worlds with unseen confounding: a bias learned elsewhere makes intervals honest."""

import json
from typing import Any

import numpy as np
import pytest

from benchmarks.record import RESULTS
from benchmarks.unseen_bias import Kind, Shape, study

CASES: list[tuple[float, Shape, Kind]] = [
    (0.03, "normal", "tests"),
    (0.03, "lone", "tests"),
    (0.06, "normal", "exposure"),
    (0.03, "lone", "exposure"),
]


@pytest.fixture(scope="module")
def studies() -> list[dict[str, Any]]:
    return [study(8, size, shape, kind) for size, shape, kind in CASES]


def test_the_size_of_the_bias_is_found(studies: list[dict[str, Any]]) -> None:
    for one in studies:
        assert one["learned bias sd"] == pytest.approx(one["bias"], rel=0.3)


def test_coverage(studies: list[dict[str, Any]]) -> None:
    for one in studies:
        assert one["as observed"]["coverage"] < 0.87
        assert one["with learned bias"]["coverage"] >= 0.92
        assert one["with learned bias"]["intervals"] == one["as observed"]["intervals"]
    assert np.mean([one["with learned bias"]["coverage"] for one in studies]) >= 0.94


def test_false_discovery_is_controlled(studies: list[dict[str, Any]]) -> None:
    for one in studies:
        assert one["as observed"]["false discovery rate"] > 0.15
        assert one["with learned bias"]["false discovery rate"] <= 0.12
    assert np.mean([one["with learned bias"]["false discovery rate"] for one in studies]) <= 0.10


def test_without_confounding_little_is_lost() -> None:
    one = study(4, 0.0, "normal", "tests")
    assert one["with learned bias"]["mean width"] < 1.4 * one["as observed"]["mean width"]
    assert (
        one["with learned bias"]["claims per world"] > 0.7 * one["as observed"]["claims per world"]
    )


def test_recorded_studies() -> None:
    """What decision 0009 says of them."""
    recorded = json.loads((RESULTS / "unseen_bias.json").read_text("utf-8"))["studies"]
    assert len(recorded) == 20
    for one in recorded:
        assert one["with learned bias"]["coverage"] >= 0.93
        assert one["with learned bias"]["false discovery rate"] <= 0.10
    for one in (one for one in recorded if one["bias"]):
        assert one["as observed"]["coverage"] <= 0.845
        assert one["as observed"]["false discovery rate"] >= 0.20
