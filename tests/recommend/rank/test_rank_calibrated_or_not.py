"""Predictions are bent only where that brings them nearer to what happens."""

from __future__ import annotations

import numpy as np
import pytest

from tagcf.recommend.rank.calibrate import Bins, calibrate


def _halves(raw: np.ndarray, y: np.ndarray) -> list[Bins]:
    halves = [Bins.over(float(raw.mean()), float(raw.std())) for _ in range(2)]
    for which, half in enumerate(halves):
        at = np.arange(raw.size) % 2 == which
        half.add(raw[at], y[at], np.ones(int(at.sum())))
    return halves


def test_a_bent_prediction_is_straightened() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(0.05, 0.95, 40_000)
    y = (random.random(truth.size) < truth).astype(float)
    curve, judged = calibrate(_halves(truth**2, y), 0.0, 1.0)
    assert judged.error < 0.25 * judged.before
    assert curve(0.25) == pytest.approx(0.5, abs=0.05)


def test_few_rows_bend_nothing() -> None:
    """A right prediction, and so few rows that a curve follows their noise."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        truth = random.uniform(0.3, 0.7, 60)
        y = (random.random(truth.size) < truth).astype(float)
        curve, judged = calibrate(_halves(truth, y), 0.0, 1.0)
        assert judged.error <= judged.before
        if judged.error == judged.before:
            np.testing.assert_allclose(curve([0.1, 0.4, 1.3]), [0.1, 0.4, 1.0])
            return
    raise AssertionError("no curve did worse")
