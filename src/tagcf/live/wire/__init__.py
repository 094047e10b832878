"""Bytes to `LiveEvents` and back.

A decoder parses into columns; `columns.read_columns` checks them, whatever they came from, and
`keys` turns ids into 64-bit keys. No Python runs per event, but for msgpack and for batches that
the quick JSON reader leaves to msgspec (`json_text` says which).
"""

from tagcf.live.wire.arrow import decode_arrow, encode_arrow
from tagcf.live.wire.batch import cut, empty, joined, kept
from tagcf.live.wire.columns import from_table
from tagcf.live.wire.event import Event
from tagcf.live.wire.faults import BadEvent, BadEvents
from tagcf.live.wire.json_text import decode_json, encode_json
from tagcf.live.wire.keys import id_key, id_keys
from tagcf.live.wire.msgpack import decode_msgpack, encode_msgpack
from tagcf.live.wire.rows import from_rows
from tagcf.live.wire.sniff import decode

__all__ = [
    "BadEvent",
    "BadEvents",
    "Event",
    "cut",
    "decode",
    "decode_arrow",
    "decode_json",
    "decode_msgpack",
    "empty",
    "encode_arrow",
    "encode_json",
    "encode_msgpack",
    "from_rows",
    "from_table",
    "id_key",
    "id_keys",
    "joined",
    "kept",
]
