"""The chance that an exposure carries a tag, given controls and the other tags."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.special import expit

from tagcf.types import Floats

MOST_ROWS = 20_000  # rows that a score is fitted on; all rows are scored
PENALTY = 0.1  # ridge on standardised columns: keeps separated data finite


def logit_score(columns: Floats, carries: Floats, weight: Floats) -> Floats:
    """(n,) logit of the propensity, by penalised Newton steps on an even sample of rows.

    Parameters
    ----------
    columns
        (n, m) controls and other tags.
    carries
        (n,) 0/1.
    weight
        (n,) row weights.
    """
    step = max(1, len(carries) // MOST_ROWS)
    x, d, w = columns[::step], carries[::step], weight[::step]
    centre, scale = x.mean(axis=0), x.std(axis=0)
    use = scale > 1e-12
    x = np.column_stack([np.ones(len(x)), (x[:, use] - centre[use]) / scale[use]])
    beta = _newton(x, d, w / w.mean())
    slope = np.zeros(columns.shape[1])
    slope[use] = beta[1:] / scale[use]
    return np.asarray(columns @ slope + (beta[0] - centre @ slope))


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
