"""Ids to dense integers, once, over any number of batches."""

from __future__ import annotations

import numpy as np
import polars as pl

from tagcf.types import Codes


class Dictionary:
    """Gives each new text the next integer, in the order of appearance.

    The hashing is polars' categorical pool, which lives as long as one series of it does;
    so a batch costs one pass in native code and memory grows with the number of different
    texts only.
    """

    def __init__(self, seed: pl.Series | None = None) -> None:
        self._type = pl.Categorical(pl.Categories.random())
        self._anchor = pl.Series([""], dtype=pl.String).cast(self._type)  # keeps the pool alive
        self._chunks: list[pl.Series] = []
        self._size = 0
        if seed is not None:
            self.codes(seed)

    def __len__(self) -> int:
        return self._size

    def codes(self, texts: pl.Series) -> Codes:
        """Integers of `texts` (n,); -1 where a text is missing."""
        pooled = texts.cast(self._type).to_physical()
        raw: Codes = pooled.cast(pl.Int64).fill_null(0).to_numpy().astype(np.int32)
        codes = raw - 1  # the pool's 0 is the anchor, which doubles as "missing"
        new = np.flatnonzero(codes >= self._size)
        if len(new):
            fresh, first = np.unique(codes[new], return_index=True)
            if fresh[0] != self._size or fresh[-1] != self._size + len(fresh) - 1:
                msg = "polars no longer numbers categories in the order of appearance"
                raise RuntimeError(msg)
            self._chunks.append(texts.gather(new[first]))
            self._size += len(fresh)
        return codes

    def texts(self) -> pl.Series:
        """All texts, position = integer."""
        if not self._chunks:
            return pl.Series([], dtype=pl.String)
        return pl.concat(self._chunks)


def natural_order(levels: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Positions that sort `levels`: by value if all are numbers, else by text."""
    numbers = levels.cast(pl.Float64, strict=False)
    key = levels if numbers.null_count() else numbers
    return key.arg_sort().to_numpy().astype(np.intp)
