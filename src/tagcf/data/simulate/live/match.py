"""How well a segment suits a user, and what follows: opening it, and for how long to stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.data.simulate.live.people import People
from tagcf.data.simulate.live.rooms import Rooms, Segments
from tagcf.types import Codes, Floats, Mask

TASTE, TRUST, SKILL = 0.16, 0.08, 0.05  # beside a match with the current interest, up to 1
FASTEST, HOLD = 1 / 9, 4.9  # leaving: so many a second at match 0, times exp(-HOLD·match)
HURRY = 2.5  # leaving is so many times as likely when about to go
WEARY = 900.0  # seconds after which a visit loses its hold
OPEN, OPENS = -3.3, 6.8  # log-odds of opening what is shown: at match 0, per unit of match
PEEK = 2.4  # seconds, median, for what is not opened
# After each swipe people ask for less, so much of a match, up to so many swipes.
SETTLE, SWIPES = 0.08, 5


@dataclass(frozen=True, slots=True)
class Reach:
    """What suits users apart from their interest. U users, R rooms, G segments."""

    taste: Floats  # (U, G) -1..1
    trust: Floats  # (U, R)

    def match(
        self,
        segments: Segments,
        rooms: Rooms,
        users: Codes,
        interest: Codes,
        segment: Codes,
    ) -> Floats:
        """How well segments suit users who have these interests now; about 0..1.4."""
        room = segments.room[segment]
        match: Floats = (
            segments.strength[segment, interest]
            + TASTE * self.taste[users, segment]
            + TRUST * self.trust[users, room]
            + SKILL * rooms.skill[room]
        )
        return match


def reach_of(people: People, rooms: Rooms, segments: Segments) -> Reach:
    """Work out tastes for segments and trust in hosts, for all users."""
    size = np.linalg.norm(segments.strength, axis=1)
    everyone = np.arange(len(people.kind), dtype=np.int32)[:, None]
    return Reach(
        taste=np.tanh(people.taste @ (segments.strength / size[:, None]).T),
        trust=rooms.trust(people, everyone, np.arange(len(rooms.scene), dtype=np.int32)[None]),
    )


def leaving_rate(match: Floats, watched: Floats, leaving: Mask) -> Floats:
    """Chance to leave, per second, after so many seconds in the room."""
    rate: Floats = FASTEST * np.exp(-HOLD * np.clip(match, -0.3, 1.4))
    rate *= np.where(leaving, HURRY, 1.0) * np.maximum(1.0, watched / WEARY)
    return rate


def lowered(swipes: Floats) -> Floats:
    """By how much of a match expectations have come down after so many swipes in a row."""
    less: Floats = SETTLE * np.minimum(swipes, SWIPES)
    return less


def opening_chance(match: Floats) -> Floats:
    """Chance that what is shown is opened."""
    chance: Floats = 1 / (1 + np.exp(-(OPEN + OPENS * match)))
    return chance
