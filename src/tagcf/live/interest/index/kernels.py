"""Compiled: from 64-bit keys to dense rows, by open addressing with linear probing.

A table `slots` (2^k, 2) uint64 holds keys and 1 + their rows; 0 marks an empty slot. It is kept at
most half full, so that a search ends within a few neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth's multiplicative hash
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_NONE = np.uint64(0)


@njit(cache=True, inline="always")
def first_slot(key, slots):
    """Slot that the search for a key begins at."""
    mixed = key * _GOLDEN
    return (mixed ^ (mixed >> _HALF)) & np.uint64(slots.shape[0] - 1)


@njit(cache=True, inline="always")
def pair_key(one, other):
    """One key of two; the order counts."""
    mixed = one ^ (other * _GOLDEN)
    mixed ^= mixed >> _HALF
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> _HALF
    return mixed | _ONE


@njit(cache=True)
def find(slots, key):
    """Row of a key; -1 where there is none."""
    mask = np.uint64(slots.shape[0] - 1)
    at = first_slot(key, slots)
    while slots[at, 1] != _NONE:
        if slots[at, 0] == key:
            return np.int64(slots[at, 1]) - 1
        at = (at + _ONE) & mask
    return -1


@njit(cache=True)
def put(slots, key, row):
    """Enter a key that is not there yet."""
    mask = np.uint64(slots.shape[0] - 1)
    at = first_slot(key, slots)
    while slots[at, 1] != _NONE:
        at = (at + _ONE) & mask
    slots[at, 0] = key
    slots[at, 1] = np.uint64(row + 1)


@njit(cache=True)
def find_all(slots, keys):
    """(n,) int64 rows of keys, -1 where there is none."""
    rows = np.empty(keys.size, np.int64)
    for i in range(keys.size):
        rows[i] = find(slots, keys[i])
    return rows


@njit(cache=True)
def put_all(slots, keys, first):
    """Enter keys as rows from `first` on."""
    for i in range(keys.size):
        put(slots, keys[i], first + i)


@njit(cache=True)
def rehash(old, new):
    """Enter everything of one table into an empty one."""
    for at in range(old.shape[0]):
        if old[at, 1] != _NONE:
            put(new, old[at, 0], np.int64(old[at, 1]) - 1)


@njit(cache=True)
def take_out(slots, key):
    """Remove a key, and move those back that were pushed past it (Knuth, TAOCP 3, 6.4 R)."""
    mask = np.uint64(slots.shape[0] - 1)
    hole = first_slot(key, slots)
    while slots[hole, 1] != _NONE and slots[hole, 0] != key:
        hole = (hole + _ONE) & mask
    if slots[hole, 1] == _NONE:
        return
    at = hole
    while True:
        at = (at + _ONE) & mask
        if slots[at, 1] == _NONE:
            break
        home = first_slot(slots[at, 0], slots)
        if ((at - home) & mask) >= ((at - hole) & mask):
            slots[hole, 0] = slots[at, 0]
            slots[hole, 1] = slots[at, 1]
            hole = at
    slots[hole, 1] = _NONE
    slots[hole, 0] = _NONE


@njit(cache=True)
def jump(key, n):
    """Jump consistent hash of a key over n buckets (Lamping and Veach 2014)."""
    step = np.uint64(2862933555777941757)
    at, following = np.int64(-1), np.int64(0)
    while following < n:
        at = following
        key = key * step + _ONE
        share = np.float64(np.int64(1) << 31) / np.float64((key >> np.uint64(33)) + _ONE)
        following = np.int64((at + 1) * share)
    return at


@njit(cache=True)
def jump_all(keys, n):
    """(N,) int64 bucket of each key."""
    buckets = np.empty(keys.size, np.int64)
    for i in range(keys.size):
        buckets[i] = jump(keys[i], n)
    return buckets
