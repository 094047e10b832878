"""What there is to see of rooms at a time: parts that were, that are on, and that are announced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from tagcf.live.rooms.highlights import Highlight
from tagcf.live.rooms.seconds import Seconds
from tagcf.live.rooms.segments import RoomSegments, cut_rooms
from tagcf.types import Floats, TagMatrix

Airing = Literal["past", "on", "announced"]
ENDING = 60.0  # seconds before a room closes in which leaving says nothing of what is on
PAUSE = 120.0  # seconds without a segment after which a room counts as closed
LEFT, DID = 5.0, 20.0  # expected leaves and acts by which a part is drawn to its room's usual
MOST = 2.0  # times the usual that holding and reactions count for at most; at least its inverse


@dataclass(frozen=True, slots=True)
class RoomPart:
    """A segment of a room as far as it is known at a time; epoch seconds.

    `hold` is the room's usual rate of leaving over the part's, `reaction` the part's rate of acts a
    viewer over the room's usual; both 1 where nothing is known, as of what is only announced.
    """

    segment_id: str
    room_id: str
    start: float
    end: float
    airing: Airing
    tags: tuple[tuple[str, float], ...]  # slug and strength, the strongest first; weak ones too
    product_id: str | None
    streamer_id: str | None
    emotion: str | None
    text: str
    highlights: tuple[Highlight, ...] = ()
    hold: float = 1.0
    reaction: float = 1.0


def room_parts(
    segments: pl.DataFrame,
    tags: TagMatrix | None,
    at: float,
    seconds: Seconds | None = None,
    highlights: Sequence[Highlight] = (),
) -> tuple[RoomPart, ...]:
    """Cut rooms into parts and tell what each did with its viewers.

    Parameters
    ----------
    segments
        Columns of ``segments.*``.
    at
        Epoch seconds; `seconds` and `highlights` must not know more than was known then.

    Returns
    -------
    In the order of room and start.

    Raises
    ------
    DataError
        Segments lack a column.
    """
    cut = cut_rooms(segments, tags)
    texts = _texts_of(segments, cut)
    strengths = _strengths(cut.segment_id, tags)
    hold, reaction = (
        (np.ones(len(cut)), np.ones(len(cut))) if seconds is None else _reception(cut, seconds, at)
    )
    within: dict[str, list[Highlight]] = {}
    for one in highlights:
        within.setdefault(one.room_id, []).append(one)
    parts = [
        RoomPart(
            cut.segment_id[k],
            cut.room_id[k],
            float(cut.start[k]),
            float(cut.end[k]),
            _airing(float(cut.start[k]), float(cut.end[k]), at),
            strengths[k],
            cut.product_id[k],
            cut.streamer_id[k],
            cut.emotion[k],
            texts[k],
            _inside(within.get(cut.room_id[k], ()), float(cut.start[k]), float(cut.end[k]), at),
            float(hold[k]),
            float(reaction[k]),
        )
        for k in range(len(cut))
    ]
    return tuple(sorted(parts, key=lambda part: (part.room_id, part.start)))


def _airing(start: float, end: float, at: float) -> Airing:
    if end <= at:
        return "past"
    return "on" if start <= at else "announced"


def _inside(
    highlights: Sequence[Highlight], start: float, end: float, at: float
) -> tuple[Highlight, ...]:
    """Highlights whose middle is in a part, as far as they have begun."""
    return tuple(
        one for one in highlights if start <= (one.start + one.end) / 2 < end and one.start < at
    )


def _texts_of(segments: pl.DataFrame, cut: RoomSegments) -> list[str]:
    if "text" not in segments.columns:
        return [""] * len(cut)
    rows = segments.select(
        pl.col("room_id").cast(pl.String),
        pl.col("start_ts").cast(pl.Float64),
        pl.col("text").cast(pl.String),
    ).iter_rows()
    known = {(room, start): text or "" for room, start, text in rows}
    return [known.get(key, "") for key in zip(cut.room_id, cut.start.tolist(), strict=True)]


def _strengths(ids: Sequence[str], tags: TagMatrix | None) -> list[tuple[tuple[str, float], ...]]:
    """Every tag of segments with its strength."""
    if tags is None or not ids:
        return [()] * len(ids)
    known = tags.items.ids.cast(pa.string()).to_pylist()
    position = {name: k for k, name in enumerate(known)}
    table, slugs = tags.strength, [tag.slug for tag in tags.tags]
    found: list[tuple[tuple[str, float], ...]] = []
    for one in ids:
        row = position.get(one, -1)
        span = slice(table.indptr[row], table.indptr[row + 1]) if row >= 0 else slice(0, 0)
        pairs = zip(table.indices[span].tolist(), table.data[span].tolist(), strict=True)
        carried = [(slugs[at], float(strength)) for at, strength in pairs if strength > 0]
        found.append(tuple(sorted(carried, key=lambda pair: (-pair[1], pair[0]))))
    return found


def _reception(cut: RoomSegments, seconds: Seconds, at: float) -> tuple[Floats, Floats]:
    """(G,) holding and reactions of parts, against their rooms' usual."""
    hold, reaction = np.ones(len(cut)), np.ones(len(cut))
    place = {int(key): k for k, key in enumerate(seconds.rooms.tolist())}
    first = np.searchsorted(seconds.room, np.arange(len(seconds.rooms) + 1))
    for key in np.unique(cut.room).tolist():
        rows = np.flatnonzero(cut.room == key)
        room = place.get(int(key))
        if room is None:
            continue
        span = slice(first[room], first[room + 1])
        sums = _sums(cut, rows, seconds, span, at)  # (4, rows): leaves, their viewers, acts, …
        total = sums.sum(axis=1)
        if not total[1] or not total[3]:
            continue
        left = (sums[0] + LEFT) / (sums[1] * total[0] / total[1] + LEFT)
        did = (sums[2] + DID) / (sums[3] * total[2] / total[3] + DID)
        hold[rows] = np.clip(1 / left, 1 / MOST, MOST)
        reaction[rows] = np.clip(did, 1 / MOST, MOST)
    return hold, reaction


def _sums(cut: RoomSegments, rows: np.ndarray, seconds: Seconds, span: slice, at: float) -> Floats:
    """(4, n) leaves, viewers at risk, weighted acts and viewers within segments up to `at`."""
    when = seconds.second[span]
    columns = (
        seconds.leaves[span].astype(np.float64),
        seconds.viewers[span].astype(np.float64),
        seconds.weighted[span].sum(axis=1, dtype=np.float64),
    )
    running = [np.concatenate([[0.0], column.cumsum()]) for column in columns]
    start, end = cut.start[rows], np.minimum(cut.end[rows], at)
    goes_on = np.append(start[1:] - cut.end[rows][:-1] < PAUSE, False)
    calm = np.where(goes_on | (cut.end[rows] > at), end, end - ENDING)
    low, high, high_calm = (np.searchsorted(when, edge) for edge in (start, end, calm))
    high, high_calm = np.maximum(high, low), np.maximum(high_calm, low)
    leaves, viewers, acts = running
    return np.array(
        [
            leaves[high_calm] - leaves[low],
            viewers[high_calm] - viewers[low],
            acts[high] - acts[low],
            viewers[high] - viewers[low],
        ]
    )
