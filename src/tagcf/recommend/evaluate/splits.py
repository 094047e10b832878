"""Which next items are held out, and what may be known when they are guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import EstimationError
from tagcf.recommend.histories import Histories
from tagcf.types import Codes, Floats, Mask

SplitName = Literal["leave-one-out", "time"]
FEWEST_EVENTS = 3  # one to learn from, one for validation, one for the test


@dataclass(frozen=True, slots=True)
class Holdout:
    """Next items to be guessed, for M of the U users."""

    train: Histories  # (U) what models are fitted to
    history: Histories  # (M) what is known when the guess is made; empty for new users
    target: Codes  # (M,) the next item
    user: Codes  # (M,) position of each asked user in `train`
    at: Floats  # (M,) epoch seconds of the guess; NaN where unknown

    def __len__(self) -> int:
        """Count the targets."""
        return len(self.target)

    def rows(self, at: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Holdout:
        """Keep some of the targets; the training data stay."""
        return Holdout(
            self.train, self.history.users(at), self.target[at], self.user[at], self.at[at]
        )


@dataclass(frozen=True, slots=True)
class Split:
    """Two hold-outs: settings are chosen on `valid`, figures are of `test`.

    Where `test.train` is `valid.train` a model fitted for the one serves the other.
    """

    name: SplitName
    valid: Holdout
    test: Holdout


def leave_one_out(histories: Histories, *, back: int = 0) -> Split:
    """Hold out each user's last event for the test, the one before for validation.

    Models learn from all but the last two; the history of the test is all but the last. Users
    with fewer than three events are learnt from and not asked.

    Parameters
    ----------
    back
        Forget each user's last so many events first: the rolling hold-outs.

    Raises
    ------
    EstimationError
        No user has three events.
    """
    known = histories.without_last(back) if back else histories
    asked = known.sizes >= FEWEST_EVENTS
    if not asked.any():
        raise EstimationError(
            "recommend.too_few_events", need=FEWEST_EVENTS + back, users=f"{len(known):,}"
        )
    train = known.where(_left(known) > 2 * asked[known.user])
    before_last = known.users(asked).without_last(1)
    user = np.flatnonzero(asked).astype(np.int32)
    last, last_but_one = known.indptr[1:][asked] - 1, known.indptr[1:][asked] - 2
    valid = Holdout(
        train, train.users(asked), known.item[last_but_one], user, known.ts[last_but_one]
    )
    test = Holdout(train, before_last, known.item[last], user, known.ts[last])
    return Split("leave-one-out", valid, test)


def rolling(histories: Histories, n: int = 5) -> list[Split]:
    """Leave-one-out splits whose test is the last, second to last … n-th to last event."""
    return [leave_one_out(histories, back=back) for back in range(n)]


def global_time(histories: Histories, *, share: float = 0.2) -> Split:
    """Cut at one time: each user's first event in the last `share` of events is the target.

    Histories are what happened before the cut, so that nobody's future is learnt from; users
    who are new after it have an empty one. Validation is the same within what is before the cut.

    Raises
    ------
    EstimationError
        Times are unknown, or all events are at one time.
    """
    if not np.isfinite(histories.ts).all() or not histories.item.size:
        raise EstimationError("recommend.no_times")
    test = _after(histories, share)
    return Split("time", _after(test.train, share), test)


def cold_items(histories: Histories, *, share: float = 0.1, seed: int = 0) -> tuple[Holdout, Mask]:
    """Take some items away from training: who had one is asked for the first they had.

    Each such user's history is what came before, without the items taken away. Rank with
    ``unseen_is_miss=False``, among the cold items (the mask returned) or among all.

    Returns
    -------
    Holdout, Mask
        The hold-out, and (I,) which items are cold: `share` of those that anybody had, one at
        least.

    Raises
    ------
    EstimationError
        There are no events, or the share is 0.
    """
    had = np.flatnonzero(np.bincount(histories.item, minlength=histories.n_items))
    size = min(max(int(share * had.size), int(share > 0)), had.size)
    drawn = np.random.default_rng(seed).choice(had, size, replace=False)
    cold = np.zeros(histories.n_items, np.bool_)
    cold[drawn] = True
    is_cold = cold[histories.item]
    if not is_cold.any():
        raise EstimationError("recommend.no_cold_items", share=share)
    at = np.flatnonzero(is_cold)
    user, first = np.unique(histories.user[at], return_index=True)
    at = at[first]
    end = np.zeros(len(histories), np.int64)
    end[user] = at
    before = ~is_cold & (np.arange(histories.item.size) < end[histories.user])
    history = histories.where(before).users(user)
    train = histories.where(~is_cold)
    return Holdout(train, history, histories.item[at], user, histories.ts[at]), cold


def first_events(
    histories: Histories, train: Histories, user: NDArray[np.integer], n: int
) -> Holdout:
    """Ask for the event after the first `n` of some users, whom `train` lacks.

    Each of them has more than n events.
    """
    new = histories.users(user)
    target = new.indptr[:-1] + n
    kept = np.arange(new.item.size) < np.repeat(target, new.sizes)
    return Holdout(train, new.where(kept), new.item[target], user.astype(np.int32), new.ts[target])


def _after(histories: Histories, share: float) -> Holdout:
    ordered = np.sort(histories.ts)
    cut = ordered[min(int((1 - share) * ordered.size), ordered.size - 1)]
    before = histories.ts < cut
    train = histories.where(before)
    first = histories.indptr[:-1] + train.sizes  # times rise within a user
    asked = train.sizes < histories.sizes
    if not before.any() or not asked.any():
        raise EstimationError("recommend.one_time")
    at = first[asked]
    user = np.flatnonzero(asked).astype(np.int32)
    return Holdout(train, train.users(asked), histories.item[at], user, histories.ts[at])


def _left(histories: Histories) -> NDArray[np.int64]:
    """(E,) how many events the user has from this one on, this one included."""
    return np.repeat(histories.indptr[1:], histories.sizes) - np.arange(histories.item.size)
