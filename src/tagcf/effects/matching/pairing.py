"""Nearest-neighbour pairing with replacement by one sort and two sweeps, O(n log n)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.matching.kernels import pair_sorted
from tagcf.types import Floats, Mask


@dataclass(frozen=True, slots=True)
class Pairing:
    """Who was matched, and how often each control was used."""

    matched: Mask  # (n,) treated rows that found a control
    reuse: Floats  # (n,) weight that each control received; 0 for treated rows


def pair(
    score: Floats, carries: Mask, cell: NDArray[np.integer], weight: Floats, caliper: float | None
) -> Pairing:
    """Match each treated row to the nearest controls of its cell, with replacement.

    Controls with exactly the same score share the match evenly by weight (ties are averaged, as
    in Abadie and Imbens 2006), so that the order of rows does not matter.

    Parameters
    ----------
    score
        (n,) what distance is measured on.
    carries
        (n,) treated rows.
    cell
        (n,) exact-matching cells; no match crosses them.
    weight
        (n,) row weights.
    caliper
        Largest distance; ``None``: no limit.
    """
    if not carries.any() or carries.all():
        return Pairing(np.zeros(len(score), dtype=bool), np.zeros(len(score)))
    several = bool((cell != cell[0]).any())
    order = np.lexsort((score, cell)) if several else np.argsort(score)
    limit = np.inf if caliper is None else float(caliper)
    return Pairing(*pair_sorted(order, score, carries, cell, weight, limit))
