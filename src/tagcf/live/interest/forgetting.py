"""Forgetting: what was done before a reset, or a whole user."""

from __future__ import annotations

import numpy as np

from tagcf.live.interest.index.kernels import pair_key
from tagcf.live.interest.index.rows import (
    FORGOTTEN,
    NEWEST,
    TAG_RESETS,
    WRITTEN,
    add_rows,
    remove_row,
)
from tagcf.live.interest.reading.answers import Edit
from tagcf.live.interest.state import State, make_room


def reset_time(state: State, user: np.uint64, at: float, latest: float) -> float:
    """Time of an edit: no earlier than the user's newest event, which it has been made after.

    An event from after `latest` has a wrong clock, and moves no edit.
    """
    row = state.users.row(user)
    newest = 0.0 if row < 0 else float(state.users.rows.about[row, NEWEST])
    return max(at, newest) if newest <= latest else at


def forget(state: State, edit: Edit, tag: int | None) -> None:
    """Forget what a user did up to a reset; of one tag, or (`edit.tag` None) of everything."""
    user = np.uint64(edit.user)
    row = _seated(state, user)
    if row < 0:
        return
    about = state.users.rows.about
    lines = [(state.users, row), *((state.pairs, pair) for pair in pair_rows(state, user))]
    if edit.tag is None:
        about[row, FORGOTTEN] = max(about[row, FORGOTTEN], edit.at)
        about[row, WRITTEN] = about[row, TAG_RESETS] = 0
        if len(state.vectors):
            state.vectors[row] = 0
        for table, at in lines:
            table.line(at)[:] = 0
    elif tag is not None:
        about[row, TAG_RESETS] += 1
        for table, at in lines:
            cell = table.cell_of[tag]
            table.line(at)[cell : cell + table.n_scales] = 0


def acted_since(state: State, edit: Edit) -> bool:
    """Whether the user of an edit did anything after it, which sums cannot tell from before."""
    row = state.users.row(np.uint64(edit.user))
    return row >= 0 and float(state.users.rows.about[row, NEWEST]) > edit.at


def remove_user(state: State, user: np.uint64) -> None:
    """Remove a user's rows; the last rows move into their places."""
    for pair in sorted(pair_rows(state, user), reverse=True):
        remove_row(state.pairs, pair)
    row = state.users.row(user)
    if row < 0:
        return
    last = remove_row(state.users, row)
    for array in (state.vectors, state.memory.when):
        if len(array):
            array[row] = array[last]
            array[last] = 0


def pair_rows(state: State, user: np.uint64) -> list[int]:
    """Rows of a user in the scenes that there are."""
    scenes = state.scenes.rows.keys[: state.scenes.used, 0]
    found = (state.pairs.row(np.uint64(pair_key(user, scene))) for scene in scenes)
    return [row for row in found if row >= 0]


def _seated(state: State, user: np.uint64) -> int:
    """Row of a user, a new one if need be: a reset also holds for events that are still to come."""
    row = state.users.row(user)
    if row < 0 and state.users.used < state.users.capacity:
        make_room(state, 1)
        keys, about = np.array([[user, user, 0]], np.uint64), np.zeros((1, 8))
        row = add_rows(state.users, keys, about)
    return row
