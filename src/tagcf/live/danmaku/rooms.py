"""What the viewers of a room said in each second, as counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import DataError
from tagcf.live.danmaku.labels import EMOTIONS, INTENTS, SENTIMENTS, DanmakuReadings, Labels
from tagcf.types.live import Keys

Counts = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class DanmakuByRoom:
    """Counts of lines; a row for every room and second in which somebody wrote, in that order."""

    room: Keys  # (r,)
    second: NDArray[np.int64]  # (r,) epoch seconds, rounded down
    lines: Counts  # (r,)
    users: Counts  # (r,) different writers; a writer without an id (key 0) counts for each line
    intents: Counts  # (r, 9), columns as in INTENTS
    sentiments: Counts  # (r, 3), columns as in SENTIMENTS
    emotions: Counts  # (r, 7), columns as in EMOTIONS

    def __len__(self) -> int:
        return len(self.room)


def danmaku_by_room(
    room: Keys, user: Keys, ts: NDArray[np.float64], readings: DanmakuReadings
) -> DanmakuByRoom:
    """Count what was said by room and second.

    Parameters
    ----------
    room, user, ts
        (n,) keys and epoch seconds of the lines, in any order.
    readings
        Of the same n lines.

    Raises
    ------
    DataError
        The lengths differ, or a time is not finite.
    """
    sizes = (len(room), len(user), len(ts), len(readings))
    if len(set(sizes)) != 1:
        raise DataError("live_danmaku.lengths", lengths=", ".join(map(str, sizes)))
    if not np.isfinite(ts).all():
        raise DataError("live_danmaku.bad_time", row=int(np.flatnonzero(~np.isfinite(ts))[0]))
    second = np.floor(ts).astype(np.int64)
    order = np.lexsort((user, second, room))
    rooms, seconds, users = room[order], second[order], user[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (rooms[1:] != rooms[:-1]) | (seconds[1:] != seconds[:-1])
    fresh = begins | (users == 0)
    fresh[1:] |= users[1:] != users[:-1]
    row = np.cumsum(begins) - 1
    count = int(begins.sum())

    def table(labels: Labels, names: tuple[str, ...]) -> Counts:
        cells = row * len(names) + labels[order]
        counts = np.bincount(cells, minlength=count * len(names))
        return counts.reshape(count, len(names)).astype(np.int32)

    return DanmakuByRoom(
        room=rooms[begins],
        second=seconds[begins],
        lines=np.bincount(row, minlength=count).astype(np.int32),
        users=np.bincount(row[fresh], minlength=count).astype(np.int32),
        intents=table(readings.intent, INTENTS),
        sentiments=table(readings.sentiment, SENTIMENTS),
        emotions=table(readings.emotion, EMOTIONS),
    )
