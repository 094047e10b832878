"""Items as random effects against generalised least squares written out."""

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays
from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear.design import absorbed_group, make_design, survey
from tagcf.effects.linear.item_effects import between_variance
from tagcf.effects.methods import Joint

N_ITEMS, N_TAGS = 30, 3


def data(seed: int, between: float = 1.0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    item = np.repeat(np.arange(N_ITEMS), random.integers(2, 40, N_ITEMS))
    carried = (random.random((N_ITEMS, N_TAGS)) < 0.4).astype(float)
    control = random.normal(size=item.size)
    y = carried[item] @ [0.5, 0.0, -0.4] + 0.3 * control + random.normal(size=item.size)
    return {
        "item": item,
        "user": random.integers(0, 25, item.size),
        "carried": carried,
        "author": np.arange(N_ITEMS) // 5,
        "control": control,
        "y": y + between * random.normal(size=N_ITEMS)[item],
    }


def fit(world: dict[str, np.ndarray], *, author: bool, users: bool = False) -> Fit:
    clusters = {"item": world["item"]} | ({"user": world["user"]} if users else {})
    log = log_from_arrays(
        item=world["item"],
        user=world["user"],
        outcomes={"y": world["y"]},
        kinds={"y": "real"},
        covariates={"control": world["control"]},
        author=world["author"][world["item"]] if author else None,
        clusters=clusters,
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    absorbs = absorbed_group(log, author)
    design = make_design(log, survey(log, absorbs), absorbs=absorbs, knots=0, exposure="any")
    return fit_joint(log, world["carried"][order], design, (0,), Joint(knots=0))


def generalised(
    world: dict[str, np.ndarray], ratio: float, keep: np.ndarray, *, author: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, their linear form in y, and residuals, with the full covariance matrix."""
    item = world["item"][keep]
    columns = [world["carried"][item], world["control"][keep, None]]
    if author:
        own = world["author"][item]
        columns.append((own[:, None] == np.unique(own)).astype(float))
    else:
        columns.append(np.ones((item.size, 1)))
    x = np.hstack(columns)
    weight = np.linalg.inv(np.eye(item.size) + ratio * (item[:, None] == item))
    form = np.linalg.pinv(x.T @ weight @ x) @ x.T @ weight
    coef = form @ world["y"][keep]
    return coef[:N_TAGS], form[:N_TAGS], world["y"][keep] - x @ coef


def ratio_of(ours: Fit) -> float:
    rows = ours.sums.rows
    at = int(rows.argmax())
    return float((1 / ours.share[at] - 1) / rows[at])


@pytest.mark.parametrize("author", [False, True])
def test_coefficients_are_those_of_generalised_least_squares(author: bool) -> None:
    world = data(0)
    ours = fit(world, author=author)
    ratio = ratio_of(ours)
    assert 0.2 < ratio < 5.0
    everything, _, _ = generalised(world, ratio, np.ones(world["y"].size, bool), author=author)
    np.testing.assert_allclose(ours.solved.coef[:, 0], everything, rtol=1e-9)


def test_errors_add_users_and_items_and_take_off_their_pairs() -> None:
    world = data(1)
    ours = fit(world, author=False, users=True)
    everyone = np.ones(world["y"].size, bool)
    _, form, residual = generalised(world, ratio_of(ours), everyone, author=False)
    scores = form * residual  # (T, n)

    def squares(code: np.ndarray, factor: float = 1.0) -> np.ndarray:
        sums = np.stack([scores[:, code == one].sum(axis=1) for one in np.unique(code)])
        share = np.bincount(code)[np.unique(code)] / code.size
        sums *= (factor / (1 - share) if factor < 1 else np.ones(len(sums)))[:, None]
        return sums.T @ sums

    users = len(np.unique(world["user"]))
    pairs = squares(world["user"] * N_ITEMS + world["item"])
    by_user = squares(world["user"], np.sqrt((users - 1) / users))
    moves = ours.errors.moves[0][0]
    by_item = moves.T @ moves
    np.testing.assert_allclose(ours.errors.moves[1][0].T @ ours.errors.moves[1][0], by_user)
    both = np.diag(by_item + by_user - pairs)
    expected = np.maximum(both, np.maximum(np.diag(by_item), np.diag(by_user)))
    assert (expected == both).any()
    np.testing.assert_allclose(np.diag(ours.errors.cov[0]), expected)


def test_leaving_an_item_out_moves_the_coefficients_as_told() -> None:
    # With a control that does not vary within items the closed form is exact.
    world = data(2)
    world["control"] = world["control"][world["item"]]
    ours = fit(world, author=False)
    ratio = ratio_of(ours)
    everyone = np.ones(world["y"].size, bool)
    whole, _, _ = generalised(world, ratio, everyone, author=False)
    moves = np.stack(
        [
            whole - generalised(world, ratio, world["item"] != one, author=False)[0]
            for one in range(N_ITEMS)
        ]
    )
    np.testing.assert_allclose(
        ours.errors.cov[0], (N_ITEMS - 1) / N_ITEMS * moves.T @ moves, rtol=1e-6, atol=1e-12
    )


def test_alike_items_leave_all_rows_alike() -> None:
    ours = fit(data(3, between=0.0), author=False)
    assert ours.share.min() > 0.3
    assert fit(data(3, between=2.0), author=False).share.min() < 0.02


def test_variance_between_means() -> None:
    random = np.random.default_rng(0)
    noise = random.uniform(0.1, 3.0, 4_000)
    means = random.normal(scale=np.sqrt(0.7 + noise))
    assert between_variance(means, noise, means.size) == pytest.approx(0.7, abs=0.08)
    assert between_variance(random.normal(size=50) * 1e-3, noise[:50], 50) == 0.0


def test_rows_of_an_item_that_are_all_alike_make_items_count_alike() -> None:
    world = data(4)
    world["y"] = (world["carried"] @ [0.5, 0.0, -0.4] + np.sin(np.arange(N_ITEMS)))[world["item"]]
    world["control"] = np.zeros(world["item"].size)
    ours = fit(world, author=False)
    of_items = np.array([world["y"][world["item"] == one][0] for one in range(N_ITEMS)])
    columns = np.column_stack([world["carried"], np.ones(N_ITEMS)])
    expected = np.linalg.lstsq(columns, of_items)[0][:N_TAGS]
    np.testing.assert_allclose(ours.solved.coef[:, 0], expected, atol=2e-3)
    assert (ours.errors.effective[0] > 5).all()
