"""Joint effects on logged outcomes: which rows, which fits, what is told of each tag."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tagcf.effects.dose.effects import dose_effects
from tagcf.effects.estimates import Estimates, to_effects
from tagcf.effects.joint.fit import (
    FEWEST_EVENTS,
    Fit,
    fit_joint,
    outcome_reason,
    too_few_events,
)
from tagcf.effects.joint.fuse import Fused, fuse
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
from tagcf.effects.refusals import nearest_by_gram, refuse
from tagcf.effects.task import Task
from tagcf.types import Effect, Estimand, Floats, JointFit, Mask, Reason, Rung, TagEffects


def joint_effects(task: Task, using: Joint) -> TagEffects:
    """Estimate all tags jointly, for everybody and for the asked segments."""
    seen, design = plan(task, using)
    effects: list[Effect] = []
    fits: list[JointFit] = []
    for estimand in _estimands(task):
        overall: dict[str, Target] = {}
        for found, fit in _everybody(task, using, seen, design, estimand):
            effects += to_effects(found, task.tags.tags, "joint", estimand)
            fits.append(fit)
            overall[found.outcome] = Target(found.estimate, found.se)
        for segment, levels in task.segments():
            inside = replace(design, rows=replace(design.rows, segment=levels))
            for found, _ in _logged(task, using, seen, inside, estimand):
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
    results = _logged(task, using, seen, design, estimand)
    return results + [dose_effects(task, one, seen, estimand) for one in task.derived()]


def _logged(
    task: Task, using: Joint, seen: Survey, design: Design, estimand: Estimand
) -> list[tuple[Estimates, JointFit]]:
    results: list[tuple[Estimates, JointFit]] = []
    logged = task.logged()
    for group in seen.weight_groups:
        wanted = tuple(at for at in group if at in logged)
        if wanted:
            results += _sharing_weights(task, using, design, wanted, estimand)
    return results


@dataclass(frozen=True, slots=True)
class _Told:
    """Coefficients of outcomes that share their weights, however they were put together."""

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


def _sharing_weights(
    task: Task, using: Joint, design: Design, outcomes: tuple[int, ...], estimand: Estimand
) -> list[tuple[Estimates, JointFit]]:
    shown = task.shown(design)
    columns = task.columns(task.items_with(shown))
    base = fit_joint(task.log, task.carries, design, outcomes, using, columns)
    chosen = _chosen(task, using, design, outcomes, columns)
    told = _told(task, base, chosen[1] if chosen else None)
    told = _with_own_fits(task, using, (design, base), chosen, columns, estimand, told)
    results = []
    for k, outcome in enumerate(outcomes):
        spec = task.log.outcomes[outcome]
        reasons = _reasons(task, design, base, told, k)
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
            n_items=base.used_items(design).size,
            rung=_rung(design, told, k),
            reasons=reasons,
            diagnostics=tuple(_facts(design, base, told, k, at) for at in range(len(gone))),
            claimable=None if told.fused is None else told.fused.supported[k],
        )
        fit = JointFit(
            outcome=spec.name,
            kind=spec.kind,
            tags=tuple(task.slugs),
            coef=told.coef[:, k],
            cov=told.cov[k],
            df=found.df,
            usable=np.array([reason is None for reason in reasons]) & ~gone,
            baseline=float(base.mean[k]),
            estimand=estimand,
        )
        results.append((found, fit))
    return results


def _chosen(
    task: Task, using: Joint, design: Design, outcomes: tuple[int, ...], columns: Mask
) -> tuple[Design, Fit] | None:
    """Fit the recommender's own rows, where random rows are the ground to stand on."""
    if design.rows.exposure != "random" or using.rows != "auto":
        return None
    rows = replace(design.rows, exposure="chosen", usual_propensity=None)
    own = replace(design, rows=rows)
    return own, fit_joint(task.log, task.carries, own, outcomes, using, columns)


def _told(task: Task, base: Fit, chosen: Fit | None) -> _Told:
    """Take a fit as it is, or fused with the recommender's own rows where there is such a fit."""
    plain = _Told(
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
    if chosen is None:
        return plain
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


def _with_own_fits(
    task: Task,
    using: Joint,
    base: tuple[Design, Fit],
    chosen: tuple[Design, Fit] | None,
    columns: Mask,
    estimand: Estimand,
    told: _Told,
) -> _Told:
    """Refit what needs a model of its own: total effects, and tags not held for the others."""
    free = task.freed(estimand)
    outside = [] if task.question.hold is None else np.flatnonzero(~columns).tolist()
    reaches = base[1].items >= task.question.min_items  # the rest is refused whatever it says
    own_model = sorted(at for at in {*free, *outside} if reaches[at])
    if not own_model:
        return told
    coef, cov, df = told.coef.copy(), told.cov.copy(), told.df.copy()
    effective, kept, unique = told.effective.copy(), told.kept.copy(), told.unique_share.copy()
    aliases, crossing = list(told.aliases), told.crossing_effective.copy()
    for at in own_model:
        own = columns & np.array([slug not in free.get(at, frozenset()) for slug in task.slugs])
        own[at] = True
        fits = [
            fit_joint(task.log, task.carries, design, fit.outcomes, using, own, base=fit)
            for design, fit in (base, *((chosen,) if chosen else ()))
        ]
        one = _told(task, fits[0], fits[1] if chosen else None)
        coef[at], df[:, at], effective[:, at] = one.coef[at], one.df[:, at], one.effective[:, at]
        cov[:, at, :] = cov[:, :, at] = 0.0
        cov[:, at, at] = one.cov[:, at, at]
        kept[at], unique[at] = one.kept[at], one.unique_share[at]
        crossing[:, at] = one.crossing_effective[:, at]
        aliases += [pair for pair in one.aliases if at in pair]
    return replace(
        told,
        coef=coef,
        cov=cov,
        df=df,
        effective=effective,
        kept=kept,
        unique_share=unique,
        aliases=tuple(aliases),
        crossing_effective=crossing,
    )


def _reasons(
    task: Task, design: Design, base: Fit, told: _Told, k: int
) -> tuple[Reason | None, ...]:
    if not base.varies[k]:
        return (outcome_reason(base.sums),) * len(task.slugs)
    if too_few_events(task.log.outcomes[base.outcomes[k]].kind, base.sums, k):
        return (Reason("reason.few_events", (("need", int(FEWEST_EVENTS)),)),) * len(task.slugs)
    used = base.used_items(design)
    return refuse(
        task.tags.tags,
        items=base.items,
        n_items=used.size,
        min_items=task.question.min_items,
        kept=told.kept,
        aliases=told.aliases,
        crossing=told.crossing_effective[k],
        unique_share=told.unique_share,
        effective=told.effective[k],
        nearest=nearest_by_gram(base.part.gram + base.part.xd.T @ base.part.projection),
        strata=base.groups if design.absorbs == "stratum" else None,
    )


def _rung(design: Design, told: _Told, k: int) -> Rung:
    """Name the rung: without authors, an estimate that leans on chosen rows is observational."""
    if design.rung == "randomised exposure" and told.fused is not None:
        return "observational" if told.fused.weight[k].max() > 0.5 else design.rung
    return design.rung


def _known(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _facts(
    design: Design, base: Fit, told: _Told, k: int, at: int
) -> dict[str, float | int | str | None]:
    facts: dict[str, float | int | str | None] = {
        "unique_share": round(float(told.unique_share[at]), 4),
        "df": round(float(told.df[k, at]), 1),
        "largest_item_share": round(float(base.errors.largest_leverage[at]), 4),
        "rows": design.rows.exposure,
    }
    if (base.share != 1.0).any():
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
