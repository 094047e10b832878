"""What people want right now: a current interest that moves on, and why it goes where it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.data.simulate.live.people import ADOPTED, People, Sessions
from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.scene import Topics
from tagcf.types import Codes, Floats, Mask

HABIT, LOGIC, TASTE, HOUR, FRIENDS, RETURN = 2.4, 1.8, 1.4, 1.8, 2.5, 0.7
ON_AIR = 4.0  # people want what they can have
MINUTES, SPREAD = 24.0, 0.5  # median and log standard deviation of how long an interest lasts
SHORTEST, LONGEST = 8.0, 70.0  # minutes
HALF_LIFE = 20  # minutes, of what friends were into
KEPT = 0.35  # chance that a session starts with the interest of the one before
GIVES_UP = 0.5  # chance a minute to drop an interest of which nothing is on air
NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Episodes:
    """Spells of one interest, in the order of session and start; inner seconds."""

    session: Codes
    user: Codes
    start: Floats
    end: Floats
    tag: Codes
    before: Codes  # the interest before; -1 for a user's first
    opening: Mask  # the first of its session


def next_logits(
    topics: Topics,
    people: People,
    users: Codes,
    current: Codes,
    previous: Codes,
    share_of_day: Floats,
    day: Codes,
    heat: Floats,
) -> Floats:
    """(n, T) log weight of each tag as the next interest; hopeless for the current one.

    `current` may be -1 (nothing yet); `heat` (n, T) is what friends are into, rows sum to ≤ 1.
    """
    logits: Floats = topics.popularity + TASTE * people.taste[users] + FRIENDS * heat
    logits += TASTE * ADOPTED * (people.adopted[users] <= np.asarray(day)[:, None])
    peaks = np.array([scene.peak for scene in topics.scenes])
    logits += HOUR * np.cos(np.pi * (share_of_day[:, None] - peaks[topics.scene_of]))
    row = np.arange(len(users))
    known = current >= 0
    moved = HABIT * topics.habits[people.kind[users], current] + LOGIC * topics.logic[current]
    logits[known] += moved[known]
    back = known & (previous >= 0)
    logits[row[back], previous[back]] += RETURN
    logits[row[known], current[known]] = NEVER
    logits[:, topics.scene_of < 0] = NEVER
    return logits


def keep_out(topics: Topics, people: People, users: Codes, inner: Floats, logits: Floats) -> None:
    """Make a scene in which the user is not yet hopeless, in place."""
    waits = (people.new_scene[users] >= 0) & (inner < people.new_from[users])
    logits[waits[:, None] & (topics.scene_of == people.new_scene[users][:, None])] = NEVER


def draw_minutes(n: int, rng: np.random.Generator) -> Floats:
    """(n,) seconds that an interest lasts."""
    minutes = np.clip(rng.lognormal(np.log(MINUTES), SPREAD, n), SHORTEST, LONGEST)
    return 60 * minutes


def live_through(
    settings: LivePlatform,
    topics: Topics,
    people: People,
    sessions: Sessions,
    offered: Floats,
    rng: np.random.Generator,
) -> Episodes:
    """Draw everybody's interests, minute by minute, because friends follow each other.

    `offered` (minutes, T) is how much of each tag is on air.
    """
    n, n_tags = settings.users, len(topics.tags)
    now, before = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    session_of = np.full(n, -1, np.int32)
    due = np.full(n, np.inf)
    heat = np.zeros((n, n_tags))
    starts = np.argsort(sessions.start, kind="stable")
    first = np.searchsorted(sessions.start[starts], np.arange(0, settings.seconds + 61, 60.0))
    growth = 2 ** (1 / HALF_LIFE)
    rows: list[tuple[Codes, Codes, Floats, Codes, Codes, Mask]] = []
    for minute in range(-(-settings.seconds // 60)):
        begins = 60.0 * minute
        in_day = int(begins % settings.window) // 60
        if in_day == 0:
            heat[:] = 0
        there = session_of >= 0
        there[there] = sessions.end[session_of[there]] > begins
        session_of[~there] = -1
        online = np.flatnonzero(there)
        heat[online, now[online]] += growth**in_day
        missing = offered[minute, now[online]] < 0.45
        tired = online[missing & (rng.random(len(online)) < GIVES_UP)]
        due[tired] = np.minimum(due[tired], begins + 60 * rng.random(len(tired)))
        ending = sessions.end[np.maximum(session_of, 0)]
        switching = np.flatnonzero(there & (due < begins + 60) & (due < ending - 60))
        entering = starts[first[minute] : first[minute + 1]].astype(np.int32)
        users = np.concatenate([switching.astype(np.int32), sessions.user[entering]])
        if len(users) == 0:
            continue
        opening = np.arange(len(users)) >= len(switching)
        when = np.where(opening, 0.0, np.maximum(due[users], begins))
        when[opening] = sessions.start[entering]
        session_of[sessions.user[entering]] = entering
        around = people.friends[users] @ heat
        around /= around.sum(axis=1, keepdims=True) + 1e-9
        logits = next_logits(
            topics,
            people,
            users,
            now[users],
            before[users],
            settings.share_of_day(when),
            settings.day_of(when),
            around,
        )
        logits += ON_AIR * offered[minute]
        keep_out(topics, people, users, when, logits)
        chosen = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)
        same = opening & (now[users] >= 0) & (rng.random(len(users)) < KEPT)
        chosen[same] = now[users[same]]
        rows.append((session_of[users], users, when, chosen, now[users], opening))
        moved = chosen != now[users]
        before[users[moved]] = now[users[moved]]
        now[users] = chosen
        due[users] = when + draw_minutes(len(users), rng)
    return _episodes(sessions, rows)


def _episodes(
    sessions: Sessions, rows: list[tuple[Codes, Codes, Floats, Codes, Codes, Mask]]
) -> Episodes:
    session, user, start, tag, before, opening = (
        np.concatenate(column) for column in zip(*rows, strict=True)
    )
    order = np.lexsort((start, session))
    session, start = session[order], start[order]
    last = np.append(session[1:] != session[:-1], True)
    end = np.where(last, sessions.end[session], np.append(start[1:], 0.0))
    return Episodes(session, user[order], start, end, tag[order], before[order], opening[order])
