"""False discovery against scipy; shrinkage against the published critical values and coverage."""

import numpy as np
import pytest
from scipy import stats

from tagcf.effects.multiplicity import claims_level, critical_value, false_discovery, shrink


def test_adjusted_p_values_match_scipy() -> None:
    p = np.random.default_rng(0).random(200) ** 3
    np.testing.assert_allclose(false_discovery(p), stats.false_discovery_control(p))


def test_refused_tags_are_no_tests() -> None:
    p = np.array([0.01, np.nan, 0.04, np.nan])
    q = false_discovery(p)
    np.testing.assert_allclose(q[[0, 2]], [0.02, 0.04])
    assert np.isnan(q[[1, 3]]).all()


def test_critical_value_without_bias_is_normal() -> None:
    assert critical_value(np.array([1e-3]))[0] == pytest.approx(stats.norm.ppf(0.975), abs=0.01)


@pytest.mark.parametrize("bias", [0.1, 1.0, 4.0, 25.0])
def test_critical_value_covers_the_worst_two_points(bias: float) -> None:
    half = critical_value(np.array([bias]))[0]
    for spot in bias * np.array([1.0, 1.5, 3.0, 10.0, 100.0]):
        share, at = bias / spot, np.sqrt(spot)
        missed = share * (stats.norm.cdf(-half - at) + stats.norm.cdf(at - half))
        missed += (1 - share) * 2 * stats.norm.cdf(-half)
        assert missed <= 0.0501
    assert half <= stats.norm.ppf(0.975) + 5 * np.sqrt(bias)


@pytest.mark.parametrize("kind", ["half null", "normal", "few large"])
def test_shrunken_intervals_cover_and_are_closer(kind: str) -> None:
    random = np.random.default_rng(5)
    covered, better = [], []
    for _ in range(200):
        m = 60
        truth = random.normal(size=m)
        if kind == "half null":
            truth[: m // 2] = 0.0
        if kind == "few large":
            truth = np.where(random.random(m) < 0.1, 4.0, 0.0)
        se = random.uniform(0.5, 1.5, m)
        estimate = truth + se * random.normal(size=m)
        shrunk, low, high = shrink(estimate, se)
        covered.append(np.mean((low <= truth) & (truth <= high)))
        better.append(np.mean((shrunk - truth) ** 2) < np.mean((estimate - truth) ** 2))
    assert np.mean(covered) >= 0.945
    assert np.mean(better) > 0.95


def test_claims_are_told_at_the_level_of_their_number() -> None:
    assert claims_level(50, 50) == 0.05
    assert claims_level(1, 50) == pytest.approx(0.001)
    half = critical_value(np.array([1e-3, 1.0]), 0.001)
    assert stats.norm.ppf(0.9995) <= half[0] <= 1.1 * stats.norm.ppf(0.9995)
    assert half[1] > critical_value(np.array([1.0]))[0] + 1.0


def test_too_few_to_learn_from_are_left_alone() -> None:
    shrunk, low, high = shrink(np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    np.testing.assert_array_equal(shrunk, [1.0, 2.0])
    np.testing.assert_allclose(high - low, 2 * stats.norm.ppf(0.975) * 0.5)
