"""Compiled loops over the letters of many lines: folding them into one form."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]

SPACE = 0x20
ELLIPSIS = 0x2026
HAN_FIRST, HAN_LAST = 0x3400, 0x9FFF
# Private letters that numbers are folded to: what a number means in danmaku, else its length.
ONES, SIXES, SIX, LAUGHS, CRIES, LOVES, BYES = (
    0xF001,
    0xF002,
    0xF003,
    0xF004,
    0xF005,
    0xF006,
    0xF007,
)
DIGITS, FRACTION = 0xF010, 0xF018  # DIGITS + number of digits, at most 7
CONCEPT_FIRST, CONCEPT_LAST = 0xE000, 0xEFFF
# English letters that are doubled in no common word: a run of them is one.
_SINGLE = "ahijkquvwxy"
_KEPT = "?!+%$#@:()<=^*&[]¥£€"

# Classes of letters.
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
def decode(data: Bytes, at: int) -> tuple[int, int]:
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
def _number(value: int, digits: int, same: bool) -> int:
    """Private letter of a whole number: what it means in danmaku, else how long it is."""
    last = value % 10
    letter = DIGITS + min(digits, 7)
    if same and last == 1 and digits <= 4:
        letter = ONES
    elif same and last == 6:
        letter = SIX if digits == 1 else SIXES
    elif same and last == 5 and digits >= 3:
        letter = CRIES
    elif value in (233, 2333, 23333, 233333, 2333333):
        letter = LAUGHS
    elif value in (520, 521, 1314, 5201314):
        letter = LOVES
    elif value in (886, 3166):
        letter = BYES
    return letter


@numba.njit(cache=True)
def _read_number(data: Bytes, here: int, end: int, first: int) -> tuple[Any, int]:
    """Private letter of the number whose first digit was read, and where what follows begins."""
    value: Any = first - 48
    digits, same, fraction = 1, True, False
    while here < end:
        between = here + 1 < end and (data[here] == 44 or data[here] == 46)
        if between and 48 <= data[here + 1] <= 57:  # 39.9 and 1,000
            fraction = fraction or data[here] == 46
            here += 1
        if not 48 <= data[here] <= 57:
            break
        value = min(value * 10 + np.int64(data[here]) - 48, 10**15)
        digits += 1
        same = same and data[here] == first
        here += 1
    if fraction:
        return FRACTION, here
    return _number(value, digits, same), here


@numba.njit(cache=True)
def _passed_over(data: Bytes, start: int, end: int, most: int) -> tuple[int, int]:
    """Bytes of a long line that are not read, between whole letters."""
    if end - start <= 4 * most:
        return end, end
    first, last = start + 3 * most, end - most
    while first > start and (data[first] & 0xC0) == 0x80:
        first -= 1
    while last < end and (data[last] & 0xC0) == 0x80:
        last += 1
    return first, last


@numba.njit(cache=True)
def _read(
    data: Bytes, here: int, end: int, classes: NDArray[np.uint8], simple: NDArray[np.uint16]
) -> tuple[Any, Any, int]:
    """Next letter as it is folded, its class, and where what follows begins."""
    code: Any = 0
    code, here = decode(data, here)
    kind: Any = np.int64(OTHER)
    if code < 0x10000:
        kind = np.int64(classes[code])
    if HAN_FIRST <= code <= HAN_LAST:
        code = np.int64(simple[code - HAN_FIRST])
    if kind == QUOTE or 0x1F3FB <= code <= 0x1F3FF or code >= 0xE0000:  # skin tones and tags
        kind = np.int64(DROP)
    elif kind == DIGIT:
        code, here = _read_number(data, here, end, code)
    elif kind == BREAK:
        dots = code == 0x2E and here < end and data[here] == 0x2E
        while dots and here < end and data[here] == 0x2E:
            here += 1
        code = ELLIPSIS if dots else SPACE
    return code, kind, here


@numba.njit(cache=True)
def _fold_line(
    data: Bytes,
    here: int,
    end: int,
    out: Bytes,
    at: int,
    classes: NDArray[np.uint8],
    singles: NDArray[np.bool_],
    simple: NDArray[np.uint16],
    most: int,
) -> int:
    """Fold one line into `out` from `at` on; returns where it ends."""
    skip_from, skip_to = _passed_over(data, here, end, most)
    last, run, in_word, spaced = 0, 0, False, True
    while here < end:
        if skip_from <= here < skip_to:
            here = skip_to
            continue
        code, kind, here = _read(data, here, end, classes, simple)
        if kind == DROP:
            continue
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
        double = run == 2 and in_word and code < 128 and singles[code]
        if run > 2 or double:
            continue
        if kind == LETTER and not in_word:
            out[at] = SPACE
            at, in_word = at + 1, True
        at, spaced = _put(out, at, code), False
    if in_word:
        out[at] = SPACE
        at += 1
    return at


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
        Lines of more than four times as many bytes lose their middle: three times as many are
        read at the head, as many at the end.
    """
    n = len(starts) - 1
    out = np.empty(3 * (starts[n] - starts[0]) + 4, np.uint8)  # "a" becomes " a "
    ends = np.zeros(n + 1, np.int64)
    for line in range(n):
        ends[line + 1] = _fold_line(
            data, starts[line], starts[line + 1], out, ends[line], classes, singles, simple, most
        )
    return out[: ends[n]], ends
