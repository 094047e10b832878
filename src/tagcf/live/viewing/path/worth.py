"""What a set of pieces is worth to a user, and the search for a good one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.path.pieces import MINUTE, PathSettings, Piece
from tagcf.types import Floats

ANYTHING = ""  # what every piece is about, so that a user without interests gets the best received


class Worth:
    """f of the package's docstring, over pieces by position."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        strengths: Mapping[str, float],
        seen: Mapping[str, float],
        using: PathSettings,
    ) -> None:
        wanted = sorted(slug for slug, strength in strengths.items() if strength > 0)
        self.tags = (*wanted, ANYTHING)
        self.weight = np.array([*(strengths[slug] for slug in wanted), using.anything])
        self.saturation = using.saturation
        self.before = np.array([*(seen.get(slug, 0.0) for slug in wanted), 0.0])
        column = {slug: k for k, slug in enumerate(wanted)}
        self.adds = np.zeros((len(pieces), len(self.tags)))  # minutes of each tag
        for row, piece in enumerate(pieces):
            # What the user dislikes takes away from what a piece is worth, down to nothing.
            dislike = sum(s * max(0.0, -strengths.get(slug, 0.0)) for slug, s in piece.part.tags)
            times = piece.minutes * piece.appeal * max(0.0, 1.0 - dislike)
            for slug, strength in piece.part.tags:
                if slug in column:
                    self.adds[row, column[slug]] = times * strength
            self.adds[row, -1] = times

    def reached(self, chosen: Sequence[int]) -> Floats:
        """(T,) minutes of each tag after these pieces."""
        reached: Floats = self.before + self.adds[list(chosen)].sum(axis=0)
        return reached

    def by_tag(self, reached: Floats) -> Floats:
        """Worth by tag; (…, T)."""
        h = self.saturation
        worth: Floats = self.weight * h * -np.expm1(-reached / h)
        return worth

    def of(self, chosen: Sequence[int]) -> float:
        """Worth of a set of pieces beside what was seen."""
        return float((self.by_tag(self.reached(chosen)) - self.by_tag(self.before)).sum())

    def gains(self, reached: Floats) -> Floats:
        """(n,) what each piece would add."""
        gains: Floats = (self.by_tag(reached + self.adds) - self.by_tag(reached)).sum(axis=1)
        return gains


def greedy_max(worth: Worth, cost: Floats, budget: float) -> tuple[list[int], float]:
    """Greedy by gain a minute; at every step the best single addition is tried as an end.

    Returns the pieces, and a bound of what any set can be worth: at each step the worth so far and
    the fractional knapsack of all gains there (Leskovec et al. 2007, section 3.2).
    """
    chosen: list[int] = []
    best: tuple[float, list[int]] = (0.0, [])
    bound, spent = float("inf") if len(cost) else 0.0, 0.0
    reached, left = worth.before.copy(), np.ones(len(cost), np.bool_)
    value = 0.0
    while left.any():
        gains = np.where(left, worth.gains(reached), 0.0)
        bound = min(bound, value + _fractional(gains, cost, budget))
        fits = left & (cost <= budget - spent + 1e-9) & (gains > 0)
        if not fits.any():
            break
        single = int(np.where(fits, gains, -1.0).argmax())
        if value + gains[single] > best[0]:
            best = (value + float(gains[single]), [*chosen, single])
        dense = int(np.where(fits, gains / cost, -1.0).argmax())
        chosen.append(dense)
        left[dense] = False
        value += float(gains[dense])
        spent += float(cost[dense])
        reached = reached + worth.adds[dense]
    if value >= best[0]:
        best = (value, chosen)
    return best[1], max(bound, best[0])


def _fractional(gains: Floats, cost: Floats, budget: float) -> float:
    """Worth of the fractional knapsack."""
    order = np.argsort(-gains / cost, kind="stable")
    room = np.clip(budget - (cost[order].cumsum() - cost[order]), 0.0, cost[order])
    return float((gains[order] * room / cost[order]).sum())


def seen_tags(parts: Sequence[RoomPart], seen: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Minutes of each tag that have been seen."""
    minutes: dict[str, float] = {}
    for part in parts:
        long = sum(max(0.0, min(part.end, b) - max(part.start, a)) for a, b in seen) / MINUTE
        for slug, strength in part.tags:
            if long:
                minutes[slug] = minutes.get(slug, 0.0) + long * strength
    return minutes
