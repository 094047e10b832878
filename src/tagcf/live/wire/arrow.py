"""Arrow IPC: the form in which a batch costs least, on the wire and in the log."""

from __future__ import annotations

import pyarrow as pa

from tagcf.errors import DataError
from tagcf.live.wire.columns import check_names, from_table
from tagcf.live.wire.faults import BadEvents
from tagcf.types.live import LiveEvents

Buffered = bytes | memoryview | pa.Buffer


def decode_arrow(data: Buffered, *, skip_bad: BadEvents | None = None) -> LiveEvents:
    """Read events from an Arrow IPC stream or file; see `from_table` for what columns may hold.

    Raises
    ------
    DataError
        The bytes are no Arrow, break off, or hold a bad event.
    """
    try:
        table = _read(pa.py_buffer(data))
        check_names(table.column_names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as broken:
        detail = str(broken).splitlines()[0]
        raise DataError("live_log.broken_arrow", detail=detail) from broken
    return from_table(table, skip_bad=skip_bad)


def encode_arrow(events: LiveEvents | pa.Table) -> bytes:
    """Write events as an Arrow IPC stream, which `decode_arrow` reads."""
    return bytes(stream(events.rows if isinstance(events, LiveEvents) else events))


def stream(table: pa.Table) -> pa.Buffer:
    """Write a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _read(buffer: pa.Buffer) -> pa.Table:
    if buffer.size >= 6 and buffer.slice(0, 6).to_pybytes() == b"ARROW1":
        return pa.ipc.open_file(buffer).read_all()
    return pa.ipc.open_stream(buffer).read_all()
