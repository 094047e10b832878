"""Tags that users have hardly touched and may come to love within some days.

A logistic model over pairs of a user and a tag that the user has hardly touched. Its features say
how the tag stands to what the user loves: along the tag-logic graph, along everybody's moves from
one interest to the next (one step and two), from the last interests, by whom else loves it. The
labels are in the stream itself: what had hardly been touched by some day and was loved later, by
users who came back. So every chance is that of a user *if they come back*; who stays away comes to
love nothing, and how likely that is, is not for this model to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from tagcf.errors import DataError
from tagcf.types import Codes, Floats, Mask

DAY = 86_400.0
FEATURES = (
    "logic graph",
    "moves",
    "two moves",
    "last tags",
    "alike users",
    "friends",
    "popularity",
)
TOUCHED = 0.02  # share of a user's interests from which on a tag counts as touched
LOVED, TIMES = 0.04, 2  # share, and times, from which on it counts as loved
LAST = 2 * DAY  # half-life of the last tags
PENALTY = 1.0
SLACK = 0.1  # share of a window that may come after the last switch: there may have been none


@dataclass(frozen=True, slots=True)
class InterestHistory:
    """Interests that users turned to, as switches are told; n of them, by time."""

    user: Codes  # (n,)
    source: Codes  # (n,) tag before
    target: Codes  # (n,) tag turned to
    ts: Floats  # (n,) epoch seconds
    n_users: int
    n_tags: int

    def before(self, ts: float) -> InterestHistory:
        """What was known at a time."""
        return self._cut(slice(0, int(np.searchsorted(self.ts, ts))))

    def between(self, first: float, last: float) -> InterestHistory:
        """What came from one time to another."""
        return self._cut(slice(*(int(at) for at in np.searchsorted(self.ts, (first, last)))))

    def counts(self) -> Floats:
        """(U, T) how often each user turned to each tag."""
        counts = np.zeros((self.n_users, self.n_tags))
        np.add.at(counts, (self.user, self.target), 1.0)
        return counts

    def _cut(self, part: slice) -> InterestHistory:
        return replace(
            self,
            user=self.user[part],
            source=self.source[part],
            target=self.target[part],
            ts=self.ts[part],
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the stream; each may be missing."""

    logic: Floats | None = None  # (T, T) tag-logic graph, 1 from a tag to those that it leads to
    friends: sparse.csr_array | None = None  # (U, U) rows sum to one


@dataclass(frozen=True, slots=True)
class ComingTag:
    """A tag that a user may come to love."""

    tag: int
    probability: float  # if the user comes back
    because: str  # the one of FEATURES that speaks most for it


@dataclass(frozen=True, slots=True)
class ComingInterests:
    """A learned model; see `fit_coming`."""

    weights: Floats  # (F,)
    bias: float
    centre: Floats  # (F,)
    scale: Floats  # (F,)
    window: float  # seconds that labels were looked for
    around: Surroundings

    def chances(self, history: InterestHistory, horizon: float = 30 * DAY) -> Floats:
        """(U, T) chance to be loved within `horizon` seconds if the user comes back.

        NaN where touched already. To come back is to turn to anything in every `window` of the
        horizon; for all users, whether they do or not, multiply by the chance that they do.
        """
        logit = (self._features(history) * self.weights).sum(axis=2) + self.bias
        chance: Floats = -np.expm1(horizon / self.window * np.log1p(-expit(logit)))
        return np.where(untouched(history), chance, np.nan)

    def coming_interests(
        self, history: InterestHistory, user: int, k: int = 5, days: float = 30.0
    ) -> tuple[ComingTag, ...]:
        """Return the `k` likeliest tags to be loved within so many days if the user comes back.

        Parameters
        ----------
        history
            Everybody's, up to now.

        Returns
        -------
        tuple of ComingTag
            Likeliest first, with what speaks most for each.
        """
        chances = self.chances(history, days * DAY)[user]
        part = self.weights * self._features(history)[user]
        best = np.argsort(np.where(np.isnan(chances), np.inf, -chances), kind="stable")[:k]
        return tuple(
            ComingTag(int(t), float(chances[t]), FEATURES[int(part[t].argmax())])
            for t in best
            if not np.isnan(chances[t])
        )

    def _features(self, history: InterestHistory) -> Floats:
        return (coming_features(history, self.around) - self.centre) / self.scale


def untouched(history: InterestHistory) -> Mask:
    """(U, T) tags that users with any history have hardly touched, and somebody has."""
    counts = history.counts()
    own = counts.sum(axis=1, keepdims=True)
    hardly: Mask = (counts < TOUCHED * own) | (counts == 0)
    known: Mask = hardly & (own > 0) & (counts.sum(axis=0) > 0)
    return known


def loved(history: InterestHistory) -> Mask:
    """(U, T) tags that are a good part of what users turned to."""
    counts = history.counts()
    enough: Mask = (counts >= TIMES) & (counts >= LOVED * counts.sum(axis=1, keepdims=True))
    return enough


def coming_features(history: InterestHistory, around: Surroundings) -> Floats:
    """(U, T, F) how each tag stands to what each user loves, in the order of `FEATURES`."""
    counts = history.counts()
    popular = (counts.sum(axis=0) + 1) / (counts.sum() + history.n_tags)
    own = _shares(counts)
    moves = np.zeros((history.n_tags, history.n_tags))
    np.add.at(moves, (history.source, history.target), 1.0)
    leads = _shares(moves + 2.0 * popular)
    logic = np.zeros_like(moves)
    if around.logic is not None:
        logic = around.logic / (1.0 + around.logic.sum(axis=0))
    last = np.zeros_like(counts)
    if len(history.ts):
        fading = 2.0 ** ((history.ts - history.ts[-1]) / LAST)
        np.add.at(last, (history.user, history.target), fading)
    friends = np.zeros_like(own) if around.friends is None else around.friends @ own
    relative = own - own.mean(axis=0)
    alike = _alike(relative)
    return np.stack(
        [
            np.log(own @ logic + 0.01),
            np.log(own @ leads / popular),
            np.log(own @ leads @ leads / popular),
            np.log(_shares(last) @ leads / popular + 0.1),
            relative @ alike,
            np.log((friends + 0.02) / (popular + 0.02)),
            np.broadcast_to(np.log(popular), own.shape),
        ],
        axis=2,
    )


def fit_coming(
    history: InterestHistory,
    cutoffs: Sequence[float],
    window: float,
    around: Surroundings | None = None,
) -> ComingInterests:
    """Learn what users who come back come to love from what those who came back did.

    Users who turned to nothing within `window` of a cutoff are left out there.

    Parameters
    ----------
    cutoffs
        Epoch seconds; at each, features are of what was before and labels of what came after.
    window
        Seconds after a cutoff in which something counts as come to be loved.

    Raises
    ------
    DataError
        Nothing was touched late and loved then: too short a history. Or more than a tenth of the
        window of some cutoff comes after the last that the history knows.
    """
    known = around or Surroundings()
    _reaches(history, max(cutoffs, default=-np.inf), window)
    rows: list[Floats] = []
    came: list[NDArray[np.bool_]] = []
    for at in cutoffs:
        past, future = history.before(at), history.between(at, at + window)
        asked = untouched(past) & (future.counts().sum(axis=1, keepdims=True) > 0)
        rows.append(coming_features(past, known)[asked])
        came.append(loved(future)[asked])
    x, y = np.concatenate(rows), np.concatenate(came).astype(np.float64)
    if y.sum() == 0:
        raise DataError("live_dynamics.nothing_came", pairs=len(y))
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    weights, bias = _logit((x - centre) / scale, y)
    return ComingInterests(weights, bias, centre, scale, window, known)


def _reaches(history: InterestHistory, cutoff: float, window: float) -> None:
    """Refuse a window of which much is not in the history yet: what comes there would be missed."""
    if len(history.ts) == 0:
        return
    missing = cutoff + window - float(history.ts[-1])
    if missing > SLACK * window:
        raise DataError(
            "live_dynamics.past_the_end",
            window=round(window / DAY, 3),
            missing=round(missing / DAY, 3),
        )


def _logit(x: Floats, y: Floats) -> tuple[Floats, float]:
    """Weights and bias of a penalised logistic regression."""

    def loss(at: Floats) -> tuple[float, Floats]:
        logit = x @ at[:-1] + at[-1]
        error = expit(logit) - y
        slope = np.append(x.T @ error + PENALTY * at[:-1], error.sum())
        value = np.logaddexp(0.0, logit).sum() - y @ logit + PENALTY / 2 * at[:-1] @ at[:-1]
        return float(value), slope

    begin = np.zeros(x.shape[1] + 1)
    begin[-1] = np.log(y.mean() / (1 - y.mean() + 1e-9))
    found = minimize(loss, begin, jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def _alike(relative: Floats) -> Floats:
    """(T, T) correlation of tags over users, none with itself."""
    size = np.sqrt((relative**2).sum(axis=0)) + 1e-9
    alike: Floats = (relative / size).T @ (relative / size)
    np.fill_diagonal(alike, 0.0)
    return alike


def _shares(counts: Floats) -> Floats:
    """Rows that sum to one; rows of nothing stay so."""
    shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    return shares
