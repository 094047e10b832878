"""JSON: one event a line, an array of events, or a single one."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa

from tagcf.errors import DataError
from tagcf.live.wire.columns import read_columns
from tagcf.live.wire.faults import BadEvent, BadEvents, refuse
from tagcf.live.wire.plain.read import read_plain
from tagcf.live.wire.rows import from_rows
from tagcf.types.live import ACTIONS, LiveEvents

_BOM = b"\xef\xbb\xbf"


def decode_json(data: bytes, *, skip_bad: BadEvents | None = None) -> LiveEvents:
    """Read events from JSON: an array of objects, an object a line, or one object.

    Raises
    ------
    DataError
        The text is no JSON, or holds a bad event.
    """
    text = data.removeprefix(_BOM)
    plain = read_plain(text)
    if plain is not None:
        try:
            return read_columns(*plain)
        except DataError:  # said in full below, or left out there
            pass
    return _by_msgspec(text, skip_bad)


def encode_json(events: LiveEvents | pa.Table) -> bytes:
    """Write events one a line; what an event lacks is null."""
    table = events.rows if isinstance(events, LiveEvents) else events
    frame = pl.DataFrame(pl.from_arrow(table))
    names = dict(enumerate(ACTIONS))
    sink = io.BytesIO()
    frame.with_columns(pl.col("action").replace_strict(names, return_dtype=pl.String)).write_ndjson(
        sink
    )
    return sink.getvalue()


def _by_msgspec(data: bytes, skip_bad: BadEvents | None) -> LiveEvents:
    """Read what is in any way unusual, one Python object an event."""
    if not data.strip():
        return from_rows([])
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        if data.lstrip().startswith(b"["):
            raise DataError("live_log.broken_json", detail=str(broken)) from broken
        return _by_line(data, skip_bad)
    return from_rows(found if isinstance(found, list) else [found], skip_bad=skip_bad)


def _by_line(data: bytes, skip_bad: BadEvents | None) -> LiveEvents:
    rows: list[Any] = []
    bad: list[BadEvent] = []
    number = 0
    for line in data.splitlines():
        if not line.strip():
            continue
        number += 1
        try:
            rows.append(msgspec.json.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as broken:
            bad.append(BadEvent(number, "user_id", str(broken), "not_json"))
            rows.append(None)  # keeps the places of the others
    if bad and skip_bad is None:
        raise refuse(bad)
    return from_rows(rows, skip_bad=skip_bad)
