"""What a cold item would be ranked by without a model: near tags of the history, popular tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.baselines.recency import recent_rows
from tagcf.recommend.cold.stand_in import rare_rows
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class TagNeighbours:
    """Sum of cosines of tags to the items of the history, recent ones heavier."""

    tags: sparse.csr_array = field(repr=False)  # (I, T)
    decay: float = 0.0
    rare: bool = True  # rare tags weigh more
    name: str = "tag-neighbours"

    def fit(self, train: Histories) -> FittedTagNeighbours:
        """Weigh tags by how rare they are among known items."""
        known = np.bincount(train.item, minlength=train.n_items) > 0
        return FittedTagNeighbours(rare_rows(self.tags, known, rare=self.rare), self.decay)


@dataclass(frozen=True, slots=True)
class FittedTagNeighbours:
    """Unit rows of tags."""

    rows: sparse.csr_array  # (I, T)
    decay: float

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Add up cosines; times make no difference."""
        profile = recent_rows(histories, self.decay) @ self.rows
        return np.asarray((profile @ self.rows.T).toarray(), np.float32)


@dataclass(frozen=True, slots=True)
class TagPopularity:
    """Events that an item with these tags has on average, the same for everybody."""

    tags: sparse.csr_array = field(repr=False)  # (I, T)
    name: str = "tag-popularity"

    def fit(self, train: Histories) -> FittedTagPopularity:
        """Mean over an item's tags of the mean over each tag's known items."""
        count = np.bincount(train.item, minlength=train.n_items).astype(np.float64)
        known = (count > 0).astype(np.float64)
        mean = (count @ self.tags) / np.maximum(known @ self.tags, 1)
        carried = np.maximum(np.asarray(self.tags.sum(axis=1)).ravel(), 1e-12)
        return FittedTagPopularity(np.asarray(self.tags @ mean / carried, np.float32))


@dataclass(frozen=True, slots=True)
class FittedTagPopularity:
    """Predicted events."""

    count: NDArray[np.float32]  # (I,)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Give everybody the same; histories and times make no difference."""
        return np.tile(self.count, (len(histories), 1))


def tag_neighbour_models(
    tags: sparse.csr_array, decays: Sequence[float] = (0.0, 0.03, 0.1, 0.3, 1.0)
) -> list[TagNeighbours]:
    """Every weighting to choose from."""
    return [TagNeighbours(tags, decay, rare) for rare in (False, True) for decay in decays]
