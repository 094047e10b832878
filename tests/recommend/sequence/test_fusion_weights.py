"""Fusion: weights that validation asks for, against every weighting tried by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from tagcf.recommend.evaluate.search import validation_value
from tagcf.recommend.evaluate.splits import Holdout, leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.recommend.sequence.fusion import (
    FittedFusion,
    fusion_weights,
    grid_values,
    simplex,
    z_scores,
)
from tagcf.types import Floats

N_ITEMS = 50


@dataclass(frozen=True)
class Fixed:
    """Scores by the user's first item, whatever else happened."""

    table: Scores

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        return self.table[histories.item[histories.indptr[:-1]]]


@pytest.fixture(scope="module")
def valid() -> Holdout:
    rng = np.random.default_rng(0)
    return leave_one_out(Histories.of(rng.integers(0, N_ITEMS, (300, 6)).tolist(), N_ITEMS)).valid


def scored(valid: Holdout, hint: float, seed: int) -> Fixed:
    """Noise, and `hint` times whether the item is a target after that first item."""
    table = np.random.default_rng(seed).normal(size=(N_ITEMS, N_ITEMS))
    first = valid.history.item[valid.history.indptr[:-1]]
    table[first, valid.target] += hint
    return Fixed(table.astype(np.float32))


def test_the_grid_equals_ranking_each_sum(valid: Holdout) -> None:
    models = [scored(valid, 1.0, 1), scored(valid, 2.0, 2), scored(valid, 0.0, 3)]
    grid = simplex(3, 4)
    values = grid_values(models, valid, grid).mean(axis=0)
    for weights, value in zip(grid, values, strict=True):
        fused = FittedFusion(tuple(models), tuple(weights))
        assert value == pytest.approx(validation_value(fused, valid), abs=1e-6)


def test_simplex_holds_every_weighting_once() -> None:
    grid = simplex(3, 10)
    assert len(grid) == len(np.unique(grid, axis=0)) == 66
    np.testing.assert_allclose(grid.sum(axis=1), 1)
    assert (grid >= 0).all()


def test_noise_gets_no_weight_and_help_is_taken(valid: Holdout) -> None:
    good, as_good, noise = scored(valid, 1.5, 1), scored(valid, 1.5, 2), scored(valid, 0.0, 3)
    found = fusion_weights([good, as_good, noise], valid)
    assert found.weights[2] < 0.1
    assert min(found.weights[:2]) > 0.3
    assert found.value > max(found.alone) + 0.02


def test_a_constant_row_becomes_zero() -> None:
    scores = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]], np.float32)
    scaled = z_scores(scores)
    np.testing.assert_array_equal(scaled[0], 0)
    np.testing.assert_allclose(scaled[1].std(), 1, rtol=1e-5)
