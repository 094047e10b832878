"""What is counted for hints: by whom, over how long a window, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HintKind = Literal[
    "ask_price",
    "ask_link",
    "ask_detail",
    "complaint",
    "request",
    "buying",
    "arrivals",
    "leaving",
    "falling",
]


@dataclass(frozen=True, slots=True)
class Channel:
    """One count a second.

    Parameters
    ----------
    window
        Seconds that are judged together.
    per_viewer
        Whether the rate is that of a viewer; else that of the room.
    start
        Rate before anything is known, a second (and viewer); worth one event of experience.
    weight
        How much a hint of this kind matters, 0..1.
    """

    window: int
    per_viewer: bool
    start: float
    weight: float


# Counts that rise; "falling" is what viewers do altogether, and is looked at when it falls.
CHANNELS: dict[HintKind, Channel] = {
    "ask_price": Channel(30, True, 2e-4, 0.8),
    "ask_link": Channel(30, True, 2e-4, 0.85),
    "ask_detail": Channel(30, True, 2e-4, 0.7),
    "complaint": Channel(30, True, 1e-4, 0.9),
    "request": Channel(30, True, 2e-4, 0.55),
    "buying": Channel(60, True, 3e-4, 0.5),
    "arrivals": Channel(60, False, 5e-2, 0.45),
    "leaving": Channel(30, True, 3e-3, 0.75),
}
KINDS: tuple[HintKind, ...] = (*CHANNELS, "falling")
FALLING_WEIGHT = 0.65
ASKED: tuple[HintKind, ...] = ("ask_price", "ask_link", "ask_detail", "complaint", "request")


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that a host may want to act on; epoch seconds.

    `by_chance` is how many times an hour a room at its own rate would show such a count, looked at
    every second: what a hint is held against, and its confidence.
    """

    room_id: str
    at: float  # the last second that was counted
    kind: HintKind
    count: float  # people (asked …), arrivals, leaves, purchases; acts of "falling"
    window: int  # seconds
    before: float  # the same in the minute before the window; of "falling", in five minutes
    usual: float  # expected in the window, from the room's own rate
    by_chance: float
    subject: str  # of questions, complaints and wishes; empty: mixed
    number: int  # product number that they name; -1: none, or mixed
    product_id: str | None  # on the table
    viewers: float
    priority: float  # 0..1
    said: tuple[str, ...]  # up to two of the lines, as they were written

    @property
    def change(self) -> float:
        """Share above or below the usual: -0.4 is 40% less."""
        return self.count / self.usual - 1.0 if self.usual > 0 else float("inf")
