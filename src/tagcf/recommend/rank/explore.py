"""A share of every list is drawn at random, with its chance logged: tomorrow's log is better.

Each place of a list is drawn on its own: with chance `share` from all candidates not yet shown,
uniformly; else it is the next best. The chance of an item at its place, given the places above it,
is then exact and never below ``share / (candidates left)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tagcf.errors import SettingsError
from tagcf.types import Codes, Floats, Mask


@dataclass(frozen=True, slots=True)
class Shown:
    """A list with what the log needs to know of it. k places."""

    item: Codes  # (k,) dense items
    propensity: Floats  # (k,) chance of this item at this place, given the places above
    randomized: Mask  # (k,) the place was drawn uniformly


@dataclass(frozen=True, slots=True)
class Exploration:
    """How much of a list is left to chance.

    Parameters
    ----------
    share
        Chance that a place is drawn uniformly, from 0 to 1.

    Raises
    ------
    SettingsError
        A share outside that range.
    """

    share: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise SettingsError("rank.bad_share", share=self.share)

    def draw(
        self,
        order: ArrayLike,
        candidates: ArrayLike,
        rng: np.random.Generator,
        k: int | None = None,
    ) -> Shown:
        """Draw a list.

        Parameters
        ----------
        order
            (m,) positions of candidates, best first, as a `Diversity` picked them. Where the list
            outruns it, places are drawn at random from the rest.
        candidates
            (n,) items that may be shown, each once.
        rng
            Source of chance.
        k
            Length of the list; by default that of `order`.

        Returns
        -------
        Shown
            min(k, n) places. `propensity` is the chance of the draw as a whole, uniform or not, and
            holds for every row alike; ``randomized`` only says how it came out.
        """
        items = np.asarray(candidates, dtype=np.int32)
        ranked = np.asarray(order, dtype=np.int64)
        size = min(ranked.size if k is None else k, items.size)
        left = list(range(items.size))
        place, chance = np.empty(size, dtype=np.int64), np.empty(size)
        random, taken = np.zeros(size, dtype=np.bool_), np.zeros(items.size, dtype=np.bool_)
        for at in range(size):
            head = next((one for one in ranked.tolist() if not taken[one]), -1)
            share = self.share if head >= 0 else 1.0
            random[at] = bool(rng.random() < share)
            pick = left[int(rng.integers(len(left)))] if random[at] else head
            chance[at] = share / len(left) + (1 - share) * (pick == head)
            place[at] = pick
            taken[pick] = True
            left.remove(pick)
        return Shown(items[place], chance, random)
