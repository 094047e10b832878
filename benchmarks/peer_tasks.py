"""The peers, each as an analyst would call it; run in an environment of their own by `peers`.

``python -m benchmarks.peer_tasks '{"task": "econml", …}'`` prints one line of JSON. Nuisances are
the cheapest that the peer offers for a 0/1 treatment (least squares, logistic regression, two
folds): with forests or boosting every ratio would be larger.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.dgp import Size, World, make_world
from benchmarks.measure import measure

Answer = tuple[np.ndarray, np.ndarray]  # estimates and errors, NaN where the peer gives none


def pyfixest(world: World, tags: list[int]) -> Answer:
    """All tags jointly by least squares, errors two-way by user and item."""
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(_wide(world), columns=[*_x_names(world), *world.names])
    frame["y"], frame["user"], frame["item"] = world.y[:, 0], world.user, world.item
    formula = "y ~ " + " + ".join([*_x_names(world), *world.names])
    fit = pf.feols(formula, frame, vcov={"CRV1": "user+item"})
    names = [world.names[t] for t in tags]
    return fit.coef()[names].to_numpy(), fit.se()[names].to_numpy()


def econml(world: World, tags: list[int]) -> Answer:
    """LinearDML per tag; covariates and all other tags as controls."""
    from econml.dml import LinearDML
    from sklearn.linear_model import LinearRegression, LogisticRegression

    wide, y = _wide(world), world.y[:, 0].astype(float)
    found = []
    for t in tags:
        d, w = _split(world, wide, t)
        model = LinearDML(
            model_y=LinearRegression(),
            model_t=LogisticRegression(max_iter=1000),
            discrete_treatment=True,
            cv=2,
            random_state=0,
        )
        model.fit(y, d, W=w)
        told = model.ate_inference()
        found.append((float(np.ravel(told.mean_point)[0]), float(np.ravel(told.stderr_mean)[0])))
    return _columns(found)


def econml_linear(world: World, tags: list[int]) -> Answer:
    """LinearDML with least squares for the treatment too: its fastest form."""
    from econml.dml import LinearDML
    from sklearn.linear_model import LinearRegression

    wide, y = _wide(world), world.y[:, 0].astype(float)
    found = []
    for t in tags:
        d, w = _split(world, wide, t)
        model = LinearDML(
            model_y=LinearRegression(), model_t=LinearRegression(), cv=2, random_state=0
        )
        model.fit(y, d, W=w)
        told = model.ate_inference()
        found.append((float(np.ravel(told.mean_point)[0]), float(np.ravel(told.stderr_mean)[0])))
    return _columns(found)


def doubleml(world: World, tags: list[int]) -> Answer:
    """Partially linear regression per tag; covariates and all other tags as controls."""
    import doubleml as dml
    from sklearn.linear_model import LinearRegression, LogisticRegression

    wide, y = _wide(world), world.y[:, 0].astype(float)
    found = []
    for t in tags:
        d, w = _split(world, wide, t)
        model = dml.DoubleMLPLR(
            dml.DoubleMLData.from_arrays(w, y, d),
            LinearRegression(),
            LogisticRegression(max_iter=1000),
            n_folds=2,
        )
        model.fit()
        found.append((float(model.coef[0]), float(model.se[0])))
    return _columns(found)


def dowhy(world: World, tags: list[int]) -> Answer:
    """Propensity score matching per tag, on the treated; covariates and all other tags."""
    import pandas as pd
    from dowhy import CausalModel

    names = [*_x_names(world), *world.names]
    frame = pd.DataFrame(_wide(world), columns=names)
    frame["y"] = world.y[:, 0].astype(float)
    found = []
    for t in tags:
        treatment = world.names[t]
        data = frame.assign(**{treatment: frame[treatment].astype(bool)})
        model = CausalModel(
            data, treatment, "y", common_causes=[name for name in names if name != treatment]
        )
        told = model.estimate_effect(
            model.identify_effect(proceed_when_unidentifiable=True),
            method_name="backdoor.propensity_score_matching",
            target_units="att",
        )
        found.append((float(told.value), np.nan))
    return _columns(found)


def linearmodels(world: World, tags: list[int]) -> Answer:
    """All tags endogenous at once, errors two-way by user and item."""
    from linearmodels.iv import IV2SLS

    d = world.carried[world.item].astype(float)
    x = np.column_stack([np.ones(len(d)), world.x.astype(float)])
    model = IV2SLS(world.y[:, 0].astype(float), x, d, world.moved.astype(float))
    fit = model.fit(cov_type="clustered", clusters=np.column_stack([world.user, world.item]))
    at = [x.shape[1] + t for t in tags]
    return fit.params.to_numpy()[at], fit.std_errors.to_numpy()[at]


PEERS: dict[str, Callable[[World, list[int]], Answer]] = {
    "pyfixest": pyfixest,
    "econml": econml,
    "econml, linear treatment": econml_linear,
    "doubleml": doubleml,
    "dowhy": dowhy,
    "linearmodels": linearmodels,
}
PACKAGES = {"econml, linear treatment": "econml"}


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Measure one peer on one world, a small one first so that nothing is imported on the clock."""
    name, size, tags = order["task"], Size(**order["size"]), list(order["tags"])
    small = Size(2_000, 3, 3, 1, instrumented=size.instrumented)
    PEERS[name](make_world(small), [0, 1, 2] if name == "linearmodels" else [0])
    world = make_world(size)
    found = measure(lambda: PEERS[name](world, tags))
    estimate, se = found.value
    return {
        "peer": name,
        "version": version(PACKAGES.get(name, name)),
        "tags": len(tags),
        "cpu": round(found.cpu, 3),
        "extra_mb": round(found.extra_mb),
        "world": world.fingerprint(),
        **judged(estimate, se, world.theta[tags, 0]),
    }


def judged(estimate: np.ndarray, se: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Error against the truth, and the share of normal 95% intervals that cover it."""
    miss = estimate - truth
    known = np.isfinite(se) & (se > 0)
    covered = np.abs(miss[known]) <= 1.96 * se[known]
    return {
        "rmse": round(float(np.sqrt(np.nanmean(miss**2))), 5),
        "coverage": round(float(covered.mean()), 4) if known.any() else None,
        "intervals": int(known.sum()),
        "mean_se": round(float(se[known].mean()), 5) if known.any() else None,
    }


def _wide(world: World) -> np.ndarray:
    """(N, P + T) covariates and tags of every row."""
    return np.hstack([world.x, world.carried[world.item]]).astype(float)


def _split(world: World, wide: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Treatment and controls of one tag."""
    at = world.x.shape[1] + t
    return wide[:, at], np.delete(wide, at, axis=1)


def _x_names(world: World) -> list[str]:
    return [f"x{j}" for j in range(world.x.shape[1])]


def _columns(found: list[tuple[float, float]]) -> Answer:
    both = np.array(found)
    return both[:, 0], both[:, 1]


if __name__ == "__main__":
    print("\n" + json.dumps(run(json.loads(sys.argv[1]))))
