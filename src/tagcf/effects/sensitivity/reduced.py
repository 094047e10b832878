"""The model without one tag, for every tag: what it leaves of the outcomes, by item.

All from sums per cell, without a pass over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.item_effects import cell_residuals
from tagcf.types import Codes, Floats, Mask


@dataclass(frozen=True, slots=True)
class Reduced:
    """Cells of a fit as data of a regression over items. C cells, T tags, K outcomes."""

    sums: CellSums  # as the fit counts them
    group: Codes  # (C,)
    used: Mask  # (C,) cells with rows
    tags: Floats  # (C, T) 0/1
    hat: Floats  # (C, T) tags minus what groups and controls predict of them
    own: Floats  # (C, T) … and minus what the other tags predict
    kept: Mask  # (T,)
    coef: Floats  # (T, K)
    full: Floats  # (C, K) weighted residual sums of the full model

    @property
    def weight(self) -> Floats:
        """(C,) how much each cell counts."""
        return self.sums.weight

    def without(self, k: int) -> Floats:
        """(C, T) weighted residual sums of outcome `k` in the model without each tag."""
        back = self.weight[:, None] * self.own * self.coef[:, k]
        return np.asarray(self.full[:, [k]] + back)

    def without_one(self, k: int, t: int) -> Floats:
        """(C,) the same for one tag."""
        return np.asarray(self.full[:, k] + self.weight * self.own[:, t] * self.coef[t, k])


def reduce(fit: Fit, design: Design) -> Reduced:
    """Put each tag's effect back into the residuals, one tag at a time."""
    counted = fit.sums.discount(fit.share)
    part, solved = fit.part, fit.solved
    hat = part.cell_tags - part.cell_x @ part.projection
    diagonal = np.diag(solved.inverse)
    own = (hat @ solved.inverse) / np.where(diagonal > 0, diagonal, 1.0)
    return Reduced(
        sums=counted,
        group=design.cell_group,
        used=counted.weight > 0,
        tags=fit.tags,
        hat=hat,
        own=own,
        kept=solved.kept,
        coef=solved.coef,
        full=cell_residuals(counted, part, solved, design.cell_group),
    )
