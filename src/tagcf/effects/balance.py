"""How alike carriers of a tag and the rest are, before and after matching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagcf.effects.joint import Fit
from tagcf.effects.match_rows import MatchRows
from tagcf.effects.pairing import Pairing
from tagcf.types import Balance, Floats, Mask, Tag

KEEP_CONTROLS = 12  # rows of the love plot per tag


def balance_of(
    at: int,
    tags: Sequence[Tag],
    fit: Fit,
    rows: MatchRows,
    carries: Mask,
    others: Mask,
    pairing: Pairing,
) -> tuple[Balance, ...]:
    """Standardised differences before and after, the largest first."""
    plain = plain_controls(fit.control_names)
    names = [fit.control_names[k] for k in plain]
    names += [tags[int(other)].slug for other in np.flatnonzero(others)]
    columns = np.hstack([rows.x[:, plain], rows.others[:, others]])
    before_with, before_without = rows.w * carries, rows.w * ~carries
    mean_1, var_1 = _moments(columns, before_with)
    mean_0, var_0 = _moments(columns, before_without)
    after_1, _ = _moments(columns, rows.w * pairing.matched)
    after_0, _ = _moments(columns, pairing.reuse)
    spread = np.sqrt(np.maximum((var_1 + var_0) / 2, 1e-12))
    before, after = (mean_1 - mean_0) / spread, (after_1 - after_0) / spread
    worst = np.argsort(-np.maximum(np.abs(before), np.abs(after)), kind="stable")[:KEEP_CONTROLS]
    return tuple(
        Balance(tags[at].slug, names[int(k)], float(before[k]), float(after[k])) for k in worst
    )


def _moments(columns: Floats, weight: Floats) -> tuple[Floats, Floats]:
    total = max(weight.sum(), 1e-300)
    mean = weight @ columns / total
    return mean, np.maximum(weight @ columns**2 / total - mean**2, 0.0)


def plain_controls(names: tuple[str, ...]) -> list[int]:
    """Columns that are controls themselves: a spline's further columns are left out."""
    return [k for k, name in enumerate(names) if "~" not in name]
