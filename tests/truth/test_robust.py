"""The doubly robust estimator against known effects, over 40 small worlds with Zipf popularity.

Items and users have random effects, tags' effects differ by user, and 20 items carry about 40% of
the rows. The yardstick is joint least squares on all rows with the plain two-way sandwich.
"""

import numpy as np
import polars as pl
import pytest

from benchmarks.worlds import YARDSTICK, answers, judged, missed, row
from tagcf.data.simulate import Platform, simulate
from tagcf.effects.methods import Robust

WORLDS = 40
OUTCOMES = ["click", "completion", "watch_time", "like", "depth"]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    methods = {"robust": Robust(), "yardstick": YARDSTICK}
    return judged(answers(range(WORLDS), methods, zipf=1.0))


def test_popularity_is_uneven() -> None:
    """The worlds are as hard as is said of them."""
    world = simulate(Platform(seed=0, zipf=1.0))
    chosen = world.shown.item[~world.shown.randomized]
    rows = np.sort(np.bincount(chosen, minlength=600))[::-1]
    assert rows[:20].sum() / rows.sum() > 0.4


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_targets_are_met(table: pl.DataFrame, outcome: str) -> None:
    ours = row(table, "robust", outcome)
    assert ours["intervals"] >= 800
    assert ours["big"] >= 20
    assert missed(ours) == []


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_wide_is_no_way_out(table: pl.DataFrame, outcome: str) -> None:
    ours, plain = row(table, "robust", outcome), row(table, "yardstick", outcome)
    assert ours["score"] <= 2.2 * plain["score"]
