"""Products of scores summed by cluster, along one axis or two and their crossing.

Cameron, Gelbach and Miller (2011). Few pairs of clusters (a user and an item) hold several rows,
so the crossing is the sum over rows, put right for these pairs alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tagcf.effects.instruments.kernels import add_by
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Crossing:
    """Pairs of clusters that hold more than one row."""

    repeated: np.ndarray  # (R,) int64 keys, sorted
    n_pairs: int

    def positions(self, keys: np.ndarray) -> np.ndarray:
        """(n,) place of each key in `repeated`; -1 where its pair holds that row alone."""
        if not self.repeated.size:
            return np.full(keys.size, -1)
        at = np.minimum(np.searchsorted(self.repeated, keys), self.repeated.size - 1)
        return np.where(self.repeated[at] == keys, at, -1)


def pair_keys(clusters: Codes) -> np.ndarray:
    """(n,) int64 key of each row's pair of clusters."""
    return (clusters[:, 0].astype(np.int64) << 32) + clusters[:, 1]


def find_crossing(keys: list[np.ndarray]) -> Crossing:
    """Find the repeated pairs among the keys of all rows."""
    every = np.sort(np.concatenate(keys)) if keys else np.empty(0, np.int64)
    same = every[1:] == every[:-1]
    return Crossing(np.unique(every[1:][same]), int(every.size - same.sum()))


def cluster_products(
    parts: Iterable[tuple[Codes, Floats]], crossing: Crossing | None
) -> tuple[tuple[Floats, ...], int]:
    """Sum scores by cluster and multiply the sums, with the factor G/(G - 1) of each axis.

    Parameters
    ----------
    parts
        For each block of rows (n, C) clusters, dense from 0 (-1: one more), and (n, m) scores.
    crossing
        What `find_crossing` found; None with one axis.

    Returns
    -------
    products
        (m, m) per axis, then of the crossing.
    clusters
        Smallest number of clusters among the axes.
    """
    tables: list[Floats] = []
    rows, repeated, single = np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0))
    for clusters, scores in parts:
        if not tables:
            m = scores.shape[1]
            tables = [np.zeros((0, m)) for _ in range(clusters.shape[1])]
            rows, single = np.zeros((m, m)), np.zeros((m, m))
            repeated = np.zeros((0 if crossing is None else crossing.repeated.size, m))
        for axis in range(clusters.shape[1]):
            code = clusters[:, axis].astype(np.int64) + 1
            tables[axis] = _grown(tables[axis], int(code.max(initial=0)) + 1)
            add_by(tables[axis], code, scores)
        if crossing is not None:
            rows += scores.T @ scores
            at = crossing.positions(pair_keys(clusters))
            again = scores[at >= 0]
            single += again.T @ again
            add_by(repeated, at, scores)
    counts = [max(int((table != 0).any(axis=1).sum()), 2) for table in tables]
    products = [
        count / (count - 1) * (table.T @ table) for table, count in zip(tables, counts, strict=True)
    ]
    if crossing is not None:
        factor = crossing.n_pairs / max(crossing.n_pairs - 1, 1)
        products.append(factor * (rows - single + repeated.T @ repeated))
    return tuple(products), min(counts, default=0)


def _grown(table: Floats, n_rows: int) -> Floats:
    """Return the table with at least so many rows; it doubles, so that growing stays cheap."""
    if n_rows <= len(table):
        return table
    longer = np.zeros((max(n_rows, 2 * len(table)), table.shape[1]))
    longer[: len(table)] = table
    return longer


def combine_axes(products: tuple[Floats, ...]) -> Floats:
    """(m, m) V₁ + V₂ - V₁₂; the larger of the two where that is no covariance."""
    if len(products) == 1:
        return products[0]
    both = products[0] + products[1] - products[2]
    if both.size and np.linalg.eigvalsh(both).min() <= 0:
        return max(products[:2], key=np.trace)
    return np.asarray(both)
