"""Effects on outcomes of user-periods, such as return within seven days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tagcf.effects.dose.chosen import BothWays, Told, both_ways
from tagcf.effects.dose.model import DoseFit, Doses
from tagcf.effects.dose.periods import gather_periods
from tagcf.effects.estimates import Estimates, nothing_told
from tagcf.effects.linear.design import Survey
from tagcf.effects.refusals import nearest_tags, refuse
from tagcf.effects.task import Task
from tagcf.types import Estimand, Floats, JointFit, Mask, Outcome, Reason, Rung

LEAST_VARIATION = 1e-12  # of an outcome's variance that periods and controls must leave


def dose_effects(
    task: Task, outcome: Outcome, seen: Survey, estimand: Estimand, *, fused: bool
) -> tuple[Estimates, JointFit]:
    """Estimate the effect of one more impression with each tag, jointly.

    Parameters
    ----------
    fused
        Random impressions and the recommender's own (`tagcf.effects.dose.chosen`), or the random
        ones alone.
    """
    reason = task.why_no_periods(seen)
    if reason is None:
        periods = gather_periods(task.log, outcome, seen)
        if periods.returned.size:
            doses = both_ways(task.log, outcome, seen, task.carried, periods, fused=fused)
            return _estimates(task, outcome, doses, estimand)
        reason = Reason("reason.no_follow_up", (("days", outcome.days),))
        if periods.left_out == task.log.n_rows:
            reason = Reason("reason.no_users")
    zero = np.zeros(len(task.slugs))
    reasons = (reason,) * zero.size
    found = nothing_told(outcome.name, reasons, zero, len(task.log.items))
    return found, _joint_fit(task, outcome, zero, np.diag(zero), found, estimand)


def _estimates(
    task: Task, outcome: Outcome, ways: BothWays, estimand: Estimand
) -> tuple[Estimates, JointFit]:
    doses = ways.random
    periods = doses.periods
    columns = task.columns(doses.items)
    base = ways.fit(columns)
    own = _own_fits(task, ways, columns, estimand)
    fit = _put_together(base.fit, {at: one.fit for at, one in own.items()})
    told = tuple(own.get(at, base) for at in range(columns.size))
    varies = bool(doses.y @ doses.y > LEAST_VARIATION * periods.returned.size)
    reasons = _reasons(task, doses, fit, {at: one.fit for at, one in own.items()}, varies)
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
        rung=_rung(task, told),
        reasons=reasons,
        diagnostics=tuple(
            _facts(outcome, doses, fit, at) | one.facts(at) for at, one in enumerate(told)
        ),
        claimable=np.array([one.claimable[at] for at, one in enumerate(told)]),
    )
    return found, _joint_fit(task, outcome, fit.coef, fit.cov, found, estimand)


def _rung(task: Task, told: Sequence[Told]) -> Rung:
    """Name the rung: without authors, answers of which one leans on chosen rows are observational.

    With authors, random and chosen doses alike are centred within them.
    """
    if task.log.n_authors:
        return "within-author"
    leans = any(one.fused is not None and one.fused.weight.max() > 0.5 for one in told)
    return "observational" if leans else "randomised exposure"


def _own_fits(task: Task, ways: BothWays, columns: Mask, estimand: Estimand) -> dict[int, Told]:
    """Fit what needs a model of its own: total effects, and tags not held for the others."""
    free = task.freed(estimand)
    outside = [] if task.question.hold is None else np.flatnonzero(~columns).tolist()
    fits = {}
    for at in sorted({*free, *outside}):
        own = columns & np.array([slug not in free.get(at, frozenset()) for slug in task.slugs])
        own[at] = True
        fits[at] = ways.fit(own, told=np.arange(own.size) == at)
    return fits


def _put_together(base: DoseFit, own: dict[int, DoseFit]) -> DoseFit:
    """Let each tag with a model of its own speak from it, uncorrelated with the others."""
    coef, cov, df, kept = base.coef.copy(), base.cov.copy(), base.df.copy(), base.kept.copy()
    effective, users = base.effective.copy(), base.effective_users.copy()
    unique = base.unique_share.copy()
    for at, one in own.items():
        coef[at], df[at], kept[at], unique[at] = (
            one.coef[at],
            one.df[at],
            one.kept[at],
            one.unique_share[at],
        )
        effective[at], users[at] = one.effective[at], one.effective_users[at]
        cov[at, :] = cov[:, at] = 0.0
        cov[at, at] = one.cov[at, at]
    return replace(
        base,
        coef=coef,
        cov=cov,
        df=df,
        effective=effective,
        effective_users=users,
        kept=kept,
        unique_share=unique,
    )


def _reasons(
    task: Task, doses: Doses, fit: DoseFit, own: dict[int, DoseFit], varies: bool
) -> tuple[Reason | None, ...]:
    """Name for each tag why it cannot be told, or None; aliases by the model that it is told by."""
    if not varies:
        return (Reason("reason.no_outcome_variation"),) * len(task.slugs)
    used = doses.shown > 0
    nearest = nearest_tags(task.carried[used])

    def named(aliases: tuple[tuple[int, int], ...]) -> tuple[Reason | None, ...]:
        return refuse(
            task.tags.tags,
            items=doses.items,
            n_items=int(used.sum()),
            min_items=task.question.min_items,
            kept=fit.kept,
            aliases=aliases,
            unique_share=fit.unique_share,
            effective=fit.effective,
            nearest=nearest,
            crossing=fit.effective_users,
        )

    reasons = list(named(fit.aliases))
    for at, one in own.items():
        reasons[at] = named(tuple(pair for pair in one.aliases if at in pair))[at]
    return tuple(reasons)


def _facts(
    outcome: Outcome, doses: Doses, fit: DoseFit, at: int
) -> dict[str, float | int | str | None]:
    periods = doses.periods
    return {
        "unit": f"user x {outcome.period_days}d",
        "unique_share": round(float(fit.unique_share[at]), 4),
        "df": round(float(fit.df[at]), 1),
        "effective_users": round(float(fit.effective_users[at]), 1),
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
