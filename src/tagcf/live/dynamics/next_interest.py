"""What a user will want next.

A conditional logit (McFadden 1974) over tags. Its features are logarithms of running shares: how
often interests moved from the present tag to another, among all users and for this one, what the
user likes and returns to, what is wanted at this hour, what friends are into. All
of it, and the weights themselves, are learned from switches as they are told, one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.live.dynamics.social import FriendsInterest
from tagcf.types import Floats

FEATURES = (
    "moves from here",
    "own moves from here",
    "own taste",
    "the tag before",
    "popularity",
    "this hour",
    "friends",
    "logic graph",
)
HOURS = 24
SMOOTHING = 3.0  # pseudo-counts towards what is popular
OWN_SMOOTHING = 1.0


@dataclass(frozen=True, slots=True)
class NextTag:
    """A tag that a user may want next."""

    tag: int
    probability: float
    because: str  # the one of FEATURES that speaks most for it


class NextInterest:
    """Learns what interests move on to.

    Parameters
    ----------
    n_users, n_tags
        Users and tags are codes.
    friends
        (U, U) rows sum to one; none by default.
    logic
        (T, T) tag-logic graph, 1 from a tag to those that it leads to; none by default.
    rate
        Step of the weights' stochastic gradient (AdaGrad).
    """

    def __init__(
        self,
        n_users: int,
        n_tags: int,
        *,
        friends: sparse.csr_array | None = None,
        logic: Floats | None = None,
        rate: float = 0.1,
    ) -> None:
        self.logic = logic
        self._around = None if friends is None else FriendsInterest(friends, n_tags)
        self.rate = rate
        self._moves = np.zeros((n_tags, n_tags))
        self._own_moves: dict[tuple[int, int], Floats] = {}
        self._own = np.zeros((n_users, n_tags))
        self._before = np.full(n_users, -1)
        self._popular = np.full(n_tags, 1.0 / n_tags)
        self._hour = np.zeros((HOURS, n_tags))
        self.weights = np.array([0.4, 0.2, 0.2, 0.0, 0.2, 0.3, 0.1, 0.3])
        self._squares = np.ones(len(FEATURES))

    def features(self, user: int, belief: Floats, ts: float) -> Floats:
        """(F, T) features of every tag as the user's next, `belief` (T,) being in the present."""
        popular = self._popular / self._popular.sum()
        n_tags = len(popular)
        all_moves = self._expected(self._moves, belief, SMOOTHING * popular)
        here = self._own_moves.get((user, int(belief.argmax())), np.zeros(n_tags))
        own = self._own[user]
        hour = self._hour[self._slot(ts)]
        around = np.zeros(n_tags) if self._around is None else self._around.around(user, ts)
        logic = np.zeros(n_tags) if self.logic is None else belief @ self.logic
        return np.array(
            [
                _relative(all_moves, popular),
                np.log1p(here),
                _relative((own + 2 * popular) / (own.sum() + 2), popular),
                (np.arange(n_tags) == self._before[user]).astype(np.float64),
                np.log(popular),
                _relative((hour + 20 * popular) / (hour.sum() + 20), popular),
                np.log1p(20 * around),
                logic,
            ]
        )

    def chances(self, user: int, belief: Floats, ts: float) -> Floats:
        """(T,) chance of each tag to be the next interest; the present ones count as little."""
        return self._softmax(self.features(user, belief, ts), belief)

    def likely(self, user: int, belief: Floats, ts: float, k: int = 3) -> tuple[NextTag, ...]:
        """Return the `k` likeliest next tags, best first, with what speaks for each."""
        features = self.features(user, belief, ts)
        chances = self._softmax(features, belief)
        part = self.weights[:, None] * (features - features.mean(axis=1, keepdims=True))
        best = np.argsort(-chances, kind="stable")[:k]
        return tuple(
            NextTag(int(t), float(chances[t]), FEATURES[int(part[:, t].argmax())]) for t in best
        )

    def observe(
        self, user: int, ts: float, source: int, target: int, belief: Floats | None = None
    ) -> None:
        """Learn from a switch; `belief` (T,) in the present before it, certain by default."""
        n_tags = len(self._popular)
        if belief is None:
            belief = (np.arange(n_tags) == source).astype(np.float64)
        features = self.features(user, belief, ts)
        slope = features[:, target] - features @ self._softmax(features, belief)
        self._squares += slope * slope
        self.weights += self.rate * slope / np.sqrt(self._squares)
        self._count(user, ts, source, target)

    def _count(self, user: int, ts: float, source: int, target: int) -> None:
        self._moves[source, target] += 1
        self._popular[target] += 1
        self._own[user, target] += 1
        self._hour[self._slot(ts), target] += 1
        key = (user, source)
        self._own_moves.setdefault(key, np.zeros(len(self._popular)))[target] += 1
        self._before[user] = source
        if self._around is not None:
            self._around.update(user, target, ts)

    @staticmethod
    def _slot(ts: float) -> int:
        return int(ts // 3600) % HOURS

    @staticmethod
    def _expected(moves: Floats, belief: Floats, smooth: Floats) -> Floats:
        """(T,) chance of the next tag, over what is wanted now."""
        total = moves.sum(axis=1) + smooth.sum()
        expected: Floats = (belief / total) @ moves + smooth * (belief / total).sum()
        return expected

    def _softmax(self, features: Floats, belief: Floats) -> Floats:
        logit = self.weights @ features + np.log1p(-np.minimum(belief, 1 - 1e-12))
        chances = np.exp(logit - logit.max())
        whole: Floats = chances / chances.sum()
        return whole


def _relative(share: Floats, against: Floats) -> Floats:
    """Log of how much larger a share is than another."""
    log: Floats = np.log((share + 1e-6) / (against + 1e-6))
    return log


def hit(chances: Sequence[float] | Floats, target: int, k: int = 3) -> bool:
    """Whether the target is among the `k` with the highest chances; of equal ones the first."""
    return int(target) in np.argsort(-np.asarray(chances), kind="stable")[:k]
