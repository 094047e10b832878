"""Boosted trees for what the linear nuisances miss: outcomes and scores of items."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.solve import Partialled
from tagcf.effects.methods import Boosted
from tagcf.effects.robust.outcome import OutcomeModel
from tagcf.errors import EstimationError
from tagcf.types import Codes, Floats, Mask


class Trees(Protocol):
    """A grown model."""

    def predict(self, features: Floats, num_iteration: int = -1) -> Floats:
        """(n,) predictions of the first trees; of a binary target, chances."""
        ...


def grow(
    features: Floats,
    target: Floats,
    weight: Floats,
    using: Boosted,
    objective: Literal["regression", "binary"],
) -> Trees:
    """Grow boosted trees, the same from the same data.

    Raises
    ------
    EstimationError
        LightGBM is not installed.
    """
    try:
        import lightgbm
    except ImportError as missing:
        raise EstimationError("error.no_lightgbm") from missing
    settings = {
        "objective": objective,
        "num_leaves": using.leaves,
        "learning_rate": using.learning_rate,
        "min_data_in_leaf": using.min_items,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
        "seed": 0,
    }
    data = lightgbm.Dataset(features, label=target, weight=weight / weight.mean())
    return cast(Trees, lightgbm.train(settings, data, num_boost_round=using.trees))


def boosted_outcomes(
    model: OutcomeModel,
    cell_y: Floats,
    weight: Floats,
    tags: Floats,
    held: Mask,
    using: Boosted,
) -> OutcomeModel:
    """Add to a linear model what boosted trees find in its residuals, by cell.

    For each tag, trees of their own for the cells that carry it and for those that don't, on mean
    controls and the other tags, so that its effect may differ between items in any way. Each fold
    is predicted by trees grown on the others.

    Parameters
    ----------
    cell_y
        (C, K) mean outcomes of the cells, from the group's mean.
    held
        (T,) tags that the model holds.
    """
    shape = (cell_y.shape[1], *tags.shape)
    surface, toggled = np.zeros(shape), np.zeros(shape)
    for one in range(len(model.coef)):
        residual = model.residuals_of_fold(cell_y, one)
        inside = np.flatnonzero(model.fold == one)
        rest = (model.fold != one) & (weight > 0)
        for tag in np.flatnonzero(held):
            others = held & (np.arange(held.size) != tag)
            features = np.hstack([model.part.cell_x, tags[:, others]])
            arms = [np.flatnonzero(rest & (tags[:, tag] == arm)) for arm in (0.0, 1.0)]
            if min(arm.size for arm in arms) < 2 * using.min_items:
                continue  # too few for trees: the linear model stays as it is
            for k in range(shape[0]):
                without, carrying = (
                    grow(features[arm], residual[arm, k], weight[arm], using, "regression").predict(
                        features[inside]
                    )
                    for arm in arms
                )
                surface[k, inside, tag] = np.where(tags[inside, tag] > 0, carrying, without)
                toggled[k, inside, tag] = carrying - without
    return replace(model, surface=surface, toggled=toggled)


def boosted_scores(
    part: Partialled,
    fold: Codes,
    weight: Floats,
    tags: Floats,
    group_share: Floats,
    held: Mask,
    using: Boosted,
) -> NDArray[np.float64]:
    """(C, T) scores by boosted trees on mean controls, the other tags and the group's own share.

    Parameters
    ----------
    group_share
        (C, T) share of each cell's fixed-effect group that carries each tag.
    """
    scores = np.full(tags.shape, 0.5)
    for tag in np.flatnonzero(held):
        others = held & (np.arange(held.size) != tag)
        features = np.hstack([part.cell_x, tags[:, others], group_share[:, [tag]]])
        for one in range(int(fold.max(initial=0)) + 1):
            inside = np.flatnonzero(fold == one)
            train = np.flatnonzero((fold != one) & (weight > 0))
            trees = grow(features[train], tags[train, tag], weight[train], using, "binary")
            scores[inside, tag] = trees.predict(features[inside])
    return scores
