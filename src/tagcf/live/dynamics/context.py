"""Hour, day, scene and device of events, as columns that outcome models hash."""

from __future__ import annotations

import numpy as np

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
