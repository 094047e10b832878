"""Compiled loops over the letters of many lines: folding, and the features of a line."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]

SPACE = 0x20
ELLIPSIS = 0x2026
HAN_FIRST, HAN_LAST = 0x3400, 0x9FFF
# Private letters that numbers are folded to: what a number means in danmaku, else its length.
ONES, SIXES, SIX, LAUGHS, CRIES, LOVES, BYES = 0xF001, 0xF002, 0xF003, 0xF004, 0xF005, 0xF006, 0xF007
DIGITS, FRACTION = 0xF010, 0xF018  # DIGITS + number of digits, at most 7
CONCEPT_FIRST, CONCEPT_LAST = 0xE000, 0xEFFF
EDGE, GAP, LONG_GAP, WORD_GAP, PICTURE = 0xF101, 0xF102, 0xF103, 0xF104, 0xF105
# English letters that are doubled in no common word: a run of them is one.
_SINGLE = "ahijkquvwxy"
_KEPT = "?!+%$#@:()<=^*&[]¥£€"

LETTER, DIGIT, KEPT, BREAK, DROP, OTHER, QUOTE = 1, 2, 3, 4, 5, 6, 7


def _classes() -> NDArray[np.uint8]:
    """Class of every code point below U+10000; what is above is a picture, or a rare character."""
    of = np.full(0x10000, OTHER, np.uint8)
    of[:0x80] = BREAK
    of[0x80:0xC0] = BREAK
    of[0xC0:0x250] = LETTER
    of[0x370:0x600] = LETTER  # Greek, Cyrillic, Armenian, Hebrew
    of[0x600:0x2000] = LETTER
    of[0x300:0x370] = DROP  # accents that found no letter
    for letter in "abcdefghijklmnopqrstuvwxyz":
        of[ord(letter)] = LETTER
    of[ord("0") : ord("9") + 1] = DIGIT
    for letter in _KEPT:
        of[ord(letter)] = KEPT
    for letter in "'’‘`´":
        of[ord(letter)] = QUOTE
    of[0x2000:0x2070] = BREAK
    of[0x3000:0x3040] = BREAK
    of[0x3000] = BREAK
    of[0xD7] = BREAK
    for first, last in ((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F)):
        of[first : last + 1] = DROP
    of[[0xAD, 0x180E, 0xFEFF, 0x20E3]] = DROP
    of[0xFFFD] = BREAK
    of[CONCEPT_FIRST:0xF900] = BREAK  # private letters are ours alone
    return of


CLASSES = _classes()
SINGLES = np.array([chr(k) in _SINGLE for k in range(128)])


@numba.njit(cache=True)
def _decode(data: Bytes, at: int) -> tuple[int, int]:
    """Code point at a byte of valid UTF-8, and where the next begins."""
    first = data[at]
    if first < 0x80:
        return int(first), at + 1
    if first < 0xE0:
        return ((first & 0x1F) << 6) | (data[at + 1] & 0x3F), at + 2
    if first < 0xF0:
        middle = (data[at + 1] & 0x3F) << 6
        return ((first & 0x0F) << 12) | middle | (data[at + 2] & 0x3F), at + 3
    high = ((first & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12)
    return high | ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F), at + 4


@numba.njit(cache=True)
def _put(out: Bytes, at: int, code: int) -> int:
    """Write a code point as UTF-8; returns where the next goes."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at], out[at + 1] = 0xC0 | (code >> 6), 0x80 | (code & 0x3F)
        return at + 2
    if code < 0x10000:
        out[at], out[at + 1] = 0xE0 | (code >> 12), 0x80 | ((code >> 6) & 0x3F)
        out[at + 2] = 0x80 | (code & 0x3F)
        return at + 3
    out[at], out[at + 1] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 0x3F)
    out[at + 2], out[at + 3] = 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
    return at + 4


@numba.njit(cache=True)
def _number(value: int, digits: int, same: bool, fraction: bool) -> int:
    """Private letter of a number."""
    if fraction:
        return FRACTION
    last = value % 10
    if same and last == 1 and digits <= 4:
        return ONES
    if same and last == 6:
        return SIX if digits == 1 else SIXES
    if same and last == 5 and digits >= 3:
        return CRIES
    if value in (23, 233, 2333, 23333, 233333, 2333333):
        return LAUGHS if digits >= 3 else DIGITS + 2
    if value in (520, 521, 1314, 5201314):
        return LOVES
    if value in (886, 3166):
        return BYES
    return DIGITS + min(digits, 7)


@numba.njit(cache=True)
def fold(
    data: Bytes,
    starts: Offsets,
    classes: NDArray[np.uint8],
    singles: NDArray[np.bool_],
    simple: NDArray[np.uint16],
    most: int,
) -> tuple[Bytes, Offsets]:
    """Fold lines that are NFKC and lower case already.

    Invisible letters go, traditional characters become simplified, runs become two of a kind (one
    of letters that English never doubles), numbers become one private letter, every word of an
    alphabet stands between two spaces of its own, punctuation that says nothing becomes a space.

    Parameters
    ----------
    data, starts
        UTF-8 of all lines, and the (n + 1,) bytes where they begin.
    simple
        Simplified character of every code point from `HAN_FIRST` to `HAN_LAST`.
    most
        Code points of a line that are read: three quarters at its head, the rest at its end.
    """
    n = len(starts) - 1
    out = np.empty(3 * (starts[n] - starts[0]) + 4, np.uint8)  # "a" becomes " a "
    ends = np.zeros(n + 1, np.int64)
    at = 0
    for line in range(n):
        here, end = starts[line], starts[line + 1]
        skip_from, skip_to = end, end
        if end - here > 4 * most:  # bytes; a whole letter is at least one
            skip_from, skip_to = here + 3 * most, end - most
            while skip_from > here and (data[skip_from] & 0xC0) == 0x80:
                skip_from -= 1
            while skip_to < end and (data[skip_to] & 0xC0) == 0x80:
                skip_to += 1
        last, run, in_word, spaced = 0, 0, False, True
        while here < end:
            if skip_from <= here < skip_to:
                here = skip_to
                continue
            code, following = _decode(data, here)
            kind = OTHER
            if code < 0x10000:
                kind = classes[code]
            if HAN_FIRST <= code <= HAN_LAST:
                code = simple[code - HAN_FIRST]
            here = following
            if kind == DROP or kind == QUOTE or 0x1F3FB <= code <= 0x1F3FF or code >= 0xE0000:
                continue
            if kind == DIGIT:
                value, digits, same, fraction, first = 0, 0, True, False, code
                while True:
                    value = min(value * 10 + code - 48, 10**15)
                    digits += 1
                    same = same and code == first
                    if here + 1 < end and data[here] in (44, 46) and 48 <= data[here + 1] <= 57:
                        fraction = fraction or data[here] == 46
                        here += 1
                    if here < end and 48 <= data[here] <= 57:
                        code = np.int64(data[here])
                        here += 1
                    else:
                        break
                code, kind = _number(value, digits, same, fraction), OTHER
            if kind == BREAK:
                if code == 0x2E and here < end and data[here] == 0x2E:
                    code = ELLIPSIS
                    while here < end and data[here] == 0x2E:
                        here += 1
                else:
                    code = SPACE
            if in_word and kind != LETTER:
                out[at] = SPACE
                at, in_word, spaced = at + 1, False, True
            if code == SPACE:
                if not spaced:
                    out[at] = SPACE
                    at, spaced = at + 1, True
                last = 0
                continue
            run = run + 1 if code == last else 1
            last = code
            if run > 2:
                continue
            if kind == LETTER:
                if not in_word:
                    out[at] = SPACE
                    at, in_word = at + 1, True
                elif run == 2 and code < 128 and singles[code]:
                    continue
            at, spaced = _put(out, at, code), False
        if in_word:
            out[at] = SPACE
            at += 1
        ends[line + 1] = at
    return out[:at], ends


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
        code, here = _decode(data, here)
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
            if size == 1 and (code == EDGE or code == SPACE or _is_word(code)):
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
        if CONCEPT_FIRST <= codes[place] <= 0xF0FF or codes[place] == 63:
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
