"""What a user's friends are into, fading with time."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from tagcf.types import Floats

HALF_LIFE = 1200.0  # seconds
REMAINS = 0.2  # of a friend's earlier interest once the friend moved on


def friends_of(social: pl.DataFrame, users: list[str]) -> sparse.csr_array:
    """(U, U) friends of each user, rows of those who have any adding up to one.

    Parameters
    ----------
    social
        Columns user_id, friend_id; people who are no users are passed over.
    """
    code = pl.DataFrame({"user_id": users, "code": np.arange(len(users))})
    known = (
        social.select(pl.col("user_id", "friend_id").cast(pl.String))
        .join(code, on="user_id")
        .join(code.rename({"user_id": "friend_id", "code": "friend"}), on="friend_id")
        .unique(["code", "friend"])
    )
    at = (known["code"].to_numpy(), known["friend"].to_numpy())
    shape = (len(users), len(users))
    links = sparse.coo_array((np.ones(len(known)), at), shape=shape).tocsr()
    degree = np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1.0)
    return sparse.csr_array(sparse.diags_array(1 / degree) @ links)


class FriendsInterest:
    """Friends' interests with exponential decay.

    Parameters
    ----------
    friends
        (U, U) as `friends_of` makes it.
    half_life
        Seconds.
    """

    def __init__(
        self, friends: sparse.csr_array, n_tags: int, half_life: float = HALF_LIFE
    ) -> None:
        self.friends, self.half_life = friends, half_life
        self._heat = np.zeros((friends.shape[0], n_tags))
        self._since = np.zeros(friends.shape[0])

    def update(self, user: int, tag: int, ts: float) -> None:
        """Note that a user is into a tag since `ts`."""
        self._heat[user] *= REMAINS * self._fading(np.array([user]), ts)[0]
        self._heat[user, tag] += 1.0
        self._since[user] = max(ts, self._since[user])

    def around(self, user: int, ts: float) -> Floats:
        """(T,) mean of what friends are into, each 1 when it began."""
        first, last = self.friends.indptr[user], self.friends.indptr[user + 1]
        who = self.friends.indices[first:last]
        part = self.friends.data[first:last] * self._fading(who, ts)
        mean: Floats = part @ self._heat[who]
        return mean

    def _fading(self, users: NDArray[np.integer[Any]], ts: float) -> Floats:
        away = np.maximum(ts - self._since[users], 0.0)
        fading: Floats = 2.0 ** (-away / self.half_life)
        return fading
