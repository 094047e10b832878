"""Lines as hashed features: runs of letters, words, and runs of concepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from tagcf.live.danmaku.hashed.kernels import line_keys
from tagcf.live.danmaku.kernels import Offsets
from tagcf.live.danmaku.lexicon import TextLanguage, shapes
from tagcf.live.danmaku.normalise import normalise, utf8


@dataclass(frozen=True, slots=True)
class LineKeys:
    """64-bit hashes of the features of n lines, those of a line in a row, each once."""

    keys: NDArray[np.uint64]
    ends: Offsets  # (n + 1,) where the features of a line begin and end


def keys_of(texts: pl.Series, lang: TextLanguage = "auto") -> LineKeys:
    """Normalise lines and hash their features; a line without letters has none."""
    plain = normalise(texts)
    return LineKeys(*line_keys(*utf8(plain), *utf8(shapes(plain, lang))))


def known_keys(lines: LineKeys, fewest: int) -> NDArray[np.uint64]:
    """Return the features of at least `fewest` lines, sorted."""
    keys, counts = np.unique(lines.keys, return_counts=True)
    return np.asarray(keys[counts >= fewest])


def rows_of(lines: LineKeys, known: NDArray[np.uint64]) -> sparse.csr_array:
    """(n, features) lines by known features, each 1 over the root of how many the line has."""
    places = np.searchsorted(known, lines.keys).clip(max=max(len(known) - 1, 0))
    found = known[places] == lines.keys if len(known) else np.zeros(len(places), np.bool_)
    before = np.concatenate([[0], np.cumsum(found)])
    starts = before[lines.ends]
    sizes = np.diff(starts)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    shape = (len(lines.ends) - 1, len(known))
    return sparse.csr_array((values, places[found].astype(np.int32), starts), shape=shape)
