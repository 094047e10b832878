"""Multinomial logistic regression of sparse lines, several heads on the same features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

Weights = NDArray[np.float32]


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, K) scores as chances, rows sum to 1."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Softmax:
    """Scores ``rows @ weights + bias``."""

    weights: Weights  # (features, K)
    bias: Weights  # (K,)

    def __call__(self, rows: sparse.csr_array) -> NDArray[np.float32]:
        """(n, K) scores."""
        return np.asarray(rows @ self.weights + self.bias, dtype=np.float32)


def fit_softmax(
    rows: sparse.csr_array | NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: int,
    penalty: float,
    importance: NDArray[np.floating] | None = None,
    steps: int = 80,
) -> Softmax:
    """Fit by L-BFGS.

    Parameters
    ----------
    rows
        (n, features).
    labels
        (n,) 0 … classes - 1.
    penalty
        Half the squared weights count this much, against the sum over all lines.
    importance
        (n,) how much a line counts; default 1.
    """
    n, features = rows.shape
    counts = np.ones(n) if importance is None else np.asarray(importance, np.float64)
    wanted = np.zeros((n, classes))
    wanted[np.arange(n), labels] = 1
    turned = rows.T.tocsr() if sparse.issparse(rows) else rows.T

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = flat[:-classes].reshape(features, classes), flat[-classes:]
        scores = rows @ weights + bias
        scores -= scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        off = counts[:, None] * (np.exp(scores - log_sum) - wanted)
        total = -(counts * ((scores - log_sum) * wanted).sum(axis=1)).sum()
        slope = np.asarray(turned @ off) + penalty * weights
        value = total + penalty / 2 * (weights**2).sum()
        return float(value), np.concatenate([slope.ravel(), off.sum(axis=0)])

    start = np.zeros((features + 1) * classes)
    found = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-7}
    )
    flat = found.x.astype(np.float32)
    return Softmax(flat[:-classes].reshape(features, classes), flat[-classes:])
