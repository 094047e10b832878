"""Lines as viewers type them, brought into one form: width, case, script, repeats, numbers."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.live.danmaku.kernels import (
    CLASSES,
    HAN_FIRST,
    HAN_LAST,
    SINGLES,
    Bytes,
    Offsets,
    fold,
)

MOST = 256  # letters of a line that are read; of a longer one its head and its end


def normalise(texts: pl.Series) -> pl.Series:
    """Bring lines into the form that terms and letters are looked up in.

    Full width and capitals are folded (NFKC), invisible letters dropped, traditional characters
    made simplified, runs shortened to two of a kind, every number becomes one private letter that
    keeps its length or what it means in danmaku (666, 233, 520), words of an alphabet stand
    between two spaces of their own. Emoji stay as they are. Of a line of more than `MOST` letters
    three quarters of that at its head and a quarter at its end are read.
    """
    data, starts = utf8(texts.fill_null("").str.normalize("NFKC").str.to_lowercase())
    return as_series(*fold(data, starts, CLASSES, SINGLES, _simplified(), MOST))


def utf8(texts: pl.Series) -> tuple[Bytes, Offsets]:
    """UTF-8 of all texts in a row, and the (n + 1,) bytes where they begin."""
    whole: Any = texts.to_arrow().cast(pa.large_string())
    _, offsets, data = whole.buffers()
    starts = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
    if data is None:
        return np.zeros(0, np.uint8), np.ascontiguousarray(starts)
    return np.frombuffer(data, np.uint8), np.ascontiguousarray(starts)


def as_series(data: Bytes, starts: Offsets) -> pl.Series:
    """Return texts from their UTF-8, without copying it."""
    held: tuple[Any, ...] = (starts, data)
    kept: Any = [pa.py_buffer(one) for one in held]
    array = pa.LargeStringArray.from_buffers(len(starts) - 1, *kept)
    return pl.Series(array, dtype=pl.String)


@cache
def _simplified() -> NDArray[np.uint16]:
    """Return the simplified character of every code point from `HAN_FIRST` to `HAN_LAST`."""
    table = np.arange(HAN_FIRST, HAN_LAST + 1).astype(np.uint16)
    shipped = resources.files("tagcf.live.danmaku").joinpath("traditional.txt")
    for line in shipped.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            for pair in line.split():
                table[ord(pair[0]) - HAN_FIRST] = ord(pair[1])
    return table
