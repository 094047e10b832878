"""Coefficients of the outcomes that share their weights, from all the fits that they need.

The rows of one audience may take several fits: random and chosen rows apart, and a model of its
own for each tag whose total effect leaves others free. All audiences go through the log together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagcf.effects.joint.fit import Fit, Wanted, fit_each
from tagcf.effects.joint.fuse import Fused, fuse
from tagcf.effects.joint.own_rows import fit_own_rows
from tagcf.effects.linear.cell_tags import item_tags
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.own_rows import rows_are_items
from tagcf.effects.methods import Joint
from tagcf.effects.task import Task
from tagcf.types import Estimand, Floats, Mask


@dataclass(frozen=True, slots=True)
class Told:
    """Coefficients for one audience. T tags, K outcomes."""

    design: Design
    base: Fit  # of random rows where these carry the answer, else of all
    coef: Floats  # (T, K)
    cov: Floats  # (K, T, T)
    df: Floats  # (K, T)
    effective: Floats  # (K, T)
    kept: Mask  # (T,)
    unique_share: Floats  # (T,)
    aliases: tuple[tuple[int, int], ...]
    crossing_effective: Floats  # (K, T)
    fused: Fused | None
    n_rows: int


@dataclass(frozen=True, slots=True)
class _Audience:
    """One audience's rows, and the tags in its model."""

    design: Design
    columns: Mask  # (T,)


def told_each(
    task: Task,
    using: Joint,
    designs: Sequence[Design],
    outcomes: tuple[int, ...],
    estimand: Estimand,
) -> list[Told]:
    """Fit all audiences, given by their designs, in the same passes over the log."""
    audiences = [
        _Audience(design, task.columns(task.items_with(shown)))
        for design, shown in zip(designs, task.shown_each(designs), strict=True)
    ]
    grounds = [_grounds(using, one) for one in audiences]
    every = [wanted for ground in grounds for wanted in ground]
    fits = _dealt(_fits(task, every, outcomes, using), grounds)
    told = [_told(task, ground[0].design, own) for ground, own in zip(grounds, fits, strict=True)]
    models = [
        _own_models(task, one, own[0], estimand) for one, own in zip(audiences, fits, strict=True)
    ]
    for at in sorted({at for own in models for at in own}):
        some = [place for place, own in enumerate(models) if at in own]
        alone = [
            [
                replace(wanted, columns=models[place][at], base=base)
                for wanted, base in zip(grounds[place], fits[place], strict=True)
            ]
            for place in some
        ]
        every = [wanted for ground in alone for wanted in ground]
        refits = _dealt(_fits(task, every, outcomes, using), alone)
        for place, own in zip(some, refits, strict=True):
            refit = _told(task, grounds[place][0].design, own)
            told[place] = _with_own_model(told[place], at, refit)
    return told


def _fits(
    task: Task, wanted: Sequence[Wanted], outcomes: tuple[int, ...], using: Joint
) -> list[Fit]:
    """Fit all that is wanted: in the same passes, or row by row where nothing can be summed."""
    if not all(rows_are_items(task.log, one.design) for one in wanted):
        return fit_each(task.log, task.carries, wanted, outcomes, using)
    items = item_tags(task.carries)
    fits = []
    for one in wanted:
        summed = one.base is not None and not one.base.whitened
        fit = None if summed else fit_own_rows(task.log, items, one, outcomes, using)
        fits.append(fit or fit_each(task.log, items, (one,), outcomes, using)[0])
    return fits


def _dealt(fits: list[Fit], grounds: Sequence[Sequence[Wanted]]) -> list[list[Fit]]:
    """The fits, handed out to the audiences that want them."""
    left = iter(fits)
    return [[next(left) for _ in ground] for ground in grounds]


def _grounds(using: Joint, audience: _Audience) -> list[Wanted]:
    """Fits that carry the answer: random rows and the recommender's own, or all rows alike."""
    design = audience.design
    first = Wanted(design, audience.columns)
    if design.rows.exposure != "random" or using.rows != "auto":
        return [first]
    rows = replace(design.rows, exposure="chosen", usual_propensity=None)
    return [first, Wanted(replace(design, rows=rows), audience.columns)]


def _told(task: Task, design: Design, fits: Sequence[Fit]) -> Told:
    """Take a fit as it is, or fused with the recommender's own rows where there is such a fit."""
    base = fits[0]
    plain = Told(
        design=design,
        base=base,
        coef=base.solved.coef,
        cov=base.errors.cov,
        df=base.errors.df,
        effective=base.errors.effective,
        kept=base.solved.kept,
        unique_share=base.solved.unique_share,
        aliases=base.solved.aliases,
        crossing_effective=base.errors.crossing_effective,
        fused=None,
        n_rows=int(base.sums.rows.sum()),
    )
    if len(fits) == 1:
        return plain
    chosen = fits[1]
    enough = np.minimum(base.items, chosen.items) >= task.question.min_items
    fused = fuse((base.solved, base.errors), (chosen.solved, chosen.errors), enough)
    if fused is None:
        return plain
    return replace(
        plain,
        coef=fused.coef,
        cov=fused.cov,
        df=fused.df,
        effective=fused.effective,
        fused=fused,
        n_rows=plain.n_rows + int(chosen.sums.rows.sum()),
    )


def _own_models(task: Task, audience: _Audience, base: Fit, estimand: Estimand) -> dict[int, Mask]:
    """Tags that need a model of their own, and its columns (T,).

    Those whose total effect leaves others free, and those not held for the others.
    """
    free = task.freed(estimand)
    outside = [] if task.question.hold is None else np.flatnonzero(~audience.columns).tolist()
    reaches = base.items >= task.question.min_items  # the rest is refused whatever it says
    models = {}
    for at in sorted(at for at in {*free, *outside} if reaches[at]):
        left_free = free.get(at, frozenset())
        columns = audience.columns & np.array([slug not in left_free for slug in task.slugs])
        columns[at] = True
        models[at] = columns
    return models


def _with_own_model(told: Told, at: int, alone: Told) -> Told:
    """Tell one tag from a model of its own; its errors go with no other tag's."""
    coef, cov, df = told.coef.copy(), told.cov.copy(), told.df.copy()
    effective, kept, unique = told.effective.copy(), told.kept.copy(), told.unique_share.copy()
    crossing = told.crossing_effective.copy()
    coef[at], df[:, at], effective[:, at] = alone.coef[at], alone.df[:, at], alone.effective[:, at]
    cov[:, at, :] = cov[:, :, at] = 0.0
    cov[:, at, at] = alone.cov[:, at, at]
    kept[at], unique[at] = alone.kept[at], alone.unique_share[at]
    crossing[:, at] = alone.crossing_effective[:, at]
    return replace(
        told,
        coef=coef,
        cov=cov,
        df=df,
        effective=effective,
        kept=kept,
        unique_share=unique,
        aliases=(*told.aliases, *(pair for pair in alone.aliases if at in pair)),
        crossing_effective=crossing,
    )
