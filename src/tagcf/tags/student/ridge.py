"""Ridge regression of all tags on the sentence embedding at once, in closed form.

The penalty is the one with the smallest leave-one-out error, which needs no refitting: the residual
of a row left out is its residual over one minus its leverage (Allen 1974; Golub, Heath and Wahba
1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.tags.student.evidence import Vectors

PENALTIES = np.logspace(-1.5, 2.5, 9)


@dataclass(frozen=True, slots=True)
class Ridge:
    """Predicts ``rate + (vectors - centre) @ weights``."""

    centre: Vectors  # (512,)
    weights: Vectors  # (512, T)
    rate: Vectors  # (T,) share of the texts that the teacher gave the tag
    penalty: float

    def __call__(self, vectors: Vectors) -> Vectors:
        """(n, T) deviations from the rate."""
        return np.asarray((vectors - self.centre) @ self.weights, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """A ridge, and what it says of some of its own rows when each is left out."""

    ridge: Ridge
    left_out: Vectors  # (m, T) deviations from the rate


def fit_ridge(vectors: Vectors, labels: Vectors, rows: NDArray[np.int64]) -> RidgeFit:
    """Fit labels (n, T) on vectors (n, d); each of `rows` (m,) is left out for the penalty."""
    centre, rate = vectors.mean(axis=0), labels.mean(axis=0)
    centred = (vectors - centre).astype(np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    kept = values > values[-1] * 1e-8
    values, axes = values[kept], axes[:, kept]
    moments = axes.T @ (centred.T @ (labels - rate))  # (r, T)
    scores, wanted = centred[rows] @ axes, labels[rows] - rate
    tried: dict[float, tuple[float, Vectors]] = {}
    for penalty in PENALTIES:
        leverage = (scores**2 / (values + penalty)).sum(axis=1) + 1 / len(vectors)
        fitted = scores @ (moments / (values + penalty)[:, None])
        residual = (wanted - fitted) / (1 - leverage.clip(max=0.999))[:, None]
        left_out = (wanted - residual).astype(np.float32)
        tried[float(penalty)] = float((residual**2).sum()), left_out
    penalty = min(tried, key=lambda one: tried[one][0])
    weights = axes @ (moments / (values + penalty)[:, None])
    ridge = Ridge(centre, weights.astype(np.float32), rate.astype(np.float32), penalty)
    return RidgeFit(ridge, tried[penalty][1])
