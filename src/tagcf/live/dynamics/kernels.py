"""Compiled: what each user wants now, as a belief over tags, and when it moves on.

A user's belief is one line of float32, (2T + `EXTRA`,), also seen as int32: weights of the tags on
the branch where nothing has changed since the last switch, weights on the branch where something
has, then what the columns below say. Weights need not add up to one. Symbols: T tags, n events.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.interest.update.kernels import prefetch

EXTRA = 6
_KEEP, _STAYED_SUM, _MOVED_SUM = 0, 1, 2  # float32, behind the 2T weights
_TIME, _CONTENT, _CLASS = 3, 4, 5  # int32
_LAZY = np.float32(0.98)  # drift is put off until it has come to 2 %
_CLASSES = 5  # of the event before: other content, impression, click, interaction, stay
_OTHER, _SHOWN, _OPENED, _ACTED, _STAYED = 0, 1, 2, 3, 4
_AHEAD, _PER_LINE = 12, 16  # events looked ahead, and float32s in a line of memory
N_KINDS = 23
N_SYMBOLS = N_KINDS * _CLASSES
N_LEVELS = 4
FIRST_OF_PRODUCT = 21
TICKS = 1.0  # a second
_DWELL, _LEAVE = 3, 14  # positions in ACTIONS
_DWELL_EDGES = (1.0, 2.0, 4.0, 8.0, 30.0, 90.0)  # seconds
_LEAVE_EDGES = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
# Of every action; likes 18, words 19, product clicks 21, carts and purchases 22, others 20.
_KINDS = (0, 1, 2, 3, 20, 18, 19, 20, 19, 20, 20, 21, 22, 22, 10)


@njit(cache=True, nogil=True, inline="always")
def kind_of(action, value):
    """Kind of an event: its action, cut by how long it lasted."""
    if action == _DWELL:
        kind = 3
        for edge in _DWELL_EDGES:
            kind += value >= edge
    elif action == _LEAVE:
        kind = 10
        for edge in _LEAVE_EDGES:
            kind += value >= edge
    else:
        kind = _KINDS[action]
    return kind


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
def kinds_of(action, value, kind):
    """(n,) kinds of events."""
    for e in range(action.size):
        kind[e] = kind_of(action[e], value[e])


@njit(cache=True, nogil=True)
def levels_of(strength, level):
    """Levels of strengths."""
    for j in range(strength.size):
        level[j] = level_of(strength[j])


@njit(cache=True, nogil=True)
def begin(single, whole, first, last, prior):
    """Give lines first … last − 1 the belief before any event."""
    n_tags = prior.size
    for row in range(first, last):
        single[row, :n_tags] = prior
        single[row, n_tags : 2 * n_tags] = 0.0
        single[row, 2 * n_tags + _KEEP] = 1.0
        single[row, 2 * n_tags + _STAYED_SUM] = 1.0
        single[row, 2 * n_tags + _MOVED_SUM] = 0.0
        whole[row, 2 * n_tags + _TIME] = -1
        whole[row, 2 * n_tags + _CONTENT] = -1
        whole[row, 2 * n_tags + _CLASS] = _OTHER


@njit(cache=True, nogil=True, inline="always")
def symbol_of(kind, item, last, before):
    """Position of an event's evidence: its kind, and what came before on the same content."""
    if kind >= FIRST_OF_PRODUCT:  # the product's tags, whatever the room shows
        return kind * _CLASSES + (1 if before == _STAYED else 0)
    return kind * _CLASSES + (before if item == last else _OTHER)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def settle(line, prior, ratio, keep):
    """Let interests drift by 1 − keep, multiply weights by `ratio` (T,), and make the sum one."""
    n_tags = prior.size
    total = line[2 * n_tags + _STAYED_SUM] + line[2 * n_tags + _MOVED_SUM]
    fading = keep / total
    fresh = np.float32(1.0) - keep
    stayed, moved = np.float32(0.0), np.float32(0.0)
    first, second = line[:n_tags], line[n_tags : 2 * n_tags]
    for t in range(n_tags):
        kept = first[t] * fading * ratio[t]
        first[t] = kept
        stayed += kept
    for t in range(n_tags):
        kept = (second[t] * fading + fresh * prior[t]) * ratio[t]
        second[t] = kept
        moved += kept
    line[2 * n_tags + _KEEP] = 1.0
    line[2 * n_tags + _STAYED_SUM] = stayed
    line[2 * n_tags + _MOVED_SUM] = moved


@njit(cache=True, nogil=True, inline="always")
def correction(share, level, search, push, power):
    """How much likelier a tag makes a showing when the content has it, by what else was on air."""
    usual = np.float32(1.0) - search
    return ((usual + search * share * push[level]) / (usual + search * share)) ** power


@njit(cache=True, nogil=True, inline="always")
def pass_time(line, about, now, n_tags, pace, most):
    """Let time go by; how far interests drifted meanwhile waits in one number."""
    then = about[2 * n_tags + _TIME]
    if now > then:
        if then >= 0:
            drift = moved_on((now - then) / TICKS, pace, most)
            line[2 * n_tags + _KEEP] *= np.float32(1.0 - drift)
        about[2 * n_tags + _TIME] = now


@njit(cache=True, nogil=True, inline="always")
def note(about, kind, item, n_tags):
    """Note what the user is at; returns the event's symbol."""
    before, last = about[2 * n_tags + _CLASS], about[2 * n_tags + _CONTENT]
    if kind < FIRST_OF_PRODUCT:
        about[2 * n_tags + _CLASS] = class_of(kind, before if item == last else _OTHER)
        about[2 * n_tags + _CONTENT] = item
    return symbol_of(kind, item, last, before)


@njit(cache=True, nogil=True)
def merge(line, n_tags):
    """Make both branches one: whatever happened is known now."""
    for t in range(n_tags):
        line[t] += line[n_tags + t]
        line[n_tags + t] = 0.0
    line[2 * n_tags + _STAYED_SUM] += line[2 * n_tags + _MOVED_SUM]
    line[2 * n_tags + _MOVED_SUM] = 0.0


@njit(cache=True, nogil=True)
def follow(
    user, content, kind, tick, minute, indptr, tag, level, gain, air, ratios, push, prior, drifting,
    searching, threshold, single, whole, event, tags, sure,
):  # fmt: skip
    """Update beliefs by events in order; returns how many of them told of a switch.

    `gain` (symbols, levels) is exp of the evidence; `air` and `ratios` (minutes + 1, T) say what
    each tag's searchers could have had, the last row being for where that is unknown; `drifting`
    is (pace, most), `searching` (share, power). Of each switch `event`, `tags` (from, to) and
    `sure` are written.
    """
    pace, most = drifting
    search, power = np.float32(searching[0]), np.float32(searching[1])
    n_tags = prior.size
    unknown = air.shape[0] - 1
    found = 0
    width = single.shape[1]
    for e in range(user.size):
        if e + _AHEAD < user.size and user[e + _AHEAD] >= 0:
            for at in range(user[e + _AHEAD] * width, (user[e + _AHEAD] + 1) * width, _PER_LINE):
                prefetch(single, at)
        row, item = user[e], content[e]
        if row < 0 or item < 0:
            continue
        line, about = single[row], whole[row]
        pass_time(line, about, tick[e], n_tags, pace, most)
        symbol = note(about, kind[e], item, n_tags)
        when = minute[e] if kind[e] == 0 else unknown
        keep = line[2 * n_tags + _KEEP]
        if when != unknown or keep < _LAZY:
            settle(line, prior, ratios[when], keep)
        stayed, moved = line[2 * n_tags + _STAYED_SUM], line[2 * n_tags + _MOVED_SUM]
        for j in range(indptr[item], indptr[item + 1]):
            t = tag[j]
            ratio = gain[symbol, level[j]]
            if when != unknown:
                ratio *= correction(air[when, t], level[j], search, push, power)
            stayed += line[t] * (ratio - np.float32(1.0))
            moved += line[n_tags + t] * (ratio - np.float32(1.0))
            line[t] *= ratio
            line[n_tags + t] *= ratio
        stayed, moved = max(stayed, np.float32(1e-20)), max(moved, np.float32(0.0))
        line[2 * n_tags + _STAYED_SUM], line[2 * n_tags + _MOVED_SUM] = stayed, moved
        if stayed + moved < 1e-6 or stayed + moved > 1e6:
            settle(line, prior, ratios[unknown], np.float32(1.0))
            stayed = line[2 * n_tags + _STAYED_SUM]
            moved = line[2 * n_tags + _MOVED_SUM]
        if moved <= threshold * (stayed + moved):
            continue
        tags[found, 0], tags[found, 1] = line[:n_tags].argmax(), line[n_tags : 2 * n_tags].argmax()
        event[found], sure[found] = e, moved / (stayed + moved)
        found += tags[found, 0] != tags[found, 1]
        merge(line, n_tags)
    return found


@njit(cache=True, nogil=True)
def beliefs(single, rows, prior, out):
    """(n, T) chance of each tag to be what the user wants; `prior` where the user is unknown."""
    n_tags = prior.size
    for i in range(rows.size):
        if rows[i] < 0:
            out[i] = prior
            continue
        line = single[rows[i]]
        keep = line[2 * n_tags + _KEEP]
        total = line[2 * n_tags + _STAYED_SUM] + line[2 * n_tags + _MOVED_SUM]
        for t in range(n_tags):
            out[i, t] = keep * (line[t] + line[n_tags + t]) / total + (1.0 - keep) * prior[t]


@njit(cache=True, nogil=True)
def learn(
    start, content, kind, tick, minute, label, indptr, tag, level, air, ratios, push, prior,
    drifting, searching, rate, evidence, squares,
):  # fmt: skip
    """One pass over labelled events by user and time; returns the mean log belief in the truth.

    Users' events are start[u] … start[u + 1] − 1; `label` is what they wanted, −1 where unknown.
    The belief before an event counts as given, so that its gradient is that of a logit; steps are
    those of AdaGrad (Duchi et al. 2011).
    """
    pace, most = drifting
    search, power = searching
    n_tags = prior.size
    unknown = air.shape[0] - 1
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
                drift = moved_on((tick[e] - tick[e - 1]) / TICKS, pace, most)
            symbol = symbol_of(kind[e], item, last, before)
            if kind[e] < FIRST_OF_PRODUCT:
                before = class_of(kind[e], before if item == last else _OTHER)
                last = item
            when = minute[e] if kind[e] == 0 else unknown
            for t in range(n_tags):
                belief[t] = ((1.0 - drift) * belief[t] + drift * prior[t]) * ratios[when, t]
            for j in range(indptr[item], indptr[item + 1]):
                t = tag[j]
                belief[t] *= np.exp(evidence[symbol, level[j]])
                if when != unknown:
                    belief[t] *= correction(air[when, t], level[j], search, push, power)
            belief /= belief.sum()
            if label[e] < 0:
                continue
            logged += np.log(max(belief[label[e]], 1e-12))
            counted += 1
            for j in range(indptr[item], indptr[item + 1]):
                slope = (1.0 if tag[j] == label[e] else 0.0) - belief[tag[j]]
                squares[symbol, level[j]] += slope * slope
                step = rate / np.sqrt(1.0 + squares[symbol, level[j]])
                evidence[symbol, level[j]] += step * slope
    return logged / max(counted, 1)


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
