"""Live tables of a workspace: events, segments, tags; bad rows are told, not fatal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from tagcf.data.bad_rows import Ledger
from tagcf.data.files import RawBatch, Table, batches, open_table, whole
from tagcf.data.times import read_times
from tagcf.data.workspace import Workspace
from tagcf.errors import DataError
from tagcf.live.wire import BadEvents, from_table, joined, kept
from tagcf.live.wire.event import FIELDS, REQUIRED
from tagcf.tags.matrix import has_tags, read_tags, tag_matrix_from_frame
from tagcf.text import did_you_mean, listing
from tagcf.types import IdMap, TagMatrix
from tagcf.types.live import LiveEvents


@dataclass(frozen=True, slots=True)
class LiveTables:
    """What a workspace knows of its live rooms."""

    events: LiveEvents  # in the order of the file, each event once
    segments: pl.DataFrame | None  # start_ts and end_ts are epoch seconds
    tags: TagMatrix | None  # of segments, products and items
    bad: BadEvents
    bad_segments: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown in the rooms of a workspace, and what it is about."""

    segments: pl.DataFrame | None  # as in `LiveTables`
    tags: TagMatrix | None
    bad_segments: int


def read_shown(workspace: Workspace) -> Shown:
    """Read segments.* and item_tags.* of a workspace, without its events."""
    table = open_table(workspace.root, "segments", workspace.settings.data.encoding)
    segments, dropped = _segments(table)
    return Shown(segments, _tags(workspace), dropped)


def read_live(workspace: Workspace) -> LiveTables:
    """Read events.*, segments.* and item_tags.* of a workspace.

    Raises
    ------
    DataError
        There is no events file, it lacks a column, or none of its rows can be used.
    """
    encoding = workspace.settings.data.encoding
    table = open_table(workspace.root, "events", encoding)
    if table is None:
        raise DataError("live_rooms.no_events", path=workspace.root)
    bad = BadEvents()
    events = _events(table, bad)
    if len(events) == 0:
        example = bad.examples[0].worded() if bad.examples else ""
        raise DataError("live_rooms.no_rows", path=table.path, example=example)
    first = np.zeros(len(events), np.bool_)
    first[np.unique(events.event, return_index=True)[1]] = True
    shown = read_shown(workspace)
    return LiveTables(
        events if first.all() else kept(events, first),
        shown.segments,
        shown.tags,
        bad,
        shown.bad_segments,
        int((~first).sum()),
    )


def _events(table: Table, bad: BadEvents) -> LiveEvents:
    columns = [name for name in table.columns if name in FIELDS]
    for name in REQUIRED:
        if name not in columns:
            hint, known = did_you_mean(name, table.columns), listing(sorted(table.columns))
            facts = {"path": table.path, "field": name, "hint": hint, "known": known}
            raise DataError("live_rooms.events_lack", **facts)
    parts = []
    for batch in batches(table, columns, Ledger()):
        here = BadEvents()
        parts.append(from_table(_typed(batch), skip_bad=here))
        bad.take(here, batch.place.file, batch.place.first_row - 1)
    if not parts:
        return from_table(pa.table({name: pa.nulls(0, pa.string()) for name in columns}))
    return joined(parts)


def _typed(batch: RawBatch) -> pa.Table:
    """Numbers of a CSV file, whose every column is text, as numbers."""
    frame = batch.frame
    if "value" in frame.columns and frame["value"].dtype == pl.String:
        frame = frame.with_columns(pl.col("value").cast(pl.Float32, strict=False))
    if "action" in frame.columns and frame["action"].dtype == pl.String:
        codes = frame["action"].cast(pl.UInt8, strict=False)
        if codes.null_count() == frame["action"].null_count():
            frame = frame.with_columns(codes)
    return frame.to_arrow()


def _segments(table: Table | None) -> tuple[pl.DataFrame | None, int]:
    """Segments with a room, a start and an end, and how many rows lack one."""
    if table is None:
        return None, 0
    for column in ("room_id", "start_ts", "end_ts"):
        if column not in table.columns:
            raise DataError("live_rooms.segments_lack", path=table.path, column=column)
    frame = whole(table, table.columns, Ledger()).frame
    times = {
        name: pl.Series(name, read_times(frame[name], "UTC").seconds)
        for name in ("start_ts", "end_ts")
    }
    frame = frame.with_columns(**times, room_id=pl.col("room_id").cast(pl.String))
    sound = frame.filter(
        pl.col("room_id").is_not_null() & (pl.col("end_ts") > pl.col("start_ts"))
    )  # comparisons with NaN are told apart below
    finite = sound.filter(pl.col("start_ts").is_finite() & pl.col("end_ts").is_finite())
    return finite, frame.height - finite.height


def _tags(workspace: Workspace) -> TagMatrix | None:
    if not has_tags(workspace):
        return None
    found = read_tags(workspace)
    ids = found.rows["item_id"].cast(pl.String).unique().sort()
    items = IdMap(pa.array(ids.to_list(), pa.string()))
    return tag_matrix_from_frame(found.rows, items, found.known)
