"""A few biased tags among many that are not: fused intervals cover on average, claims stay rare."""

import pytest

from benchmarks.lone_bias import study


@pytest.mark.parametrize("bias", [0.06, 0.10])
def test_fused_estimates_of_lone_biased_tags(bias: float) -> None:
    rows = {(row["method"], row["tags"]): row for row in study(30, bias)}
    assert rows["fused", "all"]["intervals"] >= 700
    assert rows["fused", "all"]["coverage"] >= 0.93
    assert rows["fused", "others"]["coverage"] >= 0.94
    # The recommender's rows do mislead, and random rows alone do not.
    assert rows["fused", "biased"]["coverage"] < rows["random rows alone", "biased"]["coverage"]
    assert rows["fused", "biased"]["claims"] <= 0.08
    assert rows["fused", "others"]["claims"] <= 0.02
