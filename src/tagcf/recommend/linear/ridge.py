"""How a regression's table B is solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.linear.pairs.kernels import UNIT
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class Ridge:
    """How B is solved: (SᵀWS + λ D^p) B = SᵀWY, then column i times count(i)^−γ.

    D is the diagonal of SᵀWS, at least 1. With p = 0 this is plain ridge; an infinite λ leaves
    D^−p SᵀWY, the counts of a co-visitation.

    A `streamed` table is that limit with D the items' own numbers of events, row by row: what
    follows an item is summed, and the strongest of it kept, before the next item is begun. No
    sums over pairs are ever held, so that memory is bounded; γ does not apply.
    """

    penalty: float = 300.0  # λ
    penalty_power: float = 0.0  # p
    target_power: float = 0.0  # γ
    neighbours: int | None = None  # None: dense; else entries of a column (streamed: row) at most
    streamed: bool = False

    def __post_init__(self) -> None:
        if self.streamed and (
            np.isfinite(self.penalty) or self.target_power or not self.neighbours
        ):
            raise ValueError("a streamed table has penalty=inf, target_power=0 and neighbours")


def diagonal_of(gram: NDArray[np.int64]) -> Floats:
    """D of the diagonal's sums."""
    return np.maximum(gram / UNIT, 1.0)


def target_weight(count: NDArray[np.int64], ridge: Ridge) -> NDArray[np.float32]:
    """(I,) count^−γ."""
    return (np.maximum(count, 1.0) ** -ridge.target_power).astype(np.float32)
