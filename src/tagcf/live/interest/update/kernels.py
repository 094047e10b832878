"""Compiled: what a batch of events does to the state.

Forward decay (Cormode, Shkapenyuk, Srivastava and Xu 2009): an event at t adds
``evidence · strength · 2^((t - L) / h)`` to the cell of its user, tag and half-life h, where L is the
landmark of the user; at the time of asking the cell is divided by ``2^((at - L) / h)``. Order does
not matter, and nothing is swept. A user's landmark moves when an event comes more than
`_FURTHEST` of the shortest half-life behind it: that user's cells alone are rescaled.

Updates are bound by memory, not arithmetic. Each loop asks for the lines of memory of events to
come before it works on the present one.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from tagcf.live.interest.index.kernels import find, first_slot, pair_key, put

_FURTHEST = 60.0 / np.log(2.0)  # half-lives: 60 e-folds; float32 ends at 88
_LEAST = np.float32(1e-30)  # smaller is nothing, and slow
_AHEAD = 4  # events; each further dependency is asked for that much earlier
_NOBODY = np.uint64(0)
_SKIP_SECONDS, _FIRST_SECONDS, _MOST_SECONDS = 2.0, 10.0, 600.0
# Columns of `about` and of `counts`.
_LANDMARK, _NEWEST, _FORGOTTEN, _WRITTEN, _TAG_RESETS = 0, 1, 2, 3, 4
_COUNTED, _NO_CONTENT, _NO_EVIDENCE, _RESET, _NO_ROOM, _NO_SCENE = 0, 1, 2, 3, 4, 5


@intrinsic
def prefetch(context, array, at):
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


@njit(cache=True)
def evidence_of(action, value, weights):
    """Signed evidence of one event."""
    always, growth, skipped = weights[action, 0], weights[action, 1], weights[action, 2]
    if value < _SKIP_SECONDS and not np.isnan(skipped):
        return np.float32(skipped)
    if growth != 0.0 and value > 0.0:
        always += growth * np.log1p(min(value, _MOST_SECONDS) / _FIRST_SECONDS)
    return np.float32(always)


@njit(cache=True)
def content_of(item, product, room, ts, content):
    """Position of an event's content: its item, else its product, else what the room showed."""
    found = -1
    if item != _NOBODY:
        found = find(content.slots, item)
    if found < 0 and product != _NOBODY:
        found = find(content.slots, product)
    if found < 0 and room != _NOBODY:
        at = find(content.rooms, room)
        if at >= 0:
            first, last = content.parts[at], content.parts[at + 1]
            part = first + np.searchsorted(content.start[first:last], ts, side="right") - 1
            if part >= first and ts < content.end[part]:
                found = content.played[part]
    return found


@njit(cache=True)
def understand(batch, first, last, weights, content, out, tally):
    """Content and evidence of events; content -1 where an event changes nothing."""
    for i in range(first, last):
        here = i - first
        out.content[here] = -1
        tally.clock[0] = max(tally.clock[0], batch.ts[i])
        evidence = evidence_of(batch.action[i], batch.value[i], weights)
        if evidence == 0:
            tally.counts[_NO_EVIDENCE] += 1
            continue
        found = content_of(batch.item[i], batch.product[i], batch.room[i], batch.ts[i], content)
        if found < 0:
            tally.counts[_NO_CONTENT] += 1
            continue
        out.content[here] = found
        out.evidence[here] = evidence


@njit(cache=True)
def row_of(rows, key, user, scene):
    """Row of a key, a new one if need be; -1 where there is no room for it."""
    row = find(rows.slots, key)
    if row < 0 and rows.count[0] < rows.keys.shape[0]:
        row = rows.count[0]
        put(rows.slots, key, row)
        rows.keys[row, 0], rows.keys[row, 1], rows.keys[row, 2] = key, user, scene
        rows.count[0] = row + 1
    return row


@njit(cache=True)
def seat_users(batch, first, last, users, out, tally):
    """Rows of the users of events that count; where one has none, the event counts no more."""
    n = last - first
    for here in range(n):
        if here + _AHEAD < n:
            prefetch(users.slots, 2 * first_slot(batch.user[first + here + _AHEAD], users.slots))
        out.row[here] = -1
        if out.content[here] >= 0:
            user = batch.user[first + here]
            row = row_of(users, user, user, _NOBODY)
            out.row[here] = row
            if row < 0:
                out.content[here] = -1
                tally.counts[_NO_ROOM] += 1


@njit(cache=True)
def seat_pairs(batch, first, last, pairs, scenes, out, tally):
    """Rows of users in scenes, of the events that count."""
    n = last - first
    for here in range(n):
        out.pair[here] = -1
        scene = batch.scene[first + here]
        if out.content[here] < 0 or scene == _NOBODY:
            continue
        user = batch.user[first + here]
        if row_of(scenes, scene, scene, _NOBODY) >= 0:
            out.pair[here] = row_of(pairs, pair_key(user, scene), user, scene)
        if out.pair[here] < 0:
            tally.counts[_NO_SCENE] += 1


@njit(cache=True)
def drop_forgotten(batch, first, last, users, out, tally):
    """Leave out what came before a user's reset; note the newest event of each."""
    n = last - first
    for here in range(n):
        if here + _AHEAD < n and out.row[here + _AHEAD] >= 0:
            prefetch(users.about, 8 * out.row[here + _AHEAD])
        row, ts = out.row[here], batch.ts[first + here]
        if row < 0:
            continue
        if ts <= users.about[row, _FORGOTTEN]:
            out.row[here] = out.content[here] = -1
            tally.counts[_RESET] += 1
            continue
        tally.counts[_COUNTED] += 1
        users.about[row, _NEWEST] = max(users.about[row, _NEWEST], ts)


@njit(cache=True)
def rescale(cells, base, width, n_scales, away, rates):
    """Move a row's landmark by `away` seconds."""
    together = 16 // n_scales * n_scales
    factor = np.ones(16, np.float32)
    for place in range(together):
        factor[place] = np.exp2(-away * rates[place % n_scales])
    for at in range(width):
        moved = cells[base + at] * factor[at & 15]
        cells[base + at] = moved if abs(moved) > _LEAST else np.float32(0)


@njit(cache=True)
def since_landmark(about, row, ts, cells, width, vectors, rates):
    """Seconds from a row's landmark, which is moved first where they are too many."""
    since = ts - about[row, _LANDMARK]
    if since * rates[0] > _FURTHEST:
        if about[row, _LANDMARK] > 0.0:
            n_scales = len(rates)
            rescale(cells, row * width, width, n_scales, since, rates)
            for s in range(vectors.shape[1] if vectors.shape[0] else 0):
                for f in range(vectors.shape[2]):
                    vectors[row, s, f] *= np.float32(np.exp2(-since * rates[s]))
        about[row, _LANDMARK] = ts
        since = 0.0
    return since


@njit(cache=True)
def counts_again(user, tag, ts, resets):
    """Whether a tag of a user that has been reset counts at that time."""
    at = find(resets.slots, pair_key(user, np.uint64(tag + 1)))
    return at < 0 or ts > resets.until[at]


@njit(cache=True)
def add(batch, first, last, row, out, about, cells, cell_of, width, vectors, rates, content, flags, resets):
    """Add events to the cells of their rows.

    `flags` (n,) are the users' rows with tags that were reset, or empty: then `resets` is not
    looked at.
    """
    n = last - first
    indptr, tags, strengths = content.indptr, content.tags, content.strengths
    weight = np.empty(len(rates), np.float32)
    for here in range(n):
        ahead = here + 4 * _AHEAD
        if ahead < n and out.content[ahead] >= 0:
            prefetch(indptr, out.content[ahead])
        ahead = here + 3 * _AHEAD
        if ahead < n and row[ahead] >= 0:
            prefetch(tags, 2 * indptr[out.content[ahead]])
            prefetch(about, 8 * row[ahead])
        ahead = here + 2 * _AHEAD
        if ahead < n and row[ahead] >= 0:
            base = row[ahead] * width
            for k in range(indptr[out.content[ahead]], indptr[out.content[ahead] + 1]):
                prefetch(cells, base + cell_of[tags[2 * k]])
        at, shown = row[here], out.content[here]
        if at < 0:
            continue
        ts = batch.ts[first + here]
        since = since_landmark(about, at, ts, cells, width, vectors, rates)
        for s in range(len(rates)):
            weight[s] = out.evidence[here] * np.exp2(since * rates[s])
        base = at * width
        checked = flags.size > 0 and flags[out.row[here], _TAG_RESETS] > 0
        for k in range(indptr[shown], indptr[shown + 1]):
            if checked and not counts_again(batch.user[first + here], tags[2 * k], ts, resets):
                continue
            cell = base + cell_of[tags[2 * k]]
            for s in range(len(rates)):
                cells[cell + s] += weight[s] * strengths[2 * k + 1]
        if vectors.shape[0]:
            for s in range(len(rates)):
                for f in range(vectors.shape[2]):
                    vectors[at, s, f] += weight[s] * content.embedding[shown, f]


@njit(cache=True)
def remember(batch, first, last, out, about, memory):
    """Write events into the rings of their users."""
    length = memory.when.shape[1]
    for here in range(last - first):
        row = out.row[here]
        if row < 0:
            continue
        turn = np.int64(about[row, _WRITTEN])
        about[row, _WRITTEN] = turn + 1
        place = turn % length
        moment = np.int64(np.round(batch.ts[first + here] * 1e6))
        memory.when[row, place, 0] = moment * 256 + batch.action[first + here]
        memory.what[row, place, 2] = out.content[here]
        memory.weight[row, place, 3] = out.evidence[here]


@njit(cache=True)
def take(batch, first, last, weights, content, users, cells, cell_of, width, rates, vectors, pairs,
         pair_cells, pair_cell_of, pair_width, pair_rates, scenes, memory, resets, out, tally):
    """Let events `first` to `last` of a batch change the state."""
    understand(batch, first, last, weights, content, out, tally)
    seat_users(batch, first, last, users, out, tally)
    drop_forgotten(batch, first, last, users, out, tally)
    some = users.about if resets.until.size else users.about[:0]
    add(batch, first, last, out.row, out, users.about, cells, cell_of, width, vectors, rates,
        content, some, resets)
    if pairs.keys.shape[0]:
        seat_pairs(batch, first, last, pairs, scenes, out, tally)
        add(batch, first, last, out.pair, out, pairs.about, pair_cells, pair_cell_of, pair_width,
            vectors[:0], pair_rates, content, some, resets)
    if memory.when.shape[1]:
        remember(batch, first, last, out, users.about, memory)
