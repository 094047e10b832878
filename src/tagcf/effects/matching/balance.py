"""How alike carriers of a tag and the rest are, before and after matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import total_by
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.kernels import weighted_moments
from tagcf.effects.matching.pairing import Pairing
from tagcf.effects.matching.rows import MatchRows
from tagcf.types import Balance, Floats, Tag

KEEP_CONTROLS = 12  # rows of the love plot per tag


def balance_of(
    at: int, tags: Sequence[Tag], design: Design, fit: Fit, rows: MatchRows, pairing: Pairing
) -> tuple[Balance, ...]:
    """Standardised differences of controls and other tags, the largest first.

    Within strata both are measured from their stratum's mean: what strata differ in cancels.
    """
    plain = plain_controls(fit.control_names)
    others = np.flatnonzero(fit.solved.kept & (np.arange(len(tags)) != at))
    cell_tags = (fit.part.cell_tags if design.absorbs == "stratum" else fit.tags)[:, others]
    names = [fit.control_names[k] for k in plain] + [tags[int(k)].slug for k in others]

    weights = np.stack([rows.w * (fit.tags[rows.cell, at] > 0), rows.w * pairing.matched])
    weights = np.vstack([weights, pairing.reuse])
    total, squares = weighted_moments(rows.x, weights)

    def summed(side: int) -> WeightedSums:
        by_cell = total_by(rows.cell, weights[side], len(cell_tags))
        own = WeightedSums(float(by_cell.sum()), total[side][plain], squares[side][plain])
        return own + sums_of_cells(cell_tags, by_cell)

    by_cell = total_by(rows.cell, rows.w, len(cell_tags))
    everybody = WeightedSums(rows.w.sum(), rows.x_sum[plain], rows.x_squares[plain])
    everybody = everybody + sums_of_cells(cell_tags, by_cell)
    return worst_differences(tags[at], names, everybody, summed(0), summed(1), summed(2))


def worst_differences(
    tag: Tag,
    names: Sequence[str],
    everybody: WeightedSums,
    with_tag: WeightedSums,
    matched: WeightedSums,
    used: WeightedSums,
) -> tuple[Balance, ...]:
    """Differences of carriers and the rest, then of the matched and their controls."""
    without = everybody - with_tag
    spread = np.sqrt(np.maximum((with_tag.variance + without.variance) / 2, 1e-12))
    before = (with_tag.mean - without.mean) / spread
    after = (matched.mean - used.mean) / spread
    worst = np.argsort(-np.maximum(np.abs(before), np.abs(after)), kind="stable")[:KEEP_CONTROLS]
    return tuple(Balance(tag.slug, names[int(k)], float(before[k]), float(after[k])) for k in worst)


@dataclass(frozen=True, slots=True)
class WeightedSums:
    """Weighted sums of columns and of their squares. ``+`` puts columns side by side."""

    weight: float
    total: Floats  # (m,)
    squares: Floats  # (m,)

    def __add__(self, other: WeightedSums) -> WeightedSums:
        return WeightedSums(
            self.weight,
            np.concatenate([self.total, other.total]),
            np.concatenate([self.squares, other.squares]),
        )

    def __sub__(self, other: WeightedSums) -> WeightedSums:
        return WeightedSums(
            self.weight - other.weight, self.total - other.total, self.squares - other.squares
        )

    @property
    def mean(self) -> Floats:
        """(m,) weighted means."""
        return np.asarray(self.total / max(self.weight, 1e-300))

    @property
    def variance(self) -> Floats:
        """(m,) weighted variances."""
        return np.maximum(self.squares / max(self.weight, 1e-300) - self.mean**2, 0.0)


def sums_of_cells(columns: Floats, weight: Floats) -> WeightedSums:
    """Sums of columns (C, m) that do not vary within cells, by the cells' weights."""
    return WeightedSums(float(weight.sum()), weight @ columns, weight @ columns**2)


def plain_controls(names: tuple[str, ...]) -> list[int]:
    """Columns that are controls themselves: a spline's further columns are left out."""
    return [k for k, name in enumerate(names) if "~" not in name]
