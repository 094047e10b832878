"""Compiled: what a batch of events does to the state.

Updates are bound by memory. Events are worked on a chunk at a time, in passes: which content and
whose row; since when; how much; which cells, asking for each; and only then the additions, when the
cells have arrived.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.experimental import structref

from tagcf.live.interest.update.events.kernels import (
    drop_forgotten,
    find_items,
    find_others,
    seat_pairs,
    seat_users,
    weigh_actions,
)
from tagcf.live.interest.update.sums.kernels import add
from tagcf.live.prefetch.kernels import prefetch
from tagcf.live.wire.kernels import hash_text

_WRITTEN = 3  # column of `about`


@structref.register
class _HeldType(types.StructRef):
    """Type of `Held`."""

    def preprocess_fields(self, fields):
        """Fields of one type whatever their values are."""
        return tuple((name, types.unliteral(one)) for name, one in fields)


class Held(structref.StructRefProxy):
    """The state and what it is changed by, handed over once; `hold` makes one.

    Compiled code unpacks some fifty arrays a call otherwise, which takes longer than an event.
    """

    def __new__(cls, weights, content, live, rates, pair_rates, resets, one):
        """Hold tuples of arrays; `one` is room for a single event."""
        return structref.StructRefProxy.__new__(
            cls, weights, content, live, rates, pair_rates, resets, one
        )


structref.define_proxy(
    Held, _HeldType, ["weights", "content", "live", "rates", "pair_rates", "resets", "one"]
)


@njit(cache=True)
def hold(weights, content, live, rates, pair_rates, resets, one):
    """Hold tuples of arrays. Called here, as numba keeps no machine code of `Held` itself."""
    return Held(weights, content, live, rates, pair_rates, resets, one)


@njit(cache=True)
def remember(ts, action, n, out, about, memory):
    """Write a chunk's events into the rings of their users."""
    rows, place, shown, evidence = out.row, out.bits, out.content, out.evidence
    when, what, weight = memory.when, memory.what, memory.weight
    length = when.shape[1]
    for here in range(n):
        if rows[here] >= 0:
            turn = np.int64(about[rows[here], _WRITTEN])
            about[rows[here], _WRITTEN] = turn + 1
            place[here] = np.uint64(turn) % np.uint64(length)
            prefetch(when, 2 * (rows[here] * length + place[here]))
    for here in range(n):
        row = rows[here]
        if row >= 0:
            moment = np.int64(ts[here] * 1e6 + 0.5)
            when[row, place[here], 0] = moment * 256 + action[here]
            what[row, place[here], 2] = shown[here]
            weight[row, place[here], 3] = evidence[here]


@njit(cache=True)
def take(batch, weights, content, state, rates, pair_rates, resets):
    """Let a batch of events change the state."""
    users, pairs, out = state.users, state.pairs, state.scratch
    counts, nobody = state.tally.counts, np.zeros(out.row.size, np.uint64)
    for first in range(0, batch.ts.size, out.row.size):
        n = min(out.row.size, batch.ts.size - first)
        last = first + n
        user, ts, action = batch.user[first:last], batch.ts[first:last], batch.action[first:last]
        state.tally.clock[0] = max(state.tally.clock[0], ts.max())
        weigh_actions(action, batch.value[first:last], n, weights, out, counts)
        find_items(batch.item[first:last], n, content.slots, out)
        product, room = batch.product[first:last], batch.room[first:last]
        find_others(product, room, ts, n, content, out, counts)
        seat_users(user, nobody, n, users, out, counts)
        drop_forgotten(ts, n, users.about, out, counts)
        add(
            user,
            ts,
            out.row,
            n,
            out,
            users.about,
            users,
            state.user_table,
            state.user_cells,
            state.vectors,
            rates,
            content,
            resets,
        )
        if state.memory.when.shape[1]:
            remember(ts, action, n, out, users.about, state.memory)
        if pairs.keys.shape[0]:
            scene = batch.scene[first:last]
            seat_pairs(user, scene, nobody, n, pairs, state.scenes, out, counts)
            add(
                user,
                ts,
                out.pair,
                n,
                out,
                users.about,
                pairs,
                state.pair_table,
                state.pair_cells,
                state.vectors[:0],
                pair_rates,
                content,
                resets,
            )


@njit(cache=True)
def take_batch(held, batch):
    """Let a batch of events change the state that is held."""
    take(
        batch,
        held.weights,
        held.content,
        held.live,
        held.rates,
        held.pair_rates,
        held.resets,
    )


@njit(cache=True)
def take_one(held, user, where, action, ts, value):
    """Likewise for one event; ids are bytes, empty where there is none.

    `where` are those of item, product, room and scene.
    """
    one = held.one
    item, product, room, scene = where
    one.user[0] = hash_text(user)
    one.item[0] = hash_text(item)
    one.product[0] = hash_text(product)
    one.room[0] = hash_text(room)
    one.scene[0] = hash_text(scene)
    one.action[0] = action
    one.ts[0] = ts
    one.value[0] = value
    take_batch(held, one)
