"""Second pass: residuals, summed by cell, by (cluster, cell) pair and by cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.effects.linear.cells import Block, block_of, sum_matrix, total_by
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, EventLog, Floats

MOST_CLUSTERS = 65_536  # more clusters of an axis are merged at random: coarser, still valid


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """Weighted residual sums. C cells, P controls, T tags, K outcomes."""

    e: Floats  # (K, C) Σ w e
    ex: Floats  # (K, C, P) Σ w e (x - group mean)
    see: Floats  # (K,) Σ w e²
    pair_ee: Floats  # (K, C) Σ over (cluster, cell) pairs of (Σ w e)²
    pair_ex: Floats  # (K, C, P) … times Σ w e (x - cell mean)
    pair_xx: Floats  # (K, P, P)
    crossing: tuple[Floats, ...]  # per axis that cells straddle: (K, G, T) scores by cluster


def residuals(block: Block, part: Partialled, solved: Solution, group: Codes) -> Floats:
    """(n, K) what groups, controls and tags leave of the outcomes."""
    x = block.x - part.group_x[group]
    fitted = x @ solved.control_coef + part.cell_tags[block.cell] @ solved.coef
    return np.asarray(block.y - part.group_y[group] - fitted)


def sum_scores(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    part: Partialled,
    solved: Solution,
    axes: tuple[int, ...],
    share: Floats,
) -> ScoreSums:
    """Sum the scores of all rows.

    Parameters
    ----------
    axes
        The cluster axes that cells straddle.
    share
        (C,) how much the mean of each cell counts, as in `CellSums.discount`.
    """
    n_cells, n_controls = part.cell_x.shape
    n_tags, n_out = solved.coef.shape
    clusters = [min(log.clusters[axis].n_clusters, MOST_CLUSTERS) for axis in axes]
    total = ScoreSums(
        e=np.zeros((n_out, n_cells)),
        ex=np.zeros((n_out, n_cells, n_controls)),
        see=np.zeros(n_out),
        pair_ee=np.zeros((n_out, n_cells)),
        pair_ex=np.zeros((n_out, n_cells, n_controls)),
        pair_xx=np.zeros((n_out, n_controls, n_controls)),
        crossing=tuple(np.zeros((n_out, count, n_tags)) for count in clusters),
    )
    lost = (1.0 - share)[:, None]
    row_tags = share[:, None] * part.cell_tags + lost * (part.cell_x @ part.projection)
    for batch in log.batches():
        block = block_of(log, batch, design, outcomes)
        group = design.cell_group[block.cell]
        e = residuals(block, part, solved, group)
        x = block.x - part.group_x[group]
        for k in range(n_out):
            we = block.w * e[:, k]
            total.see[k] += we @ e[:, k]
            total.e[k] += total_by(block.cell, we, n_cells)
            total.ex[k] += sum_matrix(block.cell, we, n_cells) @ x
            if len(axes) == 1:
                across = block.clusters[:, axes[0]]
                _add_pairs(total, k, block.cell, across, we, x - part.cell_x[block.cell])
            for at, axis in enumerate(axes):
                code = block.clusters[:, axis] % clusters[at]
                total.crossing[at][k] += _cluster_scores(
                    code, clusters[at], block, we, x, row_tags, part.projection
                )
    return _discounted(total, part, share)


def _discounted(total: ScoreSums, part: Partialled, share: Floats) -> ScoreSums:
    """Let what belongs to the mean of a cell count for its share."""
    lost = total.e * (1.0 - share)
    return replace(
        total,
        e=total.e * share,
        ex=total.ex - lost[:, :, None] * part.cell_x,
        pair_ee=total.pair_ee * share**2,
        pair_ex=total.pair_ex * share[:, None],
    )


def _add_pairs(
    total: ScoreSums, k: int, cells: Codes, across: Codes, we: Floats, x: Floats
) -> None:
    """Add squares over (cluster, cell) pairs; pairs that return in a later batch count anew."""
    n_cells = total.e.shape[1]
    keys = across.astype(np.int64) * n_cells + cells
    _, first, pair = np.unique(keys, return_index=True, return_inverse=True)
    cell = cells[first]
    pair_e = total_by(pair, we, first.size)
    pair_x = sum_matrix(pair, we, first.size) @ x
    total.pair_ee[k] += total_by(cell, pair_e**2, n_cells)
    total.pair_ex[k] += sum_matrix(cell, pair_e, n_cells) @ pair_x
    total.pair_xx[k] += pair_x.T @ pair_x


def _cluster_scores(
    code: Codes,
    n_clusters: int,
    block: Block,
    we: Floats,
    x: Floats,
    row_tags: Floats,
    projection: Floats,
) -> Floats:
    """(G, T) sums of the partialled tags times residuals, by cluster."""
    shape = (n_clusters, row_tags.shape[0])
    by_cell = sparse.csr_array((we, (code, block.cell)), shape=shape)
    by_row = sum_matrix(code, we, n_clusters)
    return np.asarray(by_cell @ row_tags - (by_row @ x) @ projection)
