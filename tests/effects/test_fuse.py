"""Fusing random and chosen rows: known Gaussian estimates, with and without bias."""

import numpy as np
import pytest

from tagcf.effects.joint.fuse import Fused, fuse
from tagcf.effects.linear.clustered import Errors
from tagcf.effects.linear.solve import Solution


def fit(coef: np.ndarray, se: float) -> tuple[Solution, Errors]:
    m = coef.size
    solved = Solution(
        kept=np.ones(m, dtype=bool),
        coef=coef[:, None],
        inverse=np.eye(m),
        control_coef=np.zeros((0, 1)),
        unique_share=np.ones(m),
        aliases=(),
    )
    errors = Errors(
        cov=se**2 * np.eye(m)[None],
        df=np.full((1, m), 200.0),
        effective=np.full((1, m), 201.0),
        crossing_effective=np.full((1, m), np.inf),
        largest_leverage=np.zeros(m),
        inflation=np.ones(1),
        moves=(np.zeros((1, 1, m)),),
    )
    return solved, errors


def covered(bias: np.ndarray, se_chosen: float, draws: int = 400) -> tuple[float, float, Fused]:
    """Share of intervals that hold 0: over all tags, over the biased ones."""
    random = np.random.default_rng(0)
    m = bias.size
    inside = []
    fused = None
    for _ in range(draws):
        fused = fuse(
            fit(random.normal(size=m), 1.0),
            fit(bias + se_chosen * random.normal(size=m), se_chosen),
            np.ones(m, dtype=bool),
        )
        assert fused is not None
        half = 1.96 * np.sqrt(np.diag(fused.cov[0]))
        inside.append(np.abs(fused.coef[:, 0]) <= half)
    assert fused is not None
    hits = np.mean(inside, axis=0)
    return float(hits.mean()), float(hits[bias != 0].mean()) if bias.any() else 1.0, fused


@pytest.mark.parametrize("m", [24, 100])
def test_without_bias_it_covers_and_gains(m: int) -> None:
    everywhere, _, fused = covered(np.zeros(m), 0.5)
    assert everywhere >= 0.94
    assert np.median(np.diag(fused.cov[0])) < 0.6


@pytest.mark.parametrize("m", [24, 100])
@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_with_a_third_of_the_tags_biased_it_covers_on_average(m: int, size: float) -> None:
    bias = np.zeros(m)
    bias[::3] = size
    assert covered(bias, 0.5)[0] >= 0.90


@pytest.mark.parametrize("m", [24, 100])
def test_one_badly_biased_tag_is_told_by_its_random_rows(m: int) -> None:
    bias = np.zeros(m)
    bias[3] = 4.0
    everywhere, biased, fused = covered(bias, 0.5)
    assert everywhere >= 0.93
    assert biased >= 0.85
    assert abs(fused.gap_z[0, 3]) > 2
    assert fused.weight[0, 3] == 0


def test_all_tags_biased_leaves_the_random_rows() -> None:
    bias = 5.0 * np.where(np.arange(40) % 2, 1.0, -1.0)
    everywhere, _, fused = covered(bias, 0.2)
    assert everywhere >= 0.93
    assert fused.weight.max() < 0.1


def test_too_few_tags_tell_nothing_about_the_bias() -> None:
    assert fuse(fit(np.zeros(5), 1.0), fit(np.zeros(5), 0.5), np.ones(5, dtype=bool)) is None
