"""Effects as terms: shrunken, overruled by records, and mended where quality travels with tags."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, sparse, stats

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.rank.shrink import (
    Record,
    author_posterior,
    fuse_records,
    posterior,
    spread_of,
    sure_spread,
)
from tagcf.recommend.rank.tag_terms import shrunken, stray, terms_of_effects
from tagcf.types import EventLog, JointFit, TagEffects, TagMatrix


def effects_of(coef: np.ndarray, se: float) -> TagEffects:
    n = len(coef)
    fit = JointFit(
        outcome="like",
        kind="binary",
        tags=tuple(f"t{k}" for k in range(n)),
        coef=coef,
        cov=np.eye(n) * se**2,
        df=np.full(n, 100.0),
        usable=np.ones(n, dtype=bool),
        baseline=0.4,
    )
    return TagEffects((), (fit,))


def platform(
    quality: np.ndarray, carried: np.ndarray, rows_each: np.ndarray, seed: int = 0
) -> tuple[EventLog, TagMatrix]:
    """Items of these true means, shown at random to many users."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(len(quality)), rows_each)
    user = rng.integers(0, 300, item.size)
    like = (rng.random(item.size) < quality[item]).astype(float)
    names = [f"i{k:04d}" for k in range(len(quality))]
    log = log_from_arrays(
        item=np.asarray(names)[item],
        user=user,
        outcomes={"like": like},
        randomized=np.ones(item.size, dtype=bool),
    )
    tags = tags_from_arrays(log.items, carried, [f"t{k}" for k in range(carried.shape[1])])
    return log, tags


@pytest.fixture(scope="module")
def cold() -> tuple[EventLog, TagMatrix, np.ndarray, np.ndarray]:
    """The second half of the items has one row each; tags move items, tag 5 marks quality."""
    rng = np.random.default_rng(5)
    carried = rng.random((600, 8)) < 0.3
    effect = np.array([0.12, -0.12, 0.1, -0.1, 0.08, 0.0, 0.0, 0.0])
    quality = 0.4 + (carried - 0.3) @ effect + 0.2 * (carried[:, 5] - 0.3)
    quality = np.clip(quality + 0.04 * rng.normal(size=600), 0.02, 0.98)
    rows = np.where(np.arange(600) < 300, 120, 1)
    log, tags = platform(quality, carried, rows)
    return log, tags, quality, effect


def test_effects_lift_cold_items_and_leave_known_ones(
    cold: tuple[EventLog, TagMatrix, np.ndarray, np.ndarray],
) -> None:
    log, tags, quality, effect = cold
    items = np.arange(600)
    alone = Ranker(association=False, factors=4)
    without = alone.fit(log, tags).outcomes(-1, items)[:, 0]
    with_effects = alone.fit(log, tags, effects_of(effect, 0.01)).outcomes(-1, items)[:, 0]

    def error(found: np.ndarray, at: slice) -> float:
        return float(np.sqrt(np.mean((found[at] - quality[at]) ** 2)))

    new, known = slice(300, None), slice(None, 300)
    assert error(with_effects, new) < 0.8 * error(without, new)
    assert error(with_effects, known) < 1.1 * error(without, known)


def test_wrong_effects_do_not_overrule_records(
    cold: tuple[EventLog, TagMatrix, np.ndarray, np.ndarray],
) -> None:
    log, tags, quality, effect = cold
    known = np.arange(300)
    wrong = Ranker().fit(log, tags, effects_of(-effect, 0.01)).outcomes(-1, known)[:, 0]
    assert np.corrcoef(wrong, quality[:300])[0, 1] > 0.9


def test_quality_that_travels_with_a_tag_is_learned(
    cold: tuple[EventLog, TagMatrix, np.ndarray, np.ndarray],
) -> None:
    log, tags, quality, effect = cold
    new = np.arange(300, 600)
    toggles = effects_of(effect, 0.01)  # tag 5 does nothing, yet marks good items
    fitted = Ranker().fit(log, tags, toggles)
    assert fitted.tag_weight[5, 0] == pytest.approx(0.2, abs=0.06)
    alone = Ranker(association=False).fit(log, tags, toggles).outcomes(-1, new)[:, 0]
    mended = fitted.outcomes(-1, new)[:, 0]
    truth = quality[300:]
    assert np.corrcoef(mended, truth)[0, 1] > np.corrcoef(alone, truth)[0, 1] + 0.1


def test_true_effects_without_travelling_quality_stay() -> None:
    rng = np.random.default_rng(2)
    carried = sparse.csr_array((rng.random((500, 30)) < 0.2).astype(float))
    noise = np.full((500, 1), 0.02**2)
    record = Record(rng.normal(scale=0.05, size=(500, 1)), noise)
    variance = np.array([0.05**2 - 0.02**2]), np.zeros(1)
    nobody = np.full(500, -1)
    found = stray(carried, record, variance, nobody)
    assert np.sqrt((found**2).mean()) < 0.004
    planted = rng.normal(scale=0.1, size=30)
    moved = Record(record.mean + (carried @ planted)[:, None], noise)
    found = stray(carried, moved, variance, nobody)[:, 0]
    np.testing.assert_allclose(found, planted, atol=0.02)


def test_alike_items_of_one_author_do_not_pass_for_many() -> None:
    """All items of an author carry its tag: the tag's slope is told by authors, not items."""
    rng = np.random.default_rng(4)
    author = np.repeat(np.arange(12), 40)
    carried = sparse.csr_array((author[:, None] % 6 == np.arange(6)).astype(float))
    value = rng.normal(scale=0.1, size=12)[author] + rng.normal(scale=0.02, size=480)
    record = Record(value[:, None], np.full((480, 1), 1e-4))
    apart = stray(carried, record, (np.array([0.01]), np.zeros(1)), np.full(480, -1))
    alike = stray(carried, record, (np.array([4e-4]), np.array([0.01])), author)
    assert np.abs(alike).max() < 0.5 * np.abs(apart).max()


def test_terms_shrink_noise_away_and_keep_signal() -> None:
    rng = np.random.default_rng(0)
    carried = rng.random((200, 40)) < 0.2
    tags = platform(np.full(200, 0.5), carried, np.full(200, 1))[1]
    noise = terms_of_effects(
        effects_of(rng.normal(scale=0.05, size=40), 0.05), tags, ("like",), 1, 0.5
    )
    assert np.abs(noise.weight).max() < 0.05
    sure = rng.normal(scale=0.1, size=40)
    kept = terms_of_effects(effects_of(sure, 0.002), tags, ("like",), 1, 0.5)
    np.testing.assert_allclose(kept.weight[:, 0], sure, atol=0.003)
    value, variance = kept.of_items(tags.carried())
    np.testing.assert_allclose(value[:, 0].mean(), 0.0, atol=1e-6)
    centred = tags.carried().toarray() - kept.centre
    by_hand = np.einsum("it,ts,is->i", centred, kept.cov[0], centred)
    np.testing.assert_allclose(variance[:, 0], by_hand, atol=1e-9)


def correlated(rng: np.random.Generator, m: int, scale: float) -> np.ndarray:
    """Errors of tags that come together."""
    factors = rng.normal(size=(m, 6))
    cov = 0.25 * factors @ factors.T + np.diag(rng.uniform(0.5, 2.0, m))
    return np.asarray(scale**2 * cov / np.median(np.diag(cov)))


def test_shrunken_effects_are_near_the_posterior_at_the_likeliest_variances() -> None:
    """Against a numerical search over both variances and the normal posterior, solved whole."""
    rng = np.random.default_rng(6)
    logged, cov = rng.normal(scale=0.1, size=(30, 3)), correlated(rng, 30, 0.01)
    truth = logged @ [0.1, 0.0, 0.05] + rng.normal(scale=0.006, size=30)
    estimate = rng.multivariate_normal(truth, cov)
    x = logged / np.sqrt((logged**2).mean(axis=0))

    def prior(log: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(log[0]) * np.eye(30) + np.exp(log[1]) * x @ x.T)

    def against(log: np.ndarray) -> float:
        return -float(stats.multivariate_normal(np.zeros(30), prior(log) + cov).logpdf(estimate))

    found = optimize.minimize(against, np.log([3e-5, 3e-5]), method="Nelder-Mead")
    gain = prior(found.x) @ np.linalg.inv(prior(found.x) + cov)
    mean, spread = shrunken(estimate, cov, logged)
    np.testing.assert_allclose(mean, gain @ estimate, atol=1e-3)
    left = prior(found.x) - gain @ prior(found.x)
    np.testing.assert_allclose(np.diag(spread), np.diag(left), rtol=0.6)


@pytest.mark.parametrize("foretold", [0.0, 0.1])
def test_shrunken_effects_are_calibrated(foretold: float) -> None:
    rng = np.random.default_rng(7)
    z, slopes, better = [], [], []
    for _ in range(60):
        logged, cov = rng.normal(scale=0.1, size=(24, 2)), correlated(rng, 24, 0.012)
        truth = foretold * logged[:, 0] + rng.normal(scale=0.008, size=24)
        estimate = rng.multivariate_normal(truth, cov)
        mean, spread = shrunken(estimate, cov, logged)
        alone = shrunken(estimate, cov, logged[:, :0])[0]
        z.append((mean - truth) / np.sqrt(np.diag(spread)))
        slopes.append((mean @ truth, mean @ mean))
        better.append(((alone - truth) ** 2).mean() - ((mean - truth) ** 2).mean())
    told = np.sum(slopes, axis=0)
    assert told[0] / told[1] == pytest.approx(1.0, abs=0.2)
    assert np.mean(np.square(z)) == pytest.approx(1.0, abs=0.25)
    # In units of what shrinking alone leaves: borrowing pays where there is something to borrow.
    assert np.mean(better) / 0.008**2 > (0.05 if foretold else -0.05)


def test_a_spread_that_chance_alone_would_show_is_none() -> None:
    rng = np.random.default_rng(8)
    noise = rng.uniform(0.5, 2.0, size=(400, 1))
    found = []
    for _ in range(60):
        nothing = Record(np.sqrt(noise) * rng.normal(size=noise.shape), noise)
        found.append((spread_of(nothing)[0] > 0, sure_spread(nothing)[0] > 0))
    usual, sure = np.mean(found, axis=0)
    assert usual > 0.3
    assert sure < 0.15
    true = rng.normal(size=noise.shape)
    much = Record(true + np.sqrt(noise) * rng.normal(size=noise.shape), noise)
    assert 0.6 < sure_spread(much)[0] < spread_of(much)[0]


def test_records_of_both_kinds_of_rows_learn_the_bias_of_the_chosen() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(400, 1))
    random = Record(truth + 0.5 * rng.normal(size=truth.shape), np.full(truth.shape, 0.25))
    biased = truth + 2.0 + 0.8 * rng.normal(size=truth.shape)
    chosen = Record(biased + 0.1 * rng.normal(size=truth.shape), np.full(truth.shape, 0.01))
    fused, bias = fuse_records(random, chosen)
    assert bias[0] == pytest.approx(0.64, rel=0.25)
    error = np.sqrt(((fused.mean - truth) ** 2).mean())
    assert error < np.sqrt(((random.mean - truth) ** 2).mean())
    assert error == pytest.approx(np.sqrt(fused.variance.mean()), rel=0.15)


def test_posteriors_are_those_of_the_random_effects_model() -> None:
    """Against the mixed model's own equations, solved whole."""
    rng = np.random.default_rng(3)
    author = np.repeat(np.arange(80), 8)
    noise = rng.uniform(0.2, 2.0, size=640)
    truth = rng.normal(scale=1.0, size=80)[author] + rng.normal(scale=0.7, size=640)
    record = Record((truth + np.sqrt(noise) * rng.normal(size=640))[:, None], noise[:, None])
    spread = spread_of(record)
    assert spread[0] == pytest.approx(1.49, rel=0.25)
    by_author, shared = author_posterior(record, spread, author, 80)
    assert shared[0] == pytest.approx(1.0, rel=0.35)
    own = posterior(record, spread - shared, by_author[author])
    prior = shared[0] * (author[:, None] == author) + (spread - shared)[0] * np.eye(640)
    blup = prior @ np.linalg.solve(prior + np.diag(noise), record.mean[:, 0])
    np.testing.assert_allclose(own.mean[:, 0], blup, atol=1e-8)
