"""All segments of a platform, measured once, for the reports of any of its hosts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from tagcf.errors import DataError, UnknownNameError
from tagcf.live.hosts.measures import MEASURES, Measured, MeasureName, measure_segments
from tagcf.live.hosts.usual import Usual, describe_segments, fit_usual
from tagcf.live.hosts.visits import Viewing, find_visits, see_segments, shows_of
from tagcf.live.rooms.segments import RoomSegments, cut_rooms
from tagcf.live.rooms.workspace import LiveTables
from tagcf.text import did_you_mean
from tagcf.types import Floats, Mask, TagMatrix
from tagcf.types.live import LiveEvents

GRACE = 60.0  # seconds for which a segment is on after the last sign of a viewer
ALIKE = 0.3  # cosine of tags from which on two segments are about the same things
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Platform:
    """Segments of all hosts and what was measured of them. G segments."""

    segments: RoomSegments
    host: NDArray[np.int64]  # (G,) position in `hosts`
    hosts: tuple[str, ...]
    show: NDArray[np.int64]  # (G,)
    selling: Mask  # (G,)
    tags: sparse.csr_array | None  # (G, T) of length one
    viewing: Viewing
    at_start: NDArray[np.int64]  # (G,) viewers
    measured: dict[MeasureName, Measured]
    usual: dict[MeasureName, Usual]

    def rows_of(self, host: str) -> NDArray[np.int64]:
        """Rows of a host's segments in the order of time.

        Raises
        ------
        UnknownNameError
            There is no such host.
        """
        if host not in self.hosts:
            hint, first = did_you_mean(host, self.hosts), ", ".join(self.hosts[:MOST_NAMED])
            n = len(self.hosts)
            raise UnknownNameError(
                "live_hosts.unknown_host", name=host, hint=hint, known=first, n=n
            )
        rows = np.flatnonzero(self.host == self.hosts.index(host))
        return rows[np.argsort(self.segments.start[rows], kind="stable")]

    def others(self, row: int) -> Mask:
        """(G,) other hosts' segments, with or without a product as this one."""
        others: Mask = (self.host != self.host[row]) & (self.selling == self.selling[row])
        return others

    def alike(self, row: int) -> Floats:
        """(G,) how far segments of others are about the same things as this one; 0: not."""
        others = self.others(row)
        if self.tags is None:
            return others.astype(np.float64)
        cosine = (self.tags @ self.tags[[row]].T).toarray()[:, 0]
        weight: Floats = np.where(others & (cosine >= ALIKE), cosine, 0.0)
        return weight


def measure_platform(tables: LiveTables) -> Platform:
    """Measure all segments of all hosts.

    A room whose segments name no streamer is a host of its own, by the room's id.

    Raises
    ------
    DataError
        There are no segments.
    """
    segments = segments_of(tables)
    viewing = see_segments(find_visits(tables.events), segments)
    measured = measure_segments(tables.events, segments, viewing)
    n = len(segments)
    at_start = np.bincount(viewing.segment, weights=viewing.there, minlength=n).astype(np.int64)
    people = np.bincount(viewing.segment, minlength=n)
    names = host_names(segments)
    hosts, host = np.unique(names, return_inverse=True)
    selling = np.array([one is not None for one in segments.product_id], np.bool_)
    described = describe_segments(segments, at_start.astype(np.float64))
    usual = {
        name: fit_usual(
            measured[name], described, host, (people > 0) & (selling | (not kind.selling))
        )
        for name, kind in MEASURES.items()
    }
    return Platform(
        segments, host, tuple(hosts.tolist()), shows_of(segments), selling,
        _lengths_one(segments, tables.tags), viewing, at_start, measured, usual,
    )  # fmt: skip


def segments_of(tables: LiveTables) -> RoomSegments:
    """Cut the rooms of live tables.

    Raises
    ------
    DataError
        There are no segments.
    """
    if tables.segments is None or tables.segments.height == 0:
        raise DataError("live_hosts.no_segments")
    segments = cut_rooms(tables.segments, tables.tags)
    return replace(segments, end=_until_silence(segments, tables.events))


def _until_silence(segments: RoomSegments, events: LiveEvents) -> Floats:
    """(G,) ends of segments; one that goes on after the last sign of a viewer ends soon after it.

    Tables often leave the last segment of a show open until the next one.
    """
    order = np.lexsort((events.ts, events.room))
    room, ts = events.room[order], events.ts[order]
    if not len(ts):
        return segments.end
    rooms, code = np.unique(room, return_inverse=True)
    low, high = float(ts.min()), float(max(ts.max(), segments.end.max()))
    low = min(low, float(segments.start.min()))
    band = high - low + 1.0
    of = np.searchsorted(rooms, segments.room).clip(0, len(rooms) - 1)
    at = np.searchsorted(code * band + (ts - low), of * band + (segments.end - low), "left") - 1
    sign = (at >= 0) & (room[at] == segments.room) & (ts[at] >= segments.start)
    last = np.where(sign, ts[at], segments.start)
    ends: Floats = np.minimum(segments.end, last + GRACE)
    return ends


def host_names(segments: RoomSegments) -> list[str]:
    """(G,) the streamer of each segment; the room where none is named."""
    pairs = zip(segments.streamer_id, segments.room_id, strict=True)
    return [streamer or room for streamer, room in pairs]


def _lengths_one(segments: RoomSegments, tags: TagMatrix | None) -> sparse.csr_array | None:
    """(G, T) strengths of tags, scaled to length one; rows without tags are empty."""
    if tags is None:
        return None
    position = pl.DataFrame(
        {"id": tags.items.ids.cast(pa.string()).to_pylist(), "row": np.arange(len(tags.items))}
    )
    asked = pl.DataFrame({"id": list(segments.segment_id)})
    rows = asked.join(position, on="id", how="left", maintain_order="left")["row"]
    known = rows.is_not_null().to_numpy()
    chosen = sparse.csr_array(tags.strength)[rows.fill_null(0).to_numpy()]
    length = np.sqrt(np.asarray(chosen.multiply(chosen).sum(axis=1)).ravel())
    scale = np.where(known & (length > 0), 1.0 / np.maximum(length, 1e-12), 0.0)
    return sparse.csr_array(sparse.diags_array(scale) @ chosen)
