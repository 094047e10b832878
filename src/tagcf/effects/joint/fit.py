"""The joint estimator: all tags, all outcomes, two passes over the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.effects.linear.cell_tags import CellTags, ItemTags, item_tags, tags_of_items
from tagcf.effects.linear.cells import CellSums, distinct, sum_cells_each
from tagcf.effects.linear.clustered import Errors, clustered_errors, crossed_codes
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.item_effects import item_shares
from tagcf.effects.linear.kernels import widen_range
from tagcf.effects.linear.scores import (
    MOST_CLUSTERS,
    MOST_MEMORY,
    MOST_PAIR_ROWS,
    Plan,
    ScoreSums,
    pair_squares,
    score_plan,
    sum_scores,
)
from tagcf.effects.linear.solve import Partialled, Solution, partial_out, solve
from tagcf.effects.methods import Joint
from tagcf.types import Codes, EventLog, Floats, Mask, OutcomeKind, Reason

TOGETHER = 512 * 2**20  # bytes, about, of the sums of fits made in the same passes
FEWEST_EVENTS = 10.0  # clicks (and missing clicks) without which no tag is compared


@dataclass(frozen=True, slots=True)
class Fit:
    """Joint coefficients of the outcomes that share their weights. T tags, K outcomes."""

    outcomes: tuple[int, ...]
    sums: CellSums  # of all rows alike
    share: Floats  # (C,) how much of its rows the mean of a cell counts for in the fit
    by_rows: Floats  # (T, K) coefficients with all rows alike
    part: Partialled
    solved: Solution
    errors: Errors
    control_names: tuple[str, ...]  # (P,)
    baseline: Floats  # (K, T) weighted mean outcome of the rows without the tag
    mean: Floats  # (K,)
    items: Floats  # (T,) items that carry the tag, among the rows used
    groups: Floats  # (T,) fixed-effect groups in which the tag varies
    varies: Mask  # (K,) the outcome is not the same in all rows
    whitened: bool = False  # the controls are not as they stand (`joint.own_rows`)

    @property
    def tags(self) -> Floats:
        """(C, T) what each cell's item carries, as one dense array made anew at each call."""
        tags = self.part.tags
        return tags.centred(np.zeros_like(tags.group_mean)).dense()

    def used_items(self, design: Design) -> NDArray[np.integer]:
        """Items with rows in which the outcomes were measured."""
        used = np.zeros(len(self.part.tags.items), dtype=bool)
        used[design.cell_item[self.sums.weight > 0]] = True
        return np.flatnonzero(used)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One fit among several that are made in the same passes."""

    design: Design
    columns: Mask | None = None  # (T,) as in `fit_joint`
    base: Fit | None = None


def fit_joint(
    log: EventLog,
    carried: Floats | sparse.csr_array,
    design: Design,
    outcomes: tuple[int, ...],
    using: Joint,
    columns: Mask | None = None,
    base: Fit | None = None,
) -> Fit:
    """Fit all tags to outcomes that share their weights.

    Parameters
    ----------
    carried
        (I, T) 0/1: what each item carries.
    columns
        (T,) tags that are held against one another; the rest is left out of the model.
    base
        A fit of the same rows and outcomes: its sums, in which all tags are, serve again.
    """
    return fit_each(log, carried, (Wanted(design, columns, base),), outcomes, using)[0]


def fit_each(
    log: EventLog,
    carried: Floats | sparse.csr_array | ItemTags,
    wanted: Sequence[Wanted],
    outcomes: tuple[int, ...],
    using: Joint,
) -> list[Fit]:
    """Make several fits in two passes over the log: all levels of a segment, say.

    Their sums are held together; `fits_together` says how many are fit to be.
    """
    items = item_tags(carried)
    without = [one.design for one in wanted if one.base is None]
    summed = iter(sum_cells_each(log, without, outcomes))
    sums = [next(summed) if one.base is None else one.base.sums for one in wanted]
    ready = [
        _ready(log, items, one, own, using, outcomes) for one, own in zip(wanted, sums, strict=True)
    ]
    scores = sum_scores(log, [one.plan for one in ready])
    return [_finished(one, own, using) for one, own in zip(ready, scores, strict=True)]


def fits_together(log: EventLog, design: Design, n_tags: int, n_outcomes: int) -> int:
    """How many fits' sums may be held at once."""
    n_columns = len(design.basis.names) + n_outcomes
    axes = sum(min(axis.n_clusters, MOST_CLUSTERS) for axis in log.clusters) or MOST_CLUSTERS
    cells = 8 * len(design.cell_item) * n_columns * (2 + n_outcomes)
    groups = 8 * design.n_groups * (n_tags + n_columns)
    scores = 2 * min(8 * axes * n_outcomes * n_tags, 2 * MOST_MEMORY)
    pairs = 16 * MOST_PAIR_ROWS * (n_columns + 1)
    return max(1, TOGETHER // (cells + groups + scores + pairs))


@dataclass(frozen=True, slots=True)
class _Ready:
    """A fit between its two passes."""

    design: Design
    sums: CellSums
    counted: CellSums  # discounted by the share
    by_rows: Floats | None
    part: Partialled
    nested: tuple[Codes, ...]
    plan: Plan


def _ready(
    log: EventLog,
    items: ItemTags,
    wanted: Wanted,
    sums: CellSums,
    using: Joint,
    outcomes: tuple[int, ...],
) -> _Ready:
    """Solve, and plan the pass for the errors."""
    design, base = wanted.design, wanted.base
    tags = tags_of_items(items, design.cell_item, design.cell_group, design.n_groups)
    share, by_rows, known = _shares(sums, tags, design, wanted.columns, using, base)
    counted = sums.discount(share)
    part = known or partial_out(counted, tags, design.cell_group, design.n_groups)
    solved = solve(part, wanted.columns)
    crossing, nested = cluster_axes(log, design)
    axes = nested or (np.arange(len(design.cell_item), dtype=np.int32),)
    if len(nested) == 2:
        axes = (*nested, crossed_codes(nested))
    varying = axes if sums.rows.max(initial=0.0) > 1 else ()  # controls vary within cells
    n_rows = int(sums.rows.sum())
    plan = score_plan(log, design, outcomes, part, solved, share, varying, crossing, n_rows)
    return _Ready(design, sums, counted, by_rows, part, nested, plan)


def _finished(ready: _Ready, scores: ScoreSums, using: Joint) -> Fit:
    """Put errors and counts to a solution."""
    design, sums, plan, part = ready.design, ready.sums, ready.plan, ready.part
    pairs = pair_squares(scores, plan)
    errors = clustered_errors(
        ready.counted, part, plan.solved, scores, ready.nested, using.errors, plan.share, pairs
    )
    tags = part.tags.centred(np.zeros_like(part.tags.group_mean))
    items = _items(design, sums, tags)
    return Fit(
        outcomes=plan.outcomes,
        sums=sums,
        share=plan.share,
        by_rows=plan.solved.coef if ready.by_rows is None else ready.by_rows,
        part=part,
        solved=plan.solved,
        errors=errors,
        control_names=design.basis.names,
        baseline=_baseline(sums, tags),
        mean=sums.y.sum(axis=0) / max(sums.weight.sum(), 1e-300),
        items=items,
        groups=_informative_groups(design, sums, tags, items),
        varies=outcomes_vary(sums),
    )


def _shares(
    sums: CellSums,
    tags: CellTags,
    design: Design,
    columns: Mask | None,
    using: Joint,
    base: Fit | None,
) -> tuple[Floats, Floats | None, Partialled | None]:
    """(C,) shares of the cells, coefficients (T, K) with all rows alike, and what is at hand."""
    if base is not None:
        return base.share, base.by_rows, base.part
    if using.item_effects == "none":
        return np.ones(len(sums.weight)), None, None
    part = partial_out(sums, tags, design.cell_group, design.n_groups)
    first = solve(part, columns)
    share = item_shares(sums, part, first, design.cell_group)
    return share, first.coef, part if (share == 1.0).all() else None


def cluster_axes(log: EventLog, design: Design) -> tuple[tuple[int, ...], tuple[Codes, ...]]:
    """Axes that cells straddle (by position), and cluster codes of cells for those that nest them.

    An axis whose clusters lie within another's counts as that other, and an axis of a single
    cluster not at all.
    """
    crossing: list[int] = []
    nested: list[Codes] = []
    for axis, spec in enumerate(log.clusters):
        if spec.n_clusters < 2:
            continue
        if not design.nested_axes[axis]:
            crossing.append(axis)
            continue
        nested.append(design.cell_clusters[axis])
    nested = [
        code
        for at, code in enumerate(nested)
        if not any(_nests(other, code, first=k < at) for k, other in enumerate(nested) if k != at)
    ]
    if not nested and not crossing:
        nested.append(design.cell_item)
    return tuple(crossing), tuple(nested)


def _nests(coarse: Codes, fine: Codes, *, first: bool) -> bool:
    """Whether every cluster of `fine` lies in one of `coarse`; of two alike the first counts."""
    low = np.full(int(fine.max(initial=-1)) + 1, np.iinfo(np.int32).max, np.int32)
    high = np.full(low.size, -1, np.int32)
    widen_range(fine, coarse, low, high)
    inside = bool((low >= high).all())
    return inside and (distinct(coarse) < distinct(fine) or first)


def _baseline(sums: CellSums, tags: CellTags) -> Floats:
    """(K, T) weighted mean outcome of rows without each tag."""
    totals = np.column_stack([sums.y, sums.weight])
    without = totals.sum(axis=0)[:, None] - tags.summed(totals)
    weight = without[-1]
    enough = weight > 1e-9 * max(float(sums.weight.sum()), 1e-300)
    return np.asarray(without[:-1] / np.where(enough, weight, np.nan))


def outcomes_vary(sums: CellSums) -> Mask:
    """(K,) whether an outcome varies beyond rounding, between cells or within them."""
    used = sums.weight > 0
    weight = sums.weight[used]
    total = max(float(weight.sum()), 1e-300)
    means = sums.y[used] / weight[:, None]
    overall = (weight @ means) / total
    between = weight @ (means - overall) ** 2 / total
    size = np.maximum(sums.yy / total, 1e-300)
    within = (sums.yy - weight @ means**2) / total
    return np.asarray((between > 1e-24 * size) | (within > 1e-12 * size))


def too_few_events(kind: OutcomeKind, sums: CellSums, k: int) -> bool:
    """Whether a binary outcome happened, or failed to, too seldom to compare anything."""
    yes, rows = float(sums.y[:, k].sum()), float(sums.weight.sum())
    return kind == "binary" and min(yes, rows - yes) < FEWEST_EVENTS


def outcome_reason(sums: CellSums) -> Reason:
    """Why an outcome that does not vary tells nothing."""
    if sums.weight.sum() <= 0:
        return Reason("reason.no_outcome_values")
    return Reason("reason.no_outcome_variation")


def _items(design: Design, sums: CellSums, tags: CellTags) -> Floats:
    """(T,) items among the rows used that carry each tag."""
    shown = np.zeros(len(tags.items), dtype=bool)
    shown[design.cell_item[sums.weight > 0]] = True
    return tags.items.carriers(shown)


def _informative_groups(design: Design, sums: CellSums, tags: CellTags, items: Floats) -> Floats:
    """(T,) groups that hold rows with and rows without the tag."""
    if design.n_groups == 1:
        return ((items > 0) & (items < np.count_nonzero(sums.weight > 0))).astype(float)
    used = np.flatnonzero(sums.weight > 0)
    count = np.bincount(design.cell_group[used], minlength=design.n_groups)
    place = (design.cell_group[used], design.cell_item[used])
    shape = (design.n_groups, len(tags.items))
    found = sparse.csr_array((np.ones(used.size), place), shape=shape)
    held = tags.items.table()
    held.data = (held.data != 0).astype(float)
    found = sparse.csr_array(found @ held)
    group = np.repeat(np.arange(design.n_groups), np.diff(found.indptr))
    both = (found.data > 0) & (found.data < count[group])
    return np.bincount(found.indices[both], minlength=found.shape[1]).astype(float)
