"""How much outcomes differ between items, between users, and from row to row.

Method of moments for unbalanced crossed random effects: Gao & Owen, "Efficient moment
calculations for variance components in large unbalanced crossed random effects models",
Electronic Journal of Statistics 11 (2017), here with row weights. Everything is a function
of sums per item and per user, so one pass over the log is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.counterfactual.sums import AxisSums, Sums
from tagcf.types import Floats

# Below this share of the weight that is not one item's (or user's), they cannot be compared.
_ALONE = 1e-9


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of the additive model y = mean + item + user + noise; each (K,).

    `noise` is the variance of a row of weight 1; a row of weight w has noise / w.
    """

    item: Floats
    user: Floats
    noise: Floats


def variance_components(sums: Sums, binomial: Floats) -> Components:
    """Solve the three moment equations of each outcome.

    Parameters
    ----------
    binomial
        (K,) variance of a single success or failure, which stands in for the noise where no
        item has two rows; NaN for outcomes that are not shares of successes.

    Returns
    -------
    Components
        Never negative. A part that the log cannot tell from noise is 0: users when nobody
        was seen twice, items when each has one row of an unbounded outcome.
    """
    solved = [_solve(sums, k, float(binomial[k])) for k in range(len(binomial))]
    table = np.array(solved, dtype=np.float64).reshape(len(solved), 3)
    return Components(table[:, 0], table[:, 1], table[:, 2])


def _solve(sums: Sums, k: int, binomial: float) -> tuple[float, float, float]:
    """Variances (item, user, noise) of outcome `k`."""
    items, users = sums.items, sums.users
    weight = items.weight[:, k].sum()
    rows = items.rows[:, k].sum()
    if rows < 2:
        return 0.0, 0.0, 0.0
    mean = items.value[:, k].sum() / weight
    total = max(items.square[:, k].sum() - weight * mean**2, 0.0)
    item_ss, item_mixed, item_free = _within(items, k)
    user_ss, user_mixed, user_free = _within(users, k)
    # Multiplicities in the total; 0 where there is one item, or one user, alone.
    item_share = weight - (items.weight[:, k] ** 2).sum() / weight
    user_share = weight - ((users.weight[:, k] ** 2).sum() + sums.lone[k]) / weight
    if item_free > 0 and user_free > 0 and user_share > _ALONE * weight:
        system = np.array(
            [
                [0.0, item_mixed, item_free],
                [user_mixed, 0.0, user_free],
                [item_share, user_share, rows - 1],
            ]
        )
        solution = np.linalg.lstsq(system, np.array([item_ss, user_ss, total]), rcond=None)[0]
        item, user, noise = (max(float(part), 0.0) for part in solution)
        return item, user, noise
    if item_free > 0:
        noise = item_ss / item_free
    else:
        noise = total / (rows - 1) if np.isnan(binomial) else binomial
    item = (total - noise * (rows - 1)) / item_share if item_share > _ALONE * weight else 0.0
    return max(item, 0.0), 0.0, max(noise, 0.0)


def _within(axis: AxisSums, k: int) -> tuple[float, float, float]:
    """Sum of squares within the groups of an axis, and what it contains.

    Returns
    -------
    tuple
        Σ_groups (Σwy² − (Σwy)²/Σw); the multiplicity of the other axis' variance in its
        expectation, Σ_groups (Σw − Σw²/Σw); and that of the noise, rows − groups.
    """
    seen = axis.weight[:, k] > 0
    weight = axis.weight[seen, k]
    within = axis.square[seen, k] - axis.value[seen, k] ** 2 / weight
    mixed = weight - axis.pair_square[seen, k] / weight
    free = axis.rows[seen, k] - 1
    return float(np.maximum(within, 0).sum()), float(mixed.sum()), float(free.sum())
