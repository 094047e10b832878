"""Effects unit by unit: a regression of doubly robust pseudo-outcomes on features.

The DR-learner (Kennedy 2023): each item's pseudo-outcome has the item's own effect as its mean, if
either nuisance is right. The second regression is cross-fitted like the first, so that no item's
effect is read off its own outcome; how far it may bend is chosen by what it was not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.joint.effects import plan
from tagcf.effects.linear.design import Design
from tagcf.effects.methods import Boosted, Joint, Robust
from tagcf.effects.robust.boosted import grow
from tagcf.effects.robust.fit import CrossFit, fit_robust
from tagcf.effects.task import Task
from tagcf.errors import EstimationError
from tagcf.types import Floats

# How far the final stage may bend, most to least; at the end every item has the average effect.
RIDGES = (10.0, 100.0, 1_000.0, 10_000.0, np.inf)  # in units of one item, standardised features
TREES = (1.0, 0.5, 0.25, 0.125, 0.0)  # share of the trees grown


@dataclass(frozen=True, slots=True)
class IndividualEffects:
    """What one tag does to one outcome, item by item. I items."""

    tag: str
    outcome: str
    average: float
    se: float  # of the average, with `df` degrees of freedom
    df: float
    effect: Floats  # (I,) out-of-fold; NaN where an item has no rows or is off support


def individual_effects(
    task: Task, tag: str, outcome: str, using: Robust | None = None
) -> IndividualEffects:
    """Estimate the effect of one tag for each item, from the item's controls.

    Parameters
    ----------
    task
        The log and what each item carries.
    tag, outcome
        Slug and name.
    using
        How nuisances and final stage are learned: ridge with `Linear`, trees with `Boosted`.

    Raises
    ------
    EstimationError
        Units were randomised in strata: there is no score to weigh by.
    """
    using = using or Robust()
    joint = Joint(knots=using.knots, author_effects=using.author_effects, rows=using.rows)
    _, design = plan(task, joint)
    at = task.slugs.index(tag)
    columns = task.columns(task.carried[task.shown(design)].sum(axis=0))
    wanted = ([spec.name for spec in task.log.outcomes].index(outcome),)
    if design.absorbs == "stratum":
        raise EstimationError("error.individual_in_strata")
    fit = fit_robust(task.log, task.carried, design, wanted, using, columns)
    assert fit.crossed is not None  # noqa: S101 (only in strata there is none)
    by_cell = _final_stage(fit.crossed, task.carried[design.cell_item, at], at, design, using)
    weight = fit.crossed.cells.weight
    return IndividualEffects(
        tag=tag,
        outcome=outcome,
        average=float(fit.solved.coef[at, 0]),
        se=float(np.sqrt(fit.errors.cov[0, at, at])),
        df=float(fit.errors.df[0, at]),
        effect=_by_item(design, by_cell, weight, task),
    )


def _final_stage(
    crossed: CrossFit, carries: Floats, at: int, design: Design, using: Robust
) -> Floats:
    """(C,) cross-fitted regression of the pseudo-outcomes of one tag; NaN off support."""
    supported, fold = crossed.weighting.supported[:, at], crossed.sums.fold
    part, weight = crossed.model.part, crossed.cells.weight
    features = part.cell_x + part.group_x[design.cell_group]
    target = crossed.pseudo_outcomes(carries, at, 0)
    found = np.full((len(RIDGES), len(fold)), np.nan)
    for one in range(len(crossed.sums.xx)):
        train = np.flatnonzero((fold != one) & supported)
        held = np.flatnonzero((fold == one) & supported)
        if not train.size or not held.size:
            continue
        x, y, w = features[train], target[train], weight[train]
        if isinstance(using.nuisances, Boosted):
            found[:, held] = _trees(x, y, w, features[held], using.nuisances)
        else:
            found[:, held] = _ridges(x, y, w, features[held])
    loss = np.nansum(weight * (target - found) ** 2, axis=1)
    return np.asarray(found[int(loss.argmin())])


def _trees(x: Floats, y: Floats, w: Floats, held: Floats, using: Boosted) -> Floats:
    """(R, m) predictions by ever fewer trees."""
    level = float(w @ y / w.sum())
    grown = grow(x, y - level, w, using, "regression")
    counts = [round(using.trees * part) for part in TREES]
    none = np.zeros(len(held))
    return np.stack([level + (grown.predict(held, num_iteration=n) if n else none) for n in counts])


def _ridges(x: Floats, y: Floats, w: Floats, held: Floats) -> Floats:
    """(R, m) predictions under each ridge, from one eigendecomposition."""
    w = w / w.mean()
    centre, level = w @ x / w.sum(), w @ y / w.sum()
    spread = np.sqrt(w @ (x - centre) ** 2 / w.sum())
    use = spread > 1e-9
    z, new = (x[:, use] - centre[use]) / spread[use], (held[:, use] - centre[use]) / spread[use]
    values, vectors = np.linalg.eigh((z * w[:, None]).T @ z)
    turned = vectors.T @ (z.T @ (w * (y - level)))
    slopes = [vectors @ (turned / (np.maximum(values, 0.0) + ridge)) for ridge in RIDGES]
    return np.stack([level + new @ slope for slope in slopes])


def _by_item(design: Design, by_cell: Floats, by_rows: Floats, task: Task) -> Floats:
    """(I,) weighted mean over an item's cells."""
    told = np.isfinite(by_cell)
    item, weight = design.cell_item[told], by_rows[told]
    n_items = len(task.log.items)
    total = np.bincount(item, weights=weight, minlength=n_items)
    summed = np.bincount(item, weights=weight * by_cell[told], minlength=n_items)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)
