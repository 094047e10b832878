"""Joint effects on logged outcomes: which rows, which fits, what is told of each tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tagcf.effects.dose.effects import dose_effects
from tagcf.effects.estimates import Estimates, to_effects
from tagcf.effects.joint.fit import (
    FEWEST_EVENTS,
    Fit,
    fits_together,
    outcome_reason,
    too_few_events,
)
from tagcf.effects.joint.told import Told, told_each
from tagcf.effects.linear.design import (
    Design,
    Survey,
    absorbed_group,
    make_design,
    random_rows_suffice,
    survey,
)
from tagcf.effects.methods import Joint, Matching
from tagcf.effects.multiplicity import Target
from tagcf.effects.observational_bias import allow_for_bias, with_errors
from tagcf.effects.refusals import nearest_by_gram, refuse
from tagcf.effects.task import Task
from tagcf.types import Effect, Estimand, JointFit, Reason, Rung, TagEffects


def joint_effects(task: Task, using: Joint) -> TagEffects:
    """Estimate all tags jointly, for everybody and for the asked segments."""
    seen, design = plan(task, using)
    effects: list[Effect] = []
    fits: list[JointFit] = []
    segments = task.segments()
    inside = [replace(design, rows=replace(design.rows, segment=levels)) for _, levels in segments]
    for estimand in _estimands(task):
        overall: dict[str, Target] = {}
        for found, fit in _everybody(task, using, seen, design, estimand):
            effects += to_effects(found, task.tags.tags, "joint", estimand)
            fits.append(fit)
            overall[found.outcome] = Target(found.estimate, found.se)
        by_segment = _logged(task, using, seen, inside, estimand)
        for (segment, _), results in zip(segments, by_segment, strict=True):
            for found, _ in results:
                target = overall[found.outcome]
                effects += to_effects(found, task.tags.tags, "joint", estimand, segment, target)
    return task.result(effects, fits)


def plan(task: Task, using: Joint | Matching) -> tuple[Survey, Design]:
    """Look at the log once and decide on rows and controls."""
    absorbs = absorbed_group(task.log, using.author_effects)
    seen = survey(task.log, absorbs)
    items = np.stack(
        [task.items_with(seen.item_rows > 0), task.items_with(seen.item_rows_random > 0)]
    )
    random = using.rows != "all" and random_rows_suffice(
        task.log, seen, items, task.question.min_items
    )
    design = make_design(
        task.log,
        seen,
        absorbs=absorbs,
        knots=using.knots,
        exposure="random" if random else "any",
    )
    return seen, design


def _estimands(task: Task) -> tuple[Estimand, ...]:
    """Return the estimand asked for; by default direct, with total beside it for what-ifs."""
    if task.question.estimand is not None:
        return (task.question.estimand,)
    return ("direct", "total") if task.freed("total") else ("direct",)


def _everybody(
    task: Task, using: Joint, seen: Survey, design: Design, estimand: Estimand
) -> list[tuple[Estimates, JointFit]]:
    results = _logged(task, using, seen, [design], estimand)[0]
    fused = using.rows == "auto"
    doses = [dose_effects(task, one, seen, estimand, fused=fused) for one in task.derived()]
    return results + doses


def _logged(
    task: Task, using: Joint, seen: Survey, designs: Sequence[Design], estimand: Estimand
) -> list[list[tuple[Estimates, JointFit]]]:
    """Results of each design; as many at a time go through the log as memory holds."""
    results: list[list[tuple[Estimates, JointFit]]] = [[] for _ in designs]
    logged = task.logged()
    for group in seen.weight_groups:
        wanted = tuple(at for at in group if at in logged)
        if not wanted or not designs:
            continue
        step = fits_together(task.log, designs[0], len(task.slugs), len(wanted))
        for start in range(0, len(designs), step):
            some = designs[start : start + step]
            told = told_each(task, using, some, wanted, estimand)
            for at, one in enumerate(told, start):
                results[at] += _sharing_weights(task, using, one, wanted, estimand)
    return results


def _sharing_weights(
    task: Task, using: Joint, told: Told, outcomes: tuple[int, ...], estimand: Estimand
) -> list[tuple[Estimates, JointFit]]:
    """Results of the outcomes that share their weights, for one audience."""
    design, base = told.design, told.base
    n_items, alike = base.used_items(design).size, bool((base.share == 1.0).all())
    results = []
    for k, outcome in enumerate(outcomes):
        spec = task.log.outcomes[outcome]
        reasons = _reasons(task, design, base, told, k, n_items)
        se = np.sqrt(np.maximum(np.diag(told.cov[k]), 0.0))
        gone = ~told.kept | (se <= 0) | ~base.varies[k]
        found = Estimates(
            outcome=spec.name,
            estimate=np.where(gone, np.nan, told.coef[:, k]),
            se=np.where(gone, np.nan, se),
            df=told.df[k],
            baseline=base.baseline[k],
            treated_items=base.items,
            effective=np.where(gone, 0.0, told.effective[k]),
            n_rows=told.n_rows,
            n_items=n_items,
            rung=_rung(design, told, k),
            reasons=reasons,
            diagnostics=tuple(_facts(design, base, told, k, at, alike) for at in range(len(gone))),
            claimable=None if told.fused is None else told.fused.supported[k],
        )
        found = allow_for_bias(found, design, using.bias)
        fit = JointFit(
            outcome=spec.name,
            kind=spec.kind,
            tags=tuple(task.slugs),
            coef=told.coef[:, k],
            cov=told.cov[k] if using.bias is None else with_errors(told.cov[k], found.se),
            df=found.df,
            usable=np.array([reason is None for reason in reasons]) & ~gone,
            baseline=float(base.mean[k]),
            estimand=estimand,
        )
        results.append((found, fit))
    return results


def _reasons(
    task: Task, design: Design, base: Fit, told: Told, k: int, n_items: int
) -> tuple[Reason | None, ...]:
    if not base.varies[k]:
        return (outcome_reason(base.sums),) * len(task.slugs)
    if too_few_events(task.log.outcomes[base.outcomes[k]].kind, base.sums, k):
        return (Reason("reason.few_events", (("need", int(FEWEST_EVENTS)),)),) * len(task.slugs)
    return refuse(
        task.tags.tags,
        items=base.items,
        n_items=n_items,
        min_items=task.question.min_items,
        kept=told.kept,
        aliases=told.aliases,
        crossing=told.crossing_effective[k],
        unique_share=told.unique_share,
        effective=told.effective[k],
        nearest=nearest_by_gram(base.part.gram + base.part.xd.T @ base.part.projection),
        strata=base.groups if design.absorbs == "stratum" else None,
    )


def _rung(design: Design, told: Told, k: int) -> Rung:
    """Name the rung: without authors, an estimate that leans on chosen rows is observational."""
    if design.rung == "randomised exposure" and told.fused is not None:
        return "observational" if told.fused.weight[k].max() > 0.5 else design.rung
    return design.rung


def _known(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _facts(
    design: Design, base: Fit, told: Told, k: int, at: int, alike: bool
) -> dict[str, float | int | str | None]:
    facts: dict[str, float | int | str | None] = {
        "unique_share": round(float(told.unique_share[at]), 4),
        "df": round(float(told.df[k, at]), 1),
        "largest_item_share": round(float(base.errors.largest_leverage[at]), 4),
        "rows": design.rows.exposure,
    }
    if not alike:
        facts["estimate_by_rows"] = _known(base.by_rows[at, k])
    if told.fused is not None:
        facts["rows"] = "random+chosen"
        facts["chosen_weight"] = round(float(told.fused.weight[k, at]), 4)
        facts["chosen_bias_sd"] = float(told.fused.bias_sd[k])
        facts["chosen_minus_random"] = _known(told.fused.gap[k, at])
        facts["chosen_minus_random_z"] = _known(told.fused.gap_z[k, at])
    if design.absorbs is not None:
        facts["groups"] = design.absorbs
        facts["informative_groups"] = int(base.groups[at])
    return facts
