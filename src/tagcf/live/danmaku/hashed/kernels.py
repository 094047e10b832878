"""Compiled loops over folded lines: their features as hashes, and the weights of these."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from tagcf.live.danmaku.kernels import (
    CONCEPT_FIRST,
    HAN_FIRST,
    HAN_LAST,
    SPACE,
    Bytes,
    Offsets,
    decode,
)

# Private letters beside those that numbers are folded to.
EDGE, GAP, LONG_GAP, WORD_GAP, PICTURE = 0xF101, 0xF102, 0xF103, 0xF104, 0xF105
NUMBER_LAST = 0xF0FF


@numba.njit(cache=True)
def _mixed(key: np.uint64, code: np.uint64) -> np.uint64:
    """One step of a 64-bit hash (multiply and shift)."""
    key = (key ^ code) * np.uint64(0x9E3779B97F4A7C15)
    return key ^ (key >> np.uint64(29))


@numba.njit(cache=True)
def _spelled(data: Bytes, start: int, end: int, codes: NDArray[np.int64]) -> int:
    """Code points of a line between two edges; returns how many."""
    codes[0], count, here = EDGE, 1, start
    while here < end:
        code, here = decode(data, here)
        if code == SPACE and (count == 1 or codes[count - 1] == SPACE):
            continue
        codes[count] = code
        count += 1
    if codes[count - 1] == SPACE:
        count -= 1
    codes[count] = EDGE
    return count + 1


@numba.njit(cache=True)
def _is_word(code: int) -> bool:
    return code < 0x2000 and code > 0x40 and code != 0x5E


@numba.njit(cache=True)
def _letter_grams(codes: NDArray[np.int64], count: int, keys: NDArray[np.uint64], at: int) -> int:
    """Runs of one to four letters, of up to five in alphabets, and whole words with neighbours."""
    for first in range(count):
        key = np.uint64(0x51)
        alphabetic = True
        for size in range(1, 6):
            if first + size > count:
                break
            code = codes[first + size - 1]
            key = _mixed(key, np.uint64(code))
            alphabetic = alphabetic and (_is_word(code) or code == SPACE)
            if size == 5 and not alphabetic:
                break
            if size == 1 and (_is_word(code) or code in (SPACE, EDGE)):
                continue
            keys[at] = key
            at += 1
    before, second = np.uint64(0x77), np.uint64(0x77)
    place = 0
    while place < count:
        if not _is_word(codes[place]):
            if codes[place] != SPACE:
                before, second = np.uint64(0x77), np.uint64(0x77)
            place += 1
            continue
        word = np.uint64(0x33)
        while place < count and _is_word(codes[place]):
            word = _mixed(word, np.uint64(codes[place]))
            place += 1
        keys[at], keys[at + 1] = word, _mixed(_mixed(np.uint64(0x34), before), word)
        keys[at + 2] = _mixed(_mixed(_mixed(np.uint64(0x35), second), before), word)
        at += 3
        second, before = before, word
    return at


@numba.njit(cache=True)
def _shape(codes: NDArray[np.int64], count: int) -> int:
    """Replace what is no concept by gaps; returns the length."""
    kept = 0
    for place in range(count):
        code = codes[place]
        if code == SPACE:
            continue
        if code >= 0x1F000 or 0x2100 <= code < 0x2E80 or 0xFE00 <= code <= 0xFE0F:
            code = PICTURE
        elif _is_word(code):
            code = WORD_GAP
        elif HAN_FIRST <= code <= HAN_LAST:
            code = GAP
        if kept and code in (GAP, LONG_GAP, WORD_GAP, PICTURE):
            past = codes[kept - 1]
            if past == code and code != GAP:
                continue
            if code == GAP and past in (GAP, LONG_GAP):
                if past == GAP and place > 1 and kept > 1 and codes[kept - 2] == GAP:
                    kept -= 1
                    codes[kept - 1] = LONG_GAP
                    continue
                if past == LONG_GAP:
                    continue
        codes[kept] = code
        kept += 1
    return kept


@numba.njit(cache=True)
def _shape_grams(codes: NDArray[np.int64], count: int, keys: NDArray[np.uint64], at: int) -> int:
    """Runs of one to four of the shape, and pairs of concepts in their order."""
    for first in range(count):
        key = np.uint64(0xA7)
        for size in range(1, 5):
            if first + size > count:
                break
            key = _mixed(key, np.uint64(codes[first + size - 1]))
            keys[at] = key
            at += 1
    concepts = 0
    for place in range(count):
        if CONCEPT_FIRST <= codes[place] <= NUMBER_LAST or codes[place] == 63:
            codes[concepts] = codes[place]
            concepts += 1
    concepts = min(concepts, 16)
    for one in range(concepts):
        for other in range(one + 1, concepts):
            key = _mixed(np.uint64(0xB9), np.uint64(codes[one]))
            keys[at] = _mixed(key, np.uint64(codes[other]))
            at += 1
    return at


@numba.njit(cache=True)
def line_keys(
    letters: Bytes, starts: Offsets, shapes: Bytes, shape_starts: Offsets
) -> tuple[NDArray[np.uint64], Offsets]:
    """Hashes of all features of every line, each once, those of a line in a row.

    Parameters
    ----------
    letters, starts
        Folded lines: UTF-8 and the (n + 1,) bytes where they begin.
    shapes, shape_starts
        The same with a concept's private letter in place of every term.
    """
    n = len(starts) - 1
    longest = 0
    for line in range(n):
        longest = max(longest, starts[line + 1] - starts[line])
        longest = max(longest, shape_starts[line + 1] - shape_starts[line])
    codes = np.empty(longest + 4, np.int64)
    scratch = np.empty(14 * (longest + 4) + 200, np.uint64)
    keys = np.empty(max(64 * n, 256), np.uint64)
    ends = np.zeros(n + 1, np.int64)
    total = 0
    for line in range(n):
        count = _spelled(letters, starts[line], starts[line + 1], codes)
        if count > 2:
            at = _letter_grams(codes, count, scratch, 0)
            count = _spelled(shapes, shape_starts[line], shape_starts[line + 1], codes)
            at = _shape_grams(codes, _shape(codes, count), scratch, at)
            found = np.sort(scratch[:at])
            if total + at > len(keys):
                larger = np.empty(2 * len(keys) + at, np.uint64)
                larger[:total] = keys[:total]
                keys = larger
            for k in range(at):
                if k == 0 or found[k] != found[k - 1]:
                    keys[total] = found[k]
                    total += 1
        ends[line + 1] = total
    return keys[:total], ends


@numba.njit(cache=True)
def fill_table(known: NDArray[np.uint64], bits: int) -> NDArray[np.int32]:
    """Open addressing: slot of the high bits of a key → its position in `known`, -1 where none."""
    table = np.full(1 << bits, -1, np.int32)
    mask = (1 << bits) - 1
    for place in range(len(known)):
        slot = np.int64(known[place] >> np.uint64(64 - bits))
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = place
    return table


@numba.njit(cache=True)
def add_weights(
    keys: NDArray[np.uint64],
    ends: Offsets,
    known: NDArray[np.uint64],
    table: NDArray[np.int32],
    bits: int,
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """(n, K) sums of the known features' weights over the root of the number of features.

    Returns these and (n,) how many features of a line are known.
    """
    n, width = len(ends) - 1, weights.shape[1]
    sums = np.zeros((n, width), np.float32)
    seen = np.zeros(n, np.int32)
    mask = (1 << bits) - 1
    for line in range(n):
        for k in range(ends[line], ends[line + 1]):
            slot = np.int64(keys[k] >> np.uint64(64 - bits))
            while table[slot] >= 0 and known[table[slot]] != keys[k]:
                slot = (slot + 1) & mask
            if table[slot] >= 0:
                seen[line] += 1
                row = table[slot]
                for column in range(width):
                    sums[line, column] += weights[row, column]
        if seen[line]:
            scale = 1 / np.sqrt(np.float32(seen[line]))
            for column in range(width):
                sums[line, column] *= scale
    return sums, seen
