"""Return within seven days against an independent yardstick, and where its effects are large."""

import pytest

from benchmarks.worlds import METHODS, answers, judged, missed, return_table, row

SMALL, LARGE = 40, 8


@pytest.fixture(scope="module")
def small() -> dict[str, dict[str, float]]:
    return return_table(range(SMALL))


def test_coverage_and_score_against_plain_least_squares(
    small: dict[str, dict[str, float]],
) -> None:
    assert small["joint"]["intervals"] == small["yardstick"]["intervals"] > 500
    assert small["joint"]["coverage"] >= 0.93
    assert small["joint"]["score"] <= 1.25 * small["yardstick"]["score"]
    assert small["yardstick"]["null_below_10"] > 0.10


def test_large_effects_are_called_where_there_are_any() -> None:
    # With 400 users no effect on return exceeds four standard errors; with 6,000 some do.
    found = answers(
        range(LARGE), {"joint": METHODS["joint"]}, users=6_000, days=56, random_share=0.5
    )
    ours = row(judged(found), "joint", "return_7d")
    assert ours["big"] >= 10
    assert missed(ours) == []
