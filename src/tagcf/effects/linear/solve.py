"""Frisch–Waugh–Lovell on cell sums: absorb groups, partial out controls, solve for all tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import lapack

from tagcf.effects.linear.cell_tags import CellTags, cell_tags
from tagcf.effects.linear.cells import CellSums, total_by
from tagcf.effects.linear.kernels import add_vectors
from tagcf.types import Codes, Floats, Mask

CONSTANT = 1e-6  # share of a tag's squares below which its variance is rounding
ALIAS_TOLERANCE = 1e-6  # share of a tag's variance left over by tags before it in the pivoting


@dataclass(frozen=True, slots=True)
class Partialled:
    """Tags and outcomes after groups and controls are taken out. T tags, K outcomes."""

    tags: CellTags  # of each cell minus their group mean
    sum_x: Floats  # (C, P) summed controls of each cell
    weight: Floats  # (C,)
    group_x: Floats  # (G, P) group means
    group_y: Floats  # (G, K)
    group_weight: Floats  # (G,)
    projection: Floats  # (P, T) tags on controls
    gram: Floats  # (T, T) partialled tags
    cross: Floats  # (T, K) partialled tags with outcomes
    xx_inverse: Floats  # (P, P) pseudo-inverse of the absorbed controls' Gram
    xy: Floats  # (P, K)
    xd: Floats  # (P, T)
    variance: Floats  # (T,) weighted sum of squares of each tag about its overall mean

    @property
    def cell_tags(self) -> Floats:
        """(C, T) `tags` as one dense array, made anew at each call."""
        return self.tags.dense()

    @property
    def cell_x(self) -> Floats:
        """(C, P) mean controls of each cell minus their group mean, made anew at each call."""
        return self.x_of(np.arange(len(self.weight)))

    def x_of(self, cells: NDArray[np.integer] | slice) -> Floats:
        """(m, P) `cell_x` of some cells."""
        weight = self.weight[cells][:, None]
        group_x = self.group_x.astype(self.sum_x.dtype, copy=False)
        mean = group_x if len(group_x) == 1 else group_x[self.tags.group[cells]]
        if (weight == 1.0).all():
            return np.asarray(self.sum_x[cells] - mean)
        x: Floats = self.sum_x[cells] / np.where(weight > 0, weight, 1.0)
        x -= mean
        x *= weight > 0
        return x


@dataclass(frozen=True, slots=True)
class Solution:
    """Joint coefficients of the tags that can be told apart."""

    kept: Mask  # (T,) False: aliased with kept tags, or without variation
    coef: Floats  # (T, K); 0 where not kept
    inverse: Floats  # (T, T) inverse Gram of the kept tags, 0 elsewhere
    control_coef: Floats  # (P, K)
    unique_share: Floats  # (T,) share of a tag's variance that nothing else explains
    aliases: tuple[tuple[int, int], ...]  # (aliased tag, a tag that it is aliased with)


def partial_out(
    sums: CellSums, tags: Floats | CellTags, cell_group: Codes, n_groups: int
) -> Partialled:
    """Absorb group means and controls.

    Parameters
    ----------
    sums
        Sums per cell.
    tags
        (C, T) what each cell's item carries.
    cell_group
        (C,) fixed-effect group of each cell.
    """
    carried = cell_tags(tags, cell_group, n_groups)
    weight = sums.weight
    group_weight = total_by(cell_group, weight, n_groups)
    safe = np.where(group_weight > 0, group_weight, 1.0)[:, None]
    group_d = carried.group_sums(weight, n_groups) / safe
    group_x = sum_by_group(sums.x, cell_group, n_groups) / safe
    group_y = sum_by_group(sums.y, cell_group, n_groups) / safe

    by_group = group_weight[:, None]
    raw, xd, yd = tag_products(carried, sums)
    dd = raw - (group_d * by_group).T @ group_d
    dy = yd.T - (group_d * by_group).T @ group_y
    xd -= (group_x * by_group).T @ group_d
    xx = sums.xx - (group_x * by_group).T @ group_x
    xy = sums.xy - (group_x * by_group).T @ group_y
    xx_inverse = pseudo_inverse(xx)
    projection = xx_inverse @ xd
    mean_d = (group_weight @ group_d) / max(weight.sum(), 1e-300)
    # Of 0/1 tags the diagonal is the weight of carriers; rounding may leave less than nothing.
    variance = np.maximum(np.diag(raw) - weight.sum() * mean_d**2, 0.0)
    return Partialled(
        tags=carried.centred(group_d),
        sum_x=sums.x,
        weight=weight,
        group_x=group_x,
        group_y=group_y,
        group_weight=group_weight,
        projection=projection,
        gram=dd - xd.T @ projection,
        cross=dy - projection.T @ xy,
        xx_inverse=xx_inverse,
        xy=xy,
        xd=xd,
        variance=np.where(variance > CONSTANT * np.diag(raw), variance, 0.0),
    )


def tag_products(
    tags: CellTags, sums: CellSums, precision: type[np.floating] | None = None
) -> tuple[Floats, Floats, Floats]:
    """Weighted products of the tags as carried: with one another, controls and outcomes.

    (T, T), (P, T) and (K, T). Only products of tags with one another may be in single precision:
    splines of a skewed number are so much alike that the seventh digit of theirs is half an error.
    Controls and outcomes are taken about their means.
    """
    n_tags, n_controls = tags.shape[1], sums.x.shape[1]
    total = max(float(sums.weight.sum()), 1e-300)
    mean = np.concatenate([sums.x.sum(axis=0, dtype=np.float64), sums.y.sum(axis=0)]) / total
    gram, cross = np.zeros((n_tags, n_tags)), np.zeros((len(mean), n_tags))
    kind = precision or tags.precision
    root = np.sqrt(sums.weight).astype(kind)[:, None]
    for at, block in tags.blocks(kind):
        both = np.hstack([sums.x[at], sums.y[at]])
        both -= sums.weight[at, None] * mean
        cross += both.T @ block.astype(np.float64, copy=False)
        weighted = np.multiply(block, root[at], out=block)
        gram += weighted.T @ weighted
    cross += np.outer(mean, tags.summed(sums.weight[:, None])[0])
    return gram, cross[:n_controls], cross[n_controls:]


def solve(part: Partialled, columns: Mask | None = None) -> Solution:
    """Solve for all tags (or for `columns` only) at once; aliased tags are named, not guessed."""
    n_tags = part.gram.shape[0]
    wanted = np.ones(n_tags, dtype=bool) if columns is None else columns
    scale = np.sqrt(np.where(part.variance > 0, part.variance, 1.0))
    kept, aliases = tell_apart(part.gram, part.variance, wanted)
    inverse = np.zeros_like(part.gram)
    at = np.flatnonzero(kept)
    if at.size:
        inverse[np.ix_(at, at)] = linalg.inv(part.gram[np.ix_(at, at)])
    coef = inverse @ part.cross
    unique = np.zeros(n_tags)
    unique[at] = 1.0 / (np.diag(inverse)[at] * scale[at] ** 2)
    return Solution(
        kept=kept,
        coef=coef,
        inverse=inverse,
        control_coef=part.xx_inverse @ (part.xy - part.xd @ coef),
        unique_share=unique,
        aliases=aliases,
    )


def tell_apart(
    gram: Floats, variance: Floats, wanted: Mask
) -> tuple[Mask, tuple[tuple[int, int], ...]]:
    """Find tags that no combination of others reproduces, and name partners of the rest.

    Cholesky with pivoting (Higham 2002, section 10.3) on the Gram scaled by each tag's variance.
    """
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    scaled = gram / np.outer(scale, scale)
    at = np.flatnonzero(wanted & (variance > 0) & (np.diag(scaled) > ALIAS_TOLERANCE))
    kept = np.zeros(gram.shape[0], dtype=bool)
    if not at.size:
        return kept, ()
    block = scaled[np.ix_(at, at)]
    _, pivots, rank, _ = lapack.dpstrf(np.asfortranarray(block), tol=ALIAS_TOLERANCE)
    order = pivots[:rank] - 1
    kept[at[order]] = True
    lost = np.setdiff1d(np.arange(at.size), order)
    if not lost.size:
        return kept, ()
    on_kept = linalg.lstsq(block[np.ix_(order, order)], block[np.ix_(order, lost)])[0]
    pairs = np.argwhere(np.abs(on_kept) > 0.05)
    return kept, tuple((int(at[lost[b]]), int(at[order[a]])) for a, b in pairs)


def sum_by_group(values: Floats, group: Codes, n_groups: int) -> Floats:
    """(G, K) sums of values (C, K) by group."""
    if n_groups == 1:
        return np.asarray(values.sum(axis=0, keepdims=True, dtype=np.float64))
    total = np.zeros((n_groups, values.shape[1]))
    add_vectors(group, values, total)
    return total


def pseudo_inverse(gram: Floats) -> Floats:
    """Pseudo-inverse after scaling to unit diagonal, so that units of the controls don't matter."""
    scale = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    if not gram.size:
        return gram
    inverse = linalg.pinvh(gram / np.outer(scale, scale), rtol=1e-10)
    return np.asarray(inverse / np.outer(scale, scale))
