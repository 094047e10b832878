"""Compiled: the content of each event of a batch, and what all rooms on air hold."""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.interest.index.kernels import find

_NOBODY = np.uint64(0)


@njit(cache=True)
def find_contents(item, product, room, ts, slots, rooms, parts, start, end, played, found):
    """Position of each event's content: its item, else its product, else what its room showed."""
    for e in range(ts.size):
        content = -1
        if item[e] != _NOBODY:
            content = find(slots, item[e])
        if content < 0 and product[e] != _NOBODY:
            content = find(slots, product[e])
        if content < 0 and room[e] != _NOBODY:
            at = find(rooms, room[e])
            if at >= 0:
                first, last = parts[at], parts[at + 1]
                part = first + np.searchsorted(start[first:last], ts[e], side="right") - 1
                if part >= first and ts[e] < end[part]:
                    content = played[part]
        found[e] = content


@njit(cache=True, nogil=True)
def fill_air(room_minute, room_content, indptr, tag, level, push, air, n_rooms):
    """Add up what rooms on air hold for who searches for a tag: Σ of exp(push · strength)."""
    for k in range(room_minute.size):
        at, item = room_minute[k], room_content[k]
        n_rooms[at] += 1
        if item < 0:
            continue
        for j in range(indptr[item], indptr[item + 1]):
            air[at, tag[j]] += push[level[j]] - 1.0
