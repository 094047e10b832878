"""What matching finds of one tag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.types import Balance, Floats


@dataclass(frozen=True, slots=True)
class TagMatch:
    """The match of one tag. K outcomes."""

    estimate: Floats  # (K,)
    se: Floats  # (K,)
    df: float
    share: float  # of treated weight that was matched
    effective: float  # items by their weight
    balance: tuple[Balance, ...]


def unmatched(n_outcomes: int, share: float) -> TagMatch:
    """No row with the tag found one without it."""
    nothing = np.full(n_outcomes, np.nan)
    return TagMatch(nothing, nothing, 1.0, share, 0.0, ())


def effective_cells(by_cell: Floats) -> float:
    """Effective number of cells, (Σw)²/Σw², from their weights."""
    return float(by_cell.sum() ** 2 / max((by_cell**2).sum(), 1e-300))


def two_way(along: tuple[Floats, ...]) -> Floats:
    """(K,) error from variances along one axis, or along two and their pairs."""
    if len(along) == 1:
        return np.asarray(np.sqrt(along[0]))
    both = along[0] + along[1] - along[2]
    return np.asarray(np.sqrt(np.maximum(both, np.maximum(along[0], along[1]))))
