"""Who watches which segment from when to when, and why they leave.

A visit is cut into pieces within which interest and segment stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagcf.data.simulate.live.interests import Episodes
from tagcf.data.simulate.live.match import (
    PEEK,
    Reach,
    leaving_rate,
    lowered,
    opening_chance,
)
from tagcf.data.simulate.live.people import People, Sessions
from tagcf.data.simulate.live.platform import TICK, LivePlatform
from tagcf.data.simulate.live.rooms import Rooms, Segments
from tagcf.types import Codes, Floats, Mask

# How a room comes to be shown: by the user's own search, by taste, by popularity, at random.
SEARCH, BY_TASTE, POPULAR, RANDOM = 0.76, 0.1, 0.06, 0.08
HIDDEN = -1e9


@dataclass(frozen=True, slots=True)
class Pieces:
    """Watching, in inner seconds; one visit is one or more pieces. `user` may be a guest."""

    user: Codes
    session: Codes  # -1: a guest
    room: Codes
    segment: Codes
    interest: Codes  # -1: a guest
    start: Floats
    end: Floats
    entered: Floats  # when the visit began
    match: Floats
    leaves: Mask  # the visit ends with this piece


@dataclass(frozen=True, slots=True)
class Shows:
    """Rooms shown to somebody. Where not opened, they are swiped away after `seconds`."""

    user: Codes
    room: Codes
    segment: Codes
    at: Floats
    opened: Mask
    seconds: Floats


def on_air(settings: LivePlatform, segments: Segments, n_rooms: int) -> Codes:
    """(R, ticks) the segment of each room at each tick; -1 where it is off air."""
    grid = np.full((n_rooms, settings.ticks + 1), -1, np.int32)
    first, last = (segments.start / TICK).astype(int), (segments.end / TICK).astype(int)
    for g, (room, a, b) in enumerate(zip(segments.room, first, last, strict=True)):
        grid[room, a:b] = g
    return grid


@dataclass(frozen=True, slots=True)
class _Stage:
    """What all steps of `watch` read."""

    settings: LivePlatform
    people: People
    rooms: Rooms
    segments: Segments
    reach: Reach
    air: Codes  # (R, ticks + 1)
    sessions: Sessions
    episodes: Episodes


@dataclass(slots=True)
class _Places:
    """Where each session stands; N sessions."""

    t: Floats
    room: Codes  # -1: looking
    last: Codes  # room shown before
    entered: Floats
    swipes: Floats  # in a row, before the room
    spell: NDArray[np.int64]  # position in the episodes


def best_on_air(segments: Segments, air: Codes) -> Floats:
    """(minutes, T) the highest strength of each tag in any room, as a minute begins."""
    now = air[:, :: 60 // TICK].T  # (minutes, R)
    strength = np.vstack([segments.strength, np.zeros_like(segments.strength[:1])])
    best: Floats = strength[now].max(axis=1)
    return best


def watch(
    settings: LivePlatform,
    people: People,
    rooms: Rooms,
    segments: Segments,
    reach: Reach,
    sessions: Sessions,
    episodes: Episodes,
    rng: np.random.Generator,
) -> tuple[Pieces, Shows]:
    """Let all sessions run at once, each at its own time, a show or a piece at every step."""
    air = on_air(settings, segments, settings.rooms)
    stage = _Stage(settings, people, rooms, segments, reach, air, sessions, episodes)
    n = len(sessions.user)
    places = _Places(
        t=sessions.start.copy(),
        room=np.full(n, -1, np.int32),
        last=np.full(n, -1, np.int32),
        entered=np.zeros(n),
        swipes=np.zeros(n),
        spell=np.searchsorted(episodes.session, np.arange(n)),
    )
    pieces: list[Pieces] = []
    shows: list[Shows] = []
    active = np.arange(n)
    while len(active := active[places.t[active] < sessions.end[active] - 1]):
        _move_on(places, episodes, active)
        looking = active[places.room[active] < 0]
        if len(looking):
            shows.append(_show(stage, places, looking, rng))
            _move_on(places, episodes, looking[places.t[looking] < sessions.end[looking] - 1])
        watching = active[places.room[active] >= 0]
        watching = watching[places.t[watching] < sessions.end[watching] - 1]
        if len(watching):
            pieces.append(_stay(stage, places, watching, rng))
    return join_pieces(pieces), join_shows(shows)


def _move_on(places: _Places, episodes: Episodes, who: NDArray[np.intp]) -> None:
    """Take up the next interest where its time has come."""
    places.spell[who] += places.t[who] >= episodes.end[places.spell[who]] - 1e-6


def _show(
    stage: _Stage, places: _Places, looking: NDArray[np.intp], rng: np.random.Generator
) -> Shows:
    """Show a room to each of these sessions; who opens it is in it from the next moment on."""
    t, user = places.t[looking].copy(), stage.sessions.user[looking]
    segment = stage.air[:, (t / TICK).astype(np.int64)].T  # (n, R)
    interest = stage.episodes.tag[places.spell[looking]]
    match = stage.reach.match(
        stage.segments, stage.rooms, user[:, None], interest[:, None], segment
    )
    score = _offer_score(stage, user, segment, match, rng)
    score[(segment < 0) | _unseen_scene(stage, user, t)] = HIDDEN
    others = (score > HIDDEN / 2).sum(axis=1) > 1
    row = np.arange(len(looking))
    score[row[others], places.last[looking][others]] = HIDDEN
    room = score.argmax(axis=1).astype(np.int32)
    some = score[row, room] > HIDDEN / 2
    opened = some & (
        rng.random(len(row)) < opening_chance(match[row, room] + lowered(places.swipes[looking]))
    )
    seconds = np.where(
        opened,
        rng.uniform(0.4, 1.6, len(row)),
        np.clip(rng.lognormal(np.log(PEEK), 0.6, len(row)), 0.3, 20),
    )
    seconds = np.minimum(seconds, stage.sessions.end[looking] - t)
    places.t[looking] += np.where(some, seconds, 60.0)
    places.last[looking] = np.where(some, room, -1)
    places.swipes[looking] = places.swipes[looking] + ~opened
    entering = looking[opened]
    places.room[entering], places.entered[entering] = room[opened], places.t[entering]
    shown = Shows(user, room, segment[row, room], t, opened, seconds)
    return Shows(*(getattr(shown, one.name)[some] for one in fields(Shows)))


def _offer_score(
    stage: _Stage, user: Codes, segment: Codes, match: Floats, rng: np.random.Generator
) -> Floats:
    """(n, R) by what each session is shown a room: its own search, taste, popularity, chance."""
    way = rng.choice(4, len(user), p=[SEARCH, BY_TASTE, POPULAR, RANDOM])[:, None]
    noise = rng.gumbel(size=match.shape)
    by = [
        7.0 * match,
        2.5 * stage.reach.taste[user[:, None], segment],
        np.broadcast_to(0.8 * stage.rooms.skill, match.shape),
        np.zeros_like(match),
    ]
    score: Floats = np.choose(way, by) + noise
    return score


def _unseen_scene(stage: _Stage, user: Codes, t: Floats) -> Mask:
    """(n, R) rooms of a scene in which the user has never been and is not to be yet."""
    people = stage.people
    waits = (people.new_scene[user] >= 0) & (t < people.new_from[user])
    hidden: Mask = waits[:, None] & (stage.rooms.scene == people.new_scene[user][:, None])
    return hidden


def _stay(
    stage: _Stage, places: _Places, watching: NDArray[np.intp], rng: np.random.Generator
) -> Pieces:
    """Watch until leaving, or until segment, interest or mood changes, whichever comes first."""
    sessions, segments, episodes = stage.sessions, stage.segments, stage.episodes
    t, room = places.t[watching].copy(), places.room[watching].copy()
    segment = stage.air[room, (t / TICK).astype(np.int64)]
    off = segment < 0  # the room went off air in the moment of entering
    places.room[watching[off]] = -1
    watching, t, room, segment = watching[~off], t[~off], room[~off], segment[~off]
    user, tag = sessions.user[watching], episodes.tag[places.spell[watching]]
    match = stage.reach.match(segments, stage.rooms, user, tag, segment)
    going = t >= sessions.leaving[watching]
    wanted = match + 0.5 * lowered(places.swipes[watching])
    rate = leaving_rate(wanted, t - places.entered[watching], going)
    until = t + 0.5 + rng.exponential(1 / rate)
    bound = np.minimum(segments.end[segment], episodes.end[places.spell[watching]])
    mood = np.where(going, np.inf, sessions.leaving[watching])
    bound = np.minimum(bound, np.minimum(mood, sessions.end[watching]))
    stop = np.minimum(until, bound)
    after = np.minimum((stop / TICK + 1e-9).astype(np.int64), stage.settings.ticks)
    closes = (stop >= segments.end[segment]) & (stage.air[room, after] < 0)
    leaves = (until < bound) | closes | (stop >= sessions.end[watching] - 1)
    places.t[watching] = stop
    places.room[watching[leaves]] = -1
    places.swipes[watching[stop - places.entered[watching] > 45]] = 0
    entered = places.entered[watching].copy()
    index = watching.astype(np.int32)
    return Pieces(user, index, room, segment, tag, t, stop, entered, match, leaves)


def join_pieces(parts: list[Pieces]) -> Pieces:
    """Put pieces one after another."""
    return Pieces(*_joined(parts))


def join_shows(parts: list[Shows]) -> Shows:
    """Put shows one after another."""
    return Shows(*_joined(parts))


def _joined(parts: list[Any]) -> list[Any]:
    return [np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(parts[0])]
