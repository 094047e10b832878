"""How many clusters an estimate rests on, counted by their weight in it.

Satterthwaite (1946); Carter, Schnepel and Steigerwald (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.linear.cells import CellSums, distinct
from tagcf.effects.linear.clusters.kernels import add_concentration, square_sums, sum_run
from tagcf.effects.linear.scores import ScoreSums
from tagcf.types import Codes, Floats, Mask


@dataclass(frozen=True, slots=True)
class Spread:
    """Variance of a cell's mean residual: noise / weight + between."""

    noise: Floats  # (K,)
    between: Floats  # (K,)


def spread_of(sums: CellSums, scores: ScoreSums, share: Floats, cell_group: Codes) -> Spread:
    """Noise within cells and variance between them, by moments (Swamy and Arora 1972)."""
    some = sums.weight > 0
    rows, cells = sums.rows[some].sum(), int(np.count_nonzero(some))
    used: Mask | slice = slice(None) if cells == len(some) else some
    counted = sums.weight[used]
    weight = counted / share[used]  # of all rows
    # One outcome at a time: cells may be as many as rows.
    between_ss = np.array([weight @ (one[used] / counted) ** 2 for one in scores.e.T])
    within = np.maximum(scores.see - between_ss, 0.0)
    free = max(cells - distinct(cell_group[used]), 1)
    average = weight.sum() / max(cells, 1)
    noise = within / max(rows - cells, 1.0) if rows > cells else np.zeros(len(scores.see))
    between = np.maximum(between_ss / free - noise, 0.0) / max(average, 1e-300)
    if rows <= cells:  # one row a cell: the two cannot be told apart
        between = between_ss / free / max(average, 1e-300)
    return Spread(noise, between)


def sum_runs(values: Floats, starts: NDArray[np.integer]) -> Floats:
    """(c, T) sums of the rows of values (m, T) from each start to the next."""
    if starts.size == len(values):
        return values
    out = np.zeros((starts.size, values.shape[1]), values.dtype)
    sum_run(values, starts, out)
    return out


@dataclass(frozen=True, slots=True)
class Concentration:
    """Sums over clusters from which effective clusters follow, whatever the spread.

    γ of a cluster is between · a + noise · b, a and b being sums over its cells.
    """

    sums: Floats  # (5, T) Σa, Σb, Σa², Σab, Σb²
    shares: Floats  # (2, T) Σ and maximum of the clusters' weights

    @staticmethod
    def empty(n_tags: int) -> Concentration:
        """Sums over no clusters."""
        return Concentration(np.zeros((5, n_tags)), np.zeros((2, n_tags)))

    def add(
        self, weight: Floats, share: Floats, influence: Floats, starts: NDArray[np.integer]
    ) -> None:
        """Add whole clusters, in place.

        Parameters
        ----------
        weight, share, influence
            (m,), (m,) and (m, T) of their cells.
        starts
            (c,) first cell of each cluster.
        """
        add_concentration(influence, weight, share, starts, self.sums, self.shares)

    def told(self, spread: Spread) -> tuple[Floats, Floats]:
        """Effective clusters (K, T), and the largest cluster's share (T,)."""
        a, b, aa, ab, bb = self.sums
        between, noise = spread.between[:, None], spread.noise[:, None]
        total = between * a + noise * b
        squared = between**2 * aa + 2 * between * noise * ab + noise**2 * bb
        return (
            np.asarray(total**2 / np.maximum(squared, 1e-300)),
            self.shares[1] / np.maximum(self.shares[0], 1e-300),
        )


def effective_of_moves(moves: Floats) -> tuple[Floats, Floats]:
    """Effective clusters (K, T), and the largest one's share (T,), from moves (K, G, T) themselves.

    Squares of normal moves have a kurtosis of 3, so that G equal clusters would count as G / 3.
    """
    effective, largest = np.empty((len(moves), moves.shape[2])), np.zeros(moves.shape[2])
    for k, one in enumerate(moves):
        count, total, fourth, most = square_sums(one)
        effective[k] = np.minimum(3 * total**2 / np.maximum(fourth, 1e-300), count)
        largest = np.maximum(largest, most / np.maximum(total, 1e-300))
    return effective, largest
