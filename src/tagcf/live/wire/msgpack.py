"""msgpack: an array of maps with the fields of `Event`."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from tagcf.errors import DataError
from tagcf.live.wire.event import Event
from tagcf.live.wire.faults import BadEvents
from tagcf.live.wire.rows import events_of, from_rows
from tagcf.types.live import LiveEvents

_encoder = msgspec.msgpack.Encoder()


def decode_msgpack(data: bytes, *, skip_bad: BadEvents | None = None) -> LiveEvents:
    """Read events from a msgpack array of maps, or from one map.

    Raises
    ------
    DataError
        The bytes are no msgpack, or hold a bad event.
    """
    try:
        found = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise DataError("live_log.broken_msgpack", detail=str(broken)) from broken
    return from_rows(found if isinstance(found, list) else [found], skip_bad=skip_bad)


def encode_msgpack(events: LiveEvents | pa.Table | list[Event]) -> bytes:
    """Write events as a msgpack array of maps without the fields that an event lacks."""
    return _encoder.encode(events if isinstance(events, list) else events_of(events))
