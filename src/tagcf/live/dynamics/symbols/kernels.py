"""Compiled: kinds of events, levels of tags, and the symbols that evidence is learned for.

A kind is an action, cut by how long it lasted. A class is what the event before was like; kind and
class together are a symbol.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

N_KINDS = 23
N_CLASSES = 5
N_SYMBOLS = N_KINDS * N_CLASSES
N_LEVELS = 4
OTHER, SHOWN, OPENED, ACTED, STAYED = range(N_CLASSES)  # classes; OTHER: on other content
FIRST_OF_PRODUCT = 21
_DWELL, _LEAVE = 3, 14  # positions in ACTIONS
_DWELL_EDGES = (1.0, 2.0, 4.0, 8.0, 30.0, 90.0)  # seconds
_LEAVE_EDGES = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
# Of every action; likes 18, words 19, product clicks 21, carts and purchases 22, others 20.
_KINDS = (0, 1, 2, 3, 20, 18, 19, 20, 19, 20, 20, 21, 22, 22, 10)


def class_after(kind: int, before: int) -> int:
    """Class that an event leaves for the next one on the same content."""
    if kind == 0:
        return SHOWN
    if kind == 1:
        return OPENED
    if kind in {8, 9}:
        return STAYED
    if FIRST_OF_PRODUCT > kind >= 18:
        return STAYED if before == STAYED else ACTED
    return before


def symbol_after(kind: int, before: int, same: bool) -> int:
    """Symbol of an event; `same`: it is on the content of the event before, which left `before`."""
    if kind >= FIRST_OF_PRODUCT:  # the product's tags, whatever the room shows
        return kind * N_CLASSES + (1 if before == STAYED else 0)
    return kind * N_CLASSES + (before if same else OTHER)


def _next_class(kind: int, before: int, same: bool) -> int:
    product = kind >= FIRST_OF_PRODUCT
    return class_after(kind, before if same or product else OTHER)


def _table(entry: Callable[[int, int, bool], int]) -> NDArray[np.int32]:
    """(kinds, classes, 2) so that compiled code looks up instead of asking."""
    rows = [
        [[entry(kind, before, same) for same in (False, True)] for before in range(N_CLASSES)]
        for kind in range(N_KINDS)
    ]
    return np.array(rows, np.int32)


SYMBOLS = _table(symbol_after)
CLASSES = _table(_next_class)


@njit(cache=True, nogil=True, inline="always")
def kind_of(action, value):
    """Kind of an event: its action, cut by how long it lasted."""
    if action == _DWELL:
        kind = 3
        for edge in _DWELL_EDGES:
            kind += value >= edge
    elif action == _LEAVE:
        kind = 10
        for edge in _LEAVE_EDGES:
            kind += value >= edge
    else:
        kind = _KINDS[action]
    return kind


@njit(cache=True, nogil=True, inline="always")
def level_of(strength):
    """Level, 0 to 3, of a tag's strength on content."""
    if strength > 0.85:
        return 3
    if strength > 0.6:
        return 2
    return 1 if strength > 0.45 else 0


@njit(cache=True, nogil=True)
def kinds_of(action, value, kind):
    """(n,) kinds of events."""
    for e in range(action.size):
        kind[e] = kind_of(action[e], value[e])


@njit(cache=True, nogil=True)
def levels_of(strength, level):
    """Levels of strengths."""
    for j in range(strength.size):
        level[j] = level_of(strength[j])
