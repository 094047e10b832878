"""Plain JSON to the columns that `read_columns` takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.live.wire.event import ID_FIELDS
from tagcf.live.wire.plain import kernels
from tagcf.types import Mask
from tagcf.types.live import ACTIONS

_ROOM = 16  # bytes that may be read or written past an end
_LARGEST = 1 << 30  # bytes of a batch: offsets have 32 bits
_FIELDS = (*ID_FIELDS, "text", "ts", "action", "value")

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int32]


def _words(names: tuple[str, ...]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Names as two words of 8 bytes each, and their lengths."""
    padded = b"".join(name.encode().ljust(16, b"\0") for name in names)
    return (
        np.frombuffer(padded, np.uint64).reshape(len(names), 2),
        np.array([len(name) for name in names]),
    )


_FIELD_WORDS, _FIELD_LENGTHS = _words(_FIELDS)
_ACTION_WORDS, _ACTION_LENGTHS = _words(ACTIONS)


def read_plain(text: bytes) -> tuple[dict[str, pa.Array[Any]], int] | None:
    """Read events from JSON into columns, with their number; ``None`` where it is not plain."""
    n, size = text.count(b"{"), len(text) + _ROOM
    if size > _LARGEST:
        return None
    out = np.empty((kernels.STRINGS, size), np.uint8)
    offsets = np.zeros((kernels.STRINGS, n + 1), np.int32)
    valid = np.zeros((kernels.STRINGS, n), np.bool_)
    ts, value = np.empty(n), np.empty(n, np.float32)
    action = np.empty(n, np.uint8)
    data = np.frombuffer(text + bytes(_ROOM), np.uint8)
    rows = kernels.parse(
        data,
        *(_FIELD_WORDS, _FIELD_LENGTHS, _ACTION_WORDS, _ACTION_LENGTHS),
        *(out.ravel(), offsets, valid, ts, action, value),
    )
    if rows == kernels.NOT_PLAIN:
        return None
    columns = {
        name: column
        for at, name in enumerate((*ID_FIELDS, "text"))
        if (column := _column(out[at], offsets[at, : rows + 1], valid[at, :rows])) is not None
    }
    columns["ts"] = pa.array(ts[:rows])
    written = _column(out[kernels.TS_TEXT], offsets[kernels.TS_TEXT], valid[kernels.TS_TEXT, :rows])
    if written is not None:
        if written.null_count:  # numbers among the texts
            return None
        columns["ts"] = written
    columns["action"] = pa.array(action[:rows])
    columns["value"] = pa.array(value[:rows])
    return columns, rows


def _column(letters: Bytes, offsets: Offsets, valid: Mask) -> pa.Array[Any] | None:
    """Put the buffers into an array, ``None`` where it would hold nulls only."""
    n, there = len(valid), int(np.count_nonzero(valid))
    if not there:
        return None
    parts: list[Any] = [offsets, letters[: offsets[n]]]  # buffers, though the stubs say no
    bitmap: Any = np.packbits(valid, bitorder="little")
    buffers = [None if there == n else pa.py_buffer(bitmap), *map(pa.py_buffer, parts)]
    return pa.Array.from_buffers(pa.string(), n, buffers, n - there)
