"""What a retriever is: it gives the best items for a history in less than O(items)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Codes

EXACT_ITEMS = 200_000  # up to here every item is scored


@dataclass(frozen=True, slots=True)
class Found:
    """n items for one history, best first; of equal scores the smaller item first."""

    item: Codes  # (n,)
    score: NDArray[np.float32]  # (n,) by the model


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one history's scores of all items."""

    mean: float
    deviation: float


class Asked(Protocol):
    """One history, ready to be asked of."""

    @property
    def n_items(self) -> int:
        """Count the items."""
        ...

    def best(self, n: int, hidden: NDArray[np.integer]) -> Found:
        """Give the n best items that are not hidden; fewer where there are fewer."""
        ...

    def scores(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """(m,) scores of some items, by the model."""
        ...


class Retriever(Protocol):
    """A fitted model's way to its best items."""

    def asked(self, history: Codes) -> Asked:
        """Take one history, oldest first; unknown items are passed over."""
        ...
