"""The chance that an exposure carries a tag, given controls and the other tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.special import expit

from tagcf.types import Floats

MOST_ROWS = 20_000  # rows that a score is fitted on; all rows are scored
PENALTY = 0.1  # ridge on standardised columns: keeps separated data finite


@dataclass(frozen=True, slots=True)
class LogitFit:
    """A fitted score: ``intercept + columns @ slope`` is the logit. m columns."""

    intercept: float
    slope: Floats  # (m,)


def even_sample(n_rows: int) -> slice:
    """Rows that a score is fitted on: at most about `MOST_ROWS`, evenly spaced."""
    return slice(None, None, max(1, n_rows // MOST_ROWS))


def fit_logit(columns: Floats, carries: Floats, weight: Floats) -> LogitFit:
    """Fit the logit of the propensity by penalised Newton steps.

    Parameters
    ----------
    columns
        (n, m) controls and other tags.
    carries
        (n,) 0/1.
    weight
        (n,) row weights.
    """
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    use = scale > 1e-12
    scaled = (columns[:, use] - centre[use]) / scale[use]
    beta = _newton(
        np.column_stack([np.ones(len(columns)), scaled]), carries, weight / weight.mean()
    )
    slope = np.zeros(columns.shape[1])
    slope[use] = beta[1:] / scale[use]
    return LogitFit(float(beta[0] - centre @ slope), slope)


def _newton(x: Floats, d: Floats, w: Floats) -> Floats:
    penalty = np.full(x.shape[1], PENALTY)
    penalty[0] = 0.0
    share = np.clip(w @ d / w.sum(), 1e-6, 1 - 1e-6)
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(share / (1 - share))

    def loss(at: Floats) -> float:
        index = x @ at
        return float(w @ (np.logaddexp(0.0, index) - d * index) + 0.5 * penalty @ at**2)

    value = loss(beta)
    for _ in range(50):
        chance = expit(x @ beta)
        gradient = x.T @ (w * (d - chance)) - penalty * beta
        curvature = (x * (w * chance * (1 - chance))[:, None]).T @ x
        curvature[np.diag_indices_from(curvature)] += penalty + 1e-9
        move = linalg.solve(curvature, gradient, assume_a="pos")
        size = 1.0  # halved until the likelihood improves: plain steps diverge on rare tags
        while (new := loss(beta + size * move)) > value and size > 1e-6:
            size /= 2
        beta = beta + size * move
        gained, value = value - new, new
        if gained < 1e-9 * (1 + abs(value)):
            break
    return beta
