"""Compiled loops over Arrow's string buffers: 64-bit hashes of ids and of whole rows."""

from __future__ import annotations

import numpy as np
from numba import njit

BROKEN, EMPTY, WIDE = 1, 2, 4  # what a pass over strings found: bad offsets, "", not ASCII

_P1 = np.uint64(0x9E3779B97F4A7C15)
_P2 = np.uint64(0xD6E8FEB86659FD93)
_P3 = np.uint64(0xFF51AFD7ED558CCD)
_HIGH = np.uint64(0x8080808080808080)
_ONE = np.uint64(1)
_3, _7, _29, _32 = np.uint64(3), np.uint64(7), np.uint64(29), np.uint64(32)


@njit(cache=True, nogil=True)
def _word(data, at):
    """Return 8 bytes as one little-endian word; compiles to a single load."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + 1]) << np.uint64(8)
        | np.uint64(data[at + 2]) << np.uint64(16)
        | np.uint64(data[at + 3]) << np.uint64(24)
        | np.uint64(data[at + 4]) << np.uint64(32)
        | np.uint64(data[at + 5]) << np.uint64(40)
        | np.uint64(data[at + 6]) << np.uint64(48)
        | np.uint64(data[at + 7]) << np.uint64(56)
    )


@njit(cache=True, nogil=True)
def _finish(h):
    """Spread every bit over the whole word; never 0, which stands for no id."""
    h ^= h >> _32
    h *= _P3
    h ^= h >> _29
    h *= _P1
    h ^= h >> _32
    return h if h != np.uint64(0) else _ONE


@njit(cache=True, nogil=True)
def hash_strings(offsets, data, valid, first, keys):
    """Hash each string of an Arrow array into `keys` (n,); null and empty have key 0.

    `offsets` (n + 1,) is cut to the array, `valid` is its whole bitmap (or empty: none null), in
    which the array begins at bit `first`. Returns the flags of what was found.
    """
    found = 0
    wide = np.uint64(0)
    size = len(data)
    some_null = len(valid) > 0
    for here in range(keys.size):
        i = np.uint64(here)  # unsigned: no place is counted from the end
        if some_null:
            bit = np.uint64(first) + i
            if not (valid[bit >> _3] >> (bit & _7)) & _ONE:
                keys[i] = 0
                continue
        at, stop = np.int64(offsets[i]), np.int64(offsets[i + _ONE])
        if at < 0 or stop < at or stop > size:
            return BROKEN
        if stop == at:
            keys[i] = 0
            found |= EMPTY
            continue
        h = _P1 ^ (np.uint64(stop - at) * _P2)
        while at + 8 <= stop:
            w = _word(data, np.uint64(at))
            wide |= w
            h = (h ^ w) * _P2
            h ^= h >> _32
            at += 8
        if at < stop:
            if at + 8 <= size:
                left = np.uint64(stop - at) << _3
                w = _word(data, np.uint64(at)) & ((_ONE << left) - _ONE)
            else:
                w = np.uint64(0)
                for k in range(stop - at):
                    w |= np.uint64(data[at + k]) << np.uint64(8 * k)
            wide |= w
            h = (h ^ w) * _P2
        keys[i] = _finish(h)
    return found | WIDE if wide & _HIGH else found


@njit(cache=True, nogil=True)
def hash_text(data):
    """Key of one text, given as bytes; 0 for none."""
    offsets, keys = np.zeros(2, np.int32), np.zeros(1, np.uint64)
    offsets[1] = len(data)
    hash_strings(offsets, data, data[:0], 0, keys)
    return keys[0]


@njit(cache=True, nogil=True)
def hash_rows(event, ids, ts, action, value, text):
    """Give each event whose key is 0 the hash of its row.

    `ids` (n, k) are the keys of its ids; `ts` and `value` are the bits of the numbers.
    """
    for i in range(event.size):
        if event[i] == 0:
            h = (_P2 ^ ts[i]) * _P1
            h ^= h >> _32
            h = (h ^ (np.uint64(action[i]) << _32 | np.uint64(value[i]))) * _P2
            h ^= h >> _29
            h = (h ^ text[i]) * _P2
            for k in range(ids.shape[1]):
                h ^= h >> _32
                h = (h ^ ids[i, k]) * _P2
            event[i] = _finish(h)
