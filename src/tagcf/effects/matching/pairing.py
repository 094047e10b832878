"""Nearest-neighbour pairing with replacement by one sort and two sweeps, O(n log n)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.matching.kernels import pair_sorted
from tagcf.types import Floats, Mask


@dataclass(frozen=True, slots=True)
class Pairing:
    """Who was matched, and how much each control was used. Both sum to the same."""

    treated: Floats  # (n,) weight of each match; 0 for controls and where there is no match
    reuse: Floats  # (n,) weight that each control received; 0 for treated units


def pair(
    score: Floats,
    carries: Mask,
    pool: NDArray[np.integer],
    weight: Floats,
    caliper: float | None,
    neighbours: int = 1,
    company: float = np.inf,
) -> Pairing:
    """Match each treated unit to the nearest controls of its pool, with replacement.

    A match of a unit of weight ω with m controls of weight Ω in all counts for the precision of
    their difference, ωΩ/(ω + Ω), times (1 + m)/m: the same function of both sides' weights, so
    that neither side is made of more popular items than the other, and ω itself where all weights
    are equal. Controls with exactly the same score share by weight (ties are averaged,
    as in Abadie and Imbens 2006), so that the order of units does not matter.

    Parameters
    ----------
    score
        (n,) what distance is measured on.
    carries
        (n,) treated units.
    pool
        (n,) no match crosses pools.
    weight
        (n,) positive.
    caliper
        Largest distance; ``None``: no limit.
    neighbours
        Controls of each match, at most; of those tied with the last, all.
    company
        Largest distance of the controls after the first.
    """
    if not carries.any() or carries.all():
        return Pairing(np.zeros(len(score)), np.zeros(len(score)))
    several = bool((pool != pool[0]).any())
    order = np.lexsort((score, pool)) if several else np.argsort(score)
    limit = np.inf if caliper is None else float(caliper)
    further = min(float(company), limit)
    return Pairing(*pair_sorted(order, score, carries, pool, weight, limit, further, neighbours))
