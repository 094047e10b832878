"""Matrix factorisation for implicit feedback, by the package ``implicit`` (extra `peers`).

Hu, Koren and Volinsky (2008). A history's factors are solved for anew, so that users unseen in
training are served like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.errors import MissingExtraError
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.text import say
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class ALS:
    """Alternating least squares with `factors` dimensions and confidence 1 + `alpha`."""

    factors: int = 32
    alpha: float = 1.0
    penalty: float = 0.01
    rounds: int = 15
    seed: int = 0
    name: str = "als"

    def reseeded(self, seed: int) -> ALS:
        """Return the same settings with another seed."""
        return replace(self, seed=seed)

    def fit(self, train: Histories) -> FittedALS:
        """Factorise the user-item table.

        Raises
        ------
        MissingExtraError
            ``implicit`` is not installed.
        """
        try:
            from implicit.cpu.als import AlternatingLeastSquares
        except ImportError as missing:
            facts = {"extra": "peers", "otherwise": say("recommend.without_als")}
            raise MissingExtraError("error.missing_extra", **facts) from missing
        model = AlternatingLeastSquares(
            factors=self.factors,
            alpha=self.alpha,
            regularization=self.penalty,
            iterations=self.rounds,
            num_threads=1,
            random_state=self.seed,
        )
        model.fit(_table(train), show_progress=False)
        return FittedALS(model, np.asarray(model.item_factors, np.float32))


@dataclass(frozen=True, slots=True)
class FittedALS:
    """Factors of I items, and the package's model that solves for a user's."""

    model: Any
    item_factors: NDArray[np.float32]  # (I, d)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Solve for each history's factors, and multiply."""
        users = self.model.recalculate_user(np.arange(len(histories)), _table(histories))
        return np.asarray(users @ self.item_factors.T, np.float32)


def _table(histories: Histories) -> sparse.csr_matrix:
    return sparse.csr_matrix(histories.seen())


def als_search(
    seed: int, factors: Sequence[int] = (32, 64, 128), alphas: Sequence[float] = (1.0, 10.0)
) -> Grid:
    """ALS with dimensions and confidence chosen."""
    return Grid("als", list(_models(seed, factors, alphas)))


def _models(seed: int, factors: Sequence[int], alphas: Sequence[float]) -> Iterator[ALS]:
    for n in factors:
        for alpha in alphas:
            yield ALS(n, alpha, seed=seed)
