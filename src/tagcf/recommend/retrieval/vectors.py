"""A transformer's best items: a dot product with every item's vector, through an index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.histories import Histories
from tagcf.recommend.retrieval.contract import Found, Moments
from tagcf.recommend.retrieval.index import ItemIndex, index_of
from tagcf.recommend.sequence.inference import last_states, states
from tagcf.recommend.sequence.weights import Array, Weights
from tagcf.types import Codes

ASKED = 100  # histories on which an index's recall is measured


@dataclass(frozen=True, slots=True)
class NearVectors:
    """Retriever of a transformer."""

    weights: Weights
    index: ItemIndex
    first: Codes  # (I,) items by how histories begin, best first
    first_moments: Moments
    mean: NDArray[np.float64]  # (d + 1,) of the items' vectors, their bias last
    covariance: NDArray[np.float64]  # (d + 1, d + 1)

    @staticmethod
    def of(weights: Weights, index: ItemIndex) -> NearVectors:
        """Prepare what requests share."""
        vectors = with_bias(weights)
        mean = vectors.mean(axis=0, dtype=np.float64)
        covariance = (vectors.T @ vectors).astype(np.float64) / len(vectors)
        start = weights.first.astype(np.float64)
        return NearVectors(
            weights,
            index,
            np.argsort(-weights.first, kind="stable").astype(np.int32),
            Moments(float(start.mean()), float(start.std())),
            mean,
            covariance - np.outer(mean, mean),
        )

    def asked(self, history: Codes) -> AskedVector | AskedFirst:
        """Read one history."""
        own = self.weights
        event = np.asarray(history)
        known = event[(event >= 0) & (event < own.n_items)][-own.length :]
        if not known.size:
            return AskedFirst(self)
        state = last_states(own, known[None, :])[0]
        return AskedVector(self, np.append(state, np.float32(1)))


@dataclass(frozen=True, slots=True)
class AskedVector:
    """The state after a history, and a 1 for the bias."""

    of: NearVectors
    vector: Array  # (d + 1,)

    @property
    def n_items(self) -> int:
        """Count the items."""
        return self.of.weights.n_items

    def best(self, n: int, hidden: NDArray[np.integer]) -> Found:
        """Give the n best of what the index finds; all are scored where it finds too few."""
        room = min(n, self.of.weights.n_items - np.unique(hidden).size)
        item = np.sort(self.of.index.near(self.vector, n, hidden))
        if item.size < room:
            item = np.setdiff1d(np.arange(self.of.weights.n_items, dtype=np.int32), hidden)
        score = self.scores(item)
        order = np.argsort(-score, kind="stable")[:n]
        return Found(item[order], score[order])

    def scores(self, items: NDArray[np.integer]) -> Array:
        """(m,) scores of some items, exact."""
        own = self.of.weights
        return np.asarray(own.item[items] @ self.vector[:-1] + own.bias[items], np.float32)

    def moments(self) -> Moments:
        """Mean and standard deviation of the scores of all items, from the vectors' own."""
        asked = self.vector.astype(np.float64)
        variance = float(np.dot(asked, self.of.covariance @ asked))
        return Moments(float(asked @ self.of.mean), max(variance, 0.0) ** 0.5)


@dataclass(frozen=True, slots=True)
class AskedFirst:
    """A history without any known event: how histories begin."""

    of: NearVectors

    @property
    def n_items(self) -> int:
        """Count the items."""
        return self.of.weights.n_items

    def best(self, n: int, hidden: NDArray[np.integer]) -> Found:
        """Give the n best items that are not hidden; exact."""
        near = self.of.first[: n + hidden.size]
        item = near[~np.isin(near, hidden)][:n]
        return Found(item, self.of.weights.first[item])

    def scores(self, items: NDArray[np.integer]) -> Array:
        """(m,) scores of some items, exact."""
        return np.asarray(self.of.weights.first[items])

    def moments(self) -> Moments:
        """Mean and standard deviation of the scores of all items."""
        return self.of.first_moments


def transformer_index(weights: Weights, histories: Histories) -> ItemIndex | None:
    """Index a transformer's items; recall is measured on some of the histories."""
    some = histories.users(np.flatnonzero(histories.sizes)[:ASKED])
    state = states(weights, some)
    return index_of(with_bias(weights), np.hstack([state, np.ones((len(state), 1), np.float32)]))


def with_bias(weights: Weights) -> Array:
    """(I, d + 1) vectors whose dot product with a state and a 1 is the score."""
    return np.hstack([weights.item, weights.bias[:, None]]).astype(np.float32)
