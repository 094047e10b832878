"""The doubly robust estimator: all tags, all outcomes, two passes over the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit, outcomes_vary
from tagcf.effects.linear.cells import CellSums, sum_matrix
from tagcf.effects.linear.clustered import Errors
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.item_effects import item_shares
from tagcf.effects.linear.solve import Partialled, Solution, partial_out, solve
from tagcf.effects.methods import Boosted, Robust
from tagcf.effects.robust.boosted import boosted_outcomes, boosted_scores
from tagcf.effects.robust.errors import CellResiduals, robust_errors
from tagcf.effects.robust.folds import FoldSums, cell_folds, sum_folds
from tagcf.effects.robust.influence import TRIM, Weighting, weigh
from tagcf.effects.robust.outcome import OutcomeModel, cell_outcomes, fit_outcomes
from tagcf.effects.robust.score import cross_fitted_scores, score_data
from tagcf.types import Codes, EventLog, Floats, Mask

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Cross-fitted nuisances and what they leave, by cell. T tags, K outcomes, C cells."""

    sums: FoldSums
    model: OutcomeModel
    scores: Floats  # (C, T)
    weighting: Weighting
    cells: CellResiduals

    def pseudo_outcomes(self, carries: Floats, at: int, k: int) -> Floats:
        """(C,) model effect plus inversely weighted residual of one tag: unbiased for each cell."""
        e = np.clip(self.scores[:, at], TRIM, 1 - TRIM)
        weight = self.cells.weight
        left = self.model.left(self.cells.residual, weight, k)
        left = left[:, min(at, left.shape[1] - 1)] / np.where(weight > 0, weight, 1.0)
        return np.asarray(self.model.effects(k)[:, at] + left * (carries - e) / (e * (1 - e)))


@dataclass(frozen=True, slots=True)
class RobustFit:
    """Average effects of outcomes that share their weights. T tags, K outcomes, C cells."""

    outcomes: tuple[int, ...]
    cell_sums: CellSums
    solved: Solution  # `coef` holds the average effects; the rest is the joint model's
    errors: Errors
    on_support: Floats  # (T,) share of the rows where the tag varies that is on support
    baseline: Floats  # (K, T) weighted mean outcome of rows without the tag
    items: Floats  # (T,)
    n_items: int
    groups: Floats  # (T,) fixed-effect groups in which the tag varies
    varies: Mask  # (K,)
    # None where units were randomised in strata: there both models are the joint one.
    crossed: CrossFit | None = None

    @property
    def n_rows(self) -> int:
        """Rows used."""
        return int(self.cell_sums.rows.sum())

    def used_items(self, design: Design) -> NDArray[np.integer]:
        """Items with rows in which the outcomes were measured."""
        return np.unique(design.cell_item[self.cell_sums.weight > 0])


def from_joint(fit: Fit, design: Design) -> RobustFit:
    """Take a joint fit for the doubly robust one: the same where units are randomised in strata."""
    return RobustFit(
        outcomes=fit.outcomes,
        cell_sums=fit.sums,
        solved=fit.solved,
        errors=fit.errors,
        on_support=np.ones(len(fit.items)),
        baseline=fit.baseline,
        items=fit.items,
        n_items=fit.used_items(design).size,
        groups=fit.groups,
        varies=fit.varies,
    )


def fit_robust(
    log: EventLog,
    carried: Floats,
    design: Design,
    outcomes: tuple[int, ...],
    using: Robust,
    columns: Mask,
    sums: FoldSums | None = None,
    least_items: int = 0,
) -> RobustFit:
    """Estimate average effects on outcomes that share their weights.

    Parameters
    ----------
    carried
        (I, T) 0/1: what each item carries.
    columns
        (T,) tags that are held against one another.
    sums
        Of the same rows and outcomes, where they are already at hand.
    least_items
        Tags on fewer items are held for the others, but get no score of their own.
    """
    tags = carried[design.cell_item]
    group, n_groups = design.cell_group, design.n_groups
    if sums is None:
        fold = cell_folds(log, design, using.folds)
        sums = sum_folds(log, design, outcomes, fold, using.folds)
    plain = partial_out(sums.total, tags, group, n_groups)
    share = item_shares(sums.total, plain, solve(plain, columns), group)
    counted = sums.total.discount(share)
    part = partial_out(counted, tags, group, n_groups)
    cell_tags = part.cell_tags
    solved = solve(part, columns)
    model = fit_outcomes(sums, share, part, cell_tags, tags, group, n_groups, solved.kept)
    cell_y = cell_outcomes(counted.y, counted.weight, part, group)
    if isinstance(using.nuisances, Boosted):
        model = boosted_outcomes(model, cell_y, counted.weight, tags, solved.kept, using.nuisances)
        of_group = tags - cell_tags  # share of the cell's group
        scores = boosted_scores(
            part, sums.fold, counted.weight, tags, of_group, solved.kept, using.nuisances
        )
    else:
        ridge = using.nuisances.penalties
        used = np.unique(design.cell_item[sums.total.weight > 0])
        told = np.flatnonzero(np.asarray(carried[used].sum(axis=0)) >= least_items)
        scores = np.tile(counted.weight @ tags / max(counted.weight.sum(), 1e-300), (len(tags), 1))
        if told.size:
            scores[:, told] = _scores(
                part, cell_tags, sums.fold, counted.weight, tags, design, solved.kept, ridge, told
            )
    weighting = weigh(scores, tags, counted.weight, group, n_groups)
    residual = model.cell_residuals(cell_y) * counted.weight[:, None]
    coef = _estimates(weighting, model, residual, counted.weight, len(outcomes))
    cells = CellResiduals(residual, counted.weight, share)
    errors = robust_errors(log, design, outcomes, weighting, model, cells, coef)
    used = np.unique(design.cell_item[sums.total.weight > 0])
    return RobustFit(
        outcomes=outcomes,
        cell_sums=sums.total,
        solved=replace(solved, coef=coef),
        errors=errors,
        on_support=weighting.on_support,
        baseline=_baseline(sums, tags),
        items=np.asarray(carried[used].sum(axis=0)),
        n_items=used.size,
        groups=_informative_groups(sums.total.weight, group, n_groups, tags),
        varies=outcomes_vary(sums.total),
        crossed=CrossFit(sums, model, scores, weighting, cells),
    )


def _scores(
    part: Partialled,
    cell_tags: Floats,
    fold: Codes,
    weight: Floats,
    tags: Floats,
    design: Design,
    kept: Mask,
    penalties: tuple[float, ...],
    told: Positions,
) -> Floats:
    """(C, told) scores on all other tags that are held, and on the cells' mean controls."""
    held = np.flatnonzero(kept)
    own = np.full(tags.shape[1], -1, dtype=np.int32)
    own[held] = np.arange(held.size)
    data = score_data(
        np.hstack([cell_tags[:, held], part.cell_x]),
        own[told],
        tags[:, told],
        weight,
        design.cell_group,
        design.n_groups,
    )
    n_folds = int(fold.max(initial=0)) + 1
    return cross_fitted_scores(data, fold, n_folds, penalties).astype(float)


def _estimates(
    weighting: Weighting, model: OutcomeModel, residual: Floats, weight: Floats, n_out: int
) -> Floats:
    """(T, K) mean model effects plus what weighted residuals add."""
    mean = weighting.model_share(model.toggled is not None, weight)
    found = [
        (mean * model.effects(k) + weighting.h * model.left(residual, weight, k)).sum(axis=0)
        for k in range(n_out)
    ]
    return np.stack(found, axis=1)


def _baseline(sums: FoldSums, tags: Floats) -> Floats:
    """(K, T) weighted mean outcome of rows without each tag."""
    without = 1.0 - tags
    weight = sums.total.weight @ without
    return np.asarray((sums.total.y.T @ without) / np.where(weight > 0, weight, np.nan))


def _informative_groups(weight: Floats, cell_group: Codes, n_groups: int, tags: Floats) -> Floats:
    """(T,) fixed-effect groups that hold cells with and cells without the tag."""
    used = weight > 0
    group = cell_group[used]
    with_tag = sum_matrix(group, np.ones(group.size), n_groups) @ tags[used]
    count = np.bincount(group, minlength=n_groups)[:, None]
    return np.asarray(((with_tag > 0) & (with_tag < count)).sum(axis=0), dtype=float)
