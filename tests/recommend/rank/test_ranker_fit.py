"""The ranker against the truth of a simulated platform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate import Platform, World, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint
from tagcf.errors import DataError, OutputError, UnknownNameError
from tagcf.recommend.rank.fitted import Context, FittedRanker
from tagcf.recommend.rank.position import find_places
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.rank.store import load_ranker, save_ranker
from tagcf.types import IdMap


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(Platform(users=400, items=400, seed=3))


@pytest.fixture(scope="module")
def fitted(world: World) -> FittedRanker:
    effects = estimate_effects(world.log, world.tags, Joint())
    return Ranker().fit(world.log, world.tags, effects)


def pairs(world: World, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, world.settings.users, n), rng.integers(0, world.settings.items, n)


def test_it_predicts_what_showing_an_item_does(world: World, fitted: FittedRanker) -> None:
    users, items = pairs(world)
    found, truth = fitted.outcomes(users, items), world.expected(users, items)
    for k in range(truth.shape[1]):
        slope, _ = np.polyfit(found[:, k], truth[:, k], 1)
        assert np.corrcoef(found[:, k], truth[:, k])[0, 1] > 0.65, fitted.names[k]
        assert 0.8 < slope < 1.2, fitted.names[k]
        # Uniform pairs, not those that the policy liked to show: the level is theirs.
        assert found[:, k].mean() == pytest.approx(truth[:, k].mean(), rel=0.05)


def test_policy_rows_alone_are_corrected_by_their_propensities(world: World) -> None:
    def chosen() -> object:
        return (batch.rows(~batch.randomized) for batch in world.log.batches())

    n_rows = sum(batch.n_rows for batch in chosen())
    log = replace(world.log, batches=chosen, n_rows=n_rows)

    def unlogged() -> object:
        return (replace(batch, propensity=None) for batch in chosen())

    users, items = pairs(world)
    truth = world.expected(users, items).mean(axis=0)
    corrected = Ranker().fit(log, world.tags).outcomes(users, items)[:, :5].mean(axis=0)
    plain = replace(log, batches=unlogged)
    naive = Ranker().fit(plain, world.tags).outcomes(users, items)[:, :5].mean(axis=0)
    # The policy shows people what suits them, so that its own rows say too much.
    assert (naive > truth).all()
    assert (np.abs(corrected - truth) < 0.6 * np.abs(naive - truth)).all()


def test_calibration_is_reported_out_of_fold(fitted: FittedRanker) -> None:
    errors = dict(zip(fitted.names, fitted.described.calibration, strict=True))
    assert errors["click"].error < 0.04
    assert errors["like"].rows > 1_000


def test_new_users_and_items_get_what_is_known_of_their_kind(
    world: World, fitted: FittedRanker
) -> None:
    nobody = fitted.outcomes([-1, 10_000_000], [-1, 10_000_000])
    assert np.isfinite(nobody).all()
    np.testing.assert_allclose(nobody[0], nobody[1])
    known = fitted.outcomes(0, np.arange(world.settings.items))
    assert known.shape == (world.settings.items, len(fitted.names))
    assert np.ptp(known[:, 0]) > 0.05


def test_a_request_may_bring_its_own_covariates(world: World, fitted: FittedRanker) -> None:
    items = np.arange(50)
    plain = fitted.outcomes(3, items)
    same = fitted.outcomes(3, items, Context(covariates=np.full((50, 3), np.nan)))
    np.testing.assert_allclose(plain, same, atol=1e-9)
    short, long = (np.full((50, 3), np.nan) for _ in range(2))
    short[:, 0], long[:, 0] = 8.0, 60.0
    completion = fitted.names.index("completion")
    quick = fitted.outcomes(3, items, Context(covariates=short))[:, completion]
    slow = fitted.outcomes(3, items, Context(covariates=long))[:, completion]
    assert (quick > slow + 0.1).all()


def test_saved_and_loaded_it_says_the_same(
    world: World, fitted: FittedRanker, tmp_path: Path
) -> None:
    save_ranker(tmp_path / "ranker.npz", fitted)
    again = load_ranker(tmp_path / "ranker.npz")
    users, items = pairs(world, 2_000)
    np.testing.assert_array_equal(again.outcomes(users, items), fitted.outcomes(users, items))
    assert again.described == fitted.described


def test_a_broken_file_is_said_to_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "ranker.npz"
    with pytest.raises(OutputError, match=r"ranker\.npz"):
        load_ranker(path)
    path.write_bytes(b"not a zip file")
    with pytest.raises(OutputError, match="Train and save it again"):
        load_ranker(path)


def test_scores_of_other_models_are_used_and_asked_for() -> None:
    rng = np.random.default_rng(1)
    n, n_items, n_users = 20_000, 60, 200
    user, item = rng.integers(0, n_users, n), rng.integers(0, n_items, n)
    liking = rng.normal(size=(n_users, n_items))
    click = rng.random(n) < np.clip(0.5 + 0.12 * liking[user, item], 0, 1)
    items = IdMap(log_ids("i", n_items))
    log = log_from_arrays(
        item=item,
        user=user,
        items=items,
        users=IdMap(log_ids("u", n_users)),
        outcomes={"click": click.astype(float)},
    )
    tags = tags_from_arrays(items, rng.random((n_items, 6)) < 0.3, [f"t{k}" for k in range(6)])
    fitted = Ranker().fit(
        log, tags, scores=lambda users, items, ts: liking[users, items][:, None], n_scores=1
    )
    score = liking[5][:, None]
    found = fitted.outcomes(5, np.arange(n_items), Context(scores=score))[:, 0]
    assert np.corrcoef(found, liking[5])[0, 1] > 0.95
    with pytest.raises(DataError, match="fitted with scores"):
        fitted.outcomes(5, np.arange(n_items))


def log_ids(prefix: str, n: int) -> object:
    import pyarrow as pa

    return pa.array([f"{prefix}{k}" for k in range(n)], pa.string())


def test_batches_of_any_size_give_the_same(world: World, fitted: FittedRanker) -> None:
    effects = estimate_effects(world.log, world.tags, Joint())
    whole = Ranker().fit(small_batches(world, 5_000), world.tags, effects)
    users, items = pairs(world, 2_000)
    np.testing.assert_allclose(
        whole.outcomes(users, items), fitted.outcomes(users, items), rtol=1e-6, atol=1e-8
    )


def small_batches(world: World, size: int) -> object:
    def batches() -> object:
        for batch in world.log.batches():
            for start in range(0, batch.n_rows, size):
                yield batch.rows(slice(start, start + size))

    return replace(world.log, batches=batches)


def test_an_empty_log_is_refused(world: World) -> None:
    empty = replace(world.log, n_rows=0, batches=lambda: iter(()))
    with pytest.raises(DataError, match="nothing to learn from"):
        Ranker().fit(empty, world.tags)


def test_places_are_told_from_items_and_corrected() -> None:
    """Better items stand higher, and lower places are looked at less."""
    rng = np.random.default_rng(7)
    n, n_items = 60_000, 80
    quality = rng.uniform(0.2, 0.8, n_items)
    item = rng.integers(0, n_items, n)
    place = np.clip(np.round(6 * (1 - quality[item]) + rng.normal(size=n) * 2), 0, 7)
    looked = 0.8**place
    click = (rng.random(n) < quality[item] * looked).astype(float)
    items = IdMap(log_ids("i", n_items))
    log = log_from_arrays(
        item=item,
        items=items,
        user=rng.integers(0, 500, n),
        outcomes={"click": click},
        covariates={"position": place + 1},
    )
    tags = tags_from_arrays(items, np.zeros((n_items, 1)), ["t"])
    share = find_places(log, "position").share[:8, 0]
    np.testing.assert_allclose(share, 0.8 ** np.arange(8), rtol=0.08)
    at = np.arange(n_items)
    corrected = Ranker(position="position").fit(log, tags).outcomes(-1, at)[:, 0]
    assert np.sqrt(np.mean((corrected - quality) ** 2)) < 0.04
    plain = Ranker().fit(log, tags).outcomes(-1, at)[:, 0]
    assert plain.mean() < 0.7 * quality.mean()
    with pytest.raises(UnknownNameError, match="place"):
        Ranker(position="place").fit(log, tags)


def test_without_tags_the_records_alone_rank(world: World) -> None:
    fitted = Ranker().fit(world.log)
    users, items = pairs(world, 5_000)
    found, truth = fitted.outcomes(users, items), world.expected(users, items)
    assert np.corrcoef(found[:, 0], truth[:, 0])[0, 1] > 0.6
