"""Compiled: what the events of a chunk say, of which content, and whose rows they are."""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.interest.index.kernels import find, first_slot, pair_key, put
from tagcf.live.prefetch.kernels import AHEAD, prefetch

_NOBODY = np.uint64(0)
_SKIP_SECONDS, _FIRST_SECONDS, _MOST_SECONDS = 2.0, 10.0, 600.0
_NEWEST, _FORGOTTEN = 1, 2  # columns of `about`
# Columns of `counts`.
_COUNTED, _NO_CONTENT, _NO_EVIDENCE, _RESET, _NO_ROOM, _NO_SCENE = 0, 1, 2, 3, 4, 5


@njit(cache=True)
def weigh_actions(action, value, n, weights, out, counts):
    """Signed evidence of a chunk's events."""
    evidence = out.evidence
    for here in range(n):
        doing, much = action[here], value[here]
        found, growth, skipped = weights[doing, 0], weights[doing, 1], weights[doing, 2]
        if much < _SKIP_SECONDS and not np.isnan(skipped):
            found = skipped
        elif growth != 0.0 and much > 0.0:
            found += growth * np.log1p(min(much, _MOST_SECONDS) / _FIRST_SECONDS)
        evidence[here] = found
        if found == 0.0:
            counts[_NO_EVIDENCE] += 1


@njit(cache=True)
def find_items(item, n, slots, out):
    """Content of the events of a chunk that say something, by their item."""
    evidence, shown = out.evidence, out.content
    for here in range(n):
        if here + AHEAD < n:
            prefetch(slots, 2 * first_slot(item[here + AHEAD], slots))
        if evidence[here] == 0 or item[here] == _NOBODY:
            shown[here] = -1
        else:
            shown[here] = find(slots, item[here])


@njit(cache=True)
def find_others(product, room, ts, n, content, out, counts):
    """Content of the rest: its product, else what its room showed at the time."""
    evidence, shown = out.evidence, out.content
    slots, rooms, parts = content.slots, content.rooms, content.parts
    start, end, played = content.start, content.end, content.played
    for here in range(n):
        if shown[here] >= 0 or evidence[here] == 0:
            continue
        if product[here] != _NOBODY:
            shown[here] = find(slots, product[here])
        if shown[here] < 0 and room[here] != _NOBODY:
            at = find(rooms, room[here])
            if at >= 0:
                first, last = parts[at], parts[at + 1]
                part = first + np.searchsorted(start[first:last], ts[here], side="right") - 1
                if part >= first and ts[here] < end[part]:
                    shown[here] = played[part]
        if shown[here] < 0:
            counts[_NO_CONTENT] += 1


@njit(cache=True)
def seat(key, user, scene, n, rows, at):
    """Rows of keys where `at` is not -1, new ones if need be; -1 where there is no room."""
    slots, keys, count = rows.slots, rows.keys, rows.n_rows
    room = keys.shape[0]
    for here in range(n):
        if at[here] < 0:
            continue
        row = find(slots, key[here])
        if row < 0 and count[0] < room:
            row = count[0]
            put(slots, key[here], row)
            keys[row, 0], keys[row, 1], keys[row, 2] = key[here], user[here], scene[here]
            count[0] = row + 1
        at[here] = row


@njit(cache=True)
def seat_users(user, nobody, n, users, out, counts):
    """Rows of the users of a chunk; where there is no room for one, the event counts no more."""
    slots, shown, row = users.slots, out.content, out.row
    for here in range(n):
        prefetch(slots, 2 * first_slot(user[here], slots))
        row[here] = shown[here]
    seat(user, user, nobody, n, users, row)
    for here in range(n):
        if row[here] < 0 and shown[here] >= 0:
            shown[here] = -1
            counts[_NO_ROOM] += 1


@njit(cache=True)
def seat_pairs(user, scene, nobody, n, pairs, scenes, out, counts):
    """Rows of users in scenes, of the events of a chunk that count."""
    pair, key, shown = out.pair, out.key, out.content
    slots = pairs.slots
    for here in range(n):
        wanted = shown[here] >= 0 and scene[here] != _NOBODY
        pair[here] = 0 if wanted else -1
        counts[_NO_SCENE] += wanted
    seat(scene, scene, nobody, n, scenes, pair)
    for here in range(n):
        key[here] = pair_key(user[here], scene[here])
        prefetch(slots, 2 * first_slot(key[here], slots))
    seat(key, user, scene, n, pairs, pair)
    for here in range(n):
        counts[_NO_SCENE] -= pair[here] >= 0


@njit(cache=True)
def drop_forgotten(ts, n, about, out, counts):
    """Leave out what came before a user's reset; note the newest event of each."""
    rows, shown = out.row, out.content
    for here in range(n):
        if here + AHEAD < n:
            prefetch(about, 8 * max(rows[here + AHEAD], 0))
        row = rows[here]
        if row < 0:
            continue
        if ts[here] <= about[row, _FORGOTTEN]:
            rows[here] = shown[here] = -1
            counts[_RESET] += 1
            continue
        counts[_COUNTED] += 1
        about[row, _NEWEST] = max(about[row, _NEWEST], ts[here])
