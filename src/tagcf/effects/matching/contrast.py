"""A match as one linear contrast of all items' outcomes, so that its error is exact.

The estimate is coefficient + Σ s·e, with weights s of the matched (+) and their controls (-) and e
what the joint regression leaves. Being linear in the outcomes, it has weights on *every* item:
where matched and controls still differ in other tags or covariates, the regression's coefficients
correct for that, and their own error comes along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import total_by
from tagcf.effects.linear.kernels import add_vectors
from tagcf.effects.matching.balance import plain_controls
from tagcf.effects.matching.pairing import Pairing
from tagcf.effects.matching.units import MatchUnits
from tagcf.types import Floats

NO_SPREAD = 1e-6  # share of a column's variance that controls must have to correct by it


@dataclass(frozen=True, slots=True)
class Contrast:
    """Weights of one tag's estimate. n units, C cells, K outcomes."""

    estimate: Floats  # (K,)
    side: Floats  # (n,) matched less controls, corrected: sums to 0
    spread: Floats  # (C,) weight of each cell's mean by way of the coefficients
    influence: Floats  # (C, K) what each cell's mean residual moves the estimate by
    gap: Floats  # (C, K) the part of it that treatment itself makes up


def contrast_of(at: int, fit: Fit, units: MatchUnits, pairing: Pairing) -> Contrast:
    """Put the weights of a tag's match together; some unit is matched."""
    total = pairing.treated.sum()
    side = (pairing.treated - pairing.reuse) / total
    side = side - _correction(fit, units, pairing.reuse / total, side)
    spread = _by_coefficients(at, fit, units, side)
    moved = side @ units.e
    n_cells = len(fit.share)
    by_cell, residual = np.zeros((2, n_cells, units.e.shape[1]))
    add_vectors(units.cell, side[:, None] * units.e, by_cell)
    add_vectors(units.cell, units.row_weight[:, None] * units.e, residual)
    per_row = spread / np.where(fit.sums.weight > 0, fit.sums.weight, 1.0)
    treated = total_by(units.cell, pairing.treated / total, n_cells)
    return Contrast(
        estimate=fit.solved.coef[at] + moved,
        side=side,
        spread=spread,
        influence=by_cell - per_row[:, None] * residual,
        gap=treated[:, None] * moved,
    )


def _correction(fit: Fit, units: MatchUnits, reuse: Floats, side: Floats) -> Floats:
    """(n,) weights by which a regression among the matched controls takes off what is left.

    Abadie and Imbens (2011). Within groups it is a regression within groups. The ridge, columns by
    effective controls, keeps it from making more noise than it removes.
    """
    plain = plain_controls(fit.control_names)
    x = units.x[:, plain]
    n_groups = int(units.group.max()) + 1
    of_group = total_by(units.group, reuse, n_groups)
    safe = np.where(of_group > 0, of_group, 1.0)
    centre = np.zeros((n_groups, x.shape[1]))
    add_vectors(units.group, reuse[:, None] * x, centre)
    x = x - (centre / safe[:, None])[units.group]
    own = reuse @ x**2
    wide = own > NO_SPREAD * (units.weight @ x**2) / units.weight.sum()
    if not wide.any():
        return np.zeros(len(side))
    x = x[:, wide] / np.sqrt(own[wide])
    gram = (x * reuse[:, None]).T @ x
    ridge = len(gram) / effective_number(total_by(units.cell, reuse, len(fit.share)))
    gram[np.diag_indices_from(gram)] += ridge
    return np.asarray(reuse * (x @ linalg.solve(gram, side @ x, assume_a="pos")))


def _by_coefficients(at: int, fit: Fit, units: MatchUnits, side: Floats) -> Floats:
    """(C,) weights of the cells' means through the coefficients of what is left unlike.

    What controls tell within cells is left out: their coefficients' error between items is all
    that an item's own errors share.
    """
    part, solved = fit.part, fit.solved
    left_x = side @ units.x
    left_tags = side @ units.tags
    left_tags[at] -= 1.0
    tags = solved.inverse @ (left_tags - part.projection.T @ left_x)
    controls = part.xx_inverse @ left_x - part.projection @ tags
    hat = part.tags.times(tags[:, None])[:, 0] + part.cell_x @ controls
    return np.asarray(fit.sums.weight * fit.share * hat)


def effective_number(weight: Floats) -> float:
    """Effective number (Σw)²/Σw² of units by their weights."""
    return float(weight.sum() ** 2 / max((weight**2).sum(), 1e-300))
