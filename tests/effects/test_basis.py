"""Controls become the columns they should."""

import numpy as np
import pytest

from tagcf.effects.linear.basis import expand, make_basis
from tagcf.types import Covariate

NUMBER = Covariate("length", "number", "items")
LEVELS = Covariate("hour", "category", "impressions", ("a", "b", "c"))


def test_spline_is_linear_beyond_its_outer_knots() -> None:
    sample = np.linspace(0, 10, 500)[:, None]
    basis = make_basis((NUMBER,), sample, 5, (0,))
    assert len(basis.names) == 4
    outside = expand(basis, np.array([[12.0], [14.0], [16.0], [-2.0], [-4.0], [-6.0]]))
    second_difference = outside[2] - 2 * outside[1] + outside[0]
    np.testing.assert_allclose(second_difference, 0.0, atol=1e-8)
    np.testing.assert_allclose(outside[5] - 2 * outside[4] + outside[3], 0.0, atol=1e-8)


def test_spline_fits_a_curve_that_a_line_misses() -> None:
    x = np.linspace(0, 6, 400)[:, None]
    y = np.sin(x[:, 0])
    left = {}
    for knots in (0, 5):
        columns = np.column_stack([np.ones(400), expand(make_basis((NUMBER,), x, knots, (0,)), x)])
        left[knots] = np.std(y - columns @ np.linalg.lstsq(columns, y)[0])
    assert left[5] < 0.1 * left[0]


def test_missing_values_get_a_column_of_their_own() -> None:
    sample = np.array([[1.0, 0.0], [2.0, 1.0], [np.nan, 2.0], [4.0, -1.0], [5.0, 0.0]])
    basis = make_basis((NUMBER, LEVELS), sample, 0, (0, 1))
    columns = expand(basis, sample)
    assert basis.names[1] == "length?"
    np.testing.assert_array_equal(columns[:, 1], [0, 0, 1, 0, 0])
    assert np.isfinite(columns).all()
    assert columns[:, -1].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("values", [[0.0, 1.0], [3.0]])
def test_few_values_stay_linear(values: list[float]) -> None:
    sample = np.array([[value] for value in values * 50])
    assert make_basis((NUMBER,), sample, 5, (0,)).names == ("length",)


@pytest.mark.parametrize("knots", [0, 5])
def test_one_corrupt_value_decides_nothing(knots: int) -> None:
    sample = np.random.default_rng(0).normal(size=(2_000, 1))
    clean = expand(make_basis((NUMBER,), sample, knots, (0,)), sample)
    sample[7] = 1.7e9
    spoilt = expand(make_basis((NUMBER,), sample, knots, (0,)), sample)
    rest = np.arange(2_000) != 7
    fitted = np.column_stack([np.ones(1_999), spoilt[rest]])
    left = clean[rest] - fitted @ np.linalg.lstsq(fitted, clean[rest])[0]
    assert np.abs(left).max() < 0.05  # the same curves can be drawn
    assert spoilt[7, -1] == 1.0
    assert np.abs(spoilt[7, :-1]).max() < 1.0  # it counts as missing, as the mean


def test_a_number_that_is_mostly_one_value_stays_linear() -> None:
    # Knots among its few other values let the spline run away: on ACIC 2016 six times the error.
    random = np.random.default_rng(1)
    sample = np.where(random.random(2_000) < 0.9, 0.0, random.exponential(size=2_000))[:, None]
    assert make_basis((NUMBER,), sample, 5, (0,)).names == ("length",)
