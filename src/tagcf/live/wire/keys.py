"""Ids to 64-bit keys: the same for 17 and "17", never 0, the same on every machine.

A key is a hash of the id's UTF-8 text. Two given ids have the same key with a chance of 2^-64;
among a million users any two do with a chance of 3e-8. The hash has no secret: it does not
withstand a client that makes up ids in order to collide.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tagcf.errors import DataError
from tagcf.live.wire import kernels
from tagcf.types.live import Keys

_NO_BYTES = np.zeros(0, np.uint8)


class Hashed(NamedTuple):
    """Keys (n,) of a column of text, and whether an empty string was among them."""

    keys: Keys
    has_empty: bool


def id_key(identifier: str | int) -> int:
    """Key of one id; 0 for empty text."""
    return int(kernels.hash_text(id_text(identifier)))


def id_text(identifier: str | int | None) -> bytes:
    """Return what is hashed of an id; nothing where there is none."""
    return b"" if identifier is None else str(identifier).encode()


def id_keys(ids: pa.Array[Any]) -> Keys:
    """Keys (n,) of an array of text or whole numbers; 0 where null or empty."""
    return hash_text(ids if pa.types.is_string(ids.type) else pc.cast(ids, pa.string())).keys


def hash_text(texts: pa.Array[Any]) -> Hashed:
    """Hash an array of type `pa.string()`; every offset and letter is checked.

    Raises
    ------
    DataError
        The buffers are broken, or are not UTF-8.
    """
    keys = np.empty(len(texts), np.uint64)
    if len(texts) == 0 or texts.null_count == len(texts):
        keys.fill(0)
        return Hashed(keys, has_empty=False)
    valid, offsets, data = texts.buffers()
    first = texts.offset
    found = kernels.hash_strings(
        _bytes(offsets)[4 * first : 4 * (first + len(texts) + 1)].view(np.int32),
        _bytes(data),
        _bytes(valid),
        first,
        keys,
    )
    if found & kernels.BROKEN:
        raise DataError("live_log.broken_arrow", detail="offsets")
    if found & kernels.WIDE:
        check_text(texts)
    return Hashed(keys, has_empty=bool(found & kernels.EMPTY))


def check_text(texts: pa.Array[Any]) -> None:
    """Raise `DataError` where offsets are broken or letters are not UTF-8."""
    try:
        texts.validate(full=True)
    except pa.ArrowException as broken:
        detail = str(broken).splitlines()[0]
        raise DataError("live_log.broken_arrow", detail=detail) from broken


def _bytes(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    if buffer is None or buffer.size == 0:
        return _NO_BYTES
    readable: Any = buffer  # the stubs do not know that it is one
    return np.frombuffer(readable, np.uint8)
