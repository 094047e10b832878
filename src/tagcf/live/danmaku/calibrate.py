"""From scores to chances: one number per head, or two where words and meaning are fused.

Fitted on lines whose writer the scoring model has not read, by the likelihood of their labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from tagcf.live.danmaku.labels import Chances
from tagcf.live.danmaku.linear import softmax


def fit_shares(scores: Sequence[Chances], labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Non-negative share of each kind of scores, (n, K) each, in the sum whose softmax is right.

    One kind alone is temperature scaling (Guo et al. 2017, section 4.2), the share being one over
    the temperature.
    """
    stacked = np.stack([np.asarray(one, np.float64) for one in scores])
    rows = np.arange(len(labels))

    def loss(shares: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        chance = softmax(np.tensordot(shares, stacked, axes=1)).astype(np.float64)
        right = stacked[:, rows, labels]
        slope = (chance * stacked).sum(axis=2) - right
        value = -np.log(np.maximum(chance[rows, labels], 1e-12)).mean()
        return float(value), slope.mean(axis=1)

    start = np.full(len(stacked), 1 / len(stacked))
    bounds = [(1e-3, 10.0)] * len(stacked)
    found = optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return np.asarray(found.x, dtype=np.float32)


def expected_calibration_error(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 10
) -> float:
    """Mean gap between confidence and the share that is right, over bins of equal size."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(confidence[part].mean() - right[part].mean()) for part in parts]
    return float(sum(gaps) / max(len(order), 1))
