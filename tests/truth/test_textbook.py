"""Published answers: LaLonde, Card, Mroz, Sesame Street, and Thornton's incentives."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from linearmodels.datasets import mroz

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.instruments.least_squares import StageFit, two_stage
from tagcf.effects.instruments.stage_sums import StageBlock
from tagcf.effects.instruments.weak import Strength, strength
from tagcf.effects.methods import Histogram, Joint, Matching, Naive, TwoStage, Using
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


@pytest.mark.parametrize("using", [Matching(), Matching(form=Histogram())])
def test_matching_recovers_the_experiment(observed: pl.DataFrame, using: Matching) -> None:
    found = training(observed, using, BACKGROUND)
    assert found.estimate is not None
    assert found.ci_low < EXPERIMENT < found.ci_high
    assert found.se <= 1200
    assert abs(found.estimate - EXPERIMENT) < found.se


def stages(y: np.ndarray, d: np.ndarray, x: np.ndarray, z: np.ndarray) -> tuple[StageFit, Strength]:
    block = StageBlock(
        y=y[:, None],
        endogenous=d[:, None],
        controls=np.column_stack([np.ones(len(y)), x]),
        instruments=z,
        w=np.ones(len(y)),
        clusters=np.arange(len(y), dtype=np.int32)[:, None],
    )
    fit = two_stage(lambda: [block])
    return fit, strength(lambda: [block], fit)


def test_card(shared_data: Path) -> None:
    regions = [f"reg{region}" for region in range(662, 670)]
    controls = ["exper", "expersq", "black", "smsa", "south", "smsa66", *regions]
    card = pl.read_csv(shared_data / "causal_ref" / "card.csv", infer_schema_length=None)
    numbers = card.select("lwage", "educ", "nearc4", *controls).cast(pl.Float64).drop_nulls()
    x = numbers.select(controls).to_numpy()
    y, d = numbers["lwage"].to_numpy(), numbers["educ"].to_numpy()
    fit, weak = stages(y, d, x, numbers["nearc4"].to_numpy()[:, None])
    assert fit.coef[0, 0] == pytest.approx(0.1315, abs=5e-5)
    assert np.sqrt(fit.cov_unadjusted[0, 0, 0]) == pytest.approx(0.0548, abs=5e-5)
    assert fit.f_unadjusted[0] == pytest.approx(13.33, abs=5e-3)
    least_squares = np.linalg.lstsq(np.column_stack([d, x, np.ones(len(y))]), y)[0][0]
    assert least_squares == pytest.approx(0.0747, abs=5e-5)
    # An F of 13 is weak by many a rule; the Anderson-Rubin set decides, and it is an interval.
    found = weak.sets[0][0]
    assert found.bounded
    assert 0 < found.low < 0.0747 < found.high


def test_mroz() -> None:
    working = mroz.load().dropna(subset=["lwage"])
    fit, _ = stages(
        working["lwage"].to_numpy(dtype=float),
        working["educ"].to_numpy(dtype=float),
        working[["exper", "expersq"]].to_numpy(dtype=float),
        working[["motheduc", "fatheduc"]].to_numpy(dtype=float),
    )
    assert fit.coef[0, 0] == pytest.approx(0.0614, abs=5e-5)
    # The published error divides by rows less coefficients: constant, education, experience twice.
    degrees = len(working) / (len(working) - 4)
    assert np.sqrt(fit.cov_unadjusted[0, 0, 0] * degrees) == pytest.approx(0.0314, abs=5e-5)


def moved(
    frame: pl.DataFrame, tag: str, instrument: str, outcome: str, using: Using, cluster: str | None
) -> Effect:
    """Effect of a tag that a randomly assigned column moves; each person is an item."""
    log = log_from_arrays(
        item=np.arange(frame.height),
        outcomes={outcome: frame[outcome].cast(pl.Float64).to_numpy()},
        kinds={outcome: "real"},
        instruments={instrument: (frame[instrument].cast(pl.String).to_numpy(), [tag])},
        clusters={cluster: frame[cluster].to_numpy()} if cluster else None,
    )
    tags = tags_from_arrays(log.items, frame[tag].cast(pl.Float64).to_numpy()[:, None], [tag])
    return estimate_effects(log, tags, using).effects[0]


def test_sesame_street(shared_data: Path) -> None:
    """Encouraged to watch: Gelman, Hill and Vehtari (2020, section 21.1) find 7.9 (SE 4.9)."""
    sesame = pl.read_csv(shared_data / "sesame_iv" / "sesame.csv")
    found = moved(sesame, "watched", "encouraged", "postlet", TwoStage(), None)
    assert found.estimate == pytest.approx(7.934, abs=5e-4)
    assert found.se == pytest.approx(4.9, abs=0.4)  # theirs takes one variance for all
    assert found.rung == "instrument"
    assert found.diagnostics["first_stage_f"] > 10
    assert found.verdict == "no clear effect"  # the interval holds 0
    assert found.ci_low < 0 < found.ci_high


@pytest.fixture(scope="module")
def incentives(shared_data: Path) -> pl.DataFrame:
    """Thornton (2008): money for fetching one's test result, by lot."""
    frame = pl.read_csv(shared_data / "causal_ref" / "thornton_hiv.csv")
    return frame.drop_nulls(["got", "any", "villnum"])


@pytest.mark.parametrize("using", [Joint(), Naive()])
def test_incentives_bring_people_to_their_results(incentives: pl.DataFrame, using: Using) -> None:
    """34% without, 79% with any incentive (Cunningham 2021, section 4.3): .45."""
    found = moved(incentives, "any", "any", "got", using, "villnum")
    assert found.estimate == pytest.approx(0.450, abs=5e-3)
    assert found.verdict == "raises"


def test_knowing_the_result_does_not_change_it(incentives: pl.DataFrame) -> None:
    """The infection was there before the lot was drawn: nothing to find, by a strong instrument."""
    tested = incentives.filter(pl.col("hiv2004") >= 0)
    found = moved(tested, "got", "any", "hiv2004", TwoStage(), "villnum")
    assert found.diagnostics["first_stage_f"] > 100
    assert found.verdict == "no clear effect"
    assert abs(found.estimate) < 0.05
