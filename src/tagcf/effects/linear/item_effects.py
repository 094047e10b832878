"""Items as random effects: how much the rows of one item still tell after the first ones.

Where popularity is very uneven, least squares on rows lets a few items decide: twenty thousand
rows of one item count as twenty thousand, though all of them share the same unseen quality of
that item. With a variance τ² between items and σ² within, the mean of n rows has the variance
τ² + σ²/n, so that each row should count for σ²/(σ² + nτ²).
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from tagcf.effects.linear.cells import CellSums, distinct
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, Floats

# Beyond this ratio of between to within, for an item of mean weight, items count alike.
MOST_RATIO = 1e4
CONSTANT = 1e-9  # share of the residual squares within items that is rounding


def item_shares(sums: CellSums, part: Partialled, solved: Solution, cell_group: Codes) -> Floats:
    """(C,) share of each cell's rows that counts; all 1 where items are no unit of their own.

    Outcomes share one ratio τ²/σ², the median over them: any weights are valid, and errors
    don't rest on these.

    Parameters
    ----------
    sums, part, solved
        A first fit with all rows alike.
    cell_group
        (C,) fixed-effect group of each cell.
    """
    used = sums.weight > 0
    n_rows, n_cells = float(sums.rows[used].sum()), int(used.sum())
    spent = distinct(cell_group[used]) + int(solved.kept.sum())
    free = n_cells - spent - np.linalg.matrix_rank(part.xx_inverse, hermitian=True)
    if n_rows <= n_cells or free < 1:
        return np.ones(len(sums.weight))
    residual = cell_residuals(sums, part, solved, cell_group)[used]
    squares = _residual_squares(sums, part, solved)
    within = squares - (residual**2 / sums.weight[used][:, None]).sum(axis=0)
    noise = np.maximum(within, 0.0) / (n_rows - n_cells)
    means = residual / sums.weight[used][:, None]
    most = MOST_RATIO / float(sums.weight[used].mean())
    ratios = []
    for k in range(len(squares)):
        if within[k] <= CONSTANT * squares[k]:  # rows of an item are all the same
            ratios.append(most)
            continue
        between = between_variance(means[:, k], noise[k] / sums.weight[used], free)
        ratios.append(min(between / noise[k], most))
    return np.asarray(1.0 / (1.0 + float(np.median(ratios)) * sums.weight))


def between_variance(means: Floats, noise: Floats, free: int) -> float:
    """Variance of means (m,) beyond their own noise (m,): Paule and Mandel (1982).

    Parameters
    ----------
    free
        Degrees of freedom that the fit left to the means.
    """

    def excess(variance: float) -> float:
        return float((means**2 / (variance + noise)).sum()) - free

    if excess(0.0) <= 0:
        return 0.0
    top = float((means**2).sum()) / free
    return float(optimize.brentq(excess, 0.0, max(top, 1e-300), xtol=1e-12 * top, rtol=1e-6))


def cell_residuals(sums: CellSums, part: Partialled, solved: Solution, cell_group: Codes) -> Floats:
    """(C, K) weighted sums of the residuals."""
    weight = sums.weight[:, None]
    y = sums.y - weight * part.group_y[cell_group]
    x = sums.x - weight * part.group_x[cell_group]
    return np.asarray(y - x @ solved.control_coef - weight * (part.tags.times(solved.coef)))


def _residual_squares(sums: CellSums, part: Partialled, solved: Solution) -> Floats:
    """(K,) sum of squared residuals of all rows."""
    total = sums.yy - (part.group_weight[:, None] * part.group_y**2).sum(axis=0)
    dy = part.cross + part.projection.T @ part.xy
    explained = (solved.control_coef * part.xy).sum(axis=0) + (solved.coef * dy).sum(axis=0)
    return np.asarray(total - explained)
