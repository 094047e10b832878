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
AGREEING = 3  # events that must have come from a time before the clock moves there
IN_A_ROW = 20  # events from far ahead that are believed though fewer people sent them
FORGET = 1_000  # ordinary events after which one from far ahead is forgotten
ACTIVE, ARRIVE, GO = -3, -2, -1  # the last columns of a ring
_NEVER = np.int32(-(1 << 30))
_UNBEGUN = -(1 << 39)
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
def believe(second, user, newest, far, who, runs, step, latest, clock):
    """Fill in `clock` (n,): after each event, the third newest second so far.

    One wrong clock on one telephone does not move it: from more than `step` ahead, three people
    must have come, or `IN_A_ROW` events with none from nearer between; from after `latest`, nobody
    is believed. `newest` (3,), rising, the times (3,) and users (3,) that came from far ahead, and
    `runs` (2,), events from far ahead in a row and others since, are carried on.
    """
    for i in range(second.size):
        s = second[i]
        begun = newest[0] > _UNBEGUN  # the newest of all may be the wrong one, the next is not
        if begun and newest[-2] + step < s <= latest:
            runs[0], runs[1] = runs[0] + 1, 0
            at = 0
            while at < far.size - 1 and who[at] != user[i] and who[at] != 0:
                at += 1
            who[at], far[at] = user[i], s
            agreed = who[-1] != 0
            if agreed or runs[0] >= IN_A_ROW:
                newest[:] = far.min() if agreed else s
                who[:], runs[:] = 0, 0
        elif s <= latest:
            runs[0], runs[1] = 0, runs[1] + 1
            if runs[1] > FORGET:
                who[:] = 0
            if s > newest[0]:
                at = 0
                while at + 1 < newest.size and newest[at + 1] < s:
                    newest[at] = newest[at + 1]
                    at += 1
                newest[at] = s
        clock[i] = newest[0]


@njit(cache=True)
def count(  # noqa: PLR0912, PLR0915 (one pass over all that happens)
    room, user, action, second, column, watches, ring, weight, quiet, keys, person, recent, limits
):
    """Count a batch into `ring` and `weight`; returns how many came too late and too early.

    `ring` (R, W, C) int32 holds raw counts, second ``s`` at ``s & (W - 1)``; its last three columns
    are people active, arrivals and leaves; `quiet` (R, W) those taken for gone after a silence.
    `weight`
    (R, W, B) float32 holds counts in which a person's acts beyond `allowance` within half a minute
    or so weigh nothing, nor do those of accounts that never came in. `column` (actions,) is the
    column of an action or -1, `watches` (actions,) says which show that somebody watches. `limits`
    are the first second that is open, the last that may come, seconds of silence, fading per
    second, and allowance.
    """
    open_from, ahead, idle, fade, allowance = limits
    mask = ring.shape[1] - 1
    active, arrive = ring.shape[2] + ACTIVE, ring.shape[2] + ARRIVE
    go = ring.shape[2] + GO
    late, early = 0, 0
    for i in range(room.size):
        s, r, act = second[i], room[i], action[i]
        if r < 0:
            continue
        if s < open_from:
            late += 1
            continue
        if s > ahead:
            early += 1
            continue
        at = s & mask
        key = _pair(r, user[i])
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
    return late, early


@njit(cache=True)
def measure(ring, quiet, viewers, begin, end):
    """Return how many room-seconds of ``begin <= s < end`` have anybody in them."""
    mask = ring.shape[1] - 1
    rows = 0
    for r in range(ring.shape[0]):
        there = viewers[r]
        for s in range(begin, end):
            cell = ring[r, s & mask]
            there += cell[ARRIVE] - cell[GO] - quiet[r, s & mask]
            rows += there > 0 or cell[ACTIVE] > 0
    return rows


@njit(cache=True)
def close(
    ring, weight, quiet, viewers, begin, end, room, second, watching, counts, weighted, leaves
):
    """Write out those room-seconds in the order of room and second, and empty the ring of them."""
    mask = ring.shape[1] - 1
    row = 0
    for r in range(ring.shape[0]):
        for s in range(begin, end):
            at = s & mask
            cell = ring[r, at]
            viewers[r] += cell[ARRIVE] - cell[GO] - quiet[r, at]
            if viewers[r] > 0 or cell[ACTIVE] > 0:
                room[row], second[row], watching[row] = r, s, viewers[r]
                counts[row] = cell
                leaves[row] = cell[GO] + quiet[r, at]
                weighted[row] = weight[r, at]
                row += 1
                weight[r, at] = 0.0
            cell[:] = 0
            quiet[r, at] = 0
