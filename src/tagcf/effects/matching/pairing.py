"""Nearest-neighbour pairing with replacement by sort and search, O(n log n)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    n_rows = len(score)
    controls, treated = np.flatnonzero(~carries), np.flatnonzero(carries)
    matched = np.zeros(n_rows, dtype=bool)
    reuse = np.zeros(n_rows)
    if not controls.size or not treated.size:
        return Pairing(matched, reuse)
    order = controls[np.lexsort((score[controls], cell[controls]))]
    # Runs of controls with the same cell and score are one candidate.
    new = np.append(True, (np.diff(score[order]) != 0) | (np.diff(cell[order]) != 0))
    run = np.cumsum(new) - 1
    run_cell, run_score = cell[order][new], score[order][new]
    run_weight = np.bincount(run, weights=weight[order])
    nearest, distance = _nearest(run_cell, run_score, cell[treated], score[treated])
    found = np.isfinite(distance) if caliper is None else distance <= caliper
    matched[treated[found]] = True
    received = np.bincount(
        nearest[found], weights=weight[treated[found]], minlength=run_weight.size
    )
    reuse[order] = weight[order] * (received / run_weight)[run]
    return Pairing(matched, reuse)


def _nearest(
    run_cell: NDArray[np.integer],
    run_score: Floats,
    cell: NDArray[np.integer],
    score: Floats,
) -> tuple[np.ndarray, Floats]:
    """Position of, and distance to, the nearest run in the same cell (inf: none)."""
    starts = np.searchsorted(run_cell, cell, side="left")
    ends = np.searchsorted(run_cell, cell, side="right")
    # One search over (cell, score): shift scores so that cells cannot overlap.
    low = min(run_score.min(), score.min())
    span = max(run_score.max(), score.max()) - low + 1.0
    levels, run_level = np.unique(run_cell, return_inverse=True)
    level = np.searchsorted(levels, cell)
    at = np.searchsorted(run_level * span + (run_score - low), level * span + (score - low))
    right = np.clip(at, starts, np.maximum(ends - 1, starts))
    left = np.clip(at - 1, starts, np.maximum(ends - 1, starts))
    right, left = (np.minimum(side, run_score.size - 1) for side in (right, left))
    to_right, to_left = np.abs(run_score[right] - score), np.abs(run_score[left] - score)
    nearest = np.where(to_left <= to_right, left, right)
    distance = np.minimum(to_left, to_right)
    return nearest, np.where(ends > starts, distance, np.inf)
