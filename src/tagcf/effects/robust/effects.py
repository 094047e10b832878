"""Doubly robust effects on logged outcomes: which rows, which fits, what is told of each tag."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tagcf.effects.estimates import Estimates, to_effects
from tagcf.effects.joint.effects import plan
from tagcf.effects.joint.fit import fit_joint, outcome_reason
from tagcf.effects.joint.fuse import Fused, fuse
from tagcf.effects.linear.design import Design
from tagcf.effects.methods import Joint, Robust
from tagcf.effects.multiplicity import Target
from tagcf.effects.observational_bias import allow_for_bias
from tagcf.effects.refusals import nearest_tags, refuse
from tagcf.effects.robust.fit import RobustFit, fit_robust, from_joint
from tagcf.effects.task import Task
from tagcf.types import Effect, Estimand, Mask, Reason, Rung, TagEffects

LEAST_ON_SUPPORT = 0.5  # share of the rows where a tag varies that must be on support


@dataclass(frozen=True, slots=True)
class _Fits:
    """Fits of outcomes that share their weights, on the rows of the design and on the others."""

    base: RobustFit
    chosen: RobustFit | None  # the recommender's own rows, where random ones are the ground
    fused: Fused | None


def robust_effects(task: Task, using: Robust) -> TagEffects:
    """Estimate each tag's average effect, for everybody and for the asked segments."""
    joint = Joint(knots=using.knots, author_effects=using.author_effects, rows=using.rows)
    seen, design = plan(task, joint)
    estimand: Estimand = task.question.estimand or using.estimand
    logged = task.logged()
    effects: list[Effect] = []
    overall: dict[str, Target] = {}
    for segment, levels in [(None, ()), *task.segments()]:
        inside = replace(design, rows=replace(design.rows, segment=levels))
        for group in seen.weight_groups:
            wanted = tuple(at for at in group if at in logged)
            if not wanted:
                continue
            for plain in _sharing_weights(task, using, inside, wanted, estimand):
                found = allow_for_bias(plain, inside, using.bias)
                target = overall.get(found.outcome)
                effects += to_effects(
                    found, task.tags.tags, "robust", estimand, segment, shrink_to=target
                )
                if segment is None:
                    overall[found.outcome] = Target(found.estimate, found.se)
    return task.result(effects)


def _sharing_weights(
    task: Task, using: Robust, design: Design, outcomes: tuple[int, ...], estimand: Estimand
) -> list[Estimates]:
    columns = task.columns(task.carried[task.shown(design)].sum(axis=0))
    fits = _fit(task, using, design, outcomes, columns)
    found = _estimates(task, design, fits)
    free = task.freed(estimand)
    outside = [] if task.question.hold is None else np.flatnonzero(~columns).tolist()
    reaches = fits.base.items >= task.question.min_items  # the rest is refused whatever it says
    for at in sorted(at for at in {*free, *outside} if reaches[at]):
        own = columns & np.array([slug not in free.get(at, frozenset()) for slug in task.slugs])
        own[at] = True
        alone = _estimates(task, design, _fit(task, using, design, outcomes, own, fits))
        found = [_with_tag_of(one, other, at) for one, other in zip(found, alone, strict=True)]
    return found


def _fit(
    task: Task,
    using: Robust,
    design: Design,
    outcomes: tuple[int, ...],
    columns: Mask,
    known: _Fits | None = None,
) -> _Fits:
    """Fit the design's rows and, where these are the random ones, the recommender's own as well.

    Parameters
    ----------
    known
        Fits of the same rows on other columns: their sums serve again.
    """
    if design.absorbs == "stratum":
        joint = Joint(knots=using.knots)
        fit = fit_joint(task.log, task.carried, design, outcomes, joint, columns)
        return _Fits(from_joint(fit, design), None, None)
    sums = known.base.crossed.sums if known and known.base.crossed else None
    least = task.question.min_items
    base = fit_robust(task.log, task.carried, design, outcomes, using, columns, sums, least)
    if design.rows.exposure != "random" or using.rows != "auto":
        return _Fits(base, None, None)
    rows = replace(design.rows, exposure="chosen", usual_propensity=None)
    other = replace(design, rows=rows)
    other_crossed = known.chosen.crossed if known and known.chosen else None
    sums = other_crossed.sums if other_crossed else None
    chosen = fit_robust(task.log, task.carried, other, outcomes, using, columns, sums, least)
    enough = np.minimum(base.items, chosen.items) >= task.question.min_items
    supported = np.minimum(base.on_support, chosen.on_support) >= LEAST_ON_SUPPORT
    pair = (base.solved, base.errors), (chosen.solved, chosen.errors)
    return _Fits(base, chosen, fuse(*pair, enough & supported))


def _estimates(task: Task, design: Design, fits: _Fits) -> list[Estimates]:
    return [_one_outcome(task, design, fits, k) for k in range(len(fits.base.outcomes))]


def _one_outcome(task: Task, design: Design, fits: _Fits, k: int) -> Estimates:
    base, fused = fits.base, fits.fused
    told = base.errors if fused is None else fused
    coef = (base.solved if fused is None else fused).coef[:, k]
    se = np.sqrt(np.maximum(np.diag(told.cov[k]), 0.0))
    gone = ~base.solved.kept | ~(se > 0) | ~base.varies[k]
    effective = np.where(gone, 0.0, told.effective[k])
    reasons = _reasons(task, design, base, effective, k)
    n_rows = base.n_rows + (fits.chosen.n_rows if fused is not None and fits.chosen else 0)
    return Estimates(
        outcome=task.log.outcomes[base.outcomes[k]].name,
        estimate=np.where(gone, np.nan, coef),
        se=np.where(gone, np.nan, se),
        df=told.df[k],
        baseline=base.baseline[k],
        treated_items=base.items,
        effective=effective,
        n_rows=n_rows,
        n_items=base.n_items,
        rung=_rung(design, fused, k),
        reasons=reasons,
        diagnostics=tuple(_facts(design, fits, k, at) for at in range(len(gone))),
        claimable=None if fused is None else fused.supported[k],
    )


def _reasons(
    task: Task, design: Design, base: RobustFit, effective: np.ndarray, k: int
) -> tuple[Reason | None, ...]:
    if not base.varies[k]:
        return (outcome_reason(base.cell_sums),) * len(task.slugs)
    reasons = refuse(
        task.tags.tags,
        items=base.items,
        n_items=base.n_items,
        min_items=task.question.min_items,
        kept=base.solved.kept,
        aliases=base.solved.aliases,
        unique_share=base.solved.unique_share,
        effective=effective,
        crossing=base.errors.crossing_effective[k],
        nearest=nearest_tags(task.carried[base.used_items(design)]),
        strata=base.groups if design.absorbs == "stratum" else None,
    )
    return tuple(
        _off_support(reason, float(base.on_support[at])) for at, reason in enumerate(reasons)
    )


def _off_support(reason: Reason | None, share: float) -> Reason | None:
    """Name poor overlap, too, where it is what leaves few items to go by."""
    if share >= LEAST_ON_SUPPORT or (reason and reason.key != "reason.few_effective"):
        return reason
    return Reason("reason.off_support", (("share", round(100 * (1 - share), 1)),))


def _rung(design: Design, fused: Fused | None, k: int) -> Rung:
    """Name the rung: without authors, an estimate that leans on chosen rows is observational."""
    if design.rung == "randomised exposure" and fused is not None:
        return "observational" if fused.weight[k].max() > 0.5 else design.rung
    return design.rung


def _facts(design: Design, fits: _Fits, k: int, at: int) -> dict[str, float | int | str | None]:
    base, fused = fits.base, fits.fused
    facts: dict[str, float | int | str | None] = {
        "unique_share": round(float(base.solved.unique_share[at]), 4),
        "df": round(float((base.errors if fused is None else fused).df[k, at]), 1),
        "largest_item_share": round(float(base.errors.largest_leverage[at]), 4),
        "rows": design.rows.exposure if fused is None else "random+chosen",
    }
    if base.crossed is not None:
        facts |= base.crossed.weighting.facts(at)
    if fused is not None:
        facts["chosen_weight"] = round(float(fused.weight[k, at]), 4)
        facts["chosen_bias_sd"] = float(fused.bias_sd[k])
    if design.absorbs is not None:
        facts["groups"] = design.absorbs
        facts["informative_groups"] = int(base.groups[at])
    return facts


def _with_tag_of(found: Estimates, other: Estimates, at: int) -> Estimates:
    """Take one tag's estimate from another fit."""

    def mixed(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(values)) == at, others, values)

    return replace(
        found,
        estimate=mixed(found.estimate, other.estimate),
        se=mixed(found.se, other.se),
        df=mixed(found.df, other.df),
        effective=mixed(found.effective, other.effective),
        reasons=(*found.reasons[:at], other.reasons[at], *found.reasons[at + 1 :]),
        diagnostics=(*found.diagnostics[:at], other.diagnostics[at], *found.diagnostics[at + 1 :]),
    )
