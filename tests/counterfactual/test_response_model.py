"""The response model against known components, an exact solution, and the edges of its input."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tagcf.counterfactual.components import Components
from tagcf.counterfactual.model import fit_response, predict
from tagcf.data.arrays import log_from_arrays
from tagcf.types import Codes, EventLog, Floats, IdMap


def crossed_world(
    seed: int, n: int = 40_000, items: int = 500, users: int = 800
) -> tuple[EventLog, Codes, Codes, Floats, Floats]:
    """Outcome 10 + item (sd .3) + user (sd .5) + noise (sd .8), items by Zipf popularity."""
    rng = np.random.default_rng(seed)
    quality, taste = rng.normal(0, 0.3, items), rng.normal(0, 0.5, users)
    popularity = 1 / np.arange(1, items + 1) ** 0.8
    item = rng.choice(items, n, p=popularity / popularity.sum())
    user = rng.integers(0, users, n)
    outcome = 10 + quality[item] + taste[user] + rng.normal(0, 0.8, n)
    log = log_from_arrays(item=item, user=user, outcomes={"y": outcome})
    seen_items = np.array([int(one) for one in log.items.ids.to_pylist()])
    seen_users = np.array([int(one) for one in log.users.ids.to_pylist()])
    return log, seen_items, seen_users, quality, taste


def test_components_and_intervals_find_the_truth() -> None:
    covered, spreads = [], []
    for seed in range(4):
        log, items, users, quality, taste = crossed_world(seed)
        model = fit_response(log)
        spreads.append(np.sqrt(np.concatenate(_parts(model.components))))
        rng = np.random.default_rng(seed)
        item = rng.integers(0, len(items), 3000).astype(np.int32)
        user = rng.integers(0, len(users), 3000).astype(np.int32)
        truth = 10 + quality[items[item]] + taste[users[user]]
        found = predict(model, 0, item, user)
        covered.append(np.mean((found.low <= truth) & (truth <= found.high)))
    assert np.mean(spreads, axis=0) == pytest.approx([0.3, 0.5, 0.8], rel=0.06)
    assert 0.93 <= np.mean(covered) <= 0.97


def _parts(components: Components) -> tuple[Floats, Floats, Floats]:
    return components.item, components.user, components.noise


def test_crossed_deviations_are_the_exact_blup() -> None:
    """Henderson's mixed-model equations, solved densely with the same variances."""
    log, *_ = crossed_world(7, n=3000, items=40, users=50)
    model = fit_response(log)
    batch = next(iter(log.batches()))
    a, b, e = (float(part[0]) for part in _parts(model.components))
    n_items, n_users = len(log.items), len(log.users)
    design = np.zeros((log.n_rows, 1 + n_items + n_users))
    design[:, 0] = 1
    design[np.arange(log.n_rows), 1 + batch.item] = 1
    design[np.arange(log.n_rows), 1 + n_items + batch.user] = 1
    penalty = np.diag([0, *[e / a] * n_items, *[e / b] * n_users])
    solved = np.linalg.solve(design.T @ design + penalty, design.T @ batch.outcomes[:, 0])
    assert model.mean[0] == pytest.approx(solved[0], abs=0.005)
    assert model.item.value[:-1, 0] == pytest.approx(solved[1 : 1 + n_items], abs=0.01)
    assert model.user.value[:-1, 0] == pytest.approx(solved[1 + n_items :], abs=0.01)


@pytest.mark.parametrize("rows_kept", [2_000_000, 4_000])
def test_users_who_meet_the_same_item_again_and_again(
    rows_kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five plays of each song a user knows: one taste, not five; also from a sample of items."""
    monkeypatch.setattr("tagcf.counterfactual.repeats._ROWS_KEPT", rows_kept)
    spreads = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        quality, taste = rng.normal(0, 0.3, 1500), rng.normal(0, 0.5, 60)
        item, user = rng.integers(0, 1500, 4000), rng.integers(0, 60, 4000)
        item, user = np.repeat(item, 5), np.repeat(user, 5)
        outcome = quality[item] + taste[user] + rng.normal(0, 0.8, len(item))
        model = fit_response(log_from_arrays(item=item, user=user, outcomes={"y": outcome}))
        spreads.append(np.sqrt(np.concatenate(_parts(model.components))))
    assert np.mean(spreads, axis=0) == pytest.approx([0.3, 0.5, 0.8], rel=0.06)


def test_one_user_or_one_item_alone_is_not_compared() -> None:
    """An archive without user ids may carry one user for all rows."""
    rng = np.random.default_rng(0)
    item = rng.integers(0, 100, 5000)
    outcome = rng.normal(0, 0.4, 100)[item] + rng.normal(0, 1.0, 5000)
    everybody = fit_response(log_from_arrays(item=item, outcomes={"y": outcome}))
    one = fit_response(log_from_arrays(item=item, user=np.zeros(5000), outcomes={"y": outcome}))
    assert np.sqrt(one.components.item[0]) == pytest.approx(0.4, rel=0.15)
    assert one.components.item == pytest.approx(everybody.components.item)
    assert one.components.user[0] == 0
    turned = fit_response(log_from_arrays(item=np.zeros(5000), user=item, outcomes={"y": outcome}))
    assert np.sqrt(turned.components.user[0]) == pytest.approx(0.4, rel=0.15)
    assert turned.components.item[0] == pytest.approx(0, abs=1e-9)


def test_an_item_alone_is_its_own_audiences_shrunken_mean() -> None:
    """An item that was shown to easily pleased users is predicted for those."""
    rng = np.random.default_rng(0)
    n = 8000
    user = rng.integers(0, 200, n)
    item = np.where(user < 100, rng.integers(0, 50, n), rng.integers(50, 100, n))
    outcome = (rng.random(n) < np.where(user < 100, 0.7, 0.3)).astype(float)
    log = log_from_arrays(
        item=item.astype(np.int32),
        items=_map("i", 100),
        user=user.astype(np.int32),
        users=_map("u", 200),
        outcomes={"click": outcome},
    )
    model = fit_response(log)
    alone = predict(model, 0, np.arange(100, dtype=np.int32), None).value
    assert alone[:50].mean() == pytest.approx(0.7, abs=0.03)
    assert alone[50:].mean() == pytest.approx(0.3, abs=0.03)
    means = np.bincount(item, outcome, 100) / np.bincount(item, minlength=100)
    assert np.all(np.abs(alone - 0.5) <= np.abs(means - 0.5) + 0.02)  # shrunken, not stretched


def _map(letter: str, n: int) -> IdMap:
    return IdMap(pa.array([f"{letter}{k}" for k in range(n)], pa.string()))


def test_batches_do_not_change_the_model() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "item": rng.integers(0, 30, 2000),
        "user": rng.integers(0, 40, 2000),
        "outcomes": {"y": rng.normal(1e6, 1, 2000), "c": rng.random(2000) < 0.2},
    }
    one = fit_response(log_from_arrays(**columns))
    many = fit_response(log_from_arrays(**columns, batch_rows=17))
    assert many.item.value == pytest.approx(one.item.value, abs=1e-6)
    assert many.components.noise == pytest.approx(one.components.noise, rel=1e-6)


def test_missing_outcomes_and_weights_count_as_they_should() -> None:
    """A row of weight 3 is three rows; a missing outcome is no row."""
    item = np.array([0, 0, 1, 1, 2, 2] * 50)
    outcome = np.random.default_rng(0).normal(item, 1.0)
    outcome[::7] = np.nan
    weight = np.random.default_rng(1).integers(1, 4, len(item))
    weighted = fit_response(log_from_arrays(item=item, outcomes={"y": outcome}, weight=weight))
    known = ~np.isnan(outcome)
    means = [
        np.average(outcome[known & (item == k)], weights=weight[known & (item == k)])
        for k in range(3)
    ]
    alone = predict(weighted, 0, np.arange(3, dtype=np.int32), None)
    assert alone.value == pytest.approx(means, abs=0.05)
    assert np.all(alone.low < alone.value)


def test_unseen_items_and_users_get_the_mean_and_a_wide_interval() -> None:
    log, *_ = crossed_world(3, n=5000)
    model = fit_response(log)
    never = np.array([-1], np.int32)
    found = predict(model, 0, never, never)
    assert found.value[0] == pytest.approx(model.mean[0])
    seen = predict(model, 0, np.array([0], np.int32), np.array([0], np.int32))
    assert found.high[0] - found.low[0] > seen.high[0] - seen.low[0]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows(rows: int) -> None:
    log = log_from_arrays(
        item=np.arange(rows), user=np.arange(rows), outcomes={"y": np.arange(rows, dtype=float)}
    )
    model = fit_response(log)
    assert np.isfinite(model.mean).all()
    assert np.isfinite(predict(model, 0, np.array([-1], np.int32), None).value).all()


def test_one_row_per_item_of_trials_uses_binomial_noise() -> None:
    """An archive of tests: clicks of 3,000 views each; what exceeds the binomial is the items'."""
    rng = np.random.default_rng(0)
    chance = rng.normal(0.1, 0.02, 500).clip(0.01)
    views = np.full(500, 3000)
    log = log_from_arrays(
        item=np.arange(500),
        outcomes={"ctr": rng.binomial(views, chance)},
        kinds={"ctr": "count"},
        trials={"ctr": views},
    )
    model = fit_response(log)
    assert np.sqrt(model.components.item[0]) == pytest.approx(0.02, rel=0.1)
    assert model.components.user[0] == 0
    found = predict(model, 0, log.items.find([str(k) for k in range(500)]), None)
    assert np.mean((found.low <= chance) & (chance <= found.high)) == pytest.approx(0.95, abs=0.03)


def test_predictions_of_shares_stay_within_zero_and_one() -> None:
    item = np.repeat(np.arange(4), 100)
    log = log_from_arrays(item=item, user=item, outcomes={"click": (item > 1).astype(float)})
    model = fit_response(log)
    found = predict(model, 0, np.arange(4, dtype=np.int32), np.arange(4, dtype=np.int32))
    assert np.all((found.low >= 0) & (found.high <= 1))
