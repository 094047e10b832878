"""Compiled: which events are believed to have come from a time ahead of the stream's.

The time of a stream is its third newest second. An event is *near* up to `step` seconds ahead of
the second newest; one from farther ahead is held back until others agree, or until that time has
come. Held events lie in the order of time, each with the number of near events that had come before
it: those that no near event has come after are the current run; the others are contradicted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNBEGUN = -(1 << 39)
WAITING, NEAR, RUN, REFUSED = 0, 1, 2, 3  # in a tally: held, near so far, held in the run, refused
AGREEING, DOUBTING = 3, 6  # people who must agree; the same where others were contradicted of late
IN_A_ROW = 20  # events of two people in a run that are believed though scattered over time
ALONE = 200  # events of one person that a stream may begin with
FORGET = 4_096  # near events after which a contradicted one is refused
BEFORE = 3_600  # seconds before those who agree first that others count as well


@njit(cache=True, inline="always")
def _hear(newest, second):
    """Enter a second among the newest, which rise."""
    if second > newest[0]:
        at = 0
        while at + 1 < newest.size and newest[at + 1] < second:
            newest[at] = newest[at + 1]
            at += 1
        newest[at] = second


@njit(cache=True, inline="always")
def _admit(out, n, second, room, user, action, clock):
    out.second[n], out.room[n], out.user[n] = second, room, user
    out.action[n], out.clock[n] = action, clock
    return n + 1


@njit(cache=True)
def _drop(held, tally, at):
    """Refuse a held event."""
    tally[RUN] -= held.near[at] == tally[NEAR]
    tally[WAITING] -= 1
    tally[REFUSED] += 1
    end = tally[WAITING]
    held.second[at:end] = held.second[at + 1 : end + 1].copy()
    held.room[at:end] = held.room[at + 1 : end + 1].copy()
    held.user[at:end] = held.user[at + 1 : end + 1].copy()
    held.action[at:end] = held.action[at + 1 : end + 1].copy()
    held.near[at:end] = held.near[at + 1 : end + 1].copy()


@njit(cache=True)
def _hold(held, tally, second, room, user, action):
    """Insert an event behind those of the same second and before."""
    at = tally[WAITING]
    while at > 0 and held.second[at - 1] > second:
        held.second[at], held.room[at] = held.second[at - 1], held.room[at - 1]
        held.user[at], held.action[at] = held.user[at - 1], held.action[at - 1]
        held.near[at] = held.near[at - 1]
        at -= 1
    held.second[at], held.room[at], held.user[at] = second, room, user
    held.action[at], held.near[at] = action, tally[NEAR]
    tally[WAITING] += 1
    tally[RUN] += 1


@njit(cache=True)
def _agreed(held, tally, newest, second, step):
    """Return the time that the run vouches for, now that `second` is in it; UNBEGUN for none."""
    others = tally[WAITING] - tally[RUN]
    need = min(AGREEING + others, DOUBTING)
    people = np.empty(DOUBTING, np.uint64)
    found, earliest = 0, second
    first, two = -1, False
    for k in range(tally[WAITING]):
        if held.near[k] != tally[NEAR]:
            continue
        if first < 0:
            first = k
        two |= held.user[k] != held.user[first]
        if abs(held.second[k] - second) > step or found == need:
            continue
        known = False
        for j in range(found):
            known |= people[j] == held.user[k]
        if not known:
            people[found] = held.user[k]
            found += 1
            earliest = min(earliest, held.second[k])
    if found == need:
        return earliest
    if tally[RUN] >= IN_A_ROW and (two or (newest[0] <= UNBEGUN and tally[RUN] >= ALONE)):
        return held.second[first]
    return UNBEGUN


@njit(cache=True)
def release(held, tally, newest, step, reached, out, n):
    """Let out what is held up to a time that was reached, and what that brings near."""
    waiting, k = tally[WAITING], 0
    if waiting == 0 or held.second[0] > max(newest[1], reached) + step:
        return n
    if newest[0] <= UNBEGUN:
        first = 0
        while held.second[first] < reached - BEFORE:
            first += 1
        newest[:] = held.second[first]
    while k < waiting and held.second[k] <= max(newest[1], reached) + step:
        if held.second[k] <= reached:
            newest[:] = np.maximum(newest, held.second[k])
        else:
            _hear(newest, held.second[k])
        n = _admit(out, n, held.second[k], held.room[k], held.user[k], held.action[k], newest[0])
        tally[RUN] -= held.near[k] == tally[NEAR]
        k += 1
    left = waiting - k
    held.second[:left] = held.second[k:waiting].copy()
    held.room[:left] = held.room[k:waiting].copy()
    held.user[:left] = held.user[k:waiting].copy()
    held.action[:left] = held.action[k:waiting].copy()
    held.near[:left] = held.near[k:waiting].copy()
    tally[WAITING] = left
    return n


@njit(cache=True)
def _make_room(held, tally, newest, step, out, n):
    """Free a place: refuse who was contradicted longest, or believe where nobody was."""
    if tally[RUN] == tally[WAITING]:
        return release(held, tally, newest, step, held.second[0], out, n)
    oldest = 0
    for k in range(tally[WAITING]):
        if held.near[k] < held.near[oldest]:
            oldest = k
    _drop(held, tally, oldest)
    return n


@njit(cache=True)
def admit(second, room, user, action, step, latest, newest, held, tally, out):
    """Write those events that are believed, and the time after each, to `out`; return how many.

    What is from after `latest` is refused. `newest` (3,), `held` and `tally` (4,) are carried on;
    `out` has places for the batch and for all that is held.
    """
    n = 0
    for i in range(second.size):
        s = second[i]
        if s > latest:
            tally[REFUSED] += 1
        elif newest[0] > UNBEGUN and s <= newest[1] + step:
            tally[NEAR] += 1
            tally[RUN] = 0
            _hear(newest, s)
            n = _admit(out, n, s, room[i], user[i], action[i], newest[0])
            if tally[WAITING] > 0:
                n = release(held, tally, newest, step, newest[0], out, n)
                if tally[NEAR] % (FORGET // 4) == 0:
                    for k in range(tally[WAITING] - 1, -1, -1):
                        if tally[NEAR] - held.near[k] > FORGET:
                            _drop(held, tally, k)
        else:
            if tally[WAITING] == held.second.size:
                n = _make_room(held, tally, newest, step, out, n)
            _hold(held, tally, s, room[i], user[i], action[i])
            reached = _agreed(held, tally, newest, s, step)
            if reached > UNBEGUN:
                n = release(held, tally, newest, step, reached, out, n)
    return n
