"""Two-stage least squares against linearmodels, and its honesty where instruments are weak."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS

from tagcf.effects.instruments import StageBlock, StageFit, two_stage


def blocks_of(
    y: np.ndarray, d: np.ndarray, x: np.ndarray, z: np.ndarray, clusters: np.ndarray, parts: int = 3
) -> Callable[[], Iterator[StageBlock]]:
    def blocks() -> Iterator[StageBlock]:
        for rows in np.array_split(np.arange(len(y)), parts):
            yield StageBlock(
                y=y[rows, None],
                endogenous=d[rows],
                controls=np.column_stack([np.ones(rows.size), x[rows]]),
                instruments=z[rows],
                w=np.ones(rows.size),
                clusters=clusters[rows],
            )

    return blocks


def world(seed: int, n_endogenous: int, strength: float = 1.0) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    n = 2_000
    z = (random.random((n, n_endogenous + 1)) < 0.5).astype(float)
    u, x = random.normal(size=n), random.normal(size=(n, 2))
    mix = strength * random.normal(size=(n_endogenous + 1, n_endogenous))
    d = z @ mix + u[:, None] + random.normal(size=(n, n_endogenous)) + x[:, [0]]
    y = d @ np.linspace(0.5, -0.5, n_endogenous) + 2 * u + x @ [1.0, -1.0] + random.normal(size=n)
    clusters = np.stack([random.integers(0, 60, n), random.integers(0, 80, n)], axis=1)
    return y, d, x, z, clusters.astype(np.int32)


@pytest.mark.parametrize("n_endogenous", [1, 3])
@pytest.mark.parametrize("axes", [1, 2])
def test_matches_linearmodels(n_endogenous: int, axes: int) -> None:
    y, d, x, z, clusters = world(1, n_endogenous)
    ours = two_stage(blocks_of(y, d, x, z, clusters[:, :axes]))
    names = [f"d{at}" for at in range(n_endogenous)]
    controls = pd.DataFrame(np.column_stack([np.ones(len(y)), x]), columns=["one", "x0", "x1"])
    instruments = pd.DataFrame(z, columns=[f"z{at}" for at in range(z.shape[1])])
    model = IV2SLS(pd.Series(y), controls, pd.DataFrame(d, columns=names), instruments)
    reference = model.fit(cov_type="clustered", clusters=clusters[:, :axes])
    np.testing.assert_allclose(ours.coef[:, 0], reference.params[names], atol=1e-6)
    # Ours carry the factor G/(G-1) of each axis, linearmodels has none.
    factor = np.sqrt(60 / 59)
    tolerance = 1e-6 if axes == 1 else 0.02
    np.testing.assert_allclose(
        np.sqrt(np.diag(ours.cov[0])) / factor, reference.std_errors[names], rtol=tolerance
    )
    plain = model.fit(cov_type="unadjusted")
    np.testing.assert_allclose(
        np.sqrt(np.diag(ours.cov_unadjusted[0])), plain.std_errors[names], rtol=1e-6
    )


def test_least_squares_is_off_and_two_stage_is_not() -> None:
    gaps = {"ols": [], "iv": []}
    for seed in range(20):
        y, d, x, z, _ = world(seed, 1, strength=2.0)
        fit = two_stage(blocks_of(y, d, x, z, np.arange(len(y), dtype=np.int32)[:, None]))
        ols = np.linalg.lstsq(np.column_stack([np.ones(len(y)), d, x]), y)[0][1]
        gaps["iv"].append(fit.coef[0, 0] - 0.5)
        gaps["ols"].append(ols - 0.5)
    assert abs(np.mean(gaps["ols"])) > 0.1
    assert abs(np.mean(gaps["iv"])) < 0.1 * abs(np.mean(gaps["ols"]))


def weak(seed: int) -> StageFit:
    y, d, x, z, _ = world(seed, 1, strength=0.0)
    return two_stage(blocks_of(y, d, x, z, np.arange(len(y), dtype=np.int32)[:, None]))


def test_a_useless_instrument_has_an_unbounded_set() -> None:
    bounded = [weak(seed).bounded[0] for seed in range(40)]
    assert np.mean(bounded) <= 0.15


def test_anderson_rubin_sets_cover_where_instruments_are_weak() -> None:
    covered = []
    for seed in range(120):
        y, d, x, z, _ = world(seed, 1, strength=0.05)
        rows = np.arange(len(y), dtype=np.int32)[:, None]
        fit = two_stage(blocks_of(y - 0.5 * d[:, 0], d, x, z, rows))
        covered.append(fit.set_p[0] > 0.05)  # the truth, now 0, is in the set
    assert np.mean(covered) >= 0.90
