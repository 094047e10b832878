"""What is behind a burst: the segment's tags, the product on the table, and what rose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.live.rooms.highlights.find import Burst
from tagcf.live.rooms.seconds import COUNTED
from tagcf.live.rooms.segments import RoomSegments
from tagcf.types.live import Keys

TOLD = 1.3  # times the usual from which on a behaviour is named


@dataclass(frozen=True, slots=True)
class Highlight:
    """A highlight of a room, in words; epoch seconds."""

    room_id: str
    start: float
    end: float
    score: float  # log odds against everything else that could look like it
    tags: tuple[str, ...]
    product_id: str | None
    lifts: tuple[tuple[str, float], ...]  # behaviours and times their usual rate, highest first


def name_bursts(
    bursts: tuple[Burst, ...],
    rooms: Keys,
    room_ids: dict[int, str],
    segments: RoomSegments | None = None,
) -> tuple[Highlight, ...]:
    """Name the room, tags and product of bursts.

    Parameters
    ----------
    rooms
        Keys that `Burst.room` is a position in.
    room_ids
        The platform's ids by key.
    """
    if not bursts:
        return ()
    room = rooms[[one.room for one in bursts]]
    middle = np.array([(one.start + one.end) / 2 for one in bursts])
    row = np.full(len(bursts), -1) if segments is None else segments.at(room, middle)
    named: list[Highlight] = []
    for one, key, k in zip(bursts, room.tolist(), row.tolist(), strict=True):
        on = segments is not None and k >= 0
        lifts = sorted(zip(COUNTED, one.lift.tolist(), strict=True), key=lambda pair: -pair[1])
        named.append(
            Highlight(
                room_ids.get(key, str(key)),
                float(one.start),
                float(one.end),
                one.score,
                segments.tags[k] if segments is not None and on else (),
                segments.product_id[k] if segments is not None and on else None,
                tuple((name, round(lift, 2)) for name, lift in lifts if lift >= TOLD),
            )
        )
    return tuple(named)
