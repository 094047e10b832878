"""Bytes whose form nobody named."""

from __future__ import annotations

from tagcf.live.wire.arrow import decode_arrow
from tagcf.live.wire.faults import BadEvents
from tagcf.live.wire.json_text import decode_json
from tagcf.live.wire.msgpack import decode_msgpack
from tagcf.types.live import LiveEvents

_ARROW = (b"\xff\xff\xff\xff", b"ARROW1")
_JSON = (b"{", b"[")


def decode(data: bytes, *, skip_bad: BadEvents | None = None) -> LiveEvents:
    """Read events from Arrow IPC, JSON or msgpack, told apart by their first bytes.

    Raises
    ------
    DataError
        The bytes are none of these, or hold a bad event.
    """
    if data.startswith(_ARROW):
        return decode_arrow(data, skip_bad=skip_bad)
    if not data.strip() or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_JSON):
        return decode_json(data, skip_bad=skip_bad)
    return decode_msgpack(data, skip_bad=skip_bad)
