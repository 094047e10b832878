"""The outcome's model: all tags jointly, trained on the other folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.linear.cells import Block
from tagcf.effects.linear.solve import Partialled, partial_out, solve
from tagcf.effects.robust.folds import FoldSums
from tagcf.types import Codes, Floats, Mask


@dataclass(frozen=True, slots=True)
class OutcomeModel:
    """Cross-fitted coefficients. F folds, P controls, T tags, K outcomes, C cells."""

    part: Partialled  # of all folds: group means
    cell_tags: Floats  # (C, T) tags minus their group's mean
    fold: Codes  # (C,)
    control_coef: Floats  # (F, P, K)
    coef: Floats  # (F, T, K)
    # (K, C, T) what a flexible learner adds to the linear model where a tag is as it is, and to the
    # difference that the tag makes. It varies between cells only.
    surface: Floats | None = None
    toggled: Floats | None = None

    def residuals(self, block: Block, cell_group: Codes) -> Floats:
        """(n, K) what the linear model leaves of the outcomes of rows it was not trained on."""
        group = cell_group[block.cell]
        e = block.y - self.part.group_y[group] - self.at_cells()[block.cell]
        x = block.x - self.part.group_x[group]
        fold = self.fold[block.cell]
        for one in range(len(self.coef)):
            inside = fold == one
            e[inside] -= x[inside] @ self.control_coef[one]
        return np.asarray(e)

    def at_cells(self) -> Floats:
        """(C, K) the linear prediction from tags, which rows of a cell share."""
        every = np.empty((self.fold.size, self.coef.shape[2]))
        for one in range(len(self.coef)):
            inside = self.fold == one
            every[inside] = self.cell_tags[inside] @ self.coef[one]
        return every

    def cell_residuals(self, cell_y: Floats) -> Floats:
        """(C, K) linear residuals of the cells' means `cell_y`, differences from the group's."""
        e = cell_y - self.at_cells()
        for one in range(len(self.coef)):
            inside = self.fold == one
            e[inside] -= self.part.cell_x[inside] @ self.control_coef[one]
        return np.asarray(e)

    def residuals_of_fold(self, cell_y: Floats, one: int) -> Floats:
        """(C, K) residuals of all cells under the coefficients for one fold."""
        part = self.part
        return np.asarray(
            cell_y - part.cell_x @ self.control_coef[one] - self.cell_tags @ self.coef[one]
        )

    def left(self, residual: Floats, weight: Floats, k: int) -> Floats:
        """(C, T) or (C, 1) weighted sums of residuals, from those of the linear model (C, K)."""
        linear = residual[:, [k]]
        return linear if self.surface is None else linear - weight[:, None] * self.surface[k]

    def effects(self, k: int) -> Floats:
        """(C, T) what the model says that each tag does, in each cell."""
        linear = self.coef[self.fold, :, k]
        return linear if self.toggled is None else linear + self.toggled[k]


def fit_outcomes(
    sums: FoldSums,
    share: Floats,
    part: Partialled,
    cell_tags: Floats,
    tags: Floats,
    cell_group: Codes,
    n_groups: int,
    columns: Mask,
) -> OutcomeModel:
    """Fit the joint model once for each fold that is left out.

    Parameters
    ----------
    share
        (C,) how much of its rows the mean of a cell counts for.
    part
        All folds together, partialled.
    tags
        (C, T).
    columns
        (T,) tags that the model holds.
    """
    control_coef, coef = [], []
    for one in range(len(sums.xx)):
        train = sums.without(one).discount(share)
        solved = solve(partial_out(train, tags, cell_group, n_groups), columns)
        control_coef.append(solved.control_coef)
        coef.append(solved.coef)
    return OutcomeModel(part, cell_tags, sums.fold, np.stack(control_coef), np.stack(coef))


def cell_outcomes(y: Floats, weight: Floats, part: Partialled, cell_group: Codes) -> Floats:
    """(C, K) mean outcomes of the cells minus their group's, 0 where there are no rows."""
    mean = y / np.where(weight > 0, weight, 1.0)[:, None]
    return np.where(weight[:, None] > 0, mean - part.group_y[cell_group], 0.0)
