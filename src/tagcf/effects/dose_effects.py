"""Effects on outcomes of user-periods, such as return within seven days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tagcf.effects.design import Survey
from tagcf.effects.dose import DoseFit, Doses, fit_dose, gather_periods, make_doses
from tagcf.effects.estimates import Estimates, nothing_told
from tagcf.effects.refusals import nearest_tags, refuse
from tagcf.effects.task import Task
from tagcf.types import Estimand, Floats, JointFit, Mask, Outcome, Reason

FEWEST_USERS = 8.0  # effective users below which a t says nothing reliable
LEAST_VARIATION = 1e-12  # of an outcome's variance that periods and controls must leave


def dose_effects(
    task: Task, outcome: Outcome, seen: Survey, estimand: Estimand
) -> tuple[Estimates, JointFit]:
    """Estimate the effect of one more random impression with each tag, jointly."""
    reason = task.why_no_periods(seen)
    if reason is None:
        periods = gather_periods(task.log, outcome, seen)
        if periods.returned.size:
            doses = make_doses(task.log, task.carried, periods)
            return _estimates(task, outcome, doses, estimand)
        reason = Reason("reason.no_follow_up", (("days", outcome.days),))
        if periods.left_out == task.log.n_rows:
            reason = Reason("reason.no_users")
    zero = np.zeros(len(task.slugs))
    reasons = (reason,) * zero.size
    found = nothing_told(outcome.name, reasons, zero, len(task.log.items))
    return found, _joint_fit(task, outcome, zero, np.diag(zero), found, estimand)


def _estimates(
    task: Task, outcome: Outcome, doses: Doses, estimand: Estimand
) -> tuple[Estimates, JointFit]:
    periods = doses.periods
    columns = task.columns(doses.items)
    fit = _with_own_fits(task, doses, columns, estimand, fit_dose(doses, columns))
    varies = bool(doses.y @ doses.y > LEAST_VARIATION * periods.returned.size)
    reasons = _reasons(task, doses, fit, varies)
    se = np.sqrt(np.maximum(np.diag(fit.cov), 0.0))
    gone = ~fit.kept | (se <= 0) | (not varies)
    found = Estimates(
        outcome=outcome.name,
        estimate=np.where(gone, np.nan, fit.coef),
        se=np.where(gone, np.nan, se),
        df=fit.df,
        baseline=np.full(fit.coef.shape, periods.returned.mean()),
        treated_items=doses.items,
        effective=np.where(gone, 0.0, fit.effective),
        n_rows=periods.returned.size,
        n_items=int((doses.shown > 0).sum()),
        rung="within-author" if task.log.n_authors else "randomised exposure",
        reasons=reasons,
        diagnostics=tuple(_facts(outcome, doses, fit, at) for at in range(gone.size)),
    )
    return found, _joint_fit(task, outcome, fit.coef, fit.cov, found, estimand)


def _with_own_fits(
    task: Task, doses: Doses, columns: Mask, estimand: Estimand, base: DoseFit
) -> DoseFit:
    """Refit what needs a model of its own: total effects, and tags not held for the others."""
    free = task.freed(estimand)
    outside = [] if task.question.hold is None else np.flatnonzero(~columns).tolist()
    coef, cov, df = base.coef.copy(), base.cov.copy(), base.df.copy()
    effective, users = base.effective.copy(), base.effective_users.copy()
    kept, unique, aliases = base.kept.copy(), base.unique_share.copy(), base.aliases
    for at in sorted({*free, *outside}):
        own = columns & np.array([slug not in free.get(at, frozenset()) for slug in task.slugs])
        own[at] = True
        one = fit_dose(doses, own, told=np.arange(own.size) == at)
        coef[at], df[at], kept[at] = one.coef[at], one.df[at], one.kept[at]
        effective[at], users[at] = one.effective[at], one.effective_users[at]
        unique[at] = one.unique_share[at]
        cov[at, :] = cov[:, at] = 0.0
        cov[at, at] = one.cov[at, at]
        # A pair is told by the fit of the tag in question: it names what that tag is aliased with.
        aliases = tuple(pair for pair in aliases if at != pair[0])
        aliases += tuple(
            (at, other) for pair in one.aliases if at in pair for other in pair if other != at
        )
    return replace(
        base,
        coef=coef,
        cov=cov,
        df=df,
        effective=effective,
        effective_users=users,
        kept=kept,
        unique_share=unique,
        aliases=aliases,
    )


def _reasons(task: Task, doses: Doses, fit: DoseFit, varies: bool) -> tuple[Reason | None, ...]:
    """Name for each tag why it cannot be told, or None."""
    reasons = refuse(
        task.tags.tags,
        items=doses.items,
        n_items=int((doses.shown > 0).sum()),
        min_items=task.question.min_items,
        kept=fit.kept,
        aliases=fit.aliases,
        unique_share=fit.unique_share,
        effective=fit.effective,
        nearest=nearest_tags(task.carried[doses.shown > 0]),
    )
    found: list[Reason | None] = []
    for reason, users in zip(reasons, fit.effective_users, strict=True):
        if reason is None and not varies:
            found.append(Reason("reason.no_outcome_variation"))
        elif reason is None and users < FEWEST_USERS:
            facts = (("n", round(float(users), 1)), ("need", FEWEST_USERS))
            found.append(Reason("reason.few_users", facts))
        else:
            found.append(reason)
    return tuple(found)


def _facts(
    outcome: Outcome, doses: Doses, fit: DoseFit, at: int
) -> dict[str, float | int | str | None]:
    periods = doses.periods
    return {
        "unit": f"user x {outcome.period_days}d",
        "unique_share": round(float(fit.unique_share[at]), 4),
        "df": round(float(fit.df[at]), 1),
        "effective_users": round(float(fit.effective_users[at]), 1),
        "rows": "random",
        "effective_rows": round(periods.effective_rows, 1),
        "periods_without_follow_up": periods.dropped,
        "rows_without_time_or_user": periods.left_out,
    }


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
