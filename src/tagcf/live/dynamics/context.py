"""Hour, day, scene, device and friends of events, as outcome models read them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tagcf.live.dynamics.social import FriendsInterest
from tagcf.types import Codes, Floats
from tagcf.types.live import Keys, LiveEvents

HOUR, DAY = 3600.0, 86_400.0
COLUMNS = ("user", "room", "scene", "device", "hour", "weekday")
# User by scene, scene by hour, user by hour, user by room.
CROSSES = ((0, 2), (2, 4), (0, 4), (0, 1))


def context_columns(events: LiveEvents, utc_offset: float = 0.0) -> list[Keys]:
    """Columns (n,) in the order of `COLUMNS`.

    Parameters
    ----------
    utc_offset
        Hours that the platform's clock is ahead of UTC.
    """
    local = events.ts + utc_offset * HOUR
    hour = np.floor(local % DAY / HOUR).astype(np.uint64) + np.uint64(1)
    weekday = (np.floor(local / DAY) % 7).astype(np.uint64) + np.uint64(1)
    return [events.user, events.room, events.scene, events.device, hour, weekday]


class FriendsColumn:
    """How much friends are into what is shown now: a number for outcome models.

    Parameters
    ----------
    friends
        (U, U) as `tagcf.live.dynamics.social.friends_of` makes it.
    strength
        (I, T) tags of contents.
    """

    def __init__(self, friends: sparse.csr_array, strength: sparse.csr_array) -> None:
        self._strength = strength
        self._into = FriendsInterest(friends, strength.shape[1])

    def update(self, users: Codes, tags: Codes, ts: Floats) -> None:
        """Note what users turned to, in the order of time."""
        for user, tag, at in zip(users, tags, ts, strict=True):
            self._into.update(int(user), int(tag), float(at))

    def column(self, users: Codes, contents: Codes, ts: Floats) -> Floats:
        """(n,) about 0 to 1; 0 for content that is not known."""
        matrix, found = self._strength, np.zeros(len(users))
        for row, (user, content, at) in enumerate(zip(users, contents, ts, strict=True)):
            if content < 0:
                continue
            part = slice(matrix.indptr[content], matrix.indptr[content + 1])
            found[row] = matrix.data[part] @ self._into.around(user, at)[matrix.indices[part]]
        column: Floats = np.log1p(20.0 * found) / 3.0
        return column
