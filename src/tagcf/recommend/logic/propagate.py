"""From a history along roles and topics to items, in log odds that are centred at every step.

The published inference (TagCF, Yu et al. 2025, arXiv 2505.10940, section 3.4) passes
probabilities through a sigmoid and a row normalisation twice; what comes out is so close to
uniform that it moves hardly any rank. Here evidence is a log odds against everybody's, edges are
log lifts, and topics are centred and scaled over training users, so that what is left is what
sets a user apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.baselines.recency import recent_rows
from tagcf.recommend.histories import Histories
from tagcf.recommend.logic.behaviour import LogicEdges
from tagcf.recommend.scoring import Scores
from tagcf.types import Codes, Floats

PRIOR = 5.0  # events at everybody's share, in a user's share of a role
USERS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Propagation:
    """Everything between a history and the term; I items, R roles, T topics."""

    roles: sparse.csr_array  # (I, R) strength in 0..1
    share: Floats  # (R,) of events with the role
    to_topics: sparse.csr_array  # (R, T)
    centre: Floats  # (T,) mean over users with events of what arrives at a topic
    scale: Floats  # (T,) one over its spread; 0 where nothing arrives
    items: sparse.csr_array  # (I, T) topics of each item, of length 1
    decay: float

    def evidence(self, histories: Histories) -> Floats:
        """(U, R) log odds of each role in a history against everybody's; 0 for an empty one."""
        rows = recent_rows(histories, self.decay)
        weight = np.asarray(rows.sum(axis=1), np.float64).reshape(-1, 1)
        met = np.asarray((rows @ self.roles).toarray(), np.float64)
        share = (met + PRIOR * self.share) / (weight + PRIOR)
        return _log_odds(share) - _log_odds(self.share)

    def topics(self, histories: Histories) -> Floats:
        """(U, T) what the roles of a history say of topics, in spreads over training users."""
        return (self.evidence(histories) @ self.to_topics - self.centre) * self.scale

    def scores(self, histories: Histories) -> Scores:
        """(U, I) the term."""
        return np.asarray((self.items @ self.topics(histories).T).T, np.float32)

    def scores_at(self, histories: Histories, items: Codes) -> Floats:
        """(U,) the term of one item for each history."""
        told = self.items[items].multiply(self.topics(histories))
        return np.asarray(told.sum(axis=1), np.float64).ravel()

    def by_role(self, histories: Histories, items: Codes) -> Floats:
        """(m, R) what each role of the one history says of items; with the centre, their term."""
        weighed = self.items[items] @ sparse.diags_array(self.scale)
        reached = np.asarray((weighed @ self.to_topics.T).toarray(), np.float64)
        return np.asarray(reached * self.evidence(histories)[0])


def propagation(
    train: Histories,
    topics: sparse.csr_array,
    edges: LogicEdges,
    roles: sparse.csr_array | None = None,
    decay: float = 0.03,
) -> Propagation:
    """Measure centre and spread of topics over the training users that have events.

    Parameters
    ----------
    topics, roles
        (I, T) and (I, R) strengths, as the edges were learnt from.
    decay
        Of an event with each later one.
    """
    carried = sparse.csr_array((topics if roles is None else roles).astype(np.float32))
    count = np.bincount(train.item, minlength=train.n_items).astype(np.float64)
    share = (count @ carried) / max(count.sum(), 1.0)
    centre, scale = np.zeros(topics.shape[1]), np.ones(topics.shape[1])
    raw = propagation_of((edges.to_topics, share, centre, scale), topics, roles, decay)
    centre, spread = _moments(raw, train)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return replace(raw, centre=centre, scale=scale)


def propagation_of(
    learnt: tuple[sparse.csr_array, Floats, Floats, Floats],
    topics: sparse.csr_array,
    roles: sparse.csr_array | None,
    decay: float = 0.03,
) -> Propagation:
    """Put together what was learnt (`to_topics`, `share`, `centre`, `scale`) and the tables."""
    to_topics, share, centre, scale = learnt
    carried = sparse.csr_array((topics if roles is None else roles).astype(np.float32))
    return Propagation(carried, share, to_topics, centre, scale, _unit_rows(topics), decay)


def _moments(raw: Propagation, train: Histories) -> tuple[Floats, Floats]:
    """(T,) mean and standard deviation over users with events, some users at a time."""
    train = train.users(train.sizes > 0)
    total = np.zeros(raw.centre.size)
    squares = np.zeros(raw.centre.size)
    for start in range(0, len(train), USERS_AT_ONCE):
        part = raw.topics(train.users(slice(start, start + USERS_AT_ONCE)))
        total += part.sum(axis=0)
        squares += (part**2).sum(axis=0)
    mean = total / max(len(train), 1)
    return mean, np.sqrt(np.maximum(squares / max(len(train), 1) - mean**2, 0.0))


def _log_odds(share: Floats) -> NDArray[np.float64]:
    inside = np.clip(share, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _unit_rows(table: sparse.csr_array) -> sparse.csr_array:
    length = np.sqrt(np.asarray(table.multiply(table).sum(axis=1), np.float64)).ravel()
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_array(sparse.diags_array(scale) @ table)
