"""Parts cut into pieces of a few minutes, highlights apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.live.viewing.parts import RoomPart

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class PathSettings:
    """How paths are chosen.

    `saturation`, `highlight` and `reception` are compromises between minutes watched, variety and
    highlights, tried on simulated worlds of seeds 100 to 103: there, watching alone would have
    neither redundancy nor highlights nor reception count.

    Parameters
    ----------
    piece
        Seconds of a piece at most.
    shortest
        Seconds of a piece at least.
    lead
        Seconds shown before a highlight, and after.
    saturation
        Minutes of a tag after which more of it is worth 1/e as much: h.
    anything
        Weight of seeing anything at all, beside an interest of at most 1.
    highlight
        Times a piece counts that is a highlight.
    best_first
        Whether replays come by what they are worth a minute, or else in the order they were.
    reception
        Power of what a part did with viewers: 0 leaves it out.
    """

    piece: float = 150.0
    shortest: float = 30.0
    lead: float = 10.0
    saturation: float = 60.0
    anything: float = 0.05
    highlight: float = 1.5
    reception: float = 0.25
    best_first: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """Seconds of a part; epoch seconds."""

    part: RoomPart
    start: float
    end: float
    replay: bool  # else it can only be seen when it is on
    highlight: bool
    appeal: float

    @property
    def minutes(self) -> float:
        """Minutes it takes."""
        return (self.end - self.start) / MINUTE


def cut_part(
    part: RoomPart,
    at: float,
    until: float,
    seen: Sequence[tuple[float, float]],
    using: PathSettings,
) -> list[Piece]:
    """Cut a part at `at`, where highlights begin and end, and then into pieces of a few minutes."""
    low, high = part.start, min(part.end, until)
    if low >= high:
        return []
    marks = [(max(low, one.start - using.lead), one.end + using.lead) for one in part.highlights]
    edges = {low, high, *(edge for mark in marks for edge in mark), *(e for s in seen for e in s)}
    edges |= {at}
    inside = sorted(edge for edge in edges if low <= edge <= high)
    appeal = (part.hold * part.reaction) ** using.reception
    found: list[Piece] = []
    for start, end in itertools.pairwise(inside):
        middle = (start + end) / 2
        if any(a <= middle < b for a, b in seen):
            continue
        bright = any(a <= middle < b for a, b in marks)
        count = max(1, int(np.ceil((end - start) / using.piece)))
        cuts = np.linspace(start, end, count + 1).tolist()
        found += [
            Piece(part, a, b, b <= at, bright, appeal * (using.highlight if bright else 1.0))
            for a, b in itertools.pairwise(cuts)
            if b - a >= using.shortest or bright
        ]
    return found
