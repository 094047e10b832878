"""Headline tags on the real archive of randomised tests."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.upworthy import load_archive, table

FILE = "upworthy/upworthy_dev.csv.gz"


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, dict[str, Any]]:
    return {row["tag"]: row for row in table(load_archive(shared_data / FILE))}


SIGNS = {"question mark": -1, "number": 1, "she / her / woman": 1}
FIGURES = {  # measured elsewhere, one tag at a time: estimate, error
    "question mark": (-0.00106, 0.00015),
    "number": (0.00065, 0.00018),
    "you / your": (0.00012, 0.00015),
    "she / her / woman": (0.00150, 0.00025),
}


@pytest.mark.parametrize("how", ["alone", "joint", "alone, image fixed", "joint, image fixed"])
@pytest.mark.parametrize("tag", SIGNS)
def test_sign_and_exclusion_of_zero(rows: dict[str, dict[str, Any]], tag: str, how: str) -> None:
    low, high = rows[tag][how]["ci"]
    assert SIGNS[tag] * low > 0
    assert SIGNS[tag] * high > 0


@pytest.mark.parametrize("how", ["alone", "joint", "alone, image fixed", "joint, image fixed"])
def test_second_person_is_all_confounding(rows: dict[str, dict[str, Any]], how: str) -> None:
    low, high = rows["you / your"][how]["ci"]
    assert low < 0 < high
    _, naive_high = rows["you / your"]["naive"]["ci"]
    assert naive_high < 0


@pytest.mark.parametrize("tag", FIGURES)
def test_agrees_with_figures_seen_elsewhere(rows: dict[str, dict[str, Any]], tag: str) -> None:
    estimate, error = FIGURES[tag]
    ours = rows[tag]["alone"]
    assert abs(ours["estimate"] - estimate) < 2 * (ours["se"] ** 2 + error**2) ** 0.5
    assert ours["se"] == pytest.approx(error, rel=0.35)


def test_rung_and_informative_tests(rows: dict[str, dict[str, Any]]) -> None:
    assert {row["rung"] for row in rows.values()} == {"within-stratum"}
    assert rows["question mark"]["strata"] == 628


def test_errors_are_far_above_binomial(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["question mark"]["alone"]["se"] > 2 * 0.00007
