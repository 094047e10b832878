"""Compiled: what each user wants now, as a belief over tags, and when it moves on.

A user's belief is one line of 64 bytes, seen as float32, int32 and int16 at once: the weights of
the `SLOTS` likeliest tags, these tags, the tag in force, the class of the last event, its time,
its content, and two numbers for all other tags together: `spread`, their weight per unit of prior,
and `free`, their prior. Weights add up to one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SLOTS = 7
_TAGS = 14  # int16 columns: first tag, tag in force, class of the last event
_HELD, _CLASS = 21, 22
_TIME, _CONTENT = 12, 13  # int32 columns
_SPREAD, _FREE = 14, 15  # float32 columns
_CLASSES = 5  # of the event before: other content, impression, click, interaction, stay
_OTHER, _SHOWN, _OPENED, _ACTED, _STAYED = 0, 1, 2, 3, 4
N_KINDS = 23
N_SYMBOLS = N_KINDS * _CLASSES
N_LEVELS = 4
TICKS = 10.0  # a second


@njit(cache=True, nogil=True, inline="always")
def kind_of(action, value):
    """Kind of an event: its action, cut by how long it lasted."""
    if action == 3:
        if value < 1.0:
            return 3
        if value < 2.0:
            return 4
        if value < 4.0:
            return 5
        if value < 8.0:
            return 6
        if value < 30.0:
            return 7
        return 8 if value < 90.0 else 9
    if action == 14:
        if value < 5.0:
            return 10
        if value < 15.0:
            return 11
        if value < 30.0:
            return 12
        if value < 60.0:
            return 13
        if value < 120.0:
            return 14
        if value < 300.0:
            return 15
        return 16 if value < 600.0 else 17
    if action <= 2:
        return action
    if action == 5:
        return 18
    if action in {6, 8}:
        return 19
    if action == 11:
        return 21
    return 22 if action >= 12 else 20


@njit(cache=True, nogil=True, inline="always")
def class_of(kind, before):
    """What the next event on the same content needs to know of this one."""
    if kind == 0:
        return _SHOWN
    if kind == 1:
        return _OPENED
    if kind in {8, 9}:
        return _STAYED
    if kind >= 18:
        return _STAYED if before == _STAYED else _ACTED
    return before


@njit(cache=True, nogil=True, inline="always")
def level_of(strength):
    """Level, 0 to 3, of a tag's strength on content."""
    if strength > 0.85:
        return 3
    if strength > 0.6:
        return 2
    return 1 if strength > 0.45 else 0


@njit(cache=True, nogil=True, inline="always")
def moved_on(seconds, pace, most):
    """Chance that an interest has moved on after so long: rises to `most` with `pace` a second."""
    run = pace * max(seconds, 0.0)
    return most * run / (most + run)


@njit(cache=True, nogil=True)
def begin(single, whole, half, first, last):
    """Give lines first … last − 1 the belief before any event."""
    for row in range(first, last):
        single[row, :] = 0.0
        for k in range(SLOTS):
            half[row, _TAGS + k] = -1
        half[row, _HELD] = -1
        half[row, _CLASS] = _OTHER
        whole[row, _TIME] = -1
        whole[row, _CONTENT] = -1
        single[row, _SPREAD] = 1.0
        single[row, _FREE] = 1.0


@njit(cache=True, nogil=True)
def follow(
    user, content, kind, tick, indptr, tag, level, gain, prior, pace, most, threshold,
    single, whole, half, moved, to, sure,
):
    """Update beliefs by events in order; returns how many of them made a user's tag change.

    `gain` (symbols, levels) is exp of the evidence; `moved`, `to` and `sure` are written for each
    change: which event, −2 − the tag before (or −1), … see `switches.follow_all`.
    """
    found = 0
    for e in range(user.size):
        row = user[e]
        item = content[e]
        if row < 0 or item < 0:
            continue
        w = single[row]
        tags = half[row]
        then = whole[row, _TIME]
        drift = np.float32(0.0)
        if then >= 0 and tick[e] > then:
            drift = np.float32(moved_on((tick[e] - then) / TICKS, pace, most))
        if tick[e] > then:
            whole[row, _TIME] = tick[e]
        stay = np.float32(1.0) - drift
        for k in range(SLOTS):
            w[k] *= stay
        if drift > 0:
            for k in range(SLOTS):
                if tags[_TAGS + k] >= 0:
                    w[k] += drift * prior[tags[_TAGS + k]]
        spread = w[_SPREAD] * stay + drift
        free = w[_FREE]
        before = _OTHER
        if whole[row, _CONTENT] == item:
            before = tags[_CLASS]
        whole[row, _CONTENT] = item
        symbol = kind[e] * _CLASSES + before
        tags[_CLASS] = class_of(kind[e], before)
        rest = spread * free
        for j in range(indptr[item], indptr[item + 1]):
            t = tag[j]
            ratio = gain[symbol, level[j]]
            at = -1
            for k in range(SLOTS):
                if tags[_TAGS + k] == t:
                    at = k
            if at >= 0:
                w[at] *= ratio
                continue
            mass = spread * prior[t]
            least = 0
            for k in range(1, SLOTS):
                if w[k] < w[least]:
                    least = k
            if mass * ratio <= w[least] or free < 1e-6:
                rest += mass * (ratio - np.float32(1.0))
                continue
            gone = tags[_TAGS + least]
            rest -= mass
            free -= prior[t]
            if gone >= 0:
                rest += w[least]
                free += prior[gone]
            tags[_TAGS + least] = t
            w[least] = mass * ratio
        total = max(rest, np.float32(0.0))
        for k in range(SLOTS):
            total += w[k]
        scale = np.float32(1.0) / total
        top = 0
        for k in range(SLOTS):
            w[k] *= scale
            if w[k] > w[top]:
                top = k
        w[_FREE] = free
        w[_SPREAD] = max(rest, np.float32(0.0)) * scale / max(free, np.float32(1e-6))
        if w[top] > threshold and tags[_TAGS + top] != tags[_HELD]:
            moved[found] = e
            to[found, 0] = tags[_HELD]
            to[found, 1] = tags[_TAGS + top]
            sure[found] = w[top]
            found += 1
            tags[_HELD] = tags[_TAGS + top]
    return found


@njit(cache=True, nogil=True)
def kinds_of(action, value, kind):
    """(n,) kinds of events."""
    for e in range(action.size):
        kind[e] = kind_of(action[e], value[e])


@njit(cache=True, nogil=True)
def learn_evidence(
    start, content, kind, ts, label, indptr, tag, level, prior, pace, most, rate, evidence, squares
):
    """One pass over events in the order of user and time; returns the mean log belief in the truth.

    Users' events are start[u] … start[u + 1] − 1; `label` is what they wanted, −1 where unknown.
    The belief before an event counts as given, so that its gradient is that of a logit.
    """
    n_tags = prior.size
    belief = np.empty(n_tags)
    logged, counted = 0.0, 0
    for u in range(start.size - 1):
        belief[:] = prior
        before, last = _OTHER, -1
        for e in range(start[u], start[u + 1]):
            item = content[e]
            if item < 0:
                continue
            drift = 0.0
            if e > start[u]:
                drift = moved_on(ts[e] - ts[e - 1], pace, most)
            if item != last:
                before = _OTHER
            symbol = kind[e] * _CLASSES + before
            before, last = class_of(kind[e], before), item
            for t in range(n_tags):
                belief[t] = (1.0 - drift) * belief[t] + drift * prior[t]
            for j in range(indptr[item], indptr[item + 1]):
                belief[tag[j]] *= np.exp(evidence[symbol, level[j]])
            belief /= belief.sum()
            if label[e] < 0:
                continue
            logged += np.log(max(belief[label[e]], 1e-12))
            counted += 1
            for j in range(indptr[item], indptr[item + 1]):
                push = (1.0 if tag[j] == label[e] else 0.0) - belief[tag[j]]
                squares[symbol, level[j]] += push * push
                evidence[symbol, level[j]] += rate * push / np.sqrt(1.0 + squares[symbol, level[j]])
    return logged / max(counted, 1)
