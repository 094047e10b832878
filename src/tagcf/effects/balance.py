"""How alike carriers of a tag and the rest are, before and after matching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagcf.effects.cells import total_by
from tagcf.effects.design import Design
from tagcf.effects.joint import Fit
from tagcf.effects.match_rows import MatchRows
from tagcf.effects.pairing import Pairing
from tagcf.types import Balance, Floats, Tag

KEEP_CONTROLS = 12  # rows of the love plot per tag


def balance_of(
    at: int, tags: Sequence[Tag], design: Design, fit: Fit, rows: MatchRows, pairing: Pairing
) -> tuple[Balance, ...]:
    """Standardised differences of controls and other tags, the largest first.

    Within strata both are measured from their stratum's mean: what strata differ in cancels.
    """
    carries = fit.tags[rows.cell, at] > 0
    weights = (
        rows.w * carries,
        rows.w * ~carries,
        rows.w * pairing.matched,
        pairing.reuse,
    )
    plain = plain_controls(fit.control_names)
    others = np.flatnonzero(fit.solved.kept & (np.arange(len(tags)) != at))
    cell_tags = (fit.part.cell_tags if design.absorbs == "stratum" else fit.tags)[:, others]
    names = [fit.control_names[k] for k in plain] + [tags[int(k)].slug for k in others]
    means, variances = [], []
    for weight in weights:
        by_cell = total_by(rows.cell, weight, len(cell_tags))
        own = _moments(rows.x[:, plain], weight)
        theirs = _moments(cell_tags, by_cell)
        means.append(np.concatenate([own[0], theirs[0]]))
        variances.append(np.concatenate([own[1], theirs[1]]))
    spread = np.sqrt(np.maximum((variances[0] + variances[1]) / 2, 1e-12))
    before, after = (means[0] - means[1]) / spread, (means[2] - means[3]) / spread
    worst = np.argsort(-np.maximum(np.abs(before), np.abs(after)), kind="stable")[:KEEP_CONTROLS]
    return tuple(
        Balance(tags[at].slug, names[int(k)], float(before[k]), float(after[k])) for k in worst
    )


def plain_controls(names: tuple[str, ...]) -> list[int]:
    """Columns that are controls themselves: a spline's further columns are left out."""
    return [k for k, name in enumerate(names) if "~" not in name]


def _moments(columns: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted means and variances of columns."""
    total = max(float(weight.sum()), 1e-300)
    mean = weight @ columns / total
    return mean, np.maximum(weight @ columns**2 / total - mean**2, 0.0)
