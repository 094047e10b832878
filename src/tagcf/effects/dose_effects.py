"""Effects on outcomes of user-periods, such as return within seven days."""

from __future__ import annotations

import numpy as np

from tagcf.effects.design import Survey
from tagcf.effects.dose import DoseFit, Periods, fit_dose, gather_periods
from tagcf.effects.estimates import Estimates, nothing_told
from tagcf.effects.refusals import nearest_tags, refuse
from tagcf.effects.task import Task
from tagcf.types import Estimand, Floats, JointFit, Mask, Outcome, Reason


def dose_effects(
    task: Task, outcome: Outcome, seen: Survey, estimand: Estimand
) -> tuple[Estimates, JointFit]:
    """Estimate the effect of one more random impression with each tag, jointly."""
    reason = task.why_no_periods(seen)
    if reason is None:
        periods = gather_periods(task.log, outcome, seen)
        if periods.returned.size:
            return _estimates(task, outcome, periods, estimand)
        reason = Reason("reason.no_follow_up", (("days", outcome.days),))
    zero = np.zeros(len(task.slugs))
    reasons = (reason,) * zero.size
    found = nothing_told(outcome.name, reasons, zero, len(task.log.items))
    return found, _joint_fit(task, outcome, zero, np.diag(zero), found, estimand)


def _estimates(
    task: Task, outcome: Outcome, periods: Periods, estimand: Estimand
) -> tuple[Estimates, JointFit]:
    shown = np.asarray(periods.counts.sum(axis=0)).ravel() > 0
    columns = task.columns(task.carried[shown].sum(axis=0))
    fit = fit_dose(task.log, task.carried, periods, columns)
    coef, cov = _with_freed(task, periods, columns, fit, estimand)
    reasons = refuse(
        task.tags.tags,
        items=fit.items,
        n_items=int(shown.sum()),
        min_items=task.question.min_items,
        kept=fit.kept,
        aliases=fit.aliases,
        unique_share=fit.unique_share,
        effective=fit.effective,
        nearest=nearest_tags(task.carried),
    )
    se = np.sqrt(np.diag(cov))
    gone = ~fit.kept | (se <= 0)
    found = Estimates(
        outcome=outcome.name,
        estimate=np.where(gone, np.nan, coef),
        se=np.where(gone, np.nan, se),
        df=fit.df,
        baseline=np.full(coef.shape, fit.baseline),
        treated_items=fit.items,
        effective=np.where(gone, 0.0, fit.effective),
        n_rows=fit.n_periods,
        n_items=int(shown.sum()),
        rung="within-author" if task.log.item_author is not None else "randomised exposure",
        reasons=reasons,
        diagnostics=tuple(
            {
                "unit": f"user x {outcome.period_days}d",
                "unique_share": round(float(share), 4),
                "rows": "random",
                "periods_without_follow_up": periods.dropped,
            }
            for share in fit.unique_share
        ),
    )
    return found, _joint_fit(task, outcome, coef, cov, found, estimand)


def _with_freed(
    task: Task, periods: Periods, columns: Mask, base: DoseFit, estimand: Estimand
) -> tuple[Floats, Floats]:
    """Replace coefficients of tags whose total effect leaves others free."""
    coef, cov = base.coef.copy(), base.cov.copy()
    for at, free in task.freed(estimand).items():
        own = columns & np.array([slug not in free for slug in task.slugs])
        fit = fit_dose(task.log, task.carried, periods, own)
        coef[at] = fit.coef[at]
        cov[at, :] = cov[:, at] = 0.0
        cov[at, at] = fit.cov[at, at]
    return coef, cov


def _joint_fit(
    task: Task, outcome: Outcome, coef: Floats, cov: Floats, found: Estimates, estimand: Estimand
) -> JointFit:
    usable = np.array([reason is None for reason in found.reasons]) & np.isfinite(found.estimate)
    return JointFit(
        outcome=outcome.name,
        kind="binary",
        tags=tuple(task.slugs),
        coef=coef,
        cov=cov,
        df=found.df,
        usable=usable,
        baseline=float(found.baseline[0]),
        estimand=estimand,
    )
