"""EASE: a closed-form item-item model, zero on its diagonal.

Steck (2019), "Embarrassingly Shallow Autoencoders for Sparse Data": with P = (XᵀX + λI)⁻¹,
B = I − P / diag(P). `decay` weighs a history's events by exp(−decay · (age − 1)) when it is
scored; training knows no order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.errors import EstimationError
from tagcf.recommend.baselines.recency import recent_rows
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.types import Floats

LARGEST = 20_000  # items: the dense inverse takes 8 · I² bytes


@dataclass(frozen=True, slots=True)
class Ease:
    """EASE with ridge `penalty` λ."""

    penalty: float = 100.0
    decay: float = 0.0
    name: str = "ease"

    def fit(self, train: Histories) -> FittedEase:
        """Invert the Gram matrix.

        Raises
        ------
        EstimationError
            The catalogue is too large for a dense inverse.
        """
        if train.n_items > LARGEST:
            facts = {"n": f"{train.n_items:,}", "most": f"{LARGEST:,}"}
            raise EstimationError("recommend.too_many_items", model=self.name, **facts)
        rows = train.seen()
        gram = (rows.T @ rows).toarray().astype(np.float32, order="F")
        gram[np.diag_indices_from(gram)] += self.penalty
        weight = _inverse(gram)
        weight /= -np.diag(weight).copy()
        np.fill_diagonal(weight, 0.0)
        return FittedEase(weight, self.decay)


@dataclass(frozen=True, slots=True)
class FittedEase:
    """Item-item weights."""

    weight: NDArray[np.float32]  # (I, I): what the item of the row adds to that of the column
    decay: float

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Sum the rows of a history's items."""
        return np.asarray(recent_rows(histories, self.decay) @ self.weight, np.float32)


def _inverse(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Invert a positive definite matrix in place, by Cholesky: half of a general inverse."""
    factor, info = linalg.lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, info = linalg.lapack.spotri(factor, lower=1, overwrite_c=1) if not info else (0, info)
    if info:
        raise EstimationError("recommend.singular", model="ease")
    lower = np.tril(inverse)
    return np.ascontiguousarray(lower + np.tril(lower, -1).T)


PENALTIES = (30.0, 100.0, 300.0, 1000.0)
DECAYS = (0.03, 0.1, 0.3)


def ease_search(penalties: Sequence[float] = PENALTIES) -> Grid:
    """EASE with its ridge chosen."""
    return Grid("ease", [Ease(penalty) for penalty in penalties])


def ease_recency_search(
    penalties: Sequence[float] = PENALTIES, decays: Sequence[float] = DECAYS
) -> Grid:
    """EASE with ridge and decay chosen; one inverse serves all decays."""
    first, *others = decays

    def variants(model: Model, fitted: Fitted) -> Iterator[tuple[Model, Fitted]]:
        if isinstance(model, Ease) and isinstance(fitted, FittedEase):
            for decay in others:
                yield replace(model, decay=decay), replace(fitted, decay=decay)

    models = [Ease(penalty, first, "ease-recency") for penalty in penalties]
    return Grid("ease-recency", models, variants)
