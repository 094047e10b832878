"""Two-stage least squares against linearmodels, and its honesty where instruments are weak."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS
from scipy import stats

from tagcf.effects.instruments.anderson_rubin import FittingSet
from tagcf.effects.instruments.least_squares import StageFit, two_stage
from tagcf.effects.instruments.stage_sums import StageBlock
from tagcf.effects.instruments.weak import Strength, strength


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


def set_of(blocks: Callable[[], Iterator[StageBlock]], n_groups: int = 0) -> FittingSet:
    return strength(blocks, two_stage(blocks, n_groups)).sets[0][0]


def weak(seed: int) -> FittingSet:
    y, d, x, z, _ = world(seed, 1, strength=0.0)
    return set_of(blocks_of(y, d, x, z, np.arange(len(y), dtype=np.int32)[:, None]))


def test_a_useless_instrument_has_an_unbounded_set() -> None:
    bounded = [weak(seed).bounded for seed in range(40)]
    assert np.mean(bounded) <= 0.15


def test_anderson_rubin_sets_cover_where_instruments_are_weak() -> None:
    covered = []
    for seed in range(120):
        y, d, x, z, _ = world(seed, 1, strength=0.05)
        rows = np.arange(len(y), dtype=np.int32)[:, None]
        found = set_of(blocks_of(y - 0.5 * d[:, 0], d, x, z, rows))
        covered.append(found.p > 0.05)  # the truth, now 0, is in the set
    assert np.mean(covered) >= 0.90


def one_block(
    y: np.ndarray,
    d: np.ndarray,
    z: np.ndarray,
    clusters: np.ndarray,
    w: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> tuple[StageFit, Strength]:
    block = StageBlock(
        y=y[:, None],
        endogenous=d.reshape(len(y), -1),
        controls=np.ones((len(y), 1)),
        instruments=z.reshape(len(y), -1),
        w=np.ones(len(y)) if w is None else w,
        clusters=clusters[:, None].astype(np.int32),
        group=group,
    )
    fit = two_stage(lambda: [block], 0 if group is None else int(group.max()) + 1)
    return fit, strength(lambda: [block], fit)


def wald_f(d: np.ndarray, z: np.ndarray, clusters: np.ndarray) -> list[float]:
    """Sanderson and Windmeijer's F from the rows, step by step."""
    z, d = z - z.mean(axis=0), d - d.mean(axis=0)
    inverse, found = np.linalg.inv(z.T @ z), []
    for at in range(d.shape[1]):
        others = np.delete(d, at, axis=1)
        fitted = z @ inverse @ z.T @ others
        v = d[:, at] - others @ np.linalg.solve(fitted.T @ others, fitted.T @ d[:, at])
        slope = inverse @ z.T @ v
        score = z * (v - z @ slope)[:, None]
        sums = np.stack([score[clusters == one].sum(axis=0) for one in np.unique(clusters)])
        meat = sums.T @ sums * len(sums) / (len(sums) - 1)
        wald = slope @ np.linalg.inv(inverse @ meat @ inverse) @ slope
        found.append(wald / (z.shape[1] - d.shape[1] + 1))
    return found


@pytest.mark.parametrize("n_clusters", [24, 60])
def test_first_stage_f_is_not_bounded_by_the_number_of_clusters(n_clusters: int) -> None:
    random = np.random.default_rng(n_clusters)
    clusters = np.repeat(np.arange(n_clusters), 50)
    z = np.eye(5)[np.arange(n_clusters) % 5][:, 1:][clusters]
    noise = 0.05 * random.normal(size=(n_clusters, 2))[clusters]
    d = z @ random.normal(size=(4, 2)) * 2 + noise + 0.1 * random.normal(size=(len(z), 2))
    y = d @ [1.0, -1.0] + random.normal(size=len(z))
    f = one_block(y, d, z, clusters)[1].first_stage_f
    np.testing.assert_allclose(f, wald_f(d, z, clusters), rtol=1e-6)
    assert f.min() > 10 * n_clusters


def test_weights_count_rows() -> None:
    y, d, _, z, clusters = world(3, 2)
    w = np.random.default_rng(3).integers(1, 5, len(y))
    weighted, by_weight = one_block(y, d, z, clusters[:, 0], w.astype(float))
    again = np.repeat(np.arange(len(y)), w)
    repeated, by_row = one_block(y[again], d[again], z[again], clusters[again, 0])
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-8)
    np.testing.assert_allclose(weighted.cov, repeated.cov, rtol=1e-8)
    np.testing.assert_allclose(by_weight.first_stage_f, by_row.first_stage_f, rtol=1e-8)


def test_absorbing_groups_is_as_dummies() -> None:
    y, d, x, z, clusters = world(4, 1)
    group = np.random.default_rng(4).integers(0, 30, len(y))
    y, d = y + 3 * np.sin(group), d + np.cos(group)[:, None]
    dummies = np.eye(30)[group]
    dummied = blocks_of(y, d, np.hstack([x, dummies[:, 1:]]), z, clusters)

    def blocks() -> Iterator[StageBlock]:
        for block, rows in zip(
            blocks_of(y, d, x, z, clusters)(), np.array_split(np.arange(len(y)), 3), strict=True
        ):
            yield replace(block, group=group[rows].astype(np.int32))

    long, short = two_stage(dummied), two_stage(blocks, 31)  # one group without rows
    alike(long, strength(dummied, long), short, strength(blocks, short))


def alike(fit: StageFit, weak: Strength, other: StageFit, other_weak: Strength) -> None:
    for name in ("coef", "cov"):
        np.testing.assert_allclose(getattr(fit, name), getattr(other, name), rtol=1e-6)
    np.testing.assert_allclose(weak.first_stage_f, other_weak.first_stage_f, rtol=1e-6)
    for name in ("low", "high", "p"):
        one, two = (getattr(found.sets[0][0], name) for found in (weak, other_weak))
        assert one == pytest.approx(two, rel=1e-6, nan_ok=True)


def test_what_varies_between_groups_only_is_not_told() -> None:
    random = np.random.default_rng(5)
    group = random.integers(0, 20, 2_000)
    z, y = random.integers(0, 2, 2_000).astype(float), random.normal(size=2_000)
    fit, found = one_block(y, (group < 8).astype(float), z, np.arange(2_000), group=group)
    assert not fit.endogenous_varies[0]
    assert not found.sets[0][0].bounded


def test_instruments_that_say_the_same_count_once() -> None:
    y, d, _, z, clusters = world(6, 1)
    once = one_block(y, d, z[:, 0], clusters[:, 0])
    copied = np.column_stack([z[:, 0], 1 - z[:, 0], np.ones(len(y)), np.zeros(len(y))])
    twice = one_block(y, d, copied, clusters[:, 0])
    assert twice[0].n_instruments == once[0].n_instruments == 1
    alike(*twice, *once)


def kept_of(y: np.ndarray, d: np.ndarray, z: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which values a test of Anderson and Rubin keeps, from the rows' scores."""
    z = z - z.mean(axis=0)
    on_y, on_d = z * (y - y.mean())[:, None], z * (d - d.mean())[:, None]
    limit, kept = stats.chi2.ppf(0.95, z.shape[1]), []
    both = on_y.T @ on_d
    for value in values:
        meat = on_y.T @ on_y - value * (both + both.T) + value**2 * on_d.T @ on_d
        total = on_y.sum(axis=0) - value * on_d.sum(axis=0)
        statistic = total @ np.linalg.solve(meat, total) * (len(y) - 1) / len(y)
        kept.append(statistic <= limit)
    return np.array(kept)


def test_sets_are_found_wherever_they_lie() -> None:
    outside = empty = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        z, u = random.normal(size=(800, 6)), random.normal(size=800)
        d = z @ [0.3, 0.2, 0.1, 0, 0, 0] + u + random.normal(size=800)
        y = 0.5 * d + 2 * u + z @ [0, 0, 0, 0.25, -0.2, 0.2] + random.normal(size=800)
        fit, weak = one_block(y, d, z, np.arange(800))
        found = weak.sets[0][0]
        grid = np.linspace(-4, 5, 901)
        kept = kept_of(y, d, z, grid)
        if found.bounded:
            assert found.empty != kept.any()
        empty += found.empty
        if found.bounded and kept.any():
            assert abs(found.low - grid[kept].min()) <= 0.011
            assert abs(found.high - grid[kept].max()) <= 0.011
            outside += not kept_of(y, d, z, fit.coef[0])[0]
    assert outside >= 3  # the two-stage estimate itself is rejected, and still there is a set
    assert empty >= 3
