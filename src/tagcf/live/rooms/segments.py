"""Rooms cut in time: which segment is on, what it is about, and what lies on the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from tagcf.errors import DataError
from tagcf.live.wire import id_keys
from tagcf.types import Floats, TagMatrix
from tagcf.types.live import Keys

REQUIRED = ("room_id", "start_ts", "end_ts")
STRONG = 0.5  # of a segment's strongest tag: what else it is about


@dataclass(frozen=True, slots=True)
class RoomSegments:
    """Segments in the order of room and start; G of them. Times are epoch seconds."""

    room: Keys  # (G,)
    start: Floats
    end: Floats
    segment_id: tuple[str, ...]
    room_id: tuple[str, ...]
    product_id: tuple[str | None, ...]
    streamer_id: tuple[str | None, ...]
    price: Floats  # NaN: none, or not told
    offer: NDArray[np.bool_]
    emotion: tuple[str | None, ...]
    tags: tuple[tuple[str, ...], ...]  # slugs, the strongest first

    def __len__(self) -> int:
        return len(self.room)

    def at(self, room: Keys, ts: ArrayLike) -> NDArray[np.int64]:
        """(n,) rows of the segments that are on in rooms at times; -1 where none is."""
        times = np.asarray(ts, np.float64)
        rooms, first = np.unique(self.room, return_index=True)
        where = np.searchsorted(rooms, room).clip(0, max(len(rooms) - 1, 0))
        row = np.full(len(times), -1, np.int64)
        if len(rooms) == 0:
            return row
        known = rooms[where] == room
        # Each room's times in a band of their own: one search serves all rooms.
        low = min(float(self.start.min()), float(times.min(initial=np.inf)))
        high = max(float(self.end.max()), float(times.max(initial=-np.inf)))
        band = high - low + 1.0
        of = np.searchsorted(rooms, self.room)
        have = of * band + (self.start - low)
        found = np.searchsorted(have, where * band + (times - low), side="right") - 1
        inside = known & (found >= first[where]) & (times < self.end[found])
        row[inside] = found[inside]
        return row


def cut_rooms(frame: pl.DataFrame, tags: TagMatrix | None = None) -> RoomSegments:
    """Read segments from a table with the columns of ``segments.*``.

    Parameters
    ----------
    tags
        Whose items are segments; a segment without an id has ``f"{room_id}@{start_ts:.0f}"``.

    Raises
    ------
    DataError
        A column is missing.
    """
    for column in REQUIRED:
        if column not in frame.columns:
            raise DataError("live_rooms.segments_lack", column=column)
    frame = frame.sort("room_id", "start_ts")
    start, end = (frame[name].cast(pl.Float64).to_numpy() for name in REQUIRED[1:])
    room_id = frame["room_id"].cast(pl.String).to_list()
    plain = [f"{room}@{at:.0f}" for room, at in zip(room_id, start.tolist(), strict=True)]
    ids = plain
    if "segment_id" in frame.columns:
        own = frame["segment_id"].cast(pl.String).to_list()
        ids = [given or made for given, made in zip(own, plain, strict=True)]
    room = id_keys(frame["room_id"].cast(pl.String).to_arrow().cast("string"))
    order = np.lexsort((start, room))
    product, host, emotion = (_texts(frame, n) for n in ("product_id", "streamer_id", "emotion"))
    about = _about(ids, tags)
    return RoomSegments(
        room[order],
        start[order],
        end[order],
        segment_id=tuple(ids[k] for k in order),
        room_id=tuple(room_id[k] for k in order),
        product_id=tuple(product[k] for k in order),
        streamer_id=tuple(host[k] for k in order),
        price=_numbers(frame, "price")[order],
        offer=np.nan_to_num(_numbers(frame, "offer"))[order] > 0,
        emotion=tuple(emotion[k] for k in order),
        tags=tuple(about[k] for k in order),
    )


def _texts(frame: pl.DataFrame, name: str) -> list[str | None]:
    if name not in frame.columns:
        return [None] * frame.height
    texts: list[str | None] = frame[name].cast(pl.String).to_list()
    return texts


def _numbers(frame: pl.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.to_lowercase().replace({"true": "1", "false": "0"})
    numbers = column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return np.asarray(numbers, np.float64)


def _about(ids: list[str], tags: TagMatrix | None) -> list[tuple[str, ...]]:
    """Strong tags of segments, the strongest first."""
    if tags is None:
        return [()] * len(ids)
    position = {name: k for k, name in enumerate(tags.items.ids.to_pylist())}
    table, slugs = tags.strength, [tag.slug for tag in tags.tags]
    about: list[tuple[str, ...]] = []
    for one in ids:
        row = position.get(one, -1)
        span = slice(table.indptr[row], table.indptr[row + 1]) if row >= 0 else slice(0, 0)
        which, strength = table.indices[span], table.data[span]
        order = np.argsort(-strength, kind="stable")
        strong = [k for k in order if strength[k] >= STRONG * strength.max()]
        about.append(tuple(slugs[which[k]] for k in strong))
    return about
