"""What a regression is after training: a table, and what it keeps of the log to learn more of it.

Three forms: `dense.DenseFit`, `sparse.SparseFit` and `streamed.StreamedFit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats

Sums = NDArray[np.int64]
Table = NDArray[np.float32] | sparse.csr_array  # (F, I): what a feature adds to each item's score
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """What some users had, and have now, in the same order."""

    before: Histories
    after: Histories
    everybody: Histories | None = None  # all histories as they are now; streamed tables need them

    @property
    def touched(self) -> NDArray[np.int32]:
        """Items that any of them had or has, each once."""
        return np.unique(np.concatenate([self.before.item, self.after.item]))


class Fit(Protocol):
    """One regression after training. Pure: a change returns another one."""

    @property
    def count(self) -> Sums:
        """(I,) events of each item."""
        ...

    @property
    def table(self) -> Table:
        """(F, I) what a feature adds to each item's score."""
        ...

    def changed(self, change: Change, design: Design, ridge: Ridge) -> Fit:
        """Learn and unlearn: equals a refit bit for bit."""
        ...

    def add_scores(self, histories: Histories, design: Design, weight: float, to: Scores) -> None:
        """Add the rows of the last events, decayed by window, to (U, I) scores."""
        ...

    def column(self, item: int) -> Floats:
        """(F,) what each feature adds to one item's score."""
        ...

    def arrays(self) -> Arrays:
        """Everything, for a file."""
        ...


class Statistics(Protocol):
    """Sums over users, all that a table is solved from: they add and subtract.

    They are int64 in units of 2^−30 (see `pairs.kernels`), so that adding and subtracting users
    leaves exactly what training without them gives.
    """

    def __add__(self, other: Self) -> Self:
        """Sums of both logs."""
        ...

    def __sub__(self, other: Self) -> Self:
        """Sums without the other's users."""
        ...

    def solve(self, design: Design, ridge: Ridge) -> Fit:
        """Solve for B."""
        ...


def sparse_arrays(name: str, table: sparse.csr_array) -> Arrays:
    """Write a sparse table as arrays whose names begin with its own."""
    return {
        f"{name}_data": table.data,
        f"{name}_indices": table.indices,
        f"{name}_indptr": table.indptr,
        f"{name}_shape": np.array(table.shape, np.int64),
    }


def sparse_of(name: str, arrays: Arrays) -> sparse.csr_array:
    """Read what `sparse_arrays` wrote."""
    parts = (arrays[f"{name}_{one}"] for one in ("data", "indices", "indptr"))
    return sparse.csr_array(tuple(parts), shape=tuple(arrays[f"{name}_shape"].tolist()))
