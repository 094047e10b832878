"""Closed-form leave-one-cluster-out moves against refitting without each cluster."""

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays
from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear import cell_tags
from tagcf.effects.linear.design import absorbed_group, make_design, survey
from tagcf.effects.methods import Joint

N_ITEMS, N_TAGS = 40, 3


def data(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    item = np.repeat(np.arange(N_ITEMS), random.integers(1, 9, N_ITEMS))
    carried = (random.random((N_ITEMS, N_TAGS)) < 0.4).astype(float)
    y = carried[item] @ [0.5, 0.0, -0.4] + random.normal(size=N_ITEMS)[item]
    return {
        "item": item,
        "control": random.integers(0, 4, N_ITEMS).astype(float),
        "carried": carried,
        "author": np.arange(N_ITEMS) // 4,
        "weight": random.integers(1, 5, item.size).astype(float),
        "y": y + random.normal(size=item.size),
    }


def fit(
    data: dict[str, np.ndarray],
    *,
    author: bool,
    cluster: str,
    errors: str = "CR3",
    control: bool = False,
) -> Fit:
    code = data["item"] if cluster == "item" else data["author"][data["item"]]
    log = log_from_arrays(
        item=data["item"],
        outcomes={"y": data["y"]},
        kinds={"y": "real"},
        weight=data["weight"],
        covariates={"kind": data["control"][data["item"]].astype(str)} if control else None,
        author=data["author"][data["item"]] if author else None,
        clusters={cluster: code},
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    absorbs = absorbed_group(log, author)
    design = make_design(log, survey(log, absorbs), absorbs=absorbs, knots=0, exposure="any")
    return fit_joint(
        log, data["carried"][order], design, (0,), Joint(errors=errors, item_effects="none")
    )


def refit(
    data: dict[str, np.ndarray], keep: np.ndarray, author: bool, control: bool = False
) -> np.ndarray:
    """Weighted least squares with dummies, the slow way."""
    item = data["item"][keep]
    columns = [data["carried"][item]]
    if control:
        columns.append((data["control"][item][:, None] == np.arange(1, 4)).astype(float))
    if author:
        own = data["author"][item]
        columns.append((own[:, None] == np.unique(own)).astype(float))
    else:
        columns.append(np.ones((item.size, 1)))
    x, root = np.hstack(columns), np.sqrt(data["weight"][keep])
    return np.linalg.lstsq(x * root[:, None], data["y"][keep] * root)[0][:N_TAGS]


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("author", "cluster"), [(False, "item"), (True, "item"), (False, "author"), (True, "author")]
)
def test_moves_match_refits(seed: int, author: bool, cluster: str, control: bool) -> None:
    world = data(seed)
    ours = fit(world, author=author, cluster=cluster, control=control)
    code = world["item"] if cluster == "item" else world["author"][world["item"]]
    everything = refit(world, np.ones(code.size, dtype=bool), author, control)
    moves = np.array(
        [everything - refit(world, code != one, author, control) for one in np.unique(code)]
    )
    count = len(moves)
    expected = (count - 1) / count * moves.T @ moves
    np.testing.assert_allclose(ours.errors.cov[0], expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    "place", ["one group", "whole groups", "part of a group", "several groups"]
)
@pytest.mark.parametrize("precise", [True, False])
def test_clusters_of_any_size_and_place_match_refits(
    place: str, precise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few cells or many, alone or filled up to the same size as others, within groups or across."""
    if not precise:
        monkeypatch.setattr(cell_tags, "DOUBLE_PRECISION", 0)
    random = np.random.default_rng(8)
    cluster = np.repeat(np.arange(14), [1, 2, 2, 3, 4, 5, 7, 8, 9, 16, 17, 32, 33, 45])
    group = {
        "one group": np.zeros(cluster.size, dtype=int),
        "whole groups": cluster,
        "part of a group": cluster % 3,
        "several groups": random.integers(0, 4, cluster.size),
    }[place]
    carried = (random.random((cluster.size, N_TAGS)) < 0.4).astype(float)
    weight = random.integers(1, 6, cluster.size).astype(float)
    y = carried @ [0.5, 0.0, -0.4] + random.normal(size=14)[cluster]
    y += random.normal(size=cluster.size)
    log = log_from_arrays(
        item=np.arange(cluster.size),
        outcomes={"y": y},
        weight=weight,
        stratum=None if place == "one group" else group,
        clusters={"cluster": cluster},
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    absorbs = absorbed_group(log, True)
    design = make_design(log, survey(log, absorbs), absorbs=absorbs, knots=0, exposure="any")
    ours = fit_joint(log, carried[order], design, (0,), Joint(item_effects="none"))

    def coef(keep: np.ndarray) -> np.ndarray:
        x = np.hstack([carried, group[:, None] == np.unique(group)])[keep]
        root = np.sqrt(weight[keep])
        return np.linalg.lstsq(x * root[:, None], y[keep] * root)[0][:N_TAGS]

    everything = coef(np.ones(cluster.size, dtype=bool))
    moves = np.array([everything - coef(cluster != one) for one in range(14)])
    expected = 13 / 14 * moves.T @ moves
    close = {"rtol": 1e-8, "atol": 1e-12} if precise else {"rtol": 1e-3, "atol": 1e-5}
    np.testing.assert_allclose(ours.errors.cov[0], expected, **close)


def test_effective_clusters_see_concentration() -> None:
    world = data(0)
    even = fit(world, author=False, cluster="item").errors
    carrier = int(np.flatnonzero(world["carried"][:, 0])[0])
    world["weight"][world["item"] == carrier] *= 30.0  # one item carries most rows of the tag
    concentrated = fit(world, author=False, cluster="item").errors
    assert concentrated.effective[0][0] < 0.6 * even.effective[0][0]


def test_a_tag_on_one_item_counts_as_one() -> None:
    world = data(1)
    world["carried"][:, 2] = 0.0
    world["carried"][7, 2] = 1.0
    errors = fit(world, author=False, cluster="item").errors
    assert errors.effective[0][2] < 1.5
    assert errors.df[0][2] == 1.0
    assert errors.largest_leverage[2] > 0.8
