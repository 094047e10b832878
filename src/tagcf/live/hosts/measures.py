"""What is measured of a segment: sums over its viewers above sums over their chances to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tagcf.live.hosts.visits import Viewing
from tagcf.live.rooms.segments import RoomSegments
from tagcf.types import Floats
from tagcf.types.live import ACTIONS, LiveEvents

MeasureName = Literal["held", "watch", "lost", "interactions", "clicks", "carts", "purchases"]
INTERACTIONS = ("like", "danmaku", "comment", "share", "gift", "follow", "rewatch")
MOST_A_MINUTE = 6.0  # acts of one viewer that count: a run of gifts is not a crowd


@dataclass(frozen=True, slots=True)
class Kind:
    """How a measure is read.

    Parameters
    ----------
    good
        1 where more is better, -1 where less is.
    selling
        Whether it has a meaning only while a product is on the table.
    about
        What it says of a segment: viewers stay, they take part, or they buy.
    """

    good: Literal[1, -1]
    selling: bool
    about: Literal["staying", "taking part", "buying"]


# "held" is compared as the rate at which those leave who were there when the segment began.
MEASURES: dict[MeasureName, Kind] = {
    "held": Kind(-1, selling=False, about="staying"),
    "watch": Kind(1, selling=False, about="staying"),
    "lost": Kind(-1, selling=False, about="staying"),
    "interactions": Kind(1, selling=False, about="taking part"),
    "clicks": Kind(1, selling=True, about="buying"),
    "carts": Kind(1, selling=True, about="buying"),
    "purchases": Kind(1, selling=True, about="buying"),
}
_ACTION = {"clicks": "product_click", "carts": "add_to_cart", "purchases": "purchase"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of every segment: a ratio of sums over viewers. N pairs, G segments."""

    num: Floats  # (N,) by pair of segment and viewer
    den: Floats
    total: Floats  # (G,) sums
    chance: Floats
    spread: Floats  # () variance over mean of what viewers of one segment do: 1 if by pure chance

    def __len__(self) -> int:
        return len(self.total)


def measure_segments(
    events: LiveEvents, segments: RoomSegments, viewing: Viewing
) -> dict[MeasureName, Measured]:
    """Measure all segments. What is done before coming in or after leaving counts for nobody."""
    acted = np.flatnonzero(
        np.isin(events.action, [ACTIONS.index(name) for name in (*INTERACTIONS, *_ACTION.values())])
    )
    row = segments.at(events.room[acted], events.ts[acted])
    pair = viewing.rows(row, events.user[acted])
    inside = pair >= 0
    pair, action = pair[inside], events.action[acted][inside]

    def done(*names: str) -> Floats:
        chosen = np.isin(action, [ACTIONS.index(name) for name in names])
        return np.bincount(pair[chosen], minlength=len(viewing)).astype(np.float64)

    one, minutes = np.ones(len(viewing)), viewing.minutes
    taken = np.minimum(done(*INTERACTIONS), np.ceil(MOST_A_MINUTE * np.maximum(minutes, 1.0)))
    parts: dict[MeasureName, tuple[Floats, Floats]] = {
        "held": (viewing.lost.astype(np.float64), viewing.at_risk),
        "watch": (60.0 * minutes, one),
        "lost": (viewing.leaves, minutes),
        "interactions": (taken, minutes),
        "clicks": (done("product_click"), one),
        "carts": (done("add_to_cart"), one),
        "purchases": (done("purchase"), one),
    }
    return {
        name: _summed(num, den, viewing, len(segments), counted=name != "watch")
        for name, (num, den) in parts.items()
    }


def _summed(num: Floats, den: Floats, viewing: Viewing, n: int, *, counted: bool) -> Measured:
    total = np.bincount(viewing.segment, num, n).astype(np.float64)
    chance = np.bincount(viewing.segment, den, n).astype(np.float64)
    people = np.bincount(viewing.segment, minlength=n)
    rate = total / np.maximum(chance, 1e-9)
    off = np.square(num - rate[viewing.segment] * den)
    # A segment's own rate fits its viewers too well: n / (n - 1), where there are several.
    several = people[viewing.segment] > 1
    grown = off * (people / np.maximum(people - 1, 1))[viewing.segment]
    spread = grown[several].sum() / max(float(num[several].sum()), 1e-9)
    low = 1.0 if counted else 1e-6
    return Measured(num, den, total, chance, np.asarray(max(float(spread), low)))
