"""Several tags moved at once, many instruments, and sets that hold however weak these are."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IVLIML
from scipy import optimize

from tagcf.effects.instruments.concentrated import Products, least
from tagcf.effects.instruments.least_squares import StageFit, two_stage
from tagcf.effects.instruments.stage_sums import StageBlock
from tagcf.effects.instruments.weak import strength
from tagcf.effects.methods import Liml

TRUTH = np.array([0.5, -0.5])


def assigned(seed: int, strengths: tuple[float, ...], levels: int = 3, n_clusters: int = 150):
    """Buckets given to clusters, endogenous variables that share shocks with the outcome."""
    random = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), 4)
    item = random.integers(0, 60, cluster.size)
    level = random.integers(0, levels + 1, n_clusters)
    z = (level[:, None] == np.arange(1, levels + 1)).astype(float)[cluster]
    shock = (
        random.normal(size=(cluster.size, 2)) + 0.7 * random.normal(size=(n_clusters, 2))[cluster]
    )
    shock *= 1 + 0.8 * z[:, [0]]  # the variance depends on the bucket
    d = z @ (random.normal(size=(levels, 2)) * strengths) + shock
    y = d @ TRUTH + 0.8 * shock.sum(axis=1) + random.normal(size=cluster.size)
    y += 0.3 * random.normal(size=60)[item]
    block = StageBlock(
        y=y[:, None],
        endogenous=d,
        controls=np.ones((cluster.size, 1)),
        instruments=z,
        w=np.ones(cluster.size),
        clusters=np.stack([cluster, item], axis=1).astype(np.int32),
    )
    return lambda: [block]


@pytest.mark.parametrize("strengths", [(1.5, 1.5), (1.5, 0.1), (0.1, 0.1)])
def test_sets_cover_however_weak_one_or_the_other_is(strengths: tuple[float, ...]) -> None:
    covered, bounded = [], []
    for seed in range(60):
        blocks = assigned(seed, strengths)
        found = strength(blocks, two_stage(blocks)).sets[0][0]
        covered.append(not found.bounded or (not found.empty and found.low <= 0.5 <= found.high))
        bounded.append(found.bounded)
    assert np.mean(covered) >= 0.9
    assert np.mean(bounded) >= 0.8 if min(strengths) > 1 else np.mean(bounded) <= 0.3


def test_a_useless_instrument_is_rarely_a_claim() -> None:
    claims = []
    for seed in range(80):
        blocks = assigned(seed, (0.0, 0.0))
        found = strength(blocks, two_stage(blocks)).sets[0][0]
        claims.append(found.bounded and not found.empty and not found.low <= 0 <= found.high)
    assert np.mean(claims) <= 0.05


def test_concentrating_out_finds_the_minimum() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(size=(200, 4, 3)) + 0.5 * random.normal(size=(200, 1, 3))
    products = Products(
        total=random.normal(size=(3, 4)) * 20,
        products=np.einsum("gal,gbm->albm", scores, scores),
    )
    for value in (-2.0, 0.0, 1.5):
        start = np.array([-value, 0.0, 0.0, 1.0])
        found = least(products, start, np.array([0.0, 1.0, 1.0, 0.0]))

        def statistic(free: np.ndarray, start: np.ndarray = start) -> float:
            weights = start.copy()
            weights[1:3] = free
            gap = products.total @ weights
            omega = np.einsum("a,albm,b->lm", weights, products.products, weights)
            return float(gap @ np.linalg.solve(omega, gap))

        best = optimize.brute(statistic, [(-8, 8), (-8, 8)], Ns=60, full_output=True)
        assert found.value <= best[1] + 1e-4 * max(best[1], 1.0)
        assert found.value == pytest.approx(statistic(found.weights[1:3]), rel=1e-9)


def test_the_set_of_one_is_the_set_of_one() -> None:
    """With the other variable known to be moved by a bucket of its own, both ways agree."""
    blocks = assigned(3, (2.0, 2.0), levels=2)
    fit = two_stage(blocks)
    first, second = strength(blocks, fit).sets[0]
    for found, at in ((first, 0), (second, 1)):
        # As many buckets as variables: the set is centred on the estimate, 1.96 errors to a side
        # up to the null's own variance.
        assert found.low < fit.coef[at, 0] < found.high
        ratio = (found.high - found.low) / (3.92 * np.sqrt(fit.cov[0, at, at]))
        assert 0.8 < ratio < 2.0


def many(seed: int, shock: float = 0.0) -> tuple[Callable[[], list[StageBlock]], float]:
    """Fifty weak instruments, and what least squares makes of it."""
    random = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(400), 4)
    z = (random.integers(0, 51, 400)[:, None] == np.arange(1, 51)).astype(float)[cluster]
    u = random.normal(size=cluster.size) + shock * random.normal(size=400)[cluster]
    d = z @ random.normal(size=50) * 0.24 + u + random.normal(size=cluster.size)
    y = 0.5 * d + 1.5 * u + random.normal(size=cluster.size)
    block = StageBlock(
        y=y[:, None],
        endogenous=d[:, None],
        controls=np.ones((cluster.size, 1)),
        instruments=z,
        w=np.ones(cluster.size),
        clusters=cluster[:, None].astype(np.int32),
    )
    return lambda: [block], float(np.polyfit(d, y, 1)[0])


def test_many_weak_instruments_pull_two_stage_to_least_squares_and_not_liml() -> None:
    found: dict[str, list[tuple[float, float]]] = {"2sls": [], "liml": []}
    plain = []
    for seed in range(40):
        blocks, least_squares = many(seed)
        plain.append(least_squares)
        for name, estimator in (("2sls", None), ("liml", Liml())):
            fit: StageFit = two_stage(blocks, 0, estimator)
            found[name].append((fit.coef[0, 0], np.sqrt(fit.cov[0, 0, 0])))
    two, liml = np.array(found["2sls"]), np.array(found["liml"])
    assert np.median(two[:, 0]) - 0.5 > 0.4 * (np.mean(plain) - 0.5)
    assert abs(np.median(liml[:, 0]) - 0.5) < 0.15 * (np.mean(plain) - 0.5)
    assert np.mean(np.abs(two[:, 0] - 0.5) <= 1.96 * two[:, 1]) <= 0.4
    assert np.mean(np.abs(liml[:, 0] - 0.5) <= 1.96 * liml[:, 1]) >= 0.85


@pytest.mark.parametrize("n_endogenous", [1, 3])
def test_liml_matches_linearmodels(n_endogenous: int) -> None:
    random = np.random.default_rng(7)
    n = 1_500
    z, u = random.normal(size=(n, n_endogenous + 6)), random.normal(size=n)
    x, cluster = random.normal(size=(n, 2)), random.integers(0, 70, n)
    d = z @ random.normal(size=(z.shape[1], n_endogenous)) * 0.2 + u[:, None]
    d += random.normal(size=d.shape)
    y = d.sum(axis=1) + u + x[:, 0] + random.normal(size=n)
    controls = np.column_stack([np.ones(n), x])
    block = StageBlock(y[:, None], d, controls, z, np.ones(n), cluster[:, None].astype(np.int32))
    fit = two_stage(lambda: [block], 0, Liml())
    names = [f"d{at}" for at in range(n_endogenous)]
    model = IVLIML(
        pd.Series(y),
        pd.DataFrame(controls, columns=["one", "x0", "x1"]),
        pd.DataFrame(d, columns=names),
        pd.DataFrame(z, columns=[f"z{at}" for at in range(z.shape[1])]),
    )
    plain = model.fit(cov_type="unadjusted")
    assert fit.kappa[0] == pytest.approx(plain.kappa, rel=1e-8)
    np.testing.assert_allclose(fit.coef[:, 0], plain.params[names], atol=1e-6)
    np.testing.assert_allclose(
        np.sqrt(np.diag(fit.cov_unadjusted[0])), plain.std_errors[names], rtol=1e-6
    )
    clustered = model.fit(cov_type="clustered", clusters=cluster).std_errors[names]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov[0])), clustered, rtol=0.05)
