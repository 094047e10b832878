"""Compiled: add a chunk's events to the decayed sums of their rows.

Forward decay (Cormode, Shkapenyuk, Srivastava and Xu 2009): an event at t adds
``evidence · strength · 2^((t - L) / h)`` to the cell of its user, tag and half-life h, where L is
the landmark of the user; at the time of asking the cell is divided by ``2^((at - L) / h)``. Order
does not matter, and nothing is swept. A user's landmark moves when an event comes more than
`_FURTHEST` of the shortest half-life behind it: that user's cells alone are rescaled.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.interest.index.kernels import find, pair_key
from tagcf.live.prefetch.kernels import AHEAD, prefetch

_FURTHEST = 60.0 / np.log(2.0)  # half-lives: 60 e-folds; float32 ends at 88
_NOTHING = -1000.0  # half-lives
_LN2 = np.log(2.0)
_LEAST = np.float32(1e-30)  # smaller is nothing, and slow
_LANDMARK, _TAG_RESETS = 0, 4  # columns of `about`


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
        if here + 2 * AHEAD < n:
            prefetch(indptr, max(shown[here + 2 * AHEAD], 0))
        if here + AHEAD < n:
            prefetch(tags, 2 * indptr[max(shown[here + AHEAD], 0)])
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
def add(user, ts, row, n, out, about, rows, table, cells, vectors, rates, content, resets):
    """Add a chunk's events to the cells of their rows."""
    measure_since(ts, row, n, rows, cells, table[1], vectors, rates, out.since)
    weigh(out.since, out.evidence, n, rates, out.bits, out.powers, out.weights)
    gather(user, ts, row, n, out, about, table, cells, rates, content, resets)
    if vectors.shape[0]:
        add_vectors(n, out, vectors, content.embedding)
