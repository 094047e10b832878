"""Second pass: residuals, summed by cell, by cluster and by (cluster, cell) pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tagcf.effects.linear.cell_tags import CellTags
from tagcf.effects.linear.cells import STRANGERS, Block, blocks_of
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.kernels import (
    add_products,
    add_tags,
    add_vectors,
    mix_bits,
    take_group_means,
)
from tagcf.effects.linear.passes import over_log_each
from tagcf.effects.linear.solve import Partialled, Solution
from tagcf.types import Codes, EventBatch, EventLog, Floats

MOST_CLUSTERS = 65_536  # more clusters of an axis are merged at random: coarser, still valid
MOST_MEMORY = 64 * 2**20  # bytes of an axis' scores, likewise
MOST_PAIR_ROWS = 16_384  # rows, about, of the clusters that stand for the rest in pairs


@dataclass(frozen=True, slots=True)
class PairRows:
    """Rows drawn for the (cluster, cell) pairs that two ways of clustering both count."""

    key: np.ndarray  # (m,) int64, cluster · C + cell
    we: Floats  # (m, K)
    x: Floats  # (m, P) minus the group's mean


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """Weighted residual sums. C cells, P controls, T tags, K outcomes.

    Rows that the mean of a cell counts less for (`CellSums.discount`) are discounted here, too.
    """

    e: Floats  # (C, K) Σ w e
    see: Floats  # (K,) Σ w e², of all rows alike
    # Per axis that nests the cells: (G, K, P) Σ w e (x - group mean); none where x does not vary
    # within cells.
    nested: tuple[Floats, ...]
    pairs: list[PairRows]  # rows of the clusters drawn for `pair_squares`
    # Per axis that cells straddle: (G, K, T) Σ w e (tags - group mean), with one group Σ w e · tags
    crossing: tuple[Floats, ...]
    crossing_x: tuple[Floats, ...]  # … (G, K, P) Σ w e (x - group mean)
    crossing_e: tuple[Floats, ...]  # … (G, K) Σ w e
    crossing_w: tuple[Floats, ...]  # … (G, 1) Σ w

    def __add__(self, other: ScoreSums) -> ScoreSums:
        return ScoreSums(
            self.e + other.e,
            self.see + other.see,
            _added(self.nested, other.nested),
            self.pairs + other.pairs,
            _added(self.crossing, other.crossing),
            _added(self.crossing_x, other.crossing_x),
            _added(self.crossing_e, other.crossing_e),
            _added(self.crossing_w, other.crossing_w),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What the second pass needs to know."""

    design: Design
    outcomes: tuple[int, ...]
    part: Partialled
    solved: Solution
    share: Floats  # (C,) as in `CellSums.discount`
    nested: tuple[Codes, ...]  # per axis that nests cells: (C,) cluster
    crossing: tuple[tuple[int, int], ...]  # per axis that cells straddle: position, clusters
    fitted: Floats  # (C, K) what groups and tags explain
    pair_step: int  # one cluster in so many enters `pairs`
    alike: bool  # all rows count alike


def score_plan(
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    part: Partialled,
    solved: Solution,
    share: Floats,
    nested: tuple[Codes, ...],
    axes: tuple[int, ...],
    n_rows: int,
) -> Plan:
    """Plan the second pass over the design's `n_rows`; cells straddle the cluster `axes`."""
    n_tags, n_out = solved.coef.shape
    most = most_clusters(n_tags, n_out)
    return Plan(
        design=design,
        outcomes=outcomes,
        part=part,
        solved=solved,
        share=share,
        nested=nested,
        crossing=tuple((axis, min(_clusters(log, design, axis), most)) for axis in axes),
        fitted=fitted_by_cell(part, solved),
        pair_step=max(1, n_rows // MOST_PAIR_ROWS - 1),
        alike=bool((share == 1.0).all()),
    )


def _clusters(log: EventLog, design: Design, axis: int) -> int:
    return log.clusters[axis].n_clusters + STRANGERS * design.strangers[axis]


def most_clusters(n_tags: int, n_outcomes: int) -> int:
    """Clusters of an axis that are told apart."""
    return min(MOST_CLUSTERS, max(MOST_MEMORY // (8 * n_tags * n_outcomes), 1_024))


def crossing_scores(scores: ScoreSums, part: Partialled, at: int, k: int) -> Floats:
    """(G, T) scores of outcome `k` by cluster of the axis `at` of those that cells straddle."""
    precision = part.tags.precision
    found = scores.crossing_x[at][:, k].astype(precision) @ part.projection.astype(precision)
    if len(part.tags.group_mean) == 1:
        mean = part.tags.group_mean[0].astype(precision)
        found += scores.crossing_e[at][:, k, None].astype(precision) * mean
    return np.asarray(np.subtract(scores.crossing[at][:, k], found, out=found))


def fitted_by_cell(part: Partialled, solved: Solution) -> Floats:
    """(C, K) group mean plus tags' part of each cell, for controls at zero."""
    level = part.group_y - part.group_x @ solved.control_coef
    return np.asarray(part.tags.times(solved.coef) + level[part.tags.group])


def residuals(
    block: Block,
    part: Partialled,
    solved: Solution,
    group: Codes,
    fitted: Floats | None = None,
) -> Floats:
    """(n, K) what groups, controls and tags leave of the outcomes.

    Parameters
    ----------
    fitted
        `fitted_by_cell`, for callers with many blocks.
    """
    by_cell = fitted_by_cell(part, solved) if fitted is None else fitted
    return np.asarray(block.y - block.x @ solved.control_coef - by_cell[block.cell])


def sum_scores(log: EventLog, plans: Sequence[Plan]) -> list[ScoreSums]:
    """Sum the scores of all rows for each plan, in one pass."""
    starts = [partial(empty_scores, plan) for plan in plans]
    adds = [partial(_add_scores, plan, log) for plan in plans]
    totals = over_log_each(log, starts, adds)
    pairs = zip(totals, plans, strict=True)
    return [replace(total, e=total.e * plan.share[:, None]) for total, plan in pairs]


def empty_scores(plan: Plan) -> ScoreSums:
    """Sums over no rows."""
    n_cells, n_controls = plan.part.sum_x.shape
    n_tags, n_out = plan.solved.coef.shape
    nested = [int(codes.max(initial=-1)) + 1 for codes in plan.nested]
    return ScoreSums(
        e=np.zeros((n_cells, n_out)),
        see=np.zeros(n_out),
        nested=tuple(
            np.zeros((count, n_out, n_controls), plan.part.tags.precision) for count in nested
        ),
        pairs=[],
        crossing=tuple(
            np.zeros((count, n_out, n_tags), plan.part.tags.precision) for _, count in plan.crossing
        ),
        crossing_x=tuple(
            np.zeros((count, n_out, n_controls), plan.part.tags.precision)
            for _, count in plan.crossing
        ),
        crossing_e=tuple(np.zeros((count, n_out)) for _, count in plan.crossing),
        crossing_w=tuple(np.zeros((count, 1)) for _, count in plan.crossing),
    )


def _add_scores(plan: Plan, log: EventLog, total: ScoreSums, batch: EventBatch) -> None:
    """Add the scores of a batch to sums, in place."""
    codes: list[list[Codes]] = [[] for _ in plan.crossing]
    cells, scaled = [], []
    precision = plan.part.tags.precision
    for block in blocks_of(log, batch, plan.design, plan.outcomes):
        cell = block.cell
        we, row_we, row_x = _add_residuals(total, plan, block)
        x, e = row_x.astype(precision, copy=False), we.astype(precision, copy=False)
        for axis, clusters in enumerate(plan.nested):
            add_products(clusters[cell], e, x, total.nested[axis])
        for at, (axis, count) in enumerate(plan.crossing):
            code = block.clusters[:, axis] % count
            add_products(code, e, x, total.crossing_x[at])
            add_vectors(code, block.w[:, None], total.crossing_w[at])
            codes[at].append(code)
        cells.append(cell)
        scaled.append(row_we)
    if plan.crossing and cells:
        every = np.concatenate(scaled).astype(plan.part.tags.precision, copy=False)
        for at, parts in enumerate(codes):
            _add_crossing(total, plan, at, np.concatenate(parts), np.concatenate(cells), every)


def _add_residuals(total: ScoreSums, plan: Plan, block: Block) -> tuple[Floats, Floats, Floats]:
    """Weighted residuals, the same discounted, and what controls of a row move coefficients by."""
    part, share = plan.part, plan.share
    group = part.tags.group[block.cell]
    e = residuals(block, part, plan.solved, group, plan.fitted)
    we = block.w[:, None] * e
    np.add(total.see, (we * e).sum(axis=0), out=total.see)
    add_vectors(block.cell, we, total.e)
    x = block.x - (part.group_x if len(part.group_x) == 1 else part.group_x[group])
    if len(plan.crossing) == 1:
        total.pairs.append(_pair_rows(plan, block, we, x))
    if plan.alike:
        return we, we, x
    of_row = share[block.cell][:, None]
    return we, we * of_row, x - (1.0 - of_row) * part.x_of(block.cell)


def _add_crossing(
    total: ScoreSums, plan: Plan, at: int, code: Codes, cell: Codes, we: Floats
) -> None:
    """Add the tags' part of the scores by cluster of an axis that cells straddle."""
    tags = plan.part.tags
    order = np.argsort(code, kind="stable")  # neighbours in memory after one another
    items = tags.items
    into = total.crossing[at]
    value = items.value.astype(we.dtype, copy=False)
    add_tags(order, code, tags.item[cell], we, items.indptr, items.tag, value, into)
    if len(tags.group_mean) > 1:
        take_group_means(order, code, tags.group[cell], we, tags.group_mean, total.crossing[at])
    else:  # the one mean comes off at the end
        add_vectors(code, we, total.crossing_e[at])


def _pair_rows(plan: Plan, block: Block, we: Floats, x: Floats) -> PairRows:
    """The rows of a block whose (cluster, cell) pairs stand for all of them.

    Clusters are drawn evenly. The rows are kept as they are, since a pair may return in any block.
    """
    across = block.clusters[:, plan.crossing[0][0]]
    some: np.ndarray | slice = slice(None)
    if plan.pair_step > 1:
        drawn = mix_bits(across, across, across) % np.uint64(plan.pair_step)
        some = np.flatnonzero(drawn == 0)
    keys = across[some].astype(np.int64) * len(plan.part.weight) + block.cell[some]
    return PairRows(keys, we[some], x[some])


def pair_squares(scores: ScoreSums, plan: Plan) -> Floats:
    """(K, T, T) scores squared over (cluster, cell) pairs, of the whole log."""
    part, precision = plan.part, plan.part.tags.precision
    n_tags, n_out = plan.solved.coef.shape
    total = np.zeros((n_out, n_tags, n_tags))
    if not scores.pairs:
        return total
    keys = np.concatenate([rows.key for rows in scores.pairs])
    we = np.concatenate([rows.we for rows in scores.pairs])
    x = np.concatenate([rows.x for rows in scores.pairs])
    found, pair = np.unique(keys, return_inverse=True)
    cells = found % len(part.weight)
    of_row = cells[pair]
    pair_e, pair_x = np.zeros((found.size, n_out)), np.zeros((found.size, n_out, x.shape[1]))
    add_vectors(pair, we, pair_e)
    add_products(pair, we, x - part.x_of(of_row), pair_x)
    projection = part.projection.astype(precision)
    for start in range(0, found.size, part.tags.block_cells):
        at = slice(start, start + part.tags.block_cells)
        share = plan.share[cells[at]][:, None].astype(precision)
        hat = hat_rows(part.tags, part, cells[at]) * share
        for k in range(n_out):
            score = hat * pair_e[at, k, None].astype(precision)
            score -= pair_x[at, k].astype(precision) @ projection
            total[k] += score.T @ score
    return plan.pair_step * total


def hat_rows(
    tags: CellTags, part: Partialled, cells: np.ndarray | slice, x: Floats | None = None
) -> Floats:
    """(m, T) partialled tags of some cells, controls at the cells' means (m, P)."""
    precision = tags.precision
    rows = tags.rows(cells, precision)
    means = part.x_of(cells) if x is None else x
    rows -= means.astype(precision, copy=False) @ part.projection.astype(precision)
    return rows


def _added(ours: tuple[Floats, ...], theirs: tuple[Floats, ...]) -> tuple[Floats, ...]:
    return tuple(one + other for one, other in zip(ours, theirs, strict=True))
