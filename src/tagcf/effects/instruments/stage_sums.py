"""What a two-stage regression needs of the rows: moments, and combinations of their columns.

Fixed effects are absorbed by taking group means out of every column (Frisch and Waugh 1933,
Lovell 1963), so memory holds groups × columns, never rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.effects.instruments.score_sums import Crossing, find_crossing, pair_keys
from tagcf.effects.linear.cells import sum_matrix, total_by
from tagcf.types import Codes, Floats, Mask

NO_VARIATION = 1e-10  # share of a column's sum of squares below which nothing of it is left


@dataclass(frozen=True, slots=True)
class StageBlock:
    """Rows of a two-stage regression. Controls include the constant."""

    y: Floats  # (n, K)
    endogenous: Floats  # (n, E)
    controls: Floats  # (n, A)
    instruments: Floats  # (n, L)
    w: Floats  # (n,)
    clusters: Codes  # (n, C) at most two axes, dense from 0; -1: one cluster more
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
    crossing: Crossing | None  # of two cluster axes

    def mixed(self, block: StageBlock, mix: Floats) -> Floats:
        """(n, q) combinations (L + E + K, q) of what groups and controls leave of a block."""
        mix = mix * self.varies[:, None]
        full = np.vstack([-self.on_controls @ mix, mix])
        mixed = block.columns @ full
        if self.group_means is not None and block.group is not None:
            mixed -= (self.group_means @ full)[block.group]
        return np.asarray(mixed)


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
    keys: list[np.ndarray] = []
    axes = 0
    for block in blocks:
        columns, axes = block.columns, block.clusters.shape[1]
        if not gram.size:
            gram = np.zeros((columns.shape[1],) * 2)
            by_group = np.zeros((n_groups, columns.shape[1]))
        if block.group is not None and n_groups:
            by_group += sum_matrix(block.group, block.w, n_groups) @ columns
            group_weight += total_by(block.group, block.w, n_groups)
        columns *= np.sqrt(block.w)[:, None]
        gram += columns.T @ columns
        n_rows += len(block.w)
        if axes == 2:
            keys.append(pair_keys(block.clusters))
        parts = (block.controls, block.instruments, block.endogenous, block.y)
        sizes = tuple(part.shape[1] for part in parts)
    means = by_group / np.where(group_weight > 0, group_weight, 1.0)[:, None] if n_groups else None
    crossing = find_crossing(keys) if axes == 2 else None
    return moments_of_gram(gram, means, group_weight, sizes, n_rows, crossing)


def moments_of_gram(
    gram: Floats,
    means: Floats | None,
    group_weight: Floats,
    sizes: tuple[int, ...],
    n_rows: int,
    crossing: Crossing | None,
) -> Moments:
    """Take groups and controls out of cross-products of controls, instruments, D and Y.

    Parameters
    ----------
    sizes
        How many columns each of the four has.
    means, group_weight
        (G, columns) and (G,) of the fixed effect's levels; None where there is none.
    """
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
        crossing=crossing,
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
