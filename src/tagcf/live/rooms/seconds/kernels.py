"""Compiled: events of live rooms to counts per room and second, one pass over the events.

A place in the tables of people, `keys` (P,) and `person` (P, 4) int32, stands for one user in one
room: second last seen, second at which silence counts as having gone, whether seen to come in, and
second of leaving. Where all neighbours of a place are taken, whoever was silent longest gives
way, so that memory is bounded.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SEEN, GONE, ENTERED, LEFT = 0, 1, 2, 3
IMPRESSION, LEAVE = 0, 14  # positions in ACTIONS
WAYS = 8  # neighbours searched
ACTIVE, ARRIVE, GO = -3, -2, -1  # the last columns of a ring
_NEVER = np.int32(-(1 << 30))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_32 = np.uint64(32)
_ONE = np.uint64(1)


@njit(cache=True, inline="always")
def _pair(room, user):
    mixed = user ^ (np.uint64(room + 1) * _GOLDEN)
    mixed ^= mixed >> _32
    mixed *= _MIX
    mixed ^= mixed >> _32
    return mixed | _ONE


@njit(cache=True, inline="always")
def _place(keys, person, key):
    """Place of a pair, or the one that it may take."""
    mask = np.uint64(keys.size - 1)
    at = (key * _GOLDEN) >> _32
    oldest, since = at & mask, np.int32(1 << 30)
    for step in range(WAYS):
        place = (at + np.uint64(step)) & mask
        if keys[place] == key or keys[place] == 0:
            return place
        if person[place, SEEN] < since:
            oldest, since = place, person[place, SEEN]
    return oldest


@njit(cache=True)
def count(  # noqa: PLR0912, PLR0915 (one pass over all that happens)
    room, row, user, action, second, clock, column, watches,
    ring, weight, quiet, last, keys, person, recent, limits,
):  # fmt: skip
    """Count a batch into `ring` and `weight`; returns how many came too late.

    `room` (n,) tells rooms apart and `row` (n,) is their row here; `clock` (n,) is the time after
    each event, `last` (R,) the last second of each row. `ring` (R, W, C) int32 holds raw counts,
    second ``s`` at ``s & (W - 1)``; its last three columns are people active, arrivals and leaves;
    `quiet` (R, W) those taken for gone after a silence.
    `weight` (R, W, B) float32 holds counts in which a person's acts beyond `allowance` within half
    a minute or so weigh nothing, nor do those of accounts that never came in. `column` (actions,)
    is the column of an action or -1, `watches` (actions,) says which show that somebody watches.
    `limits` are the seconds that an event may be late, those of silence, fading per second, and
    allowance.
    """
    allowed, idle, fade, allowance = limits
    mask = ring.shape[1] - 1
    active, arrive = ring.shape[2] + ACTIVE, ring.shape[2] + ARRIVE
    go = ring.shape[2] + GO
    late = 0
    for i in range(room.size):
        s, r, act = second[i], row[i], action[i]
        if s < clock[i] - allowed:
            late += 1
            continue
        at = s & mask
        last[r] = max(last[r], s)
        key = _pair(room[i], user[i])
        place = _place(keys, person, key)
        if keys[place] != key:
            keys[place] = key
            person[place, SEEN] = person[place, GONE] = person[place, LEFT] = _NEVER
            person[place, ENTERED] = 0
            recent[place] = 0.0
        seen, gone = person[place, SEEN], person[place, GONE]
        if s > seen:
            person[place, SEEN] = s
        if act == IMPRESSION:  # shown, not yet watching
            continue
        if seen != s:
            ring[r, at, active] += 1
        if act == LEAVE:
            if gone >= s:
                quiet[r, gone & mask] -= 1
                ring[r, at, go] += 1
            person[place, GONE], person[place, LEFT] = _NEVER, s
            continue
        there = gone >= s
        if watches[act]:
            person[place, ENTERED] = 1
            if not there and s > person[place, LEFT]:
                ring[r, at, arrive] += 1
        if (there and gone < s + idle) or (watches[act] and not there and s > person[place, LEFT]):
            if there:
                quiet[r, gone & mask] -= 1
            quiet[r, (s + idle) & mask] += 1
            person[place, GONE] = s + idle
        c = column[act]
        if c >= 0:
            ring[r, at, c] += 1
            if s > seen and seen != _NEVER:
                recent[place] *= np.float32(np.exp(-fade * (s - seen)))
            if person[place, ENTERED] == 1:
                left = np.float32(2.0) - recent[place] / allowance
                if left > 0:
                    weight[r, at, c] += min(np.float32(1.0), left)
            recent[place] += np.float32(1.0)
    return late


@njit(cache=True)
def measure(ring, quiet, viewers, used, begin, end):
    """Return how many room-seconds of ``begin <= s < end`` have anybody in them.

    `used` are the rows of the rooms that are kept, in the order of the rooms.
    """
    mask = ring.shape[1] - 1
    rows = 0
    for r in used:
        there = viewers[r]
        for s in range(begin, end):
            cell = ring[r, s & mask]
            there += cell[ARRIVE] - cell[GO] - quiet[r, s & mask]
            rows += there > 0 or cell[ACTIVE] > 0
    return rows


@njit(cache=True)
def close(
    ring, weight, quiet, viewers, used, name, begin, end,
    room, second, watching, counts, weighted, leaves,
):  # fmt: skip
    """Write out those room-seconds in the order of room and second, and empty the ring of them.

    `name` (R,) is the room of each row.
    """
    mask = ring.shape[1] - 1
    row = 0
    for r in used:
        for s in range(begin, end):
            at = s & mask
            cell = ring[r, at]
            viewers[r] += cell[ARRIVE] - cell[GO] - quiet[r, at]
            if viewers[r] > 0 or cell[ACTIVE] > 0:
                room[row], second[row], watching[row] = name[r], s, viewers[r]
                counts[row] = cell
                leaves[row] = cell[GO] + quiet[r, at]
                weighted[row] = weight[r, at]
                row += 1
                weight[r, at] = 0.0
            cell[:] = 0
            quiet[r, at] = 0
