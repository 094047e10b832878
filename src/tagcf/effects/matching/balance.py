"""How alike carriers of a tag and the rest are, before and after matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.cells import total_by
from tagcf.effects.linear.design import Design
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

    def summed(some: NDArray[np.integer], weight: Floats) -> _Sums:
        """Sums over a few rows: what is not matched costs nothing."""
        by_cell = total_by(rows.cell[some], weight, len(cell_tags))
        return _sums(rows.x[some][:, plain], weight) + _sums(cell_tags, by_cell)

    carrying = np.flatnonzero(fit.tags[rows.cell, at] > 0)
    matched, used = np.flatnonzero(pairing.matched), np.flatnonzero(pairing.reuse > 0)
    by_cell = total_by(rows.cell, rows.w, len(cell_tags))
    everybody = _Sums(rows.w.sum(), rows.x_sum[plain], rows.x_squares[plain])
    everybody = everybody + _sums(cell_tags, by_cell)
    with_tag = summed(carrying, rows.w[carrying])
    without = everybody - with_tag
    after_1, after_0 = summed(matched, rows.w[matched]), summed(used, pairing.reuse[used])
    spread = np.sqrt(np.maximum((with_tag.variance + without.variance) / 2, 1e-12))
    before, after = (with_tag.mean - without.mean) / spread, (after_1.mean - after_0.mean) / spread
    worst = np.argsort(-np.maximum(np.abs(before), np.abs(after)), kind="stable")[:KEEP_CONTROLS]
    return tuple(
        Balance(tags[at].slug, names[int(k)], float(before[k]), float(after[k])) for k in worst
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted sums of columns and of their squares. ``+`` puts columns side by side."""

    weight: float
    total: Floats  # (m,)
    squares: Floats  # (m,)

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.weight,
            np.concatenate([self.total, other.total]),
            np.concatenate([self.squares, other.squares]),
        )

    def __sub__(self, other: _Sums) -> _Sums:
        return _Sums(
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


def _sums(columns: Floats, weight: Floats) -> _Sums:
    return _Sums(float(weight.sum()), weight @ columns, weight @ columns**2)


def plain_controls(names: tuple[str, ...]) -> list[int]:
    """Columns that are controls themselves: a spline's further columns are left out."""
    return [k for k, name in enumerate(names) if "~" not in name]
