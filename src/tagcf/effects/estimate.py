"""The public verb: estimate effects of all tags, correct for their number, give verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from tagcf.effects.design import (
    Design,
    Survey,
    absorbed_group,
    make_design,
    random_rows_suffice,
    survey,
)
from tagcf.effects.dose import DoseFit, Periods, fit_dose, gather_periods
from tagcf.effects.estimates import Estimates, to_effects
from tagcf.effects.joint import Fit, fit_joint
from tagcf.effects.matching import match_tags
from tagcf.effects.methods import Joint, Matching, Naive, TwoStage, Using
from tagcf.effects.naive import naive_differences, naive_return
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS, nearest_tags, refuse
from tagcf.effects.two_stage import two_stage_effects
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import (
    Balance,
    Effect,
    Estimand,
    EventLog,
    Floats,
    JointFit,
    Mask,
    Outcome,
    Reason,
    TagEffects,
    TagMatrix,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the log, apart from the method."""

    outcomes: tuple[str, ...] = ()  # empty: all
    by: tuple[str, ...] = ()  # segment columns, crossed
    estimand: Estimand | None = None  # None: the method's own
    min_items: int = 50
    threshold: float = 0.5  # strength from which an item carries a tag
    hold: tuple[str, ...] | None = None  # slugs held fixed; None: all
    # Tag -> the tags it causes, directly or through others; total effects leave them free.
    descendants: Mapping[str, frozenset[str]] = field(default_factory=dict)


def estimate_effects(
    log: EventLog, tags: TagMatrix, using: Using | None = None, question: Question | None = None
) -> TagEffects:
    """Estimate what each tag does to each outcome.

    Parameters
    ----------
    log
        The impressions.
    tags
        What each item of the log carries.
    using
        The method; `Joint()` unless given.
    question
        Outcomes, segments, estimand and refusal limits; everything for everybody unless given.

    Returns
    -------
    TagEffects
        One `Effect` per tag × outcome × segment. Weak evidence is a verdict, not an error.

    Raises
    ------
    UnknownNameError
        An outcome or segment that the log does not have.
    EstimationError
        No rows, no tags, or more than two cluster axes.
    """
    using, question = using or Joint(), question or Question()
    _check(log, tags, question)
    work = _Work(log, tags, tags.carried(question.threshold).toarray().astype(float), question)
    if isinstance(using, Joint):
        return _joint(work, using)
    if isinstance(using, Matching):
        return _matching(work, using)
    if isinstance(using, TwoStage):
        return _two_stage(work, using)
    return _naive(work)


@dataclass(frozen=True, slots=True)
class _Work:
    log: EventLog
    tags: TagMatrix
    carried: Floats  # (I, T)
    question: Question

    def logged(self) -> tuple[int, ...]:
        """Positions of the wanted logged outcomes."""
        wanted = self.question.outcomes
        return tuple(
            at for at, spec in enumerate(self.log.outcomes) if not wanted or spec.name in wanted
        )

    def derived(self) -> tuple[Outcome, ...]:
        """Wanted derived outcomes."""
        wanted = self.question.outcomes
        return tuple(spec for spec in self.log.derived if not wanted or spec.name in wanted)

    def result(
        self, effects: list[Effect], joint: Sequence[JointFit] = (), balance: Sequence[Balance] = ()
    ) -> TagEffects:
        return TagEffects(
            effects=tuple(effects),
            joint=tuple(joint),
            balance=tuple(balance),
            n_rows=self.log.n_rows,
            n_items=len(self.log.items),
            n_users=len(self.log.users),
            simulated=self.log.simulated,
        )


def _check(log: EventLog, tags: TagMatrix, question: Question) -> None:
    names = [spec.name for spec in (*log.outcomes, *log.derived)]
    for name in question.outcomes:
        if name not in names:
            hint = did_you_mean(name, names)
            raise UnknownNameError(
                "error.unknown_outcome", name=name, hint=hint, known=", ".join(names)
            )
    segments = [spec.name for spec in log.segments]
    for name in question.by:
        if name not in segments:
            hint = did_you_mean(name, segments)
            raise UnknownNameError(
                "error.unknown_segment", name=name, hint=hint, known=", ".join(segments) or "—"
            )
    if log.n_rows == 0:
        raise EstimationError("error.no_rows", why="0 rows")
    if not tags.tags:
        raise EstimationError("error.no_tags", path="DIR")
    if len(log.clusters) > 2:
        axes = ", ".join(axis.name for axis in log.clusters)
        raise EstimationError("error.too_many_axes", n=len(log.clusters), axes=axes)


def _plan(work: _Work, using: Joint | Matching) -> tuple[Survey, Design]:
    """Look at the log once and decide on rows and controls."""
    absorbs = absorbed_group(work.log, using.author_effects)
    seen = survey(work.log, absorbs)
    items = np.stack(
        [(seen.item_rows > 0) @ work.carried, (seen.item_rows_random > 0) @ work.carried]
    )
    randomized_only = using.rows == "auto" and random_rows_suffice(
        work.log, seen, items, work.question.min_items
    )
    design = make_design(
        work.log, seen, absorbs=absorbs, knots=using.knots, randomized_only=randomized_only
    )
    return seen, design


def _columns(work: _Work, items: Floats) -> Mask:
    """(T,) tags in the model: those that are to be held fixed and are on enough items."""
    enough = items >= FEWEST_CONTROL_ITEMS
    if work.question.hold is None:
        return np.asarray(enough)
    return np.asarray(enough & np.array([tag.slug in work.question.hold for tag in work.tags.tags]))


def _joint(work: _Work, using: Joint) -> TagEffects:
    seen, design = _plan(work, using)
    effects: list[Effect] = []
    fits: list[JointFit] = []
    for estimand in _estimands(work):
        everybody = _joint_everybody(work, using, seen, design, estimand)
        for found, fit in everybody:
            effects += to_effects(found, work.tags.tags, "joint", estimand)
            fits.append(fit)
        for segment, rows in _segments(work):
            inside = replace(design, rows=replace(design.rows, segment=rows))
            for found, _ in _joint_everybody(work, using, seen, inside, estimand, derived=False):
                overall = next(one for one, _ in everybody if one.outcome == found.outcome)
                effects += to_effects(
                    found, work.tags.tags, "joint", estimand, segment, overall.estimate
                )
    return work.result(effects, fits)


def _estimands(work: _Work) -> tuple[Estimand, ...]:
    """Return the estimand asked for; by default direct, with total beside it for what-ifs."""
    if work.question.estimand is not None:
        return (work.question.estimand,)
    return ("direct", "total") if work.question.descendants else ("direct",)


def _joint_everybody(
    work: _Work,
    using: Joint,
    seen: Survey,
    design: Design,
    estimand: Estimand,
    *,
    derived: bool = True,
) -> list[tuple[Estimates, JointFit]]:
    logged = work.logged()
    results: list[tuple[Estimates, JointFit]] = []
    for group in seen.weight_groups:
        wanted = tuple(at for at in group if at in logged)
        if wanted:
            results += _joint_logged(work, using, design, wanted, estimand)
    for outcome in work.derived() if derived else ():
        results += _joint_derived(work, outcome, seen, estimand)
    return results


def _joint_logged(
    work: _Work, using: Joint, design: Design, outcomes: tuple[int, ...], estimand: Estimand
) -> list[tuple[Estimates, JointFit]]:
    carried = work.carried
    used = _shown(work, design)
    columns = _columns(work, carried[used].sum(axis=0))
    base = fit_joint(work.log, carried, design, outcomes, using, columns)
    fits = _per_tag_fits(work, using, design, outcomes, columns, estimand)
    results = []
    for k, outcome in enumerate(outcomes):
        spec = work.log.outcomes[outcome]
        coef, cov, df = (
            base.solved.coef[:, k].copy(),
            base.errors.cov[k].copy(),
            base.errors.df[k].copy(),
        )
        effective, unique = base.errors.effective[k].copy(), base.solved.unique_share.copy()
        kept = base.solved.kept.copy()
        for at, fit in fits.items():
            coef[at], df[at] = fit.solved.coef[at, k], fit.errors.df[k, at]
            cov[at, :] = cov[:, at] = 0.0
            cov[at, at] = fit.errors.cov[k, at, at]
            effective[at], unique[at] = fit.errors.effective[k, at], fit.solved.unique_share[at]
            kept[at] = fit.solved.kept[at]
        reasons = refuse(
            work.tags.tags,
            items=base.items,
            n_items=int(used.sum()),
            min_items=work.question.min_items,
            kept=kept,
            aliases=base.solved.aliases,
            unique_share=unique,
            effective=effective,
            nearest=nearest_tags(carried[used]),
            strata=base.groups if design.absorbs == "stratum" else None,
        )
        se = np.sqrt(np.diag(cov))
        gone = ~kept | (se <= 0)
        found = Estimates(
            outcome=spec.name,
            estimate=np.where(gone, np.nan, coef),
            se=np.where(gone, np.nan, se),
            df=df,
            baseline=base.baseline[k],
            treated_items=base.items,
            effective=np.where(gone, 0.0, effective),
            n_rows=int(base.sums.rows.sum()),
            n_items=int(used.sum()),
            rung=design.rung,
            reasons=reasons,
            diagnostics=tuple(
                _diagnostics(design, base, at, unique[at], df[at]) for at in range(len(coef))
            ),
        )
        usable = np.array([reason is None for reason in reasons]) & ~gone
        results.append(
            (found, _joint_fit(work, spec, found, coef, cov, usable, base.mean[k], estimand))
        )
    return results


def _shown(work: _Work, design: Design) -> Mask:
    """(I,) items that the rows used contain."""
    shown = np.zeros(len(work.carried), dtype=bool)
    for batch in work.log.batches():
        shown[batch.item[design.rows.mask(batch)]] = True
    return shown


def _per_tag_fits(
    work: _Work,
    using: Joint,
    design: Design,
    outcomes: tuple[int, ...],
    columns: Mask,
    estimand: Estimand,
) -> dict[int, Fit]:
    """Fits of their own: tags that are not held for others, and total effects."""
    slugs = [tag.slug for tag in work.tags.tags]
    fits = {}
    for at, slug in enumerate(slugs):
        free = (
            work.question.descendants.get(slug, frozenset()) if estimand == "total" else frozenset()
        )
        outside = work.question.hold is not None and not columns[at]
        if not outside and not free & set(slugs):
            continue
        own = columns & np.array([other not in free for other in slugs])
        own[at] = True
        fits[at] = fit_joint(work.log, work.carried, design, outcomes, using, own)
    return fits


def _diagnostics(
    design: Design, fit: Fit, at: int, unique: float, df: float
) -> dict[str, float | int | str | None]:
    facts: dict[str, float | int | str | None] = {
        "unique_share": round(float(unique), 4),
        "df": round(float(df), 1),
        "largest_item_share": round(float(fit.errors.largest_leverage[at]), 4),
        "rows": "random" if design.rows.randomized_only else "all",
    }
    if design.absorbs is not None:
        facts["groups"] = design.absorbs
        facts["informative_groups"] = int(fit.groups[at])
    return facts


def _joint_fit(
    work: _Work,
    spec: Outcome,
    found: Estimates,
    coef: Floats,
    cov: Floats,
    usable: Mask,
    mean: float,
    estimand: Estimand,
) -> JointFit:
    return JointFit(
        outcome=spec.name,
        kind="binary" if spec.derive else spec.kind,
        tags=tuple(tag.slug for tag in work.tags.tags),
        coef=coef,
        cov=cov,
        df=found.df,
        usable=usable,
        baseline=float(mean),
        estimand=estimand,
    )


def _joint_derived(
    work: _Work, outcome: Outcome, seen: Survey, estimand: Estimand
) -> list[tuple[Estimates, JointFit]]:
    reason = _no_periods(work, seen)
    if reason is None:
        periods = gather_periods(work.log, outcome, seen)
        if periods.returned.size:
            return [_dose_estimates(work, outcome, periods, estimand)]
        reason = Reason("reason.no_follow_up", (("days", outcome.days),))
    found = nothing_told(work.tags, outcome.name, reason, work.log)
    empty = np.zeros(len(work.tags.tags))
    return [
        (
            found,
            _joint_fit(
                work, outcome, found, empty, np.diag(empty), empty > 0, float("nan"), estimand
            ),
        )
    ]


def _no_periods(work: _Work, seen: Survey) -> Reason | None:
    if not np.isfinite(seen.first_ts):
        return Reason("reason.no_time")
    if not work.log.has_randomized or seen.n_rows_random == 0:
        return Reason("reason.no_random_exposure")
    return None


def _dose_estimates(
    work: _Work, outcome: Outcome, periods: Periods, estimand: Estimand
) -> tuple[Estimates, JointFit]:
    shown = np.asarray(periods.counts.sum(axis=0)).ravel() > 0
    columns = _columns(work, work.carried[shown].sum(axis=0))
    fit = fit_dose(work.log, work.carried, periods, columns)
    coef, cov = fit.coef.copy(), fit.cov.copy()
    if estimand == "total":
        coef, cov = _total_dose(work, periods, columns, fit)
    reasons = refuse(
        work.tags.tags,
        items=fit.items,
        n_items=int(shown.sum()),
        min_items=work.question.min_items,
        kept=fit.kept,
        aliases=(),
        unique_share=fit.unique_share,
        effective=fit.effective,
        nearest=nearest_tags(work.carried),
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
        rung="within-author" if work.log.item_author is not None else "randomised exposure",
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
    usable = np.array([reason is None for reason in reasons]) & ~gone
    return found, _joint_fit(work, outcome, found, coef, cov, usable, fit.baseline, estimand)


def _total_dose(
    work: _Work, periods: Periods, columns: Mask, base: DoseFit
) -> tuple[Floats, Floats]:
    """Replace coefficients of tags with descendants by fits that leave those free."""
    coef, cov = base.coef.copy(), base.cov.copy()
    slugs = [tag.slug for tag in work.tags.tags]
    for at, slug in enumerate(slugs):
        free = work.question.descendants.get(slug, frozenset())
        if free & set(slugs):
            own = columns & np.array([other not in free for other in slugs])
            fit = fit_dose(work.log, work.carried, periods, own)
            coef[at] = fit.coef[at]
            cov[at, :] = cov[:, at] = 0.0
            cov[at, at] = fit.cov[at, at]
    return coef, cov


def nothing_told(tags: TagMatrix, outcome: str, reason: Reason, log: EventLog) -> Estimates:
    """Estimates of an outcome for which no tag can be told."""
    none = np.full(len(tags.tags), np.nan)
    zero = np.zeros(len(tags.tags))
    return Estimates(
        outcome=outcome,
        estimate=none,
        se=none,
        df=zero + 1.0,
        baseline=none,
        treated_items=zero,
        effective=zero,
        n_rows=0,
        n_items=len(log.items),
        rung="observational",
        reasons=(reason,) * len(tags.tags),
        diagnostics=tuple({} for _ in tags.tags),
    )


def _segments(work: _Work) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """Every crossed level of the asked segments: its label, and the levels a row must have."""
    names = [spec.name for spec in work.log.segments]
    at = [names.index(name) for name in work.question.by]
    if not at:
        return []
    levels = [range(len(work.log.segments[position].levels)) for position in at]
    found = []
    for codes in product(*levels):
        label = ",".join(
            f"{names[position]}={work.log.segments[position].levels[code]}"
            for position, code in zip(at, codes, strict=True)
        )
        found.append((label, tuple(zip(at, codes, strict=True))))
    return found


def _matching(work: _Work, using: Matching) -> TagEffects:
    seen, design = _plan(work, using)
    logged = work.logged()
    effects: list[Effect] = []
    balance: list[Balance] = []
    used = _shown(work, design)
    columns = _columns(work, work.carried[used].sum(axis=0))
    for segment, rows in [(None, ()), *_segments(work)]:
        inside = replace(design, rows=replace(design.rows, segment=rows))
        for group in seen.weight_groups:
            wanted = tuple(at for at in group if at in logged)
            if not wanted:
                continue
            matched = match_tags(
                work.log,
                work.tags.tags,
                work.carried,
                inside,
                wanted,
                using,
                columns,
                work.question.min_items,
            )
            for found in matched.estimates:
                effects += to_effects(found, work.tags.tags, "matching", "treated", segment)
            if segment is None:
                balance += matched.balance
    return work.result(effects, balance=balance)


def _two_stage(work: _Work, using: TwoStage) -> TagEffects:
    effects: list[Effect] = []
    for found in two_stage_effects(
        work.log, work.tags.tags, work.carried, work.logged(), using, work.question.min_items
    ):
        effects += to_effects(found, work.tags.tags, "iv", "local")
    return work.result(effects)


def _naive(work: _Work) -> TagEffects:
    seen = survey(work.log, None)
    design = make_design(work.log, seen, absorbs=None, knots=0, randomized_only=False)
    logged = work.logged()
    effects: list[Effect] = []
    for group in seen.weight_groups:
        wanted = tuple(at for at in group if at in logged)
        if wanted:
            for found in naive_differences(work.log, work.carried, design, wanted):
                effects += to_effects(found, work.tags.tags, "naive", "direct")
    for outcome in work.derived():
        if _no_periods(work, seen) is None:
            periods = gather_periods(work.log, outcome, seen, randomized_only=False)
            if periods.returned.size:
                found = naive_return(outcome.name, work.carried, periods)
                effects += to_effects(found, work.tags.tags, "naive", "direct")
    return work.result(effects)
