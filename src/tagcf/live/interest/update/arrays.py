"""What the compiled code is handed: tuples of arrays.

Symbols: ``n`` events of a batch, ``I`` contents, ``T`` tags, ``S`` time scales, ``d`` width of the
embeddings, ``N`` events remembered of each user.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagcf.live.interest.index.rows import Rows
from tagcf.types import Floats
from tagcf.types.live import Actions, Keys

Single = NDArray[np.float32]
Counts = NDArray[np.int64]


class Batch(NamedTuple):
    """Columns (n,) of events; see `LiveEvents`."""

    user: Keys
    room: Keys
    item: Keys
    product: Keys
    scene: Keys
    ts: Floats
    action: Actions
    value: Single


def chosen(batch: Batch, part: slice | NDArray[np.int64]) -> Batch:
    """Return some events of a batch."""
    return Batch(
        user=batch.user[part],
        room=batch.room[part],
        item=batch.item[part],
        product=batch.product[part],
        scene=batch.scene[part],
        ts=batch.ts[part],
        action=batch.action[part],
        value=batch.value[part],
    )


def empty_batch() -> Batch:
    """Return room for one event."""
    user, room, item, product, scene = np.zeros((5, 1), np.uint64)
    one, action, value = np.zeros(1), np.zeros(1, np.uint8), np.zeros(1, np.float32)
    return Batch(user, room, item, product, scene, one, action, value)


class Content(NamedTuple):
    """Which content has which tags, and which was in a room when."""

    slots: Keys  # of its ids
    indptr: Counts  # (I + 1,)
    tags: NDArray[np.int32]  # (2 · pairs,) tag, then the bits of its strength
    strengths: Single  # the same memory: strength stands behind its tag
    norms: Single  # (I,) length of its vector of strengths
    embedding: Single  # (I, d) of length 1, or 0 where there is none; (0, 0): no embeddings
    rooms: Keys  # slots of rooms
    parts: Counts  # (rooms + 1,) first segment of each
    start: Floats  # of segments, by room and time
    end: Floats
    played: Counts  # content that a segment is; -1: unknown


class Memory(NamedTuple):
    """The last events of each user that counted, in a ring."""

    when: Counts  # (cap, N, 2): microseconds · 256 + action; content and evidence
    what: NDArray[np.int32]  # (cap, N, 4) the same memory: content is [2]
    weight: Single  # (cap, N, 4) likewise: evidence is [3]


class Resets(NamedTuple):
    """Since when one tag of one user counts again."""

    slots: Keys  # of the user's key with the tag
    until: Floats  # (resets,) epoch seconds


class Scratch(NamedTuple):
    """Room for one chunk of a batch."""

    row: Counts  # of the user; -1: the event does not count
    pair: Counts  # of the user in the scene
    key: Keys
    content: Counts
    evidence: Single
    since: Floats
    bits: Counts
    powers: Floats  # the same memory
    weights: Floats  # (S, chunk)
    at: Counts  # cells found
    owner: Counts  # (found, 2) the event that each is of, and its strength's place


class Tally(NamedTuple):
    """What became of the events, and the newest time seen."""

    counts: Counts  # (6,) see `Updated`
    clock: Floats  # (1,)


class Live(NamedTuple):
    """All that a batch of events changes."""

    users: Rows
    user_table: tuple[NDArray[np.int32], int]  # cells of tags within a row, width of a row
    user_cells: Single
    pairs: Rows
    pair_table: tuple[NDArray[np.int32], int]
    pair_cells: Single
    scenes: Rows
    vectors: Single
    memory: Memory
    scratch: Scratch
    tally: Tally
