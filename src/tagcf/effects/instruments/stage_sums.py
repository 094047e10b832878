"""What a two-stage regression needs of the rows: moments, and scores summed by cluster.

Fixed effects are absorbed by taking group means out of every column (Frisch and Waugh 1933,
Lovell 1963), so memory holds groups × columns, never rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.effects.linear.cells import sum_matrix, total_by
from tagcf.types import Codes, Floats, Mask

NO_VARIATION = 1e-10  # share of a column's sum of squares below which nothing of it is left
MOST_PARTS = 32  # blocks whose cluster sums wait to be put together


@dataclass(frozen=True, slots=True)
class StageBlock:
    """Rows of a two-stage regression. Controls include the constant."""

    y: Floats  # (n, K)
    endogenous: Floats  # (n, E)
    controls: Floats  # (n, A)
    instruments: Floats  # (n, L)
    w: Floats  # (n,)
    clusters: Codes  # (n, C) at most two axes
    group: Codes | None = None  # (n,) fixed effect, if the regression has any

    @property
    def columns(self) -> Floats:
        """(n, A + L + E + K) controls, instruments, endogenous variables, outcomes."""
        return np.hstack([self.controls, self.instruments, self.endogenous, self.y])


@dataclass(frozen=True, slots=True)
class Moments:
    """Cross-products of what groups and controls leave of Z, D and Y."""

    zz: Floats  # (L, L)
    zd: Floats  # (L, E)
    zy: Floats  # (L, K)
    dd: Floats  # (E, E)
    dy: Floats  # (E, K)
    yy: Floats  # (K,)
    on_controls: Floats  # (A, L + E + K)
    group_means: Floats | None  # (G, A + L + E + K)
    varies: Mask  # (L + E + K,) something is left of the column
    rank: int  # instruments that are not combinations of others
    n_rows: int


def sum_moments(blocks: Iterable[StageBlock], n_groups: int = 0) -> Moments:
    """Sum moments over one pass.

    Parameters
    ----------
    blocks
        All rows once.
    n_groups
        Levels of the fixed effect; 0: there is none.
    """
    gram: Floats = np.zeros((0, 0))
    by_group: Floats = np.zeros((0, 0))
    group_weight, n_rows, sizes = np.zeros(n_groups), 0, (0, 0, 0, 0)
    for block in blocks:
        columns = block.columns
        if not gram.size:
            gram = np.zeros((columns.shape[1],) * 2)
            by_group = np.zeros((n_groups, columns.shape[1]))
        gram += (columns * block.w[:, None]).T @ columns
        if block.group is not None and n_groups:
            by_group += sum_matrix(block.group, block.w, n_groups) @ columns
            group_weight += total_by(block.group, block.w, n_groups)
        n_rows += len(block.w)
        parts = (block.controls, block.instruments, block.endogenous, block.y)
        sizes = tuple(part.shape[1] for part in parts)
    means = by_group / np.where(group_weight > 0, group_weight, 1.0)[:, None] if n_groups else None
    return _moments(gram, means, group_weight, sizes, n_rows)


def _moments(
    gram: Floats,
    means: Floats | None,
    group_weight: Floats,
    sizes: tuple[int, ...],
    n_rows: int,
) -> Moments:
    raw = np.diag(gram).copy()
    if means is not None:
        gram = _blank(gram - (means * group_weight[:, None]).T @ means, raw)
    a = sizes[0]
    on = inverse(gram[:a, :a]) @ gram[:a, a:]
    rest = _blank(gram[a:, a:] - gram[:a, a:].T @ on, raw[a:])
    ends = np.cumsum((0, *sizes[1:]))
    z, d, y = (slice(ends[k], ends[k + 1]) for k in range(3))
    return Moments(
        zz=rest[z, z],
        zd=rest[z, d],
        zy=rest[z, y],
        dd=rest[d, d],
        dy=rest[d, y],
        yy=np.diag(rest[y, y]),
        on_controls=on,
        group_means=means,
        varies=np.diag(rest) > 0,
        rank=_rank(rest[z, z]),
        n_rows=n_rows,
    )


def _blank(gram: Floats, raw: Floats) -> Floats:
    """Set to 0 what is rounding: columns of which next to nothing is left."""
    left = np.diag(gram) > NO_VARIATION * raw
    return np.asarray(gram * np.outer(left, left))


def _scale(gram: Floats) -> Floats:
    return np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))


def inverse(gram: Floats) -> Floats:
    """Pseudo-inverse after scaling to unit diagonal, so that units do not matter."""
    if not gram.size:
        return gram
    both = np.outer(_scale(gram), _scale(gram))
    return np.asarray(linalg.pinvh(gram / both, rtol=1e-10) / both)


def _rank(gram: Floats) -> int:
    if not gram.size:
        return 0
    values = np.linalg.eigvalsh(gram / np.outer(_scale(gram), _scale(gram)))
    return int((values > 1e-8 * max(values.max(), 1e-300)).sum())


@dataclass(frozen=True, slots=True)
class Scores:
    """Products of cluster sums of Z × (D, Y, first-stage residual), for any combination of them."""

    products: tuple[Floats, ...]  # per axis, then their crossing: (V, L, V, L), V = E + K + E
    clusters: int  # smallest number among the axes

    def of(self, weights: Floats) -> Floats:
        """(L, L) covariance of Z'(V @ weights), clustered; two-way (Cameron et al. 2011)."""
        each = [np.einsum("a,albm,b->lm", weights, one, weights) for one in self.products]
        if len(each) == 1:
            return np.asarray(each[0])
        both = each[0] + each[1] - each[2]
        if np.linalg.eigvalsh(both).min() <= 0:
            return np.asarray(max(each[:2], key=np.trace))
        return np.asarray(both)


def sum_scores(blocks: Iterable[StageBlock], moments: Moments, first: Floats) -> Scores:
    """Sum scores by cluster over one pass; keys of clusters are gathered as they come.

    Parameters
    ----------
    first
        (L, E) first-stage coefficients.
    """
    n_z, n_d = first.shape
    totals: list[tuple[list[np.ndarray], list[Floats]]] = []
    for block in blocks:
        z, variables = _partialled(block, moments, first, n_z, n_d)
        variables = variables * block.w[:, None]
        outer = (variables[:, :, None] * z[:, None, :]).reshape(len(z), -1)
        for at, key in enumerate(_keys(block.clusters)):
            if at == len(totals):
                totals.append(([], []))
            unique, summed = _sum_by(key, outer)
            totals[at][0].append(unique)
            totals[at][1].append(summed)
            if len(totals[at][0]) > MOST_PARTS:
                unique, summed = _sum_by(*(np.concatenate(parts) for parts in totals[at]))
                totals[at] = ([unique], [summed])
    products, counts = [], []
    for keys, sums in totals:
        unique, summed = _sum_by(np.concatenate(keys), np.concatenate(sums))
        counts.append(unique.size)
        used = max(int((summed != 0).any(axis=1).sum()), 2)
        shape = (summed.shape[1] // n_z, n_z) * 2
        products.append((used / (used - 1) * summed.T @ summed).reshape(shape))
    return Scores(tuple(products), min(counts[:2]))


def _partialled(
    block: StageBlock, moments: Moments, first: Floats, n_z: int, n_d: int
) -> tuple[Floats, Floats]:
    """(n, L) instruments and (n, V) other variables without groups and controls."""
    columns = block.columns
    if moments.group_means is not None and block.group is not None:
        columns -= moments.group_means[block.group]
    a = block.controls.shape[1]
    rest = (columns[:, a:] - columns[:, :a] @ moments.on_controls) * moments.varies
    z, d = rest[:, :n_z], rest[:, n_z : n_z + n_d]
    return z, np.hstack([rest[:, n_z:], d - z @ first])


def _sum_by(key: np.ndarray, values: Floats) -> tuple[np.ndarray, Floats]:
    unique, position = np.unique(key, return_inverse=True)
    return unique, np.asarray(sum_matrix(position, np.ones(len(key)), unique.size) @ values)


def _keys(clusters: Codes) -> list[np.ndarray]:
    axes = [clusters[:, axis].astype(np.int64) for axis in range(clusters.shape[1])]
    if len(axes) == 2:
        axes.append(axes[0] * (2**31) + axes[1])
    return axes
