"""New users: what people of their segments or roles have, until their own events tell more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.evaluate.search import Reseeded
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Model, Scores
from tagcf.recommend.sequence.fusion import z_scores
from tagcf.types import Codes, Floats

LEVELS_AT_ONCE = 16  # whose lifts of all items are told together
PRIOR = 5.0  # expected events that a segment's share of an item is shrunk with


@dataclass(frozen=True, slots=True)
class SegmentPrior:
    """What users of S segments or roles have, against what everybody has.

    A lift is the log of observed + prior over expected + prior events. Where a segment has none
    of an item, it follows from the two counts; only what is observed is kept, cell by cell, so
    that many segments of a large catalogue take no more room than the log itself.
    """

    share: NDArray[np.float32]  # (I,) log share of all events, half an event added to each item
    events: NDArray[np.float32]  # (S,) of the segment
    more: sparse.csr_array  # (S, I) log(1 + observed / prior)
    strength: float = 1.0  # that lifts are multiplied with
    prior: float = PRIOR

    def lifts(self, level: NDArray[np.integer]) -> Scores:
        """(s, I) shrunken log ratios of some segments' shares to everybody's."""
        out = self.events[level, None] / np.float32(self.prior) * np.exp(self.share)
        out += np.float32(1)
        np.log(out, out=out)
        np.negative(out, out=out)
        out += self.more[level].toarray()
        out *= np.float32(self.strength)
        return np.asarray(out, np.float32)

    def scores(self, membership: sparse.csr_array) -> Scores:
        """(M, I) log odds of M users, lifts of the segments they are in averaged.

        Segments overlap (the young are also students): their lifts are averaged rather than
        summed, so that a preference counts once. Without a segment it is everybody's share.

        Parameters
        ----------
        membership
            (M, S) weights, at least 0.
        """
        weight = np.asarray(membership.sum(axis=1)).ravel()
        scale = np.divide(1.0, weight, out=np.zeros(weight.size), where=weight > 0)
        mean = sparse.csr_array(sparse.diags_array(scale) @ membership).astype(np.float32)
        out = np.tile(self.share, (mean.shape[0], 1))
        level = np.unique(mean.indices)
        for start in range(0, level.size, LEVELS_AT_ONCE):
            some = level[start : start + LEVELS_AT_ONCE]
            out += mean[:, some] @ self.lifts(some)
        return out


def segment_prior(
    train: Histories, membership: sparse.csr_array, *, strength: float = 1.0, prior: float = PRIOR
) -> SegmentPrior:
    """Count events of items by segment. O(events · segments of a user) time and room.

    The ratio of observed to expected events has a gamma prior with mean 1, worth `prior` expected
    events (DuMouchel 1999, The American Statistician 53, with one component).

    Parameters
    ----------
    membership
        (U, S) weights of the training users' segments or roles, at least 0: `segment_members`,
        or ``roles.user_roles.maximum(0)``.
    strength
        What lifts are multiplied with: above 1 where several segments each say a part.
    """
    user, item = train.user, train.item
    shape = (len(train), train.n_items)
    events = sparse.csr_array((np.ones(item.size), (user, item)), shape=shape)
    count: Floats = np.bincount(item, minlength=train.n_items).astype(np.float64)
    share = (count + 0.5) / (count.sum() + 0.5 * count.size)
    more = sparse.csr_array(membership.T @ events)
    more.sort_indices()
    total = np.asarray(more.sum(axis=1)).ravel()
    more.data = np.log1p(more.data / prior)
    return SegmentPrior(
        np.log(share).astype(np.float32),
        total.astype(np.float32),
        more.astype(np.float32),
        strength,
        prior,
    )


def segment_members(codes: Codes, levels: tuple[int, ...]) -> sparse.csr_array:
    """(U, ΣL) 0/1 membership of (U, S) segment codes with L levels each; -1 is in none."""
    first = np.cumsum([0, *levels[:-1]])
    user, segment = np.nonzero(codes >= 0)
    column = first[segment] + codes[user, segment]
    ones = np.ones(user.size, np.float32)
    return sparse.csr_array((ones, (user, column)), shape=(len(codes), sum(levels)))


@dataclass(frozen=True, slots=True)
class ColdUsers:
    """A model beside what a new user's segments say, mixed by the length of the history."""

    model: Model
    membership: sparse.csr_array = field(repr=False)  # (U, S) of the training users
    prior_events: float = 3.0  # events of a user that weigh as much as the segments
    strength: float = 1.0
    name: str = "cold-users"

    def fit(self, train: Histories) -> FittedColdUsers:
        """Fit the model and count segments."""
        prior = segment_prior(train, self.membership, strength=self.strength)
        return FittedColdUsers(self.model.fit(train), prior, self.prior_events)

    def reseeded(self, seed: int) -> ColdUsers:
        """Give the same settings with what is random in the model drawn anew."""
        model = self.model
        return replace(self, model=model.reseeded(seed)) if isinstance(model, Reseeded) else self


@dataclass(frozen=True, slots=True)
class FittedColdUsers:
    """A fitted model and priors."""

    model: Fitted
    prior: SegmentPrior
    prior_events: float

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Score users of unknown segments."""
        nobody = sparse.csr_array(np.zeros((len(histories), len(self.prior.events)), np.float32))
        return self.scores_of(histories, nobody, at)

    def scores_of(
        self, histories: Histories, membership: sparse.csr_array, at: Floats | None = None
    ) -> Scores:
        """Mix z-scores: n parts the model's to `prior_events` parts the segments'.

        Parameters
        ----------
        membership
            (M, S) segments of the M users scored.
        """
        share = self.prior.scores(membership)
        size = histories.sizes.astype(np.float32)
        total = size + np.float32(self.prior_events)
        own = np.divide(size, total, out=np.zeros_like(size), where=total > 0)[:, None]
        mixed = own * z_scores(self.model.scores(histories, at)) + (1 - own) * z_scores(share)
        return np.asarray(mixed, np.float32)
