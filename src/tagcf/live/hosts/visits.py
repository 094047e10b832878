"""Visits to rooms, rebuilt from events, and who saw which segment for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.rooms.segments import RoomSegments
from tagcf.types import Floats, Mask
from tagcf.types.live import ACTIONS, Keys, LiveEvents

SILENT = 300.0  # seconds after which somebody is taken for gone
GLANCE = 30.0  # seconds: a report of less watching than this, without coming in, is a swipe
CLOSING = 30.0  # seconds before a show ends in which leaving says nothing
PAUSE = 60.0  # seconds between two segments of one show, at most
_PASSING = ("impression", "scroll")
_TELLS_LENGTH = ("dwell", "leave")


@dataclass(frozen=True, slots=True)
class Visits:
    """Stays of users in rooms, in the order of room, user and start; V of them, epoch seconds."""

    room: Keys
    user: Keys
    start: Floats
    end: Floats
    left: Mask  # the end was told, or silence tells it; else the log ends first

    def __len__(self) -> int:
        return len(self.room)


@dataclass(frozen=True, slots=True)
class Viewing:
    """Segments and the people who saw some of them; N pairs, in the order of segment and user.

    All are sums over a person's visits within the segment. Whoever leaves as the show closes has
    not left.
    """

    segment: NDArray[np.int64]  # row of the segments
    user: NDArray[np.int64]  # code of the person
    minutes: Floats
    leaves: Floats
    there: Mask  # when the segment began
    at_risk: Floats  # minutes of those there at the start, until they left
    lost: Mask  # of those there at the start
    users: Keys  # (U,) by code

    def __len__(self) -> int:
        return len(self.segment)

    def rows(self, segment: NDArray[np.int64], user: Keys) -> NDArray[np.int64]:
        """(n,) positions of pairs; -1 where a person did not see the segment."""
        if not len(self):
            return np.full(len(segment), -1, np.int64)
        code = np.searchsorted(self.users, user).clip(0, max(len(self.users) - 1, 0))
        known = (self.users[code] == user) & (segment >= 0)
        wide = max(len(self.users), 1)
        have = self.segment * wide + self.user
        wanted = np.where(known, segment * wide + code, -1)
        at = np.searchsorted(have, wanted).clip(0, len(have) - 1)
        return np.where(known & (have[at] == wanted), at, -1)


def find_visits(events: LiveEvents) -> Visits:
    """Rebuild visits: from coming in to leaving, to a silence of `SILENT`, or to the log's end.

    Where the log has clicks, a visit begins with one, or with a report of watching that tells how
    long it was; accounts that only act, as bots do, have none. Else whoever acts is there.
    """
    passing = np.isin(events.action, [ACTIONS.index(name) for name in _PASSING])
    here = np.flatnonzero((events.room != 0) & (events.user != 0) & ~passing)
    here = here[np.lexsort((events.ts[here], events.user[here], events.room[here]))]
    room, user, ts = events.room[here], events.user[here], events.ts[here]
    action, value = events.action[here], np.nan_to_num(events.value[here].astype(np.float64))
    if not len(here):
        none = np.zeros(0)
        return Visits(room, user, none, none, none.astype(np.bool_))
    enters, leaves = action == ACTIONS.index("click"), action == ACTIONS.index("leave")
    begins = np.ones(len(here), np.bool_)
    begins[1:] = (room[1:] != room[:-1]) | (user[1:] != user[:-1])
    begins[1:] |= enters[1:] | leaves[:-1] | (np.diff(ts) > SILENT)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(here)) - 1
    told = np.isin(action[first], [ACTIONS.index(name) for name in _TELLS_LENGTH])
    told &= value[first] >= GLANCE
    start = np.where(told, ts[first] - value[first], ts[first])
    real = enters[first] | told | ~enters.any()
    left = leaves[last] | (ts[last] < ts.max() - SILENT)
    # Who comes back within a visit's told length was there all the time.
    same = np.append(False, (room[first[1:]] == room[first[:-1]]))
    same &= np.append(False, user[first[1:]] == user[first[:-1]])
    start = np.where(same, np.maximum(start, np.append(0.0, ts[last[:-1]])), start)
    kept = real & (ts[last] > start)
    return Visits(room[first][kept], user[first][kept], start[kept], ts[last][kept], left[kept])


def see_segments(visits: Visits, segments: RoomSegments) -> Viewing:
    """Cut visits at the edges of segments."""
    visit, row = _meetings(visits, segments)
    begin, end = segments.start[row], segments.end[row]
    since, until = np.maximum(visits.start[visit], begin), np.minimum(visits.end[visit], end)
    there = visits.start[visit] < begin
    closing = last_of_show(segments)[row] & (until >= end - CLOSING)
    leaves = visits.left[visit] & (visits.end[visit] < end) & ~closing
    users, code = np.unique(visits.user[visit], return_inverse=True)
    pairs, pair = np.unique(row * max(len(users), 1) + code, return_inverse=True)
    segment, user = np.divmod(pairs, max(len(users), 1))
    minutes = (until - since) / 60.0

    def summed(values: NDArray[np.generic]) -> Floats:
        sums: Floats = np.bincount(pair, values.astype(np.float64), len(pairs)).astype(np.float64)
        return sums

    return Viewing(
        segment,
        user,
        summed(minutes),
        summed(leaves),
        summed(there) > 0,
        summed(minutes * there),
        summed(leaves & there) > 0,
        users,
    )


def last_of_show(segments: RoomSegments) -> Mask:
    """(G,) whether nothing follows in the room within `PAUSE` seconds."""
    last = np.ones(len(segments), np.bool_)
    goes_on = (segments.room[1:] == segments.room[:-1]) & (
        segments.start[1:] - segments.end[:-1] <= PAUSE
    )
    last[:-1] = ~goes_on
    return last


def shows_of(segments: RoomSegments) -> NDArray[np.int64]:
    """(G,) number of the show that each segment is part of: a stretch of a room without a pause."""
    return np.append(0, last_of_show(segments)[:-1].cumsum()) if len(segments) else np.zeros(0, int)


def _meetings(
    visits: Visits, segments: RoomSegments
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Visits and rows of the segments that they meet, one pair after the other."""
    none = np.zeros(0, np.int64)
    if not len(visits) or not len(segments):
        return none, none
    rooms = np.unique(segments.room)
    which = np.searchsorted(rooms, visits.room).clip(0, len(rooms) - 1)
    known = rooms[which] == visits.room
    low = min(float(segments.start.min()), float(visits.start.min()))
    band = max(float(segments.end.max()), float(visits.end.max())) - low + 1.0
    of = np.searchsorted(rooms, segments.room) * band
    first = np.searchsorted(of + (segments.end - low), which * band + (visits.start - low), "right")
    last = np.searchsorted(of + (segments.start - low), which * band + (visits.end - low), "left")
    count = np.where(known, np.maximum(last - first, 0), 0)
    visit = np.repeat(np.arange(len(visits)), count)
    nth = np.arange(len(visit)) - np.repeat(count.cumsum() - count, count)
    return visit, first[visit] + nth
