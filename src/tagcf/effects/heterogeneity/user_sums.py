"""Sums over the log that effects differing by user come from.

A column "tag × factor" varies within a cell, but factor-weighted sums per cell are all it takes:
the Gram of v ⊗ d, with v = (1, factors of the row's user) and d the tags of its cell, is
Σ over cells of (Σ w v v') ⊗ (d d').
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.effects.linear.cells import Block, block_of, sum_matrix
from tagcf.effects.linear.design import Design
from tagcf.types import Codes, EventLog, Floats

MOST_CLUSTERS = 8_192  # of users; more are merged at random: coarser, still valid


@dataclass(frozen=True, slots=True)
class UserSums:
    """Weighted sums. C cells, q = 1 + factors, M controls (the log's and the factors)."""

    vv: Floats  # (C, q, q)
    vm: Floats  # (C, q, M)
    vy: Floats  # (C, q, K)
    mm: Floats  # (M, M)
    my: Floats  # (M, K)


def memory_needed(
    n_cells: int,
    n_tags: int,
    n_factors: int,
    n_controls: int,
    n_outcomes: int,
    n_users: int,
    n_folds: int,
) -> int:
    """Bytes, about, that a fit holds at its peak."""
    q = 1 + n_factors
    columns, controls = q * n_tags, n_controls + n_factors
    by_cell = 4 * n_tags + q * (4 * q + controls) + n_folds * q * (q + n_outcomes)
    by_cell += n_outcomes * (2 * q * q + controls + 3 * q)
    by_user = n_outcomes * min(n_users, MOST_CLUSTERS) * columns
    grams = (3 * n_folds + 8) * columns**2
    return 8 * (n_cells * by_cell + 2 * by_user + grams)


@dataclass(frozen=True, slots=True)
class UserBlock:
    """Rows of one batch with the factors of their users."""

    block: Block
    v: Floats  # (n, q) 1, then the factors; 0 for unknown users
    m: Floats  # (n, M)


def user_blocks(
    log: EventLog, design: Design, outcomes: tuple[int, ...], factors: Floats
) -> Iterator[UserBlock]:
    """Go through the used rows, a batch at a time."""
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        own = np.where((block.user >= 0)[:, None], factors[block.user], 0.0)
        yield UserBlock(block, np.hstack([np.ones((len(own), 1)), own]), np.hstack([block.x, own]))


def sum_users(
    log: EventLog, design: Design, outcomes: tuple[int, ...], factors: Floats
) -> UserSums:
    """Sum over the whole log, one block in memory at a time."""
    n_cells, q = len(design.cell_keys), 1 + factors.shape[1]
    n_controls = len(design.basis.names) + factors.shape[1]
    total = UserSums(
        vv=np.zeros((n_cells, q, q)),
        vm=np.zeros((n_cells, q, n_controls)),
        vy=np.zeros((n_cells, q, len(outcomes))),
        mm=np.zeros((n_controls, n_controls)),
        my=np.zeros((n_controls, len(outcomes))),
    )
    for part in user_blocks(log, design, outcomes, factors):
        weighted = part.m * part.block.w[:, None]
        total.mm[:] += weighted.T @ part.m
        total.my[:] += weighted.T @ part.block.y
        for f in range(q):
            by_cell = sum_matrix(part.block.cell, part.block.w * part.v[:, f], n_cells)
            total.vv[:, f] += by_cell @ part.v
            total.vm[:, f] += by_cell @ part.m
            total.vy[:, f] += by_cell @ part.block.y
    return total


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal equations of v ⊗ d with groups and controls taken out. Columns are f · T + t."""

    d: Floats  # (C, T) tags minus their group's mean
    gram: Floats  # (q·T, q·T)
    cross: Floats  # (q·T, K)
    group_mean: Floats  # (G, q·T)
    projection: Floats  # (M, q·T) columns on controls
    mm_inverse: Floats  # (M, M)
    my: Floats  # (M, K)
    md: Floats  # (M, q·T)
    group_m: Floats  # (G, M)
    group_y: Floats  # (G, K)


def normal_equations(sums: UserSums, tags: Floats, design: Design) -> Normal:
    """Absorb the groups and partial out the controls (Frisch–Waugh–Lovell)."""
    group = sum_matrix(design.cell_group, np.ones(len(tags)), design.n_groups)
    weight = sums.vv[:, 0, 0]
    group_weight = np.asarray(group @ weight)
    safe = np.where(group_weight > 0, group_weight, 1.0)[:, None]
    d = tags - (np.asarray(group @ (tags * weight[:, None])) / safe)[design.cell_group]
    q, n_tags = sums.vv.shape[1], tags.shape[1]
    group_m = np.asarray(group @ sums.vm[:, 0]) / safe
    group_y = np.asarray(group @ sums.vy[:, 0]) / safe
    means = [np.asarray(group @ (d * sums.vv[:, 0, [f]])) / safe for f in range(q)]
    mean = np.hstack(means)
    heavy = mean * group_weight[:, None]
    gram = -heavy.T @ mean
    md, cross = -(heavy.T @ group_m).T, -heavy.T @ group_y
    for f in range(q):
        at = slice(f * n_tags, (f + 1) * n_tags)
        md[:, at] += sums.vm[:, f].T @ d
        cross[at] += d.T @ sums.vy[:, f]
        for g in range(f + 1):
            block = (d * sums.vv[:, f, [g]]).T @ d
            gram[at, g * n_tags : (g + 1) * n_tags] += block
            if g < f:
                gram[g * n_tags : (g + 1) * n_tags, at] += block
    centred = group_m * group_weight[:, None]
    mm_inverse = _inverse(sums.mm - centred.T @ group_m)
    my = sums.my - centred.T @ group_y
    projection = mm_inverse @ md
    return Normal(
        d=d,
        gram=gram - md.T @ projection,
        cross=cross - projection.T @ my,
        group_mean=mean,
        projection=projection,
        mm_inverse=mm_inverse,
        my=my,
        md=md,
        group_m=group_m,
        group_y=group_y,
    )


def _inverse(gram: Floats) -> Floats:
    scale = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    inverse: Floats = np.linalg.pinv(gram / np.outer(scale, scale), rcond=1e-10, hermitian=True)
    return np.asarray(inverse / np.outer(scale, scale))


@dataclass(frozen=True, slots=True)
class Residuals:
    """Sums of the residuals of one fit. G merged users, B folds of users."""

    by_cell: Floats  # (K, C, q) Σ w e v
    controls: Floats  # (K, C, M) Σ w e (controls - group mean)
    squares: Floats  # (K, C, q, q) Σ (w e)² v v'
    by_user: Floats  # (K, G, q·T) scores
    fold_vv: Floats  # (B, C, q, q)
    fold_ev: Floats  # (B, K, C, q)


def sum_residuals(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    factors: Floats,
    normal: Normal,
    coef: Floats,
    n_folds: int,
) -> Residuals:
    """Sum the residuals of the coefficients (q·T, K) by cell, by user, and by fold of users."""
    n_cells, q, n_out = len(normal.d), 1 + factors.shape[1], len(outcomes)
    n_tags, n_controls = normal.d.shape[1], normal.my.shape[0]
    n_users = min(max(len(log.users), 1), MOST_CLUSTERS)
    total = Residuals(
        by_cell=np.zeros((n_out, n_cells, q)),
        controls=np.zeros((n_out, n_cells, n_controls)),
        squares=np.zeros((n_out, n_cells, q, q)),
        by_user=np.zeros((n_out, n_users, q * n_tags)),
        fold_vv=np.zeros((n_folds, n_cells, q, q)),
        fold_ev=np.zeros((n_folds, n_out, n_cells, q)),
    )
    fitted = np.stack([normal.d @ coef[f * n_tags : (f + 1) * n_tags] for f in range(q)], axis=1)
    group_fit = normal.group_y - normal.group_mean @ coef
    gamma = normal.mm_inverse @ (normal.my - normal.md @ coef)
    fold_of = np.random.default_rng(0).permutation(np.arange(max(len(log.users), 1)) % n_folds)
    for part in user_blocks(log, design, outcomes, factors):
        block = part.block
        group = design.cell_group[block.cell]
        m = part.m - normal.group_m[group]
        tags = np.einsum("nq,nqk->nk", part.v, fitted[block.cell])
        e = block.y - group_fit[group] - m @ gamma - tags
        fold = np.where(block.user >= 0, fold_of[block.user], 0)
        _add_fold_grams(total, part, fold, n_cells)
        user = (block.user % n_users).astype(np.int32)
        for k in range(n_out):
            we = block.w * e[:, k]
            total.controls[k] += sum_matrix(block.cell, we, n_cells) @ m
            total.squares[k] += _outer_sums(block.cell, we**2, part.v, n_cells)
            for b in range(n_folds):
                rows = fold == b
                inside = sum_matrix(block.cell[rows], we[rows], n_cells)
                total.fold_ev[b, k] += inside @ part.v[rows]
            total.by_user[k] += _user_scores(user, n_users, part, we, m, normal, group)
    total.by_cell[:] = total.fold_ev.sum(axis=0)
    return total


def _add_fold_grams(total: Residuals, part: UserBlock, fold: Codes, n_cells: int) -> None:
    for b in range(len(total.fold_vv)):
        rows = fold == b
        total.fold_vv[b] += _outer_sums(
            part.block.cell[rows], part.block.w[rows], part.v[rows], n_cells
        )


def _outer_sums(cell: Codes, weight: Floats, v: Floats, n_cells: int) -> Floats:
    """(C, q, q) Σ weight v v' by cell."""
    return np.stack(
        [sum_matrix(cell, weight * v[:, f], n_cells) @ v for f in range(v.shape[1])], axis=1
    )


def _user_scores(
    user: Codes, n_users: int, part: UserBlock, we: Floats, m: Floats, normal: Normal, group: Codes
) -> Floats:
    """(G, q·T) Σ w e (column - group mean - controls' share), by user."""
    cell, n_cells = part.block.cell, len(normal.d)
    shape = (n_users, n_cells)
    scores = [
        np.asarray(sparse.csr_array((we * v, (user, cell)), shape=shape) @ normal.d)
        for v in part.v.T
    ]
    by_group = sparse.csr_array((we, (user, group)), shape=(n_users, len(normal.group_y)))
    by_row = sum_matrix(user, we, n_users)
    return np.asarray(
        np.hstack(scores) - by_group @ normal.group_mean - (by_row @ m) @ normal.projection
    )
