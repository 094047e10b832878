"""Past visits, each with how well the segment met the viewer's interest as the visit began.

Rooms that were swiped away count as visits of a few seconds: without them, only what the viewer had
chosen anyway would be learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.live.hosts.platform import host_names
from tagcf.live.hosts.visits import GLANCE, Visits, find_visits
from tagcf.live.interest import InterestEngine
from tagcf.live.rooms.segments import RoomSegments
from tagcf.live.wire.batch import cut
from tagcf.types import Codes, Floats, Mask
from tagcf.types.live import ACTIONS, Keys, LiveEvents

FIT = 4  # features of how content meets interests
LONGEST = 1_800.0  # seconds of a visit that count
EVERY = 30.0  # seconds of the stream after which interests are read again


@dataclass(frozen=True, slots=True)
class PastVisits:
    """V visits in the order of their start."""

    user: Keys
    host: Codes  # position in `hosts`
    group: Codes  # strongest interest, position in the engine's tags; -1: none yet
    interest: Floats  # (V, FIT) how the segment met the viewer's interests, see `fit_of`
    seconds: Floats
    start: Floats
    hosts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.user)


def gather_visits(engine: InterestEngine, events: LiveEvents, segments: RoomSegments) -> PastVisits:
    """Play a stream through an engine, and read interests where visits begin.

    The engine has seen the whole stream afterwards.

    Parameters
    ----------
    events
        In any order, each once.
    """
    order = np.argsort(events.ts, kind="stable")
    stream = _ordered(events, order)
    room, who, begun, lasted = _shown(find_visits(events), events)
    row = segments.at(room, begun)
    by_start = np.argsort(begun, kind="stable")
    by_start = by_start[row[by_start] >= 0]
    row = row[by_start]
    hosts, code = np.unique(host_names(segments), return_inverse=True)
    content = engine.content_rows(pa.array(segments.segment_id, pa.string()))[row]
    user, start = who[by_start], begun[by_start]
    interest, group = _read_along(engine, stream, user, start, content)
    return PastVisits(
        user,
        code[row].astype(np.int32),
        group,
        interest,
        np.minimum(lasted[by_start], LONGEST),
        start,
        tuple(hosts.tolist()),
    )


def _ordered(events: LiveEvents, order: NDArray[np.int64]) -> LiveEvents:
    names = [name for name in LiveEvents.__slots__ if name != "rows"]
    arrays = {name: getattr(events, name)[order] for name in names}
    return LiveEvents(**arrays, rows=events.rows.take(order))


def _shown(visits: Visits, events: LiveEvents) -> tuple[Keys, Keys, Floats, Floats]:
    """Room, user, start and seconds of visits, and of rooms that were swiped away."""
    dwell = (events.action == ACTIONS.index("dwell")) & (events.room != 0) & (events.user != 0)
    short = np.flatnonzero(dwell & (events.value < GLANCE))
    room, user, ts = events.room[short], events.user[short], events.ts[short]
    swiped = ~_within(visits, room, user, ts)
    seconds = events.value[short][swiped].astype(np.float64)
    return (
        np.concatenate([visits.room, room[swiped]]),
        np.concatenate([visits.user, user[swiped]]),
        np.concatenate([visits.start, ts[swiped] - seconds]),
        np.concatenate([visits.end - visits.start, seconds]),
    )


def _within(visits: Visits, room: Keys, user: Keys, ts: Floats) -> Mask:
    """(n,) whether times lie in visits of the same user to the same room."""
    if not len(visits) or not len(ts):
        return np.zeros(len(ts), np.bool_)
    with np.errstate(over="ignore"):
        pair = np.concatenate([visits.room, room]) * np.uint64(0x9E3779B97F4A7C15)
        pair ^= np.concatenate([visits.user, user])
    code = np.unique(pair, return_inverse=True)[1].astype(np.float64)
    low = min(float(visits.start.min()), float(ts.min()))
    band = max(float(visits.end.max()), float(ts.max())) - low + 1.0
    n = len(visits)
    have = code[:n] * band + (visits.start - low)
    order = np.argsort(have, kind="stable")
    wanted = code[n:] * band + (ts - low)
    at = order[np.searchsorted(have[order], wanted, side="right") - 1]
    inside: Mask = (code[:n][at] == code[n:]) & (ts <= visits.end[at] + 1.0)
    return inside


def _read_along(
    engine: InterestEngine,
    stream: LiveEvents,
    user: Keys,
    start: Floats,
    content: NDArray[np.int64],
) -> tuple[Floats, Codes]:
    """Scores and strongest tags of visits, from what was known a little before they began."""
    interest, group = np.zeros((len(user), FIT)), np.full(len(user), -1, np.int32)
    if not len(user) or not len(stream):
        return interest, group
    names = _names(stream)
    done = k = 0
    while k < len(user):
        until = float(start[k])
        stop = int(np.searchsorted(stream.ts, until, side="left"))
        if stop > done:
            engine.update(cut(stream, done, stop))
            done = stop
        while k < len(user) and start[k] < until + EVERY:
            name = names.get(int(user[k]))
            if name is not None and engine.knows(name):
                at = float(start[k])
                interest[k], group[k] = fit_of(engine, name, content[[k]], at)
            k += 1
    engine.update(cut(stream, done))
    return interest, group


def fit_of(
    engine: InterestEngine, user: str, content: NDArray[np.int64], at: float | None
) -> tuple[Floats, int]:
    """How content meets a viewer's interests, (FIT,), and the strongest one; -1: none yet.

    Features: the engine's score and its square, and how strongly the content carries the viewer's
    strongest and second interest; means over the content.
    """
    known = content[content >= 0]
    tops = [one for one in engine.interest(user, at, 2) if one.strength > 0]
    group = engine.tag_at[tops[0].tag] if tops else -1
    if not len(known):
        return np.zeros(FIT), group
    score = np.nan_to_num(engine.scores(user, known, at), neginf=-1.0).clip(-1.0, 1.0)
    about = engine.shelf.strength[known]
    carried = [np.asarray(about[:, [engine.tag_at[one.tag]]].todense()).mean() for one in tops]
    carried += [0.0] * (2 - len(carried))
    return np.array([score.mean(), np.square(score).mean(), *carried]), group


def _names(stream: LiveEvents) -> dict[int, str]:
    keys, first = np.unique(stream.user, return_index=True)
    ids = stream.rows["user_id"].take(first).to_pylist()
    return dict(zip(keys.tolist(), ids, strict=True))
