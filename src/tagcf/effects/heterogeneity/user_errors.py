"""Errors of coefficients tag × factor: two-way, items or authors by users.

Cameron, Gelbach and Miller (2011). Scores of each item are divided by one minus its leverage along
each factor, the leave-one-out correction (Bell and McCaffrey 2002) where they barely overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.heterogeneity.user_sums import Normal, Residuals
from tagcf.effects.linear.cells import sum_matrix
from tagcf.types import Codes, Floats

CLUSTERS_AT_ONCE = 4_096

Positions = NDArray[np.integer]


def inflation_of(vv: Floats, d: Floats, inverse: Floats) -> Floats:
    """(C, q) 1 / (1 - leverage) of each cell along each factor."""
    q, n_tags = vv.shape[1], d.shape[1]
    leverage = np.stack(
        [
            np.einsum("ct,ct->c", d @ inverse[_block(f, n_tags), _block(f, n_tags)], d)
            * vv[:, f, f]
            for f in range(q)
        ],
        axis=1,
    )
    return np.asarray(1.0 / (1.0 - np.clip(leverage, 0.0, 0.95)))


def _block(f: int, n_tags: int) -> slice:
    return slice(f * n_tags, (f + 1) * n_tags)


def covariance(
    left: Residuals,
    k: int,
    normal: Normal,
    inverse: Floats,
    nested: tuple[Codes, ...],
    inflation: Floats,
) -> Floats:
    """(T, q, q) covariance of each tag's coefficients: items + users - both, floored.

    Cameron, Gelbach and Miller (2011); what both count is taken row by row.
    """
    q, n_tags = inflation.shape[1], normal.d.shape[1]
    parts = [_over_clusters(left, k, normal, cluster, inflation, inverse) for cluster in nested]
    by_user = left.by_user[k]
    used = int((np.abs(by_user).sum(axis=1) > 0).sum())
    parts.append(_of_scores(by_user, inverse, q) * (used / max(used - 1, 1)))
    meat = np.zeros_like(inverse)
    for f in range(q):
        for g in range(q):
            block = (normal.d * left.squares[k][:, f, [g]]).T @ normal.d
            meat[_block(f, n_tags), _block(g, n_tags)] = block
    both = _diagonal_blocks(inverse @ meat @ inverse, q)
    total = np.sum(parts, axis=0) - both
    largest = np.max([np.einsum("tff->tf", part) for part in parts], axis=0)
    return _at_least(total, largest)


def _over_clusters(
    left: Residuals,
    k: int,
    normal: Normal,
    cluster: Codes,
    inflation: Floats,
    inverse: Floats,
) -> Floats:
    """(T, q, q) squared moves of items or authors, some thousand of them in memory at a time."""
    position = np.unique(cluster, return_inverse=True)[1]
    order = np.argsort(position, kind="stable")
    bounds = np.searchsorted(position[order], np.arange(0, len(order) + 1, CLUSTERS_AT_ONCE))
    q, n_tags = inflation.shape[1], normal.d.shape[1]
    total = np.zeros((n_tags, q, q))
    for cells in np.split(order, bounds[1:]):
        if cells.size:
            scores = _nested_scores(left, k, normal, position, cells, inflation)
            total += _of_scores(scores, inverse, q)
    return total


def _nested_scores(
    left: Residuals,
    k: int,
    normal: Normal,
    position: Positions,
    cells: Positions,
    inflation: Floats,
) -> Floats:
    """(g, q·T) scores of the items or authors of some cells; their groups' means drop out."""
    own = position[cells] - position[cells].min()
    place = sum_matrix(own, np.ones(cells.size), int(own.max()) + 1)
    d, by_cell = normal.d[cells], left.by_cell[k][cells] * inflation[cells]
    scores = [place @ (d * by_cell[:, [f]]) for f in range(by_cell.shape[1])]
    return np.asarray(np.hstack(scores) - (place @ left.controls[k][cells]) @ normal.projection)


def _of_scores(scores: Floats, inverse: Floats, q: int) -> Floats:
    moves = (scores @ inverse).reshape(len(scores), q, -1)
    return np.asarray(np.einsum("gft,ght->tfh", moves, moves, optimize=True))


def _diagonal_blocks(cov: Floats, q: int) -> Floats:
    """(T, q, q) of (q·T, q·T)."""
    n_tags = len(cov) // q
    return np.asarray(np.einsum("ftht->tfh", cov.reshape(q, n_tags, q, n_tags)))


def _at_least(cov: Floats, diagonal: Floats) -> Floats:
    """Raise the diagonals to at least these, and make each block positive semidefinite."""
    own = np.einsum("tff->tf", cov)
    lifted = cov + np.einsum("tf,fg->tfg", np.maximum(diagonal - own, 0.0), np.eye(cov.shape[1]))
    values, vectors = np.linalg.eigh(lifted)
    return np.asarray((vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.transpose(0, 2, 1))
