"""Unseen quality that is the author's: without author effects wrong, with them right."""

import polars as pl
import pytest

from benchmarks.worlds import answers, judged, missed, row
from tagcf.effects.methods import Joint

METHODS = {"held": Joint(), "free": Joint(author_effects=False)}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    found = answers(range(700, 709), METHODS, random_share=0.0, confounding=1.0)
    return judged(found.with_columns(pl.lit("all").alias("outcome")))


def test_author_effects_recover_the_truth(table: pl.DataFrame) -> None:
    held = row(table, "held", "all")
    assert held["intervals"] >= 900
    assert missed(held) == []


def test_without_them_the_worlds_mislead(table: pl.DataFrame) -> None:
    free = row(table, "free", "all")
    assert free["coverage"] < 0.85
    assert free["false_claims"] > 0.15
    assert free["score"] > 2 * row(table, "held", "all")["score"]
