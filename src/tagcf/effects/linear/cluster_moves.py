"""What leaving out a cluster of several cells moves the coefficients by, re-estimating all.

B⁻¹R'(I - RB⁻¹R')⁻¹e with the block-diagonal B of partialled tags and controls (Bell and McCaffrey
2002; MacKinnon, Nielsen and Webb 2023). Rows of R are the cluster's cells, scaled by the root of
their weight, and one more for each fixed-effect group of which the cluster is only a part, since
that group's mean moves with it. Clusters of about the same size, each within one group, are solved
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.effects.linear.solve import Partialled
from tagcf.types import Floats

LEVERAGE_LIMIT = 1.0 - 1e-9
SAFE_LEVERAGE = 0.9  # summed over a cluster: below it a plain solution is accurate
WHOLE = 1e-12  # share of a group's weight outside a cluster that is rounding
ALONE = 32  # most cells of clusters that are solved together
TOGETHER = 2**18  # products of two cells of a cluster, for so many clusters at a time

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class ClusterCells:
    """Cells of whole clusters, cluster after cluster. m cells, c clusters, T tags, K outcomes."""

    cells: Positions  # (m,)
    starts: Positions  # (c,) first cell of each cluster
    sizes: Positions  # (c,)
    weight: Floats  # (m,)
    e: Floats  # (m, K) weighted residuals
    hat: Floats  # (m, T) partialled tags, controls at the cells' means
    influence: Floats  # (m, T) hat times the inverse


def inverse_gap(leverage: Floats) -> Floats:
    """1 / (1 - leverage), finite also where a cluster decides a coefficient alone."""
    return np.asarray(1.0 / np.maximum(1.0 - np.minimum(leverage, LEVERAGE_LIMIT), 1e-9))


def cluster_moves(part: Partialled, inverse: Floats, held: ClusterCells) -> Floats:
    """(c, K, T) moves of all clusters, the part within cells left out.

    Parameters
    ----------
    inverse
        (T, T) inverse Gram of the partialled tags.
    """
    n_out, n_tags = held.e.shape[1], inverse.shape[0]
    out = np.empty((held.starts.size, n_out, n_tags), held.hat.dtype)
    left = np.ones(held.starts.size, dtype=bool)
    padded = np.exp2(np.ceil(np.log2(held.sizes))).astype(int)
    padded[~_in_one_group(part, held)] = ALONE + 1
    for size in np.unique(padded[padded <= ALONE]):
        alike = np.flatnonzero(padded == size)
        step = max(TOGETHER // int(size) ** 2, 1)
        for start in range(0, alike.size, step):
            which = alike[start : start + step]
            moves, safe = _solved_together(part, held, which, int(size))
            out[which[safe]] = moves[safe]
            left[which[safe]] = False
    for at in np.flatnonzero(left):
        inside = slice(held.starts[at], held.starts[at] + held.sizes[at])
        out[at] = _solved_alone(part, inverse, held, inside)
    return out


def _in_one_group(part: Partialled, held: ClusterCells) -> NDArray[np.bool_]:
    """(c,) whether all cells of a cluster are of one group."""
    group = part.tags.group[held.cells]
    changes = np.cumsum(np.diff(group, prepend=group[:1]) != 0)
    return np.asarray(changes[held.starts] == changes[held.starts + held.sizes - 1])


def _solved_together(
    part: Partialled, held: ClusterCells, which: Positions, size: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """(c, K, T) moves of clusters of at most so many cells, and where they are safe.

    Each lies in one group. Shorter clusters are filled up with rows of zeros.
    """
    at = np.arange(size)
    inside = at < held.sizes[which, None]
    cell = held.starts[which, None] + np.where(inside, at, 0)
    weight = np.where(inside, held.weight[cell], 0.0)
    root = np.sqrt(weight)
    whole = part.group_weight[part.tags.group[held.cells[held.starts[which]]]]
    rest = whole - weight.sum(axis=1)
    there = rest > WHOLE * whole
    outside = np.where(there, 1.0 / np.sqrt(np.where(there, rest, 1.0)), 0.0)[:, None]
    # Rows of R are mixtures of cells: so are its products with B⁻¹R'.
    influence, x = held.influence[cell], part.x_of(held.cells[cell].ravel())
    x = x.reshape(*cell.shape, x.shape[1])
    products = (influence @ held.hat[cell].swapaxes(1, 2)).astype(np.float64)
    products += (x @ part.xx_inverse) @ x.swapaxes(1, 2)
    with_rest = products @ weight[:, :, None] * outside[:, :, None]
    leverage = np.empty((which.size, size + 1, size + 1))
    leverage[:, :size, :size] = root[:, :, None] * products * root[:, None, :]
    leverage[:, :size, size:] = root[:, :, None] * with_rest
    leverage[:, size, :size] = leverage[:, :size, size]
    leverage[:, size, size] = (weight * with_rest[:, :, 0]).sum(axis=1) * outside[:, 0]
    safe = np.trace(leverage, axis1=1, axis2=2) < SAFE_LEVERAGE
    leverage[~safe] = 0.0
    e = np.where(inside[:, :, None], held.e[cell], 0.0)
    of_cells = e / np.where(inside, root, 1.0)[:, :, None]
    of_rest = e.sum(axis=1, keepdims=True) * outside[:, :, None]
    solved = np.linalg.solve(np.eye(size + 1) - leverage, np.hstack([of_cells, of_rest]))
    by_cell = root[:, :, None] * solved[:, :size]
    by_cell += (weight * outside)[:, :, None] * solved[:, size:]
    return by_cell.swapaxes(1, 2).astype(influence.dtype) @ influence, safe


def _solved_alone(part: Partialled, inverse: Floats, held: ClusterCells, inside: slice) -> Floats:
    """(K, T) move of one cluster, by eigenvalues so that it stays finite.

    Where the cluster has more cells than there are columns, as (B - R'R)⁻¹R'e.
    """
    cells, weight = held.cells[inside], held.weight[inside]
    x = part.x_of(cells)
    columns = np.hstack([held.hat[inside], x])
    carried = np.hstack([held.influence[inside], x @ part.xx_inverse])
    mixed = _mix(part, cells, weight)
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


def _mix(part: Partialled, cells: Positions, weight: Floats) -> Floats:
    """Rows of R as combinations of the cells (m,)."""
    groups = part.tags.group[cells]
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
