"""The score that a tag is matched on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.matching.propensity import PENALTY, even_sample, fit_logit
from tagcf.effects.matching.units import MatchUnits
from tagcf.types import Floats, Mask

MOST_IN_SCORE = 40  # other tags in a propensity score
# Variance of the logit that all standardised columns together are thought to explain: as many
# columns as items would separate the carriers from the rest.
INDEX_VARIANCE = 4.0
LUCK = 2.0  # a control enters the score from so many times the variance that chance alone gives


def score_of(at: int, fit: Fit, units: MatchUnits) -> Floats:
    """(n,) logit of the propensity; within groups the regression of this tag on the rest.

    A logit per author or stratum of a handful of items would have nothing to learn from.
    """
    if units.grouped:
        on_others = -fit.solved.inverse[:, at] / fit.solved.inverse[at, at]
        on_others[at] = 0.0
        on_controls = fit.part.projection[:, at] - fit.part.projection @ on_others
        return np.asarray(units.tags @ on_others + units.x @ on_controls)
    x = units.x[:, _of_items(units)]
    columns = np.hstack([x.astype(np.float32), units.tags[:, _telling(at, fit)]])
    some = even_sample(len(columns))
    penalty = max(PENALTY, columns.shape[1] / INDEX_VARIANCE)
    logit = fit_logit(columns[some], units.carried[some, at], units.weight[some], penalty)
    return np.asarray(columns @ logit.slope + logit.intercept)


def _of_items(units: MatchUnits) -> Mask:
    """(P,) controls in which items differ by more than the luck of which rows they got.

    The rest differs within items only; the regression holds it fixed row by row.
    """
    total = units.weight.sum()
    luck = units.within * float(units.weight @ (1.0 / units.rows)) / total
    mean = units.weight @ units.x / total
    spread = units.weight @ (units.x - mean) ** 2 / total
    return np.asarray(spread > LUCK * luck)


def _telling(at: int, fit: Fit) -> NDArray[np.integer]:
    """Other tags that enter the score: the ones that say most about this tag, given the rest.

    Read off the Gram's inverse as partial correlations. A logit on hundreds of tags costs more
    and separates; tags left out are held fixed by the outcome's regression all the same.
    """
    others = fit.solved.kept.copy()
    others[at] = False
    inverse = fit.solved.inverse
    partial = np.abs(inverse[at]) / np.sqrt(np.maximum(np.diag(inverse), 1e-300)) * others
    count = min(MOST_IN_SCORE, int(others.sum()))
    return np.sort(np.argsort(-partial, kind="stable")[:count])
