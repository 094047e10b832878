"""The chance that an exposure carries a tag, given controls and the other tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.effects.matching.kernels import logit_pieces
from tagcf.types import Floats, Mask

MOST_ROWS = 10_000  # rows that a score is fitted on; all rows are scored
NO_SPREAD = 1e-6  # spread of a column below which it is a constant
MOST_STEPS = 50
CLOSE = 1e-6  # relative gain in likelihood below which Newton's steps stop
PENALTY = 0.1  # ridge on standardised columns: keeps separated data finite


@dataclass(frozen=True, slots=True)
class LogitFit:
    """A fitted score: ``intercept + columns @ slope`` is the logit. m columns."""

    intercept: float
    slope: Floats  # (m,)


def even_sample(n_rows: int) -> slice:
    """Rows that a score is fitted on: at most about `MOST_ROWS`, evenly spaced."""
    return slice(None, None, max(1, n_rows // MOST_ROWS))


def fit_logit(
    columns: NDArray[np.float32], carries: Mask, weight: Floats, penalty: float = PENALTY
) -> LogitFit:
    """Fit the logit of the propensity by penalised Newton steps.

    Parameters
    ----------
    columns
        (n, m) controls and other tags.
    carries
        (n,) 0/1.
    weight
        (n,) row weights.
    penalty
        Ridge on standardised columns.
    """
    rows = len(columns)
    centre = columns.mean(axis=0, dtype=np.float64)
    x = np.ones((rows, 1 + columns.shape[1]), dtype=np.float32)
    np.subtract(columns, centre.astype(np.float32), out=x[:, 1:])
    scale = np.sqrt(np.einsum("nm,nm->m", x[:, 1:], x[:, 1:]) / max(rows, 1)).astype(np.float64)
    use = scale > NO_SPREAD * (1.0 + np.abs(centre))
    x[:, 1:] *= (use / np.where(use, scale, 1.0)).astype(np.float32)
    w = (weight / weight.mean()).astype(np.float32)
    beta = _newton(x, carries.astype(np.float32), w, penalty)
    slope = np.zeros(columns.shape[1])
    slope[use] = beta[1:][use] / scale[use]
    return LogitFit(float(beta[0] - centre @ slope), slope)


def _newton(
    x: NDArray[np.float32], d: NDArray[np.float32], w: NDArray[np.float32], ridge: float
) -> Floats:
    """Coefficients of columns in single precision: a score need not be known beyond that."""
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 0.0
    share = float(np.clip(w @ d / w.sum(), 1e-6, 1 - 1e-6))
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(share / (1 - share))

    def pieces(at: Floats) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
        loss, gradient, curvature = logit_pieces(x @ at.astype(np.float32), d, w)
        return loss + 0.5 * float(penalty @ at**2), gradient, curvature

    value, slope, bend = pieces(beta)
    for _ in range(MOST_STEPS):
        gradient = x.T @ slope - penalty * beta
        curvature = ((x * bend[:, None]).T @ x).astype(np.float64)
        curvature[np.diag_indices_from(curvature)] += penalty + 1e-9
        move = linalg.solve(curvature, gradient, assume_a="pos")
        size = 1.0  # halved until the likelihood improves: plain steps diverge on rare tags
        new, slope, bend = pieces(beta + move)
        while new > value * (1 + CLOSE) and size > 1e-6:
            size /= 2
            new, slope, bend = pieces(beta + size * move)
        beta = beta + size * move
        gained, value = value - new, new
        if gained < CLOSE * (1 + abs(value)):
            break
    return beta
