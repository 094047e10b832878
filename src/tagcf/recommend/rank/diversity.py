"""Lists whose items differ: the best of many candidates, weighed against being alike.

An item is a unit vector of its tags; two items are alike as far as their vectors agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.rank.kernels import determinant_order, relevance_order
from tagcf.types import Floats

Order = NDArray[np.int64]


class Diversity(Protocol):
    """How a list is picked from candidates."""

    def pick(self, utility: Floats, vectors: Floats, k: int) -> Order:
        """Pick k of n candidates.

        Parameters
        ----------
        utility
            (n,) larger is better; NaN is never picked before what is known.
        vectors
            (n, R) unit vectors, as `unit_vectors` makes them.
        k
            Length of the list; all candidates where there are fewer.

        Returns
        -------
        Order
            (min(k, n),) positions of the candidates, best first; ties go to the first.
        """
        ...


@dataclass(frozen=True, slots=True)
class Best:
    """The k of largest utility."""

    def pick(self, utility: Floats, vectors: Floats, k: int) -> Order:
        """Pick as `Diversity.pick` says."""
        return np.argsort(-_comparable(utility), kind="stable")[: max(k, 0)]


@dataclass(frozen=True, slots=True)
class MarginalRelevance:
    """Maximal marginal relevance (Carbonell and Goldstein 1998).

    Parameters
    ----------
    weight
        What being a copy of an item above costs, in standard deviations of the utility.
    """

    weight: float = 0.5

    def pick(self, utility: Floats, vectors: Floats, k: int) -> Order:
        """Pick as `Diversity.pick` says."""
        size = min(max(k, 0), len(utility))
        score = _standardised(utility)
        return np.asarray(relevance_order(score, _dense(vectors), self.weight, size))


@dataclass(frozen=True, slots=True)
class Determinantal:
    """Greedy maximum of a determinantal point process (Chen, Zhang and Zhou 2018, algorithm 1).

    The kernel is ``exp(s_i) (v_i·v_j + ridge [i = j]) exp(s_j)`` with s the standardised utility
    over twice the weight.

    Parameters
    ----------
    weight
        How much volume counts against utility; 0 is the k best.
    ridge
        Lets a list be longer than the vectors are wide.
    """

    weight: float = 0.5
    ridge: float = 0.05

    def pick(self, utility: Floats, vectors: Floats, k: int) -> Order:
        """Pick as `Diversity.pick` says."""
        if self.weight <= 0:
            return Best().pick(utility, vectors, k)
        size = min(max(k, 0), len(utility))
        score = _standardised(utility) / (2.0 * self.weight)
        return np.asarray(determinant_order(score, _dense(vectors), self.ridge, size))


def unit_vectors(carried: sparse.csr_array) -> NDArray[np.float32]:
    """(n, T) rows of a tag table at length one; items without tags stay zero."""
    table = carried.toarray().astype(np.float32)
    size = np.sqrt((table**2).sum(axis=1, keepdims=True))
    return np.asarray(np.divide(table, size, out=np.zeros_like(table), where=size > 0))


def _dense(vectors: Floats) -> Floats:
    return np.ascontiguousarray(vectors, dtype=np.float64)


def _comparable(utility: Floats) -> Floats:
    """Utilities with NaN below all others."""
    return np.where(np.isnan(utility), -np.inf, utility)


def _standardised(utility: Floats) -> Floats:
    """(n,) in standard deviations from the mean; what is unknown far below."""
    known = np.isfinite(utility)
    if not known.any():
        return np.zeros_like(utility)
    spread = float(utility[known].std()) or 1.0
    return np.where(known, (utility - utility[known].mean()) / spread, -1e6)
