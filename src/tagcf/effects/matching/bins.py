"""Matching in bins of the score: subclassification (Rosenbaum and Rubin 1984)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.cells import total_by
from tagcf.effects.matching.pairing import Pairing
from tagcf.types import Floats, Mask

PER_BIN = 5  # treated units that a bin must hold


def pair_in_bins(
    score: Floats,
    carries: Mask,
    pool: NDArray[np.integer],
    weight: Floats,
    caliper: float | None,
    bins: int,
) -> Pairing:
    """Compare treated units with all controls of their bin; parameters as in `pair`.

    Bins are cut at quantiles of the treated, and end a caliper beyond the outermost treated. A bin
    with n treated of weight A and m controls of weight B counts for AB/(A + B) · (n + m)/m, as a
    match does in `pair`.
    """
    nothing = np.zeros(len(score))
    if not carries.any() or carries.all():
        return Pairing(nothing, nothing)
    edges = _edges(score, carries, bins, caliper)
    at = np.searchsorted(edges[1:-1], score, side="right")
    code = np.unique(pool * (edges.size - 1) + at, return_inverse=True)[1]
    inside = (score >= edges[0]) & (score <= edges[-1])
    with_tag = np.where(carries, weight, 0.0)
    without = np.where(~carries & inside, weight, 0.0)
    n_codes = int(code.max()) + 1
    a, b = total_by(code, with_tag, n_codes), total_by(code, without, n_codes)
    n = total_by(code, (with_tag > 0).astype(float), n_codes)
    m = total_by(code, (without > 0).astype(float), n_codes)
    both = (n > 0) & (m > 0)
    factor = np.where(both, (n + m) / np.where(both, m * (a + b), 1.0), 0.0)
    return Pairing(with_tag * (b * factor)[code], without * (a * factor)[code])


def _edges(score: Floats, carries: Mask, bins: int, caliper: float | None) -> Floats:
    """(B + 1,) quantiles of the treated, the outer ones moved out by the caliper."""
    most = min(bins, max(int(carries.sum()) // PER_BIN, 1))
    edges = np.quantile(score[carries], np.linspace(0, 1, most + 1))
    room = np.inf if caliper is None else caliper
    edges[0], edges[-1] = edges[0] - room, edges[-1] + room
    return np.asarray(edges)
