"""Moments of a two-stage regression from the one statistic: sums per cell, instruments included.

Tags do not vary within a cell, so that no row is ever widened by its tags; and the same sums serve
with and without the authors' effects, since cells lie within authors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.effects.instruments.score_sums import find_crossing, pair_keys
from tagcf.effects.instruments.stage_sums import Moments, moments_of_gram
from tagcf.effects.linear.cell_tags import CellTags, tags_of_items
from tagcf.effects.linear.cells import CellSums, add_block, blocks_of, empty_sums
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.passes import over_log
from tagcf.effects.linear.solve import sum_by_group, tag_products
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask


@dataclass(slots=True)
class LogSums:
    """Sums of a log's rows."""

    cells: CellSums  # of the controls, then the instruments' levels but the first
    keys: list[np.ndarray]  # pairs of clusters, where there are two axes

    def __add__(self, other: LogSums) -> LogSums:
        return LogSums(self.cells + other.cells, self.keys + other.keys)


def sum_with_instruments(
    log: EventLog, design: Design, outcomes: tuple[int, ...], axes: tuple[int, ...]
) -> LogSums:
    """Sum the log once.

    Parameters
    ----------
    axes
        Positions of the cluster axes.
    """
    with_instruments = replace(
        design, instruments=tuple(len(one.levels) for one in log.instruments)
    )

    def add(total: LogSums, batch: EventBatch) -> None:
        for block in blocks_of(log, batch, with_instruments, outcomes):
            add_block(total.cells, block)
        if len(axes) == 2:
            clusters = batch.clusters[design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)]
            total.keys.append(pair_keys(clusters[:, axes]))

    return over_log(log, lambda: LogSums(empty_sums(with_instruments, len(outcomes)), []), add)


@dataclass(frozen=True, slots=True)
class TagRoles:
    """Which tags are explained by instruments, and which are held as controls."""

    endogenous: Mask  # (T,)
    held: Mask  # (T,)


def moments_of_cells(
    sums: LogSums,
    carried: Floats | sparse.csr_array,
    design: Design,
    roles: TagRoles,
    group: Codes | None,
    n_groups: int,
) -> Moments:
    """Moments of controls, held tags, instruments, endogenous tags and outcomes.

    Parameters
    ----------
    carried
        (I, T) what each item carries.
    group
        (C,) fixed effect of each cell, if the regression has any.
    """
    cells = sums.cells
    none = np.zeros(len(cells.weight), dtype=np.int32)
    tags = tags_of_items(
        carried, design.cell_item, none if group is None else group, max(n_groups, 1)
    )
    n_x, n_z = len(design.basis.names), cells.x.shape[1] - len(design.basis.names)
    n_tags, n_out = tags.shape[1], cells.y.shape[1]
    x, z = 1 + np.arange(n_x), 1 + n_x + np.arange(n_z)
    tag = 1 + n_x + n_z + np.arange(n_tags)
    y = 1 + n_x + n_z + n_tags + np.arange(n_out)
    controls = np.concatenate([[0], x, tag[roles.held]])
    order = np.concatenate([controls, z, tag[roles.endogenous], y]).astype(int)
    gram = _gram(cells, tags)[np.ix_(order, order)]
    means, weight = None, np.zeros(0)
    if group is not None:
        columns = [cells.weight[:, None], cells.x]
        by_group = np.hstack(
            [
                *(sum_by_group(one, group, n_groups) for one in columns),
                tags.group_sums(cells.weight, n_groups),
                sum_by_group(cells.y, group, n_groups),
            ]
        )
        weight = by_group[:, 0].copy()
        means = (by_group / np.where(weight > 0, weight, 1.0)[:, None])[:, order]
    sizes = (controls.size, n_z, int(roles.endogenous.sum()), n_out)
    crossing = find_crossing(sums.keys) if sums.keys else None
    return moments_of_gram(gram, means, weight, sizes, int(cells.rows.sum()), crossing)


def _gram(cells: CellSums, tags: CellTags) -> Floats:
    """Cross-products of [1, controls and instruments, tags, outcomes], all in double precision.

    Of outcomes with one another only the diagonal is summed; no more is needed.
    """
    dd, xd, yd = tag_products(tags, cells, np.float64)
    one = np.array([[cells.weight.sum()]])
    with_one = [
        one,
        cells.x.sum(axis=0, dtype=np.float64)[None],
        tags.summed(cells.weight[:, None]),
    ]
    with_one.append(cells.y.sum(axis=0)[None])
    return np.block(
        [
            with_one,
            [with_one[1].T, cells.xx, xd, cells.xy],
            [with_one[2].T, xd.T, dd, yd.T],
            [with_one[3].T, cells.xy.T, yd, np.diag(cells.yy)],
        ]
    )
