"""The whole state of an engine, and the one way to change it by events."""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_

import numpy as np

from tagcf.live.interest.content import Shelf
from tagcf.live.interest.index.rows import Table, grown, new_table
from tagcf.live.interest.memory import reserved
from tagcf.live.interest.update.arrays import (
    Batch,
    Live,
    Memory,
    Resets,
    Scratch,
    Single,
    Tally,
    chosen,
    empty_batch,
)
from tagcf.live.interest.update.kernels import Held, hold, take_batch
from tagcf.types import Floats

SLICE = 8192  # events after which the indexes may have to grow
CHUNK = 256  # events that are worked on together: their cells stay in the nearest memory
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

    @property
    def rates(self) -> tuple[tuple[float, ...], tuple[float]]:
        """Halvings a second: of the time scales, and in scenes."""
        return tuple(1.0 / one for one in self.half_lives), (1.0 / self.scene_half_life,)


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
    held: Held | None = None  # all of these for the compiled code; made anew when one is replaced
    held_with: tuple[object, ...] = ()


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
        scratch=new_scratch(n_scales),
    )


def no_resets() -> Resets:
    """Return the table of reset tags while there are none."""
    return Resets(np.zeros((2, 2), np.uint64), np.zeros(0))


def absorb(state: State, batch: Batch, shelf: Shelf, weights: Floats) -> None:
    """Let a batch change the state; `state.tally` counts what became of its events."""
    for first in range(0, len(batch.ts), SLICE):
        part = batch if len(batch.ts) <= SLICE else chosen(batch, slice(first, first + SLICE))
        take_batch(ready(state, len(part.ts), shelf, weights), part)


def ready(state: State, n: int, shelf: Shelf, weights: Floats) -> Held:
    """Return the state for the compiled code, with room for `n` more users and pairs."""
    make_room(state, n)
    parts = (state.users, state.pairs, state.scenes, state.resets, shelf, weights)
    if state.held is None or not all(map(is_, parts, state.held_with)):
        arrays = live_arrays(state)
        rates = state.sizes.rates
        state.held = hold(weights, shelf.arrays, arrays, *rates, state.resets, empty_batch())
        state.held_with = parts
    return state.held


def live_arrays(state: State) -> Live:
    """Return the state as the compiled code sees it."""
    users, pairs = state.users, state.pairs
    return Live(
        users=users.rows,
        user_table=(users.cell_of, users.width),
        user_cells=users.cells,
        pairs=pairs.rows,
        pair_table=(pairs.cell_of, pairs.width),
        pair_cells=pairs.cells,
        scenes=state.scenes.rows,
        vectors=state.vectors,
        memory=state.memory,
        scratch=state.scratch,
        tally=state.tally,
    )


def new_scratch(n_scales: int) -> Scratch:
    """Return room for one chunk."""
    bits = np.empty(CHUNK, np.int64)
    return Scratch(
        row=np.empty(CHUNK, np.int64),
        pair=np.empty(CHUNK, np.int64),
        key=np.empty(CHUNK, np.uint64),
        content=np.empty(CHUNK, np.int64),
        evidence=np.empty(CHUNK, np.float32),
        since=np.empty(CHUNK),
        bits=bits,
        powers=bits.view(np.float64),
        weights=np.empty((n_scales, CHUNK)),
        at=np.empty(8 * CHUNK, np.int64),
        owner=np.empty((8 * CHUNK, 2), np.int64),
    )


def make_room(state: State, newcomers: int) -> None:
    """Give the indexes slots for so many more keys."""
    state.users = grown(state.users, newcomers)
    state.pairs = grown(state.pairs, newcomers)
    state.scenes = grown(state.scenes, newcomers)
