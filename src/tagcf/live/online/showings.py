"""What became of each showing: clicked, stayed, liked, bought, known when the next one comes."""

from __future__ import annotations

import numpy as np

from tagcf.live.online import kernels
from tagcf.live.online.learner import OUTCOMES, Features, OutcomeLearner
from tagcf.types.live import ACTIONS, LiveEvents

_CODES = tuple(
    ACTIONS.index(name) for name in ("impression", "click", "like", "dwell", "leave", "purchase")
)


class Showings:
    """Joins showings with their outcomes, and hands both to a learner; one open showing a user.

    The features of a showing are kept until its outcome is known, and are those of its own moment.
    """

    def __init__(self, learner: OutcomeLearner, n_users: int) -> None:
        self.learner = learner
        self._opened = np.full((n_users, 2), -1, np.int64)
        self._marks = np.zeros((n_users, len(OUTCOMES) + 1))
        self._clock = np.zeros(1, np.int64)
        self._waiting: dict[int, tuple[Features, int]] = {}

    def update(self, events: LiveEvents, user: np.ndarray, features: Features) -> int:
        """Take in a micro-batch in the order of time; returns how many showings were learned.

        Parameters
        ----------
        user
            (n,) codes; −1 where a user is to be passed over.
        features
            Of the batch's impressions of known users, in their order.
        """
        shown = (events.action == _CODES[0]) & (user >= 0)
        first = int(self._clock[0])
        for at in range(int(shown.sum())):
            self._waiting[first + at] = (features, at)
        n = int(shown.sum())
        done, marks = np.empty(n, np.int64), np.empty((n, len(OUTCOMES)))
        finished = kernels.follow(
            user.astype(np.int64),
            events.room.view(np.int64),
            events.action,
            np.nan_to_num(events.value),
            self._opened,
            self._marks,
            self._clock,
            _CODES,
            done,
            marks,
        )
        if finished:
            self.learner.learn(self._taken(done[:finished]), np.ascontiguousarray(marks[:finished]))
        return int(finished)

    def _taken(self, numbers: np.ndarray) -> Features:
        """Features of finished showings, which are forgotten."""
        parts = [self._waiting.pop(int(one)) for one in numbers]
        return Features(
            np.stack([held.places[at] for held, at in parts]),
            np.stack([held.values[at] for held, at in parts]),
        )
