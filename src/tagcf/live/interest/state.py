"""The whole state of an engine, and the one way to change it by events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tagcf.live.interest.content import Shelf
from tagcf.live.interest.index.rows import Table, grown, new_table
from tagcf.live.interest.memory import reserved
from tagcf.live.interest.update.arrays import Batch, Memory, Resets, Scratch, Single, Tally
from tagcf.live.interest.update.kernels import take
from tagcf.types import Floats

SLICE = 4096  # events at once: their rows and weights stay in the nearest memory
MOST_SCENES = 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a state is at most.

    `half_lives` are in seconds, the shortest first; `scene_half_life` is that of strengths in a
    scene; `d` is the width of the embeddings, 0 for none.
    """

    half_lives: tuple[float, ...]
    scene_half_life: float
    users: int
    scenes: int  # pairs of user and scene; 0: none are kept
    remembered: int  # events of each user
    n_tags: int
    d: int


@dataclass(slots=True)
class State:
    """Everything that events have done so far. It is changed in place."""

    sizes: Sizes
    users: Table
    pairs: Table
    scenes: Table  # which scenes there are; no sums
    vectors: Single  # (users, S, d)
    memory: Memory
    resets: Resets
    tally: Tally
    scratch: Scratch


def new_state(sizes: Sizes) -> State:
    """Return the state before any event; memory is taken only as users come."""
    n_scales = len(sizes.half_lives)
    when = reserved((sizes.users, sizes.remembered, 2), np.int64)
    width = (sizes.users if sizes.d else 0, n_scales, sizes.d)
    return State(
        sizes=sizes,
        users=new_table(sizes.users, sizes.n_tags, n_scales),
        pairs=new_table(sizes.scenes, sizes.n_tags, 1),
        scenes=new_table(MOST_SCENES if sizes.scenes else 0, 0, 1),
        vectors=reserved(width, np.float32),
        memory=Memory(when, when.view(np.int32), when.view(np.float32)),
        resets=no_resets(),
        tally=Tally(np.zeros(6, np.int64), np.zeros(1)),
        scratch=Scratch(
            *(np.empty(SLICE, np.int64) for _ in range(3)), np.empty(SLICE, np.float32)
        ),
    )


def no_resets() -> Resets:
    """Return the table of reset tags while there are none."""
    return Resets(np.zeros((2, 2), np.uint64), np.zeros(0))


def absorb(state: State, batch: Batch, shelf: Shelf, weights: Floats) -> None:
    """Let a batch change the state; `state.tally` counts what became of its events."""
    rates = tuple(1.0 / half_life for half_life in state.sizes.half_lives)
    pair_rates = (1.0 / state.sizes.scene_half_life,)
    for first in range(0, len(batch.ts), SLICE):
        last = min(first + SLICE, len(batch.ts))
        make_room(state, last - first)
        users, pairs = state.users, state.pairs
        take(
            *(batch, first, last, weights, shelf.arrays),
            *(users.rows, users.cells, users.cell_of, users.width, rates, state.vectors),
            *(pairs.rows, pairs.cells, pairs.cell_of, pairs.width, pair_rates),
            *(state.scenes.rows, state.memory, state.resets, state.scratch, state.tally),
        )


def make_room(state: State, newcomers: int) -> None:
    """Give the indexes slots for so many more keys."""
    state.users = grown(state.users, newcomers)
    state.pairs = grown(state.pairs, newcomers)
    state.scenes = grown(state.scenes, newcomers)


def ids_of(shelf: Shelf) -> pa.Array:
    """Ids of content as text, by position."""
    return shelf.items.ids.cast(pa.string())
