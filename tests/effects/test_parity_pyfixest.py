"""Joint coefficients and plain sandwich errors against pyfixest, the reference library."""

import numpy as np
import pandas as pd
import pyfixest
import pytest

from tagcf.data.arrays import log_from_arrays
from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear.design import absorbed_group, make_design, survey
from tagcf.effects.methods import Joint

COEF_TOLERANCE = 1e-6
SE_TOLERANCE = 1e-3
N_TAGS = 5


def world(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    n_rows, n_items, n_users = 6_000, 150, 200
    carried = (random.random((n_items, N_TAGS)) < 0.3).astype(float)
    carried[:, 1] = np.maximum(carried[:, 1], carried[:, 0] * (random.random(n_items) < 0.7))
    frame = pd.DataFrame(
        {
            "item": random.integers(0, n_items, n_rows),
            "user": random.integers(0, n_users, n_rows),
            "age": random.normal(size=n_rows),
            "length": 0.0,
            "weight": random.integers(1, 9, n_rows).astype(float),
        }
    )
    frame["author"] = frame["item"] // 5
    frame["length"] = random.lognormal(size=n_items)[frame["item"]]
    quality = random.normal(size=n_items) * 0.5
    habit = random.normal(size=n_users) * 0.5
    tags = carried[frame["item"]]
    frame["y"] = (
        tags @ np.array([0.5, 0.0, -0.3, 0.2, 0.0])
        + 0.4 * frame["age"]
        - 0.2 * frame["length"]
        + quality[frame["item"]]
        + habit[frame["user"]]
        + random.normal(size=n_rows) * (1 + tags[:, 0])
    )
    for tag in range(N_TAGS):
        frame[f"t{tag}"] = tags[:, tag]
    return frame, carried


def our_fit(frame: pd.DataFrame, carried: np.ndarray, *, author: bool, weight: bool) -> Fit:
    n_items = len(carried)
    log = log_from_arrays(
        item=frame["item"].to_numpy(),
        items=None,
        user=frame["user"].to_numpy(),
        outcomes={"y": frame["y"].to_numpy()},
        kinds={"y": "real"},
        covariates={"age": frame["age"].to_numpy(), "length": frame["length"].to_numpy()},
        weight=frame["weight"].to_numpy() if weight else None,
        author=frame["author"].to_numpy() if author else None,
        clusters={"user": frame["user"].to_numpy(), "item": frame["item"].to_numpy()},
    )
    order = [int(log.items[at]) for at in range(n_items)]
    using = Joint(knots=0, errors="CR1", author_effects=author, item_effects="none")
    seen = survey(log, absorbed_group(log, author))
    design = make_design(log, seen, absorbs=absorbed_group(log, author), knots=0, exposure="any")
    return fit_joint(log, carried[order], design, (0,), using)


@pytest.mark.parametrize("author", [False, True])
@pytest.mark.parametrize("weight", [False, True])
def test_joint_matches_pyfixest(author: bool, weight: bool) -> None:
    frame, carried = world(seed=3)
    fit = our_fit(frame, carried, author=author, weight=weight)
    formula = "y ~ t0+t1+t2+t3+t4 + age + length" + (" | author" if author else "")
    reference = pyfixest.feols(
        formula,
        data=frame,
        vcov={"CRV1": "user+item"},
        weights="weight" if weight else None,
        ssc=pyfixest.ssc(k_adj=False, G_adj=False),
    )
    names = [f"t{tag}" for tag in range(N_TAGS)]
    coef = reference.coef().loc[names].to_numpy()
    np.testing.assert_allclose(fit.solved.coef[:, 0], coef, atol=COEF_TOLERANCE)
    se = np.sqrt(np.diag(fit.errors.cov[0]))
    np.testing.assert_allclose(se, reference.se().loc[names].to_numpy(), rtol=SE_TOLERANCE)
