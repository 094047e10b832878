"""A path through a long room: what to see, in which order, within the time there is.

Parts are cut into pieces of a few minutes, highlights apart. The worth of a set S of pieces is

    f(S) = Σ_t w_t · h · (1 - exp(-x_t(S) / h)),
    x_t(S) = seen_t + Σ_{p ∈ S} minutes_p · a_p · s_pt

with w_t the user's interest in tag t, s_pt the tag's strength, a_p what the piece did with its
viewers, and h the minutes after which more of the same is worth 1/e. f is monotone and submodular,
and the time a knapsack: Greedy+Max ("Bring Your Own Greedy"+Max, Yaroslavtsev, Zhou and Avdiukhin
2020, theorem 1.1) finds at least half of the best; `ViewingPath.best_possible` bounds the best of
this very case from above, so that it is known how far off a path can be at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.errors import SettingsError
from tagcf.live.interest.reading.answers import TagInterest
from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.path.pieces import MINUTE, PathSettings, Piece, cut_part
from tagcf.live.viewing.path.stops import Stop, stops_of
from tagcf.live.viewing.path.worth import Worth, greedy_max, seen_tags

__all__ = ["PathSettings", "Piece", "Stop", "ViewingPath", "viewing_path"]


@dataclass(frozen=True, slots=True)
class ViewingPath:
    """Stops in the order to watch them."""

    at: float
    minutes: float
    stops: tuple[Stop, ...]
    value: float
    best_possible: float  # no path can be worth more than this
    left_out: tuple[tuple[RoomPart, str], ...]  # parts that carry a muted tag, and which

    @property
    def watched(self) -> float:
        """Minutes that the path takes."""
        return sum(stop.end - stop.start for stop in self.stops) / MINUTE


def viewing_path(
    parts: Sequence[RoomPart],
    interest: Iterable[TagInterest],
    at: float,
    minutes: float = 20.0,
    seen: Sequence[tuple[float, float]] = (),
    using: PathSettings | None = None,
) -> ViewingPath:
    """Choose what of one room to see, and in which order.

    Parameters
    ----------
    parts
        Of one room, from `room_parts` at the same time.
    interest
        Of the user at that time, all of it: `InterestEngine.interest(user, at, k=…)`. Muted tags
        bar every part that carries them, however weakly.
    at
        Epoch seconds. What was before can be seen again; what is on and what is announced can be
        seen when it is on, if that is within the time.
    minutes
        Time there is.
    seen
        Spans of the room that the user has seen: they are not shown again, and what they were about
        counts as seen.

    Raises
    ------
    SettingsError
        The time is no positive number.
    """
    if not 0 < minutes < float("inf"):
        raise SettingsError("live_viewing.bad_minutes", value=minutes)
    using = using or PathSettings()
    told = tuple(interest)
    muted = {one.tag for one in told if one.edited == "mute"}
    strengths = {one.tag: one.strength for one in told if one.strength != 0.0}
    barred = tuple(
        (part, slug) for part in parts for slug in _barred(part, muted) if part.end > part.start
    )
    allowed = [part for part in parts if not _barred(part, muted)]
    pieces = [
        piece
        for part in allowed
        for piece in cut_part(part, at, at + MINUTE * minutes, seen, using)
    ]
    worth = Worth(pieces, strengths, seen_tags(parts, seen), using)
    chosen, bound = greedy_max(worth, np.array([piece.minutes for piece in pieces]), minutes)
    ordered = sorted(chosen, key=lambda k: (pieces[k].start, k))
    stops = stops_of([pieces[k] for k in ordered], worth, ordered, at, best_first=using.best_first)
    return ViewingPath(at, minutes, stops, worth.of(ordered), bound, barred)


def _barred(part: RoomPart, muted: set[str]) -> list[str]:
    """First muted tag that a part carries."""
    return [slug for slug, _ in part.tags if slug in muted][:1]
