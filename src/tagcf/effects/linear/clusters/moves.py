"""What leaving out a cluster of several cells moves the coefficients by, re-estimating all.

B⁻¹R'(I - RB⁻¹R')⁻¹e with the block-diagonal B of partialled tags and controls (Bell and McCaffrey
2002; MacKinnon, Nielsen and Webb 2023). Rows of R are the cluster's cells, scaled by the root of
their weight, and one more for each fixed-effect group of which the cluster is only a part, since
that group's mean moves with it. Clusters of about the same size, each within one group, are solved
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.effects.linear.clusters.kernels import add_scaled_clusters, solve_left_out
from tagcf.effects.linear.solve import Partialled
from tagcf.types import Codes, Floats

LEVERAGE_LIMIT = 1.0 - 1e-9
SAFE_LEVERAGE = 0.9  # summed over a cluster: below it a plain solution is accurate
WHOLE = 1e-12  # share of a group's weight outside a cluster that is rounding
ALONE = 32  # most cells of clusters that are solved together
PADDED = 4  # sizes are rounded up to a multiple, so that few differ
TOGETHER = 2**18  # products of two cells of a cluster, for so many clusters at a time

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class ClusterCells:
    """Cells of whole clusters, cluster after cluster. m cells, c clusters, T tags, K outcomes."""

    group: Codes  # (m,) fixed-effect group of each cell
    starts: Positions  # (c,) first cell of each cluster
    sizes: Positions  # (c,)
    weight: Floats  # (m,)
    e: Floats  # (m, K) weighted residuals
    x: Floats  # (m, P) mean controls minus their group mean
    controls: Floats  # (m, P) those times their inverse Gram
    hat: Floats  # (m, T) partialled tags, controls at the cells' means
    influence: Floats  # (m, T) hat times the inverse


def inverse_gap(leverage: Floats) -> Floats:
    """1 / (1 - leverage), finite also where a cluster decides a coefficient alone."""
    return np.asarray(1.0 / np.maximum(1.0 - np.minimum(leverage, LEVERAGE_LIMIT), 1e-9))


def cluster_moves(part: Partialled, inverse: Floats, held: ClusterCells) -> Floats:
    """(K, c, T) moves of all clusters, the part within cells left out.

    Parameters
    ----------
    inverse
        (T, T) inverse Gram of the partialled tags.
    """
    n_out, n_tags = held.e.shape[1], inverse.shape[0]
    solution = np.zeros(held.e.shape)
    alone = held.sizes > ALONE
    if len(part.group_weight) > 1:
        alone |= ~_in_one_group(held)
    whole = part.group_weight[held.group[held.starts]]
    padded = -(-held.sizes // PADDED) * PADDED
    for size in np.unique(padded[~alone]):
        alike = np.flatnonzero((padded == size) & ~alone)
        step = max(TOGETHER // int(size) ** 2, 1)
        for start in range(0, alike.size, step):
            which = alike[start : start + step]
            of = _cells_of(held, which, int(size))
            products = of(held.influence) @ of(held.hat).swapaxes(1, 2)
            products += of(held.controls) @ of(held.x).swapaxes(1, 2)
            safe = np.empty(which.size, dtype=bool)
            starts, sizes = held.starts[which], held.sizes[which]
            args = (products, starts, sizes, held.weight, held.e, whole[which])
            solve_left_out(*args, SAFE_LEVERAGE, WHOLE, solution, safe)
            alone[which[~safe]] = True
    out = np.zeros((n_out, held.starts.size, n_tags), held.hat.dtype)
    scale = solution.astype(held.hat.dtype, copy=False)
    add_scaled_clusters(held.starts, held.sizes, scale, held.influence, out)
    for at in np.flatnonzero(alone):
        inside = slice(held.starts[at], held.starts[at] + held.sizes[at])
        out[:, at] = _solved_alone(part, inverse, held, inside)
    return out


def _in_one_group(held: ClusterCells) -> NDArray[np.bool_]:
    """(c,) whether all cells of a cluster are of one group."""
    changes = np.cumsum(np.diff(held.group, prepend=held.group[:1]) != 0)
    return np.asarray(changes[held.starts] == changes[held.starts + held.sizes - 1])


def _cells_of(held: ClusterCells, which: Positions, size: int) -> Callable[[Floats], Floats]:
    """Give what picks (c, size, ·) cells of clusters of at most so many from values (m, ·).

    Shorter ones repeat their first cell. Where all are of the same size and stand after one
    another, nothing is copied.
    """
    starts, sizes = held.starts[which], held.sizes[which]
    first = int(starts[0])
    if (sizes == size).all() and (np.diff(starts) == size).all():
        inside = slice(first, first + starts.size * size)
        return lambda values: values[inside].reshape(starts.size, size, values.shape[1])
    at = np.arange(size)
    cell = starts[:, None] + np.where(at < sizes[:, None], at, 0)
    return lambda values: values[cell]


def _solved_alone(part: Partialled, inverse: Floats, held: ClusterCells, inside: slice) -> Floats:
    """(K, T) move of one cluster, by eigenvalues so that it stays finite.

    Where the cluster has more cells than there are columns, as (B - R'R)⁻¹R'e.
    """
    weight, x = held.weight[inside], held.x[inside]
    columns = np.hstack([held.hat[inside], x])
    carried = np.hstack([held.influence[inside], held.controls[inside]])
    mixed = _mix(part, held.group[inside], weight)
    rows, carried = mixed @ columns, mixed @ carried
    e = (mixed / weight) @ held.e[inside]
    n_tags = inverse.shape[0]
    if len(rows) <= rows.shape[1]:
        values, vectors = np.linalg.eigh(carried @ rows.T)
        adjusted = vectors @ (inverse_gap(values)[:, None] * (vectors.T @ e))
        return np.asarray((carried[:, :n_tags].T @ adjusted).T)
    half = _root(linalg.block_diag(inverse, part.xx_inverse))
    values, vectors = np.linalg.eigh(half @ (rows.T @ rows) @ half)
    shares = vectors.T @ (half @ (rows.T @ e))
    moved = half @ (vectors @ (inverse_gap(values)[:, None] * shares))
    return np.asarray(moved[:n_tags].T)


def _mix(part: Partialled, groups: Codes, weight: Floats) -> Floats:
    """Rows of R as combinations of cells (m,) of some groups."""
    mix = [np.diag(np.sqrt(weight))]
    for group in np.unique(groups):
        own = groups == group
        rest = part.group_weight[group] - weight[own].sum()
        if rest > WHOLE * part.group_weight[group]:
            mix.append((own * weight / np.sqrt(rest))[None])
    return np.concatenate(mix)


def _root(inverse: Floats) -> Floats:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(inverse)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
