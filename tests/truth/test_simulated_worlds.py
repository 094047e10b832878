"""The joint estimator against known effects, over 40 small simulated worlds."""

import polars as pl
import pytest

from benchmarks.worlds import METHODS, answers, judged, missed, row

WORLDS = 40
LOGGED = ["click", "completion", "watch_time", "like", "depth"]
OUTCOMES = [*LOGGED, "return_7d"]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return judged(answers(range(WORLDS), METHODS))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_targets_are_met(table: pl.DataFrame, outcome: str) -> None:
    assert missed(row(table, "joint", outcome)) == []


@pytest.mark.parametrize("outcome", LOGGED)  # return: test_return.py, its yardstick is another
def test_wide_is_no_way_out(table: pl.DataFrame, outcome: str) -> None:
    ours, plain = row(table, "joint", outcome), row(table, "yardstick", outcome)
    assert ours["score"] <= 1.25 * plain["score"]


@pytest.mark.parametrize("outcome", LOGGED)
def test_without_correction_nulls_are_claimed(table: pl.DataFrame, outcome: str) -> None:
    assert row(table, "yardstick", outcome)["null_below_10"] > 0.10


@pytest.mark.parametrize("outcome", LOGGED)  # on return: test_return.py
def test_there_are_large_effects_to_call(table: pl.DataFrame, outcome: str) -> None:
    assert row(table, "joint", outcome)["big"] >= 20


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_shrunken_intervals_of_claims_cover(table: pl.DataFrame, outcome: str) -> None:
    ours = row(table, "joint", outcome)
    assert ours["shrunk_coverage"] >= 0.93
    if ours["claims"] >= 100:
        assert ours["shrunk_coverage_claimed"] >= 0.93


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_naive_fails(table: pl.DataFrame, outcome: str) -> None:
    naive = row(table, "naive", outcome)
    assert naive["coverage"] < 0.80
    assert naive["false_claims"] > 0.12


@pytest.mark.parametrize("outcome", LOGGED)
def test_independent_errors_fail(table: pl.DataFrame, outcome: str) -> None:
    assert row(table, "iid", outcome)["coverage"] < 0.90
