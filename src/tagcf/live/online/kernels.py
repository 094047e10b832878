"""Compiled: hashed features, FTRL-proximal over them, and what becomes of what was shown."""

from __future__ import annotations

import numpy as np
from numba import njit

_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_AGAIN = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
LONG_STAY = 90.0  # seconds


@njit(cache=True, nogil=True)
def hash_columns(columns, seeds, crosses, bits, places):
    """Places (n, 1 + F + C) of a constant, F columns of keys, and C pairs of columns."""
    mask = np.uint64((1 << bits) - 1)
    n_columns = columns.shape[1]
    for row in range(columns.shape[0]):
        places[row, 0] = 0
        for f in range(n_columns):
            mixed = (columns[row, f] + seeds[f]) * _MIX
            mixed = (mixed ^ (mixed >> _HALF)) * _MIX_AGAIN
            places[row, 1 + f] = np.uint32((mixed ^ (mixed >> _HALF)) & mask)
        for c in range(crosses.shape[0]):
            one, other = crosses[c, 0], crosses[c, 1]
            mixed = (columns[row, one] + seeds[n_columns + c]) * _MIX
            mixed = ((mixed ^ (mixed >> _HALF)) + columns[row, other]) * _MIX_AGAIN
            mixed = (mixed ^ (mixed >> _HALF)) * _MIX
            places[row, 1 + n_columns + c] = np.uint32((mixed ^ (mixed >> _HALF)) & mask)


@njit(cache=True, nogil=True, inline="always")
def weight_at(pull, squares, rate, smoothing, l1, l2):
    """Weight that a coordinate's two sums stand for (McMahan et al. 2013, algorithm 1)."""
    if pull > l1:
        return (l1 - pull) / ((smoothing + np.sqrt(squares)) / rate + l2)
    if pull < -l1:
        return (-l1 - pull) / ((smoothing + np.sqrt(squares)) / rate + l2)
    return 0.0


@njit(cache=True, nogil=True)
def predict(places, values, state, settings, outcome, chances):
    """(n,) chances of one outcome; `state` (O, 2^b, 2) holds z and n of every coordinate."""
    rate, smoothing, l1, l2 = settings
    own = state[outcome]
    for row in range(places.shape[0]):
        logit = 0.0
        for f in range(places.shape[1]):
            at = places[row, f]
            logit += values[row, f] * weight_at(own[at, 0], own[at, 1], rate, smoothing, l1, l2)
        chances[row] = 1.0 / (1.0 + np.exp(-max(-35.0, min(35.0, logit))))


@njit(cache=True, nogil=True)
def learn(places, values, came, state, settings, outcome, chances):
    """As `predict`, and learn each row after its prediction; rows with came < 0 are passed over."""
    rate, smoothing, l1, l2 = settings
    own = state[outcome]
    n_features = places.shape[1]
    weights = np.empty(n_features)
    for row in range(places.shape[0]):
        logit = 0.0
        for f in range(n_features):
            at = places[row, f]
            weights[f] = weight_at(own[at, 0], own[at, 1], rate, smoothing, l1, l2)
            logit += values[row, f] * weights[f]
        chances[row] = 1.0 / (1.0 + np.exp(-max(-35.0, min(35.0, logit))))
        if came[row] < 0:
            continue
        error = chances[row] - came[row]
        for f in range(n_features):
            at = places[row, f]
            gradient = error * values[row, f]
            before = own[at, 1]
            after = before + gradient * gradient
            step = (np.sqrt(after) - np.sqrt(before)) / rate
            own[at, 0] += gradient - step * weights[f]
            own[at, 1] = after


@njit(cache=True, nogil=True)
def follow(user, room, action, value, opened, marks, clock, codes, done, done_marks):
    """Follow each user's last showing through events in order; returns how many are finished.

    `opened` (U, 2) holds room and running number of what is open, −1 where nothing is; `marks`
    (U, 5) whether click, long stay, like, purchase came, and the seconds stayed. An impression
    finishes the one before. `codes` are those of impression, click, like, dwell, leave, purchase.
    """
    finished = 0
    number = clock[0]
    for e in range(user.size):
        u = user[e]
        if u < 0:
            continue
        what = action[e]
        if what == codes[0]:
            if opened[u, 1] >= 0:
                done[finished] = opened[u, 1]
                done_marks[finished] = marks[u, :4]
                finished += 1
            opened[u, 0], opened[u, 1] = room[e], number
            number += 1
            marks[u, :] = 0.0
            continue
        if opened[u, 1] < 0 or opened[u, 0] != room[e]:
            continue
        if what == codes[1]:
            marks[u, 0] = 1.0
        elif what == codes[2]:
            marks[u, 2] = 1.0
        elif what == codes[3]:
            marks[u, 4] += value[e]
        elif what == codes[4]:
            marks[u, 4] = max(marks[u, 4], value[e])
        elif what == codes[5]:
            marks[u, 3] = 1.0
        if marks[u, 4] >= LONG_STAY:
            marks[u, 1] = 1.0
    clock[0] = number
    return finished
