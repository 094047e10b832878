"""A plain A/B test: the gate of a mobile game moved from level 30 to level 40.

What was randomised is the player, not an item. Read with the estimator of tags, every player is
an item of its own that carries the tag ``gate_40`` or does not, so that errors are clustered on
what was randomised.
"""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Naive, Using
from tagcf.types import Effect

# Difference of the two groups' means, and its error from two binomial variances.
PUBLISHED = {"retention_7": (-0.0082, 0.0026), "retention_1": (-0.0059, 0.0033)}


@pytest.fixture(scope="module")
def players(shared_data: Path) -> pl.DataFrame:
    return pl.read_csv(shared_data / "cookie_cats" / "cookie_cats.csv.gz")


def effects(players: pl.DataFrame, using: Using) -> dict[str, Effect]:
    """The effect of the later gate on coming back after one day and after seven."""
    log = log_from_arrays(
        item=players["userid"].to_numpy(),
        outcomes={name: players[name].cast(pl.Float64).to_numpy() for name in PUBLISHED},
    )
    moved = dict(
        zip(players["userid"].cast(pl.String), players["version"] == "gate_40", strict=True)
    )
    carried = np.array([[moved[one]] for one in log.items.ids.to_pylist()], dtype=float)
    found = estimate_effects(log, tags_from_arrays(log.items, carried, ["gate_40"]), using)
    return {one.outcome: one for one in found.effects}


@pytest.fixture(scope="module")
def joint(players: pl.DataFrame) -> dict[str, Effect]:
    return effects(players, Joint())


@pytest.mark.parametrize("outcome", PUBLISHED)
def test_published_difference(joint: dict[str, Effect], outcome: str) -> None:
    estimate, error = PUBLISHED[outcome]
    found = joint[outcome]
    assert found.estimate == pytest.approx(estimate, abs=5e-5)
    assert found.se == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize("outcome", PUBLISHED)
def test_difference_of_means_to_the_digit(
    joint: dict[str, Effect], players: pl.DataFrame, outcome: str
) -> None:
    arms = players.group_by("version").agg(
        pl.col(outcome).mean().alias("mean"), pl.col(outcome).count().alias("n")
    )
    mean = dict(zip(arms["version"], arms["mean"], strict=True))
    variance = sum(p * (1 - p) / n for p, n in zip(arms["mean"], arms["n"], strict=True))
    assert joint[outcome].estimate == pytest.approx(mean["gate_40"] - mean["gate_30"], abs=1e-7)
    assert joint[outcome].se == pytest.approx(np.sqrt(variance), rel=1e-3)


def test_only_the_seven_days_are_claimed(joint: dict[str, Effect]) -> None:
    assert joint["retention_7"].verdict == "lowers"
    assert joint["retention_1"].verdict == "no clear effect"
    assert joint["retention_1"].ci_high > 0 > joint["retention_7"].ci_high


def test_randomised_so_that_naive_agrees(players: pl.DataFrame, joint: dict[str, Effect]) -> None:
    naive = effects(players, Naive())
    for outcome in PUBLISHED:
        assert naive[outcome].estimate == pytest.approx(joint[outcome].estimate, abs=1e-7)


def test_two_variants_as_two_items_are_refused(players: pl.DataFrame) -> None:
    """Ninety thousand impressions of two items are two observations; nobody may claim there."""
    log = log_from_arrays(
        item=players["version"].to_numpy(),
        user=players["userid"].to_numpy(),
        outcomes={"retention_7": players["retention_7"].cast(pl.Float64).to_numpy()},
    )
    carried = np.array([[name == "gate_40"] for name in log.items.ids.to_pylist()], dtype=float)
    found = estimate_effects(log, tags_from_arrays(log.items, carried, ["gate_40"])).effects
    assert [one.verdict for one in found] == ["cannot tell"]
