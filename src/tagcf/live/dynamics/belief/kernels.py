"""Compiled: what each user wants now, as a belief over tags, and when it moves on.

A user's belief is one line of memory: `HEAD` numbers of four bytes, as below, then weights of two
bytes (bfloat16): of the T tags on the branch where nothing has changed since the last switch, then
on the branch where something has. Weights need not add up to one; their sums are in the head, and
are taken anew from the weights at every event: kept up by differences, they would keep each
rounding as an absolute error, which outweighs what is left when the strongest tag falls. The line
is seen as float32 (`single`), int32 (`whole`) and uint16 (`half`). The work is bound by
memory: lines are short, and those of events to come are asked for early.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.dynamics.belief.bfloat.kernels import narrow, widen
from tagcf.live.dynamics.symbols.kernels import CLASSES, FIRST_OF_PRODUCT, OTHER, SYMBOLS
from tagcf.live.prefetch.kernels import prefetch

HEAD = 8
_KEEP, _STAYED_SUM, _MOVED_SUM = 0, 1, 2  # float32
_TIME, _CONTENT, _CLASS = 3, 4, 5  # int32
NEVER = 2**31 - 1  # seconds
PER_LINE = 16  # numbers of four bytes in a line of memory
_FIRST = 2 * HEAD  # position of the first weight
_AHEAD = 8  # events
_LAZY = np.float32(0.98)  # drift is put off until it has come to 2 %
_ONE, _NONE = np.float32(1.0), np.float32(0.0)
_LEAST, _MOST = np.float32(1e-30), np.float32(1e30)  # smaller numbers are slow
_LOW, _HIGH = np.float32(1e-6), np.float32(1e6)  # sums between these stay as they are


def width_of(n_tags: int) -> int:
    """Numbers of four bytes in a user's line."""
    return -(-(HEAD + n_tags) // PER_LINE) * PER_LINE


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def moved_on(seconds, pace, most):
    """Chance that an interest has moved on after so long: rises to `most` with `pace` a second."""
    run = pace * seconds
    return most * run / (most + run)


@njit(cache=True, nogil=True)
def forget(single, half, row, prior):
    """Give a line the belief before any event."""
    for t in range(prior.size):
        half[row, _FIRST + t], half[row, _FIRST + prior.size + t] = narrow(prior[t]), 0
    single[row, _KEEP] = _ONE
    single[row, _STAYED_SUM], single[row, _MOVED_SUM] = _ONE, _NONE


@njit(cache=True, nogil=True)
def begin(single, whole, half, first, last, prior):
    """Give lines first … last − 1 the belief before any event, of somebody never seen."""
    for row in range(first, last):
        half[row, :] = 0
        forget(single, half, row, prior)
        whole[row, _TIME] = NEVER
        whole[row, _CONTENT] = -1
        whole[row, _CLASS] = OTHER


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def settle(single, half, row, prior, ratios, when, keep):
    """Let interests drift by 1 − keep, and multiply weights by ratios of a minute (T,)."""
    n_tags = prior.size
    fresh = (_ONE - keep) * (single[row, _STAYED_SUM] + single[row, _MOVED_SUM])
    for t in range(n_tags):
        held = widen(half[row, _FIRST + t]) * keep * ratios[when, t] + _LEAST
        gone = widen(half[row, _FIRST + n_tags + t]) * keep + fresh * prior[t]
        gone = gone * ratios[when, t] + _LEAST
        half[row, _FIRST + t], half[row, _FIRST + n_tags + t] = narrow(held), narrow(gone)
    single[row, _KEEP] = _ONE


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def add_up(single, half, row, n_tags):
    """Take both sums from the weights; they are told."""
    stayed, moved = _NONE, _NONE
    for t in range(n_tags):
        stayed += widen(half[row, _FIRST + t])
        moved += widen(half[row, _FIRST + n_tags + t])
    single[row, _STAYED_SUM], single[row, _MOVED_SUM] = stayed, moved
    return stayed, moved


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def pass_time(single, whole, row, now, pace, most):
    """Let time go by; how far interests drifted meanwhile waits in one number, which is told."""
    then = whole[row, _TIME]
    away = np.float32(max(now - then, 0))  # nothing for who was never here: then is `NEVER`
    keep = single[row, _KEEP] * (_ONE - moved_on(away, pace, most))
    single[row, _KEEP] = keep
    whole[row, _TIME] = now if then == NEVER else max(now, then)
    return keep


@njit(cache=True, nogil=True, inline="always")
def note(whole, row, kind, item):
    """Note what the user is at; returns the event's symbol."""
    before, last = whole[row, _CLASS], whole[row, _CONTENT]
    same = int(last == item)
    whole[row, _CLASS] = CLASSES[kind, before, same]
    whole[row, _CONTENT] = item if kind < FIRST_OF_PRODUCT else last
    return SYMBOLS[kind, before, same]


@njit(cache=True, nogil=True)
def tell(single, half, row, n_tags):
    """Likeliest tags on both branches, which become one: what happened is known now."""
    source, target, most_held, most_gone = 0, 0, _NONE, _NONE
    for t in range(n_tags):
        held, gone = widen(half[row, _FIRST + t]), widen(half[row, _FIRST + n_tags + t])
        source, most_held = (t, held) if held > most_held else (source, most_held)
        target, most_gone = (t, gone) if gone > most_gone else (target, most_gone)
        half[row, _FIRST + t], half[row, _FIRST + n_tags + t] = narrow(held + gone), 0
    add_up(single, half, row, n_tags)
    return source, target


@njit(cache=True, nogil=True, error_model="numpy")
def rescale(single, half, row, prior):
    """Make the sum of weights one; what has come to nothing, or to no number, begins anew."""
    total = single[row, _STAYED_SUM] + single[row, _MOVED_SUM]
    if not _LEAST < total < _MOST:
        forget(single, half, row, prior)
        return
    more = _ONE / total
    for column in range(_FIRST, _FIRST + 2 * prior.size):
        half[row, column] = narrow(widen(half[row, column]) * more)
    add_up(single, half, row, prior.size)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "contract"})
def follow(
    user, content, kind, tick, minute, indptr, tag, level, gain, lift, ratios, prior, drifting,
    threshold, single, whole, half, event, tags, sure,
):  # fmt: skip
    """Update beliefs by events in order; returns how many of them told of a switch.

    `gain` (symbols, levels) is exp of the evidence; `ratios` (minutes + 1, T) and `lift`
    (minutes + 1, T, levels) say how much likelier a showing is to who wants a tag, by what else was
    on air, where the content lacks the tag and how much more where it has it; the last minute
    stands for not knowing. `drifting` is (pace, most). Of each switch `event`, `tags` (from, to)
    and `sure` are written.
    """
    pace, most = np.float32(drifting[0]), np.float32(drifting[1])
    n_tags, width, unknown = prior.size, single.shape[1], ratios.shape[0] - 1
    n_lines = width // PER_LINE
    found = 0
    for e in range(user.size):
        if e + _AHEAD < user.size and user[e + _AHEAD] >= 0:
            at = user[e + _AHEAD] * width
            for part in range(n_lines):
                prefetch(single, at + part * PER_LINE)
        row, item = user[e], content[e]
        if row < 0 or item < 0:
            continue
        keep = pass_time(single, whole, row, tick[e], pace, most)
        symbol = note(whole, row, kind[e], item)
        when = minute[e] if kind[e] == 0 else unknown
        if when != unknown or keep < _LAZY:
            settle(single, half, row, prior, ratios, when, keep)
        for j in range(indptr[item], indptr[item + 1]):
            t, strong = tag[j], level[j]
            more = gain[symbol, strong] * lift[when, t, strong]
            held, gone = widen(half[row, _FIRST + t]), widen(half[row, _FIRST + n_tags + t])
            half[row, _FIRST + t] = narrow(held * more)
            half[row, _FIRST + n_tags + t] = narrow(gone * more)
        stayed, moved = add_up(single, half, row, n_tags)
        if not _LOW <= stayed + moved <= _HIGH:  # nor if it is no number
            rescale(single, half, row, prior)
            stayed, moved = single[row, _STAYED_SUM], single[row, _MOVED_SUM]
        total = stayed + moved
        if moved <= threshold * total:
            continue
        tags[found, 0], tags[found, 1] = tell(single, half, row, n_tags)
        event[found], sure[found] = e, moved / total
        found += tags[found, 0] != tags[found, 1]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def beliefs(single, half, rows, prior, out):
    """(n, T) chance of each tag to be what the user wants; `prior` where the user is unknown."""
    n_tags = prior.size
    for i in range(rows.size):
        if rows[i] < 0:
            out[i] = prior
            continue
        row, keep, total = rows[i], single[rows[i], _KEEP], _NONE
        for t in range(n_tags):
            held, gone = half[row, _FIRST + t], half[row, _FIRST + n_tags + t]
            out[i, t] = widen(held) + widen(gone)
            total += out[i, t]
        for t in range(n_tags):
            out[i, t] = keep * out[i, t] / total + (_ONE - keep) * prior[t]
