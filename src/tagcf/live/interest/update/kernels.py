"""Compiled: what a batch of events does to the state.

Forward decay (Cormode, Shkapenyuk, Srivastava and Xu 2009): an event at t adds
``evidence · strength · 2^((t - L) / h)`` to the cell of its user, tag and half-life h, where L is
the landmark of the user; at the time of asking the cell is divided by ``2^((at - L) / h)``. Order
does not matter, and nothing is swept. A user's landmark moves when an event comes more than
`_FURTHEST` of the shortest half-life behind it: that user's cells alone are rescaled.

Updates are bound by memory. Events are worked on a chunk at a time, in passes: which content and
whose row; since when; how much; which cells, asking for each; and only then the additions, when the
cells have arrived.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from tagcf.live.interest.index.kernels import find, first_slot, pair_key, put

_FURTHEST = 60.0 / np.log(2.0)  # half-lives: 60 e-folds; float32 ends at 88
_NOTHING = -1000.0  # half-lives
_LN2 = np.log(2.0)
_LEAST = np.float32(1e-30)  # smaller is nothing, and slow
_AHEAD = 8  # events; what they need is asked for that much earlier
_NOBODY = np.uint64(0)
_SKIP_SECONDS, _FIRST_SECONDS, _MOST_SECONDS = 2.0, 10.0, 600.0
# Columns of `about` and of `counts`.
_LANDMARK, _NEWEST, _FORGOTTEN, _WRITTEN, _TAG_RESETS = 0, 1, 2, 3, 4
_COUNTED, _NO_CONTENT, _NO_EVIDENCE, _RESET, _NO_ROOM, _NO_SCENE = 0, 1, 2, 3, 4, 5


def _prefetch(context, array, at):
    """Ask for the line of memory of an element that is soon to be written; `at` is flat."""

    def build(context, builder, signature, arguments):
        kind = signature.args[0]
        word, short = ir.IntType(64), ir.IntType(32)
        byte = ir.IntType(8).as_pointer()
        start = context.make_array(kind)(context, builder, arguments[0]).data
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        offset = builder.mul(arguments[1], ir.Constant(word, size))
        place = builder.inttoptr(builder.add(builder.ptrtoint(start, word), offset), byte)
        called = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, short, short, short]),
            "llvm.prefetch.p0",
        )
        for_write, keep, data = (ir.Constant(short, value) for value in (1, 3, 1))
        builder.call(called, [place, for_write, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), build


prefetch: Any = intrinsic(_prefetch)


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
        if here + _AHEAD < n:
            prefetch(slots, 2 * first_slot(item[here + _AHEAD], slots))
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
        if here + _AHEAD < n:
            prefetch(about, 8 * max(rows[here + _AHEAD], 0))
        row = rows[here]
        if row < 0:
            continue
        if ts[here] <= about[row, _FORGOTTEN]:
            rows[here] = shown[here] = -1
            counts[_RESET] += 1
            continue
        counts[_COUNTED] += 1
        about[row, _NEWEST] = max(about[row, _NEWEST], ts[here])


@njit(cache=True)
def rescale(cells, base, width, away, rates):
    """Let a row's sums mean a landmark that is `away` seconds later."""
    n_scales = len(rates)
    factor = np.ones(16, np.float32)
    for place in range(16 // n_scales * n_scales):
        factor[place] = np.exp2(-away * rates[place % n_scales])
    for at in range(width):
        moved = cells[base + at] * factor[at & 15]
        cells[base + at] = moved if abs(moved) > _LEAST else np.float32(0)


@njit(cache=True)
def rescale_vectors(vectors, row, away, rates):
    """Likewise for an embedding interest."""
    for s in range(len(rates)):
        for f in range(vectors.shape[2]):
            vectors[row, s, f] *= np.float32(np.exp2(-away * rates[s]))


@njit(cache=True)
def measure_since(ts, row, n, table, cells, width, vectors, rates, since):
    """Seconds of each event from the landmark of its row.

    Landmarks that are too far behind move first, before anything of the chunk has been added.
    """
    about = table.about
    for here in range(n):
        at = row[here]
        if at < 0:
            continue
        gap = ts[here] - about[at, _LANDMARK]
        if gap * rates[0] > _FURTHEST:
            if about[at, _LANDMARK] > 0.0:
                rescale(cells, at * width, width, gap, rates)
                if vectors.shape[0]:
                    rescale_vectors(vectors, at, gap, rates)
            about[at, _LANDMARK] = ts[here]
    for here in range(n):
        since[here] = ts[here] - about[max(row[here], 0), _LANDMARK]


@njit(cache=True)
def weigh(since, evidence, n, rates, bits, powers, weights):
    """Weights (S, n): evidence · 2^(since / half-life).

    The power is that of the whole part, written as the exponent of a float64 (`bits` and `powers`
    are one memory), times a polynomial in the rest, to 1e-8: loops that compile to vector code.
    """
    for s in range(len(rates)):
        for here in range(n):
            x = max(since[here] * rates[s], _NOTHING)
            whole = np.floor(x)
            bits[here] = (np.int64(whole) + 1023) << 52
            weights[s, here] = evidence[here] * _power_of_rest((x - whole) * _LN2)
        for here in range(n):
            weights[s, here] *= powers[here]


@njit(cache=True, inline="always")
def _power_of_rest(y):
    """e^y of 0 <= y < ln 2, by its Taylor polynomial of degree 8."""
    high = 1 / 24 + y * (1 / 120 + y * (1 / 720 + y * (1 / 5040 + y * (1 / 40320))))
    return 1.0 + y * (1.0 + y * (0.5 + y * (1 / 6 + y * high)))


@njit(cache=True)
def counts_again(user, tag, ts, resets):
    """Whether a tag of a user that has been reset counts at that time."""
    at = find(resets.slots, pair_key(user, np.uint64(tag + 1)))
    return at < 0 or ts > resets.until[at]


@njit(cache=True)
def add_found(n, out, strengths, cells, n_scales):
    """Add what `gather` has found."""
    at, owner, weights = out.at, out.owner, out.weights
    for p in range(n):
        cell, here, strength = at[p], owner[p, 0], strengths[owner[p, 1]]
        for s in range(n_scales):
            cells[cell + s] += np.float32(weights[s, here] * strength)


@njit(cache=True)
def gather(user, ts, row, n, out, about, table, cells, rates, content, resets):
    """Find the cells of a chunk's events, ask for them, and add to them."""
    cell_of, width = table
    indptr, tags, shown = content.indptr, content.tags, out.content
    at, owner, found = out.at, out.owner, 0
    n_scales = len(rates)
    for here in range(n):
        if here + 2 * _AHEAD < n:
            prefetch(indptr, max(shown[here + 2 * _AHEAD], 0))
        if here + _AHEAD < n:
            prefetch(tags, 2 * indptr[max(shown[here + _AHEAD], 0)])
        if row[here] < 0:
            continue
        base = row[here] * width
        reset = resets.until.size > 0 and about[out.row[here], _TAG_RESETS] > 0
        for k in range(indptr[shown[here]], indptr[shown[here] + 1]):
            if reset and not counts_again(user[here], tags[2 * k], ts[here], resets):
                continue
            cell = base + cell_of[tags[2 * k]]
            prefetch(cells, cell)
            at[found], owner[found, 0], owner[found, 1] = cell, here, 2 * k + 1
            found += 1
            if found == at.size:
                add_found(found, out, content.strengths, cells, n_scales)
                found = 0
    add_found(found, out, content.strengths, cells, n_scales)


@njit(cache=True)
def add_vectors(n, out, vectors, embedding):
    """Add the embeddings of a chunk's content to the embedding interests."""
    for here in range(n):
        if out.row[here] >= 0:
            for s in range(vectors.shape[1]):
                weight = np.float32(out.weights[s, here])
                for f in range(vectors.shape[2]):
                    vectors[out.row[here], s, f] += weight * embedding[out.content[here], f]


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
def add(user, ts, row, n, out, about, rows, table, cells, vectors, rates, content, resets):
    """Add a chunk's events to the cells of their rows."""
    measure_since(ts, row, n, rows, cells, table[1], vectors, rates, out.since)
    weigh(out.since, out.evidence, n, rates, out.bits, out.powers, out.weights)
    gather(user, ts, row, n, out, about, table, cells, rates, content, resets)
    if vectors.shape[0]:
        add_vectors(n, out, vectors, content.embedding)


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
