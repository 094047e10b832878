"""Compiled: what tells the phase of a session, user by user."""

from __future__ import annotations

import numpy as np
from numba import njit

N_FEATURES = 16
N_MARKS = 8
AWAY = 600.0  # seconds without an event after which a new session begins
SETTLED = 30.0  # seconds
_LAST, _BEGAN, _ENTERED, _SWIPES, _SHORT, _STAYED, _SEEN, _VISITS = 0, 1, 2, 3, 4, 5, 6, 7


@njit(cache=True, nogil=True)
def begin_marks(marks, first):
    """Give rows from `first` on the marks of somebody never seen."""
    marks[first:, :] = 0.0
    marks[first:, _LAST] = -1e18
    marks[first:, _ENTERED] = -1.0
    marks[first:, _SHORT] = 0.5


@njit(cache=True, nogil=True)
def phase_features(user, kind, ts, value, marks, features):
    """Features (n, N_FEATURES) of events in order, and the marks (U, N_MARKS) they leave."""
    for e in range(user.size):
        if user[e] < 0:
            features[e, :] = 0.0
            continue
        own, now, what = marks[user[e]], ts[e], kind[e]
        gap = now - own[_LAST]
        if gap > AWAY:
            own[_BEGAN], own[_ENTERED], own[_SWIPES], own[_SHORT] = now, -1.0, 0.0, 0.5
            own[_STAYED], own[_VISITS], gap = 0.0, 0.0, 0.0
        own[_LAST] = max(own[_LAST], now)
        if what == 1:
            own[_ENTERED] = now
        elif what == 0:
            own[_ENTERED] = -1.0
        elif 3 <= what <= 7 and own[_ENTERED] < 0:
            own[_SWIPES] += 1.0
        elif 10 <= what <= 17:
            short = 1.0 if value[e] < SETTLED else 0.0
            own[_SHORT] += 0.3 * (short - own[_SHORT])
            own[_STAYED] = np.log1p(max(value[e], 0.0))
            own[_ENTERED] = -1.0
            own[_VISITS] += 1.0
        inside = own[_ENTERED] >= 0
        stays = max(now - own[_ENTERED], 0.0) if inside else 0.0
        if stays > SETTLED:
            own[_SWIPES] = 0.0
        age = np.log1p(max(now - own[_BEGAN], 0.0) / 60.0)
        row = features[e]
        row[0] = 1.0
        row[1] = 1.0 if inside else 0.0
        row[2] = np.log1p(stays)
        row[3] = 1.0 if stays >= SETTLED else 0.0
        row[4] = min(own[_SWIPES], 6.0) / 6.0
        row[5] = age
        row[6] = age * age / 5.0
        row[7] = own[_SHORT]
        row[8] = own[_STAYED]
        row[9] = np.log1p(max(gap, 0.0))
        row[10] = 1.0 if what == 0 else 0.0
        row[11] = 1.0 if what == 1 else 0.0
        row[12] = 1.0 if 10 <= what <= 12 else 0.0
        row[13] = 1.0 if 13 <= what <= 17 else 0.0
        row[14] = 1.0 if what >= 18 else 0.0
        row[15] = 1.0 if what == 9 else 0.0
