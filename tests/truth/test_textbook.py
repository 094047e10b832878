"""Published answers: LaLonde's training programme, Card's returns to schooling, Mroz's wages."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from linearmodels.datasets import mroz

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.instruments.least_squares import StageBlock, StageFit, two_stage
from tagcf.effects.methods import Joint, Matching, Naive, Using
from tagcf.types import Effect

BACKGROUND = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")
EXPERIMENT = 1794.34  # Dehejia and Wahba (1999): difference of means of the 445


def training(frame: pl.DataFrame, using: Using, controls: tuple[str, ...] = ()) -> Effect:
    """Effect of the training on earnings in 1978; each person is an item of its own."""
    log = log_from_arrays(
        item=np.arange(frame.height),
        outcomes={"re78": frame["re78"].to_numpy()},
        kinds={"re78": "real"},
        covariates={name: frame[name].cast(pl.Float64).to_numpy() for name in controls},
    )
    carried = frame["treat"].cast(pl.Float64).to_numpy()[:, None]
    tags = tags_from_arrays(log.items, carried, ["treat"])
    return estimate_effects(log, tags, using).effects[0]


@pytest.fixture(scope="module")
def experiment(shared_data: Path) -> pl.DataFrame:
    return pl.read_csv(shared_data / "causal_ref" / "nsw_mixtape.csv")


@pytest.fixture(scope="module")
def observed(shared_data: Path, experiment: pl.DataFrame) -> pl.DataFrame:
    """The trained of the experiment beside people of the population survey."""
    survey = pl.read_csv(shared_data / "causal_ref" / "cps_mixtape.csv")
    return pl.concat([experiment.filter(pl.col("treat") == 1), survey], how="vertical_relaxed")


@pytest.mark.parametrize("using", [Joint(), Naive()])
def test_experiment(experiment: pl.DataFrame, using: Using) -> None:
    assert training(experiment, using).estimate == pytest.approx(EXPERIMENT, abs=0.01)


def test_naive_is_absurd(observed: pl.DataFrame) -> None:
    assert training(observed, Naive()).estimate == pytest.approx(-8497.52, abs=0.01)


def test_matching_recovers_the_experiment(observed: pl.DataFrame) -> None:
    found = training(observed, Matching(), BACKGROUND)
    assert found.estimate is not None
    assert found.ci_low < EXPERIMENT < found.ci_high
    assert found.se <= 1200
    assert abs(found.estimate - EXPERIMENT) < found.se


def stages(y: np.ndarray, d: np.ndarray, x: np.ndarray, z: np.ndarray) -> StageFit:
    block = StageBlock(
        y=y[:, None],
        endogenous=d[:, None],
        controls=np.column_stack([np.ones(len(y)), x]),
        instruments=z,
        w=np.ones(len(y)),
        clusters=np.arange(len(y), dtype=np.int32)[:, None],
    )
    return two_stage(lambda: [block])


def test_card(shared_data: Path) -> None:
    regions = [f"reg{region}" for region in range(662, 670)]
    controls = ["exper", "expersq", "black", "smsa", "south", "smsa66", *regions]
    card = pl.read_csv(shared_data / "causal_ref" / "card.csv", infer_schema_length=None)
    numbers = card.select("lwage", "educ", "nearc4", *controls).cast(pl.Float64).drop_nulls()
    x = numbers.select(controls).to_numpy()
    y, d = numbers["lwage"].to_numpy(), numbers["educ"].to_numpy()
    fit = stages(y, d, x, numbers["nearc4"].to_numpy()[:, None])
    assert fit.coef[0, 0] == pytest.approx(0.1315, abs=5e-5)
    assert np.sqrt(fit.cov_unadjusted[0, 0, 0]) == pytest.approx(0.0548, abs=5e-5)
    assert fit.f_unadjusted[0] == pytest.approx(13.33, abs=5e-3)
    least_squares = np.linalg.lstsq(np.column_stack([d, x, np.ones(len(y))]), y)[0][0]
    assert least_squares == pytest.approx(0.0747, abs=5e-5)
    # An F of 13 is weak by many a rule; the Anderson-Rubin set decides, and it is an interval.
    assert fit.bounded[0]
    assert 0 < fit.set_low[0] < 0.0747 < fit.set_high[0]


def test_mroz() -> None:
    working = mroz.load().dropna(subset=["lwage"])
    fit = stages(
        working["lwage"].to_numpy(dtype=float),
        working["educ"].to_numpy(dtype=float),
        working[["exper", "expersq"]].to_numpy(dtype=float),
        working[["motheduc", "fatheduc"]].to_numpy(dtype=float),
    )
    assert fit.coef[0, 0] == pytest.approx(0.0614, abs=5e-5)
    # The published error divides by rows less coefficients: constant, education, experience twice.
    degrees = len(working) / (len(working) - 4)
    assert np.sqrt(fit.cov_unadjusted[0, 0, 0] * degrees) == pytest.approx(0.0314, abs=5e-5)
