"""The response model: what an item, or a user and an item, would do as they are.

Additive empirical Bayes on each logged outcome: mean + item + user, each deviation shrunken
by what its own rows can tell (BLUP of a crossed random-effects model; `components` has the
variances). It answers "before" only. What an edit changes comes from the causal effects
alone: here, unmeasured quality that travels with a tag is signal.

It speaks of pairs like those in the log. A recommender shows people what suits them, so for a
pair that it would not have shown the prediction is, as a rule, too high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.counterfactual.components import Components, variance_components
from tagcf.counterfactual.crossed import Deviations, crossed, noise_of_means, shrink
from tagcf.counterfactual.sums import gather, means, overall_mean
from tagcf.types import Codes, EventLog, Floats, IdMap, Outcome

_NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class ResponseModel:
    """Fitted by `fit_response`.

    `audience` is an item's outcome among the users it was shown to, as a deviation from
    `item_mean`; `item` and `user` are the deviations of the crossed model from `mean`.
    An id that was never seen has deviation 0 and the variance between its kind; the last
    row of each axis stands for it (index -1).
    """

    items: IdMap
    users: IdMap
    outcomes: tuple[Outcome, ...]
    mean: Floats  # (K,)
    item_mean: Floats  # (K,)
    audience: Deviations  # (I + 1, K)
    item: Deviations  # (I + 1, K)
    user: Deviations  # (U + 1, K)
    components: Components

    def position(self, outcome: str) -> int:
        """Position of a logged outcome; -1 where it is not logged (derived)."""
        names = [one.name for one in self.outcomes]
        return names.index(outcome) if outcome in names else -1


@dataclass(frozen=True, slots=True)
class Prediction:
    """Expected outcome with its 95% interval (of the mean, not of a single row); (Q,)."""

    value: Floats
    low: Floats
    high: Floats


def bounds(outcome: Outcome) -> tuple[float, float]:
    """Lowest and highest possible value of an outcome per row."""
    if outcome.kind in ("binary", "rate") or outcome.trials is not None:
        return 0.0, 1.0
    return (0.0, np.inf) if outcome.kind == "count" else (-np.inf, np.inf)


def predict(model: ResponseModel, outcome: int, item: Codes, user: Codes | None) -> Prediction:
    """Predict the outcome of items among their own audience, or of user–item pairs.

    Parameters
    ----------
    outcome
        Position in ``model.outcomes``.
    item, user
        (Q,) dense integers, -1 for one that was never seen; `user` None: items alone.

    Returns
    -------
    Prediction
        Within the bounds of the outcome. The interval adds the posterior variances of the
        deviations (independent by approximation).
    """
    if user is None:
        value = model.item_mean[outcome] + model.audience.value[item, outcome]
        variance = model.audience.variance[item, outcome]
    else:
        value = (
            model.mean[outcome] + model.item.value[item, outcome] + model.user.value[user, outcome]
        )
        variance = model.item.variance[item, outcome] + model.user.variance[user, outcome]
    low, high = bounds(model.outcomes[outcome])
    half = _NORMAL_975 * np.sqrt(variance)
    clipped = np.clip(value, low, high)
    return Prediction(
        clipped, np.clip(clipped - half, low, high), np.clip(clipped + half, low, high)
    )


def fit_response(log: EventLog) -> ResponseModel:
    """Fit the response model of every logged outcome.

    One pass over the log gathers the sums and gives the variances; where users differ, at
    most eight more let the crossed deviations settle. O(rows) time, O(items + users)
    memory, float64.
    """
    sums = gather(log)
    items, users, origin = sums.items, sums.users, sums.origin
    mean = origin + overall_mean(items)
    shares = np.array([bounds(one)[1] == 1.0 for one in log.outcomes], dtype=bool)
    binomial = np.where(shares, mean * (1 - mean), np.nan)
    components = variance_components(sums, binomial)
    own = noise_of_means(items, components.noise, components.user)
    item_mean, audience = shrink(means(items), own, components.item)
    crossed_mean, item, user = crossed(log, items, users, components)
    return ResponseModel(
        items=log.items,
        users=log.users,
        outcomes=log.outcomes,
        mean=origin + crossed_mean,
        item_mean=origin + item_mean,
        audience=audience,
        item=item,
        user=user,
        components=components,
    )
