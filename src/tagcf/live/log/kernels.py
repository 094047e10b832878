"""Compiled loops of the log: which events are new, and a sum over stored bytes."""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.prefetch.kernels import AHEAD, prefetch

_NONE, _NEXT = np.uint64(0), np.uint64(1)
_ODD = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def remember(table, ring, state, keys, fresh):
    """Mark in `fresh` (n,) which keys were not among the last ``ring.size`` new ones.

    `table` is an open-addressing table of the remembered keys with linear probing, of a size
    that is a power of two and at least twice that of `ring`, where they stand in their order.
    `state` holds the next place in `ring` and how many are remembered. The oldest key leaves by
    shifting back what was probed past it (Knuth, TAOCP 3, 6.4, algorithm R), so that no
    tombstones gather.
    """
    mask = np.uint64(table.size - 1)
    at, held = state[0], state[1]
    for i in range(keys.size):
        if i + AHEAD < keys.size:
            prefetch(table, np.int64(keys[i + AHEAD] & mask))
        if at + AHEAD < ring.size:  # of the key that leaves then
            prefetch(table, np.int64(ring[at + AHEAD] & mask))
        key = keys[i]
        slot = key & mask
        there = table[slot]
        while there and there != key:
            slot = (slot + _NEXT) & mask
            there = table[slot]
        fresh[i] = there == _NONE
        if not fresh[i]:
            continue
        table[slot] = key
        if held == ring.size:
            _forget(table, ring[at], mask)
        else:
            held += 1
        ring[at] = key
        at = at + 1 if at + 1 < ring.size else 0
    state[0], state[1] = at, held


@njit(cache=True, nogil=True)
def _forget(table, key, mask):
    hole = key & mask
    while table[hole] != key:
        hole = (hole + _NEXT) & mask
    slot = hole
    while True:
        slot = (slot + _NEXT) & mask
        if table[slot] == _NONE:
            break
        home = table[slot] & mask
        # Moves where its home is not in (hole, slot], around the end of the table.
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            table[hole] = table[slot]
            hole = slot
    table[hole] = _NONE


@njit(cache=True, nogil=True)
def byte_sum(words, tail):
    """64-bit sum of stored bytes that tells changed, moved and missing ones (after Fletcher).

    `words` (n,) are the bytes eight by eight, `tail` the rest as one number.
    """
    lanes = np.zeros(8, np.uint64)
    sums = np.zeros(8, np.uint64)
    whole = words.size // 8 * 8
    for i in range(0, whole, 8):
        for k in range(8):
            lanes[k] += words[i + k]
            sums[k] += lanes[k]
    h = _ODD ^ np.uint64(words.size)
    for k in range(8):
        h = (h ^ lanes[k]) * _ODD
        h ^= h >> np.uint64(31)
        h = (h ^ sums[k]) * _ODD
        h ^= h >> np.uint64(29)
    for i in range(whole, words.size):
        h = (h ^ words[i]) * _ODD
        h ^= h >> np.uint64(31)
    h = (h ^ tail) * _ODD
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True)
def order(ts, newest, late_before, ahead_after):
    """Follow the newest time through a batch.

    Returns it, and how many events came out of order, late (more than `late_before` seconds
    behind it) and from after `ahead_after`; these do not count as newest.
    """
    unordered = late = ahead = 0
    for i in range(ts.size):
        if ts[i] > ahead_after:
            ahead += 1
        elif ts[i] >= newest:
            newest = ts[i]
        else:
            unordered += 1
            late += newest - ts[i] > late_before
    return newest, unordered, late, ahead
