"""Rows that are exact repeats of earlier ones, found in bounded memory."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.data.bad_rows import EXAMPLES, Ledger, Place
from tagcf.types import Mask

_AT_ONCE = 1 << 23  # hashes compared at a time

Hashes = NDArray[np.uint64]


def row_hashes(frame: pl.DataFrame, keep: Mask, first: int) -> Hashes:
    """64-bit hashes (n,) of whole rows; rows out of play get one of their own, by position."""
    hashes: Hashes = frame.hash_rows(seed=0).to_numpy().copy()
    out = np.flatnonzero(~keep)
    hashes[out] = pl.Series(out + first).hash(seed=1).to_numpy()
    return hashes


def count_repeats(hashes: BinaryIO, places: Sequence[tuple[int, Place]], ledger: Ledger) -> None:
    """Report the rows whose hash was seen before.

    The file of hashes is compared share by share (by remainder), so that memory stays at a
    few hundred megabytes for any number of rows.
    """
    hashes.flush()
    every = np.memmap(hashes, dtype=np.uint64, mode="r")
    shares = 1 + len(every) // _AT_ONCE
    count, first = 0, np.empty(0, np.int64)
    for share in range(shares):
        rows = np.concatenate(
            [
                start + np.flatnonzero(every[start : start + _AT_ONCE] % shares == share)
                for start in range(0, len(every), _AT_ONCE)
            ]
        )
        repeats = rows[~pl.Series(every[rows]).is_first_distinct().to_numpy()]
        count += len(repeats)
        first = np.sort(np.concatenate([first, repeats[:EXAMPLES]]))[:EXAMPLES]
    if count:
        starts = [start for start, _ in places]
        examples: list[tuple[int | None, str]] = []
        for row in first.tolist():
            start, place = places[bisect.bisect_right(starts, row) - 1]
            examples.append((place.first_row + row - start, ""))
        ledger.tell("bad.duplicate_row", places[0][1].file, examples, count=count, action="kept")
