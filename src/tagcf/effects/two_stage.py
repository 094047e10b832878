"""Two-stage least squares on a log: randomly assigned columns move the exposure to tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from tagcf.effects.basis import expand
from tagcf.effects.design import Design, make_design, survey
from tagcf.effects.estimates import Estimates
from tagcf.effects.instruments import StageBlock, StageFit, two_stage
from tagcf.effects.methods import TwoStage
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS
from tagcf.errors import EstimationError
from tagcf.types import EventLog, Floats, Mask, Reason, Tag

WEAK_F = 10.0  # with several endogenous tags, conditional F below which nothing is told


def two_stage_effects(
    log: EventLog,
    tags: Sequence[Tag],
    carried: Floats,
    outcomes: tuple[int, ...],
    using: TwoStage,
    min_items: int,
) -> list[Estimates]:
    """Estimate the configured tags jointly; all other tags are held fixed as controls.

    Raises
    ------
    EstimationError
        No instruments are configured.
    """
    if not log.instruments:
        raise EstimationError("error.no_instruments")
    wanted = {name for instrument in log.instruments for name in instrument.tags}
    endogenous = np.array([bool({tag.slug, tag.zh, tag.en} & wanted) for tag in tags])
    seen = survey(log, None)
    design = make_design(log, seen, absorbs=None, knots=using.knots, exposure="any")
    items = (seen.item_rows > 0) @ carried
    n_levels = sum(len(instrument.levels) - 1 for instrument in log.instruments)
    if n_levels < endogenous.sum() or not endogenous.any():
        reason = Reason("reason.under_identified")
        return [
            _nothing(log, at, len(tags), endogenous, items, reason, seen.n_rows) for at in outcomes
        ]
    held = ~endogenous & (items >= FEWEST_CONTROL_ITEMS)
    results = []
    for outcome in outcomes:
        fit = two_stage(partial(_blocks, log, carried, design, outcome, endogenous, held))
        results.append(_estimates(log, outcome, fit, endogenous, items, min_items))
    return results


def _blocks(
    log: EventLog, carried: Floats, design: Design, outcome: int, endogenous: Mask, held: Mask
) -> Iterator[StageBlock]:
    for batch in log.batches():
        keep = design.rows.mask(batch) & (batch.weights[:, outcome] > 0)
        tags = carried[batch.item[keep]]
        x = expand(design.basis, batch.covariates[keep])
        columns = [
            batch.instruments[keep, at][:, None] == np.arange(1, len(instrument.levels))
            for at, instrument in enumerate(log.instruments)
        ]
        used = [at for at, axis in enumerate(log.clusters) if axis.n_clusters > 1]
        yield StageBlock(
            y=batch.outcomes[keep, outcome][:, None],
            endogenous=tags[:, endogenous],
            controls=np.hstack([np.ones((int(keep.sum()), 1)), x, tags[:, held]]),
            instruments=np.hstack(columns).astype(float),
            w=batch.weights[keep, outcome],
            clusters=batch.clusters[keep][:, used],
        )


def _estimates(
    log: EventLog, outcome: int, fit: StageFit, endogenous: Mask, items: Floats, min_items: int
) -> Estimates:
    at = np.flatnonzero(endogenous)
    nothing = _nothing(
        log, outcome, endogenous.size, endogenous, items, Reason("reason.no_instrument"), fit.n_rows
    )
    estimate, se, p = nothing.estimate.copy(), nothing.se.copy(), np.full(endogenous.size, np.nan)
    interval = np.full((endogenous.size, 2), np.nan)
    reasons, diagnostics = list(nothing.reasons), list(nothing.diagnostics)
    one = at.size == 1
    for position, tag in enumerate(at):
        estimate[tag] = fit.coef[position, 0]
        se[tag] = np.sqrt(fit.cov[0, position, position])
        f = float(fit.first_stage_f[position])
        weak = not fit.bounded[0] if one else f < WEAK_F
        reasons[tag] = Reason("reason.weak_instrument", (("f", round(f, 2)),)) if weak else None
        if items[tag] < min_items:
            facts = (("n", int(items[tag])), ("need", min_items))
            reasons[tag] = Reason("reason.few_items", facts)
        diagnostics[tag] = {"first_stage_f": round(f, 2), "clusters": fit.clusters}
        if one and fit.bounded[0]:
            interval[tag] = fit.set_low[0], fit.set_high[0]
            p[tag] = fit.set_p[0]
            diagnostics[tag] = {**diagnostics[tag], "interval": "Anderson-Rubin"}
    return Estimates(
        outcome=nothing.outcome,
        estimate=estimate,
        se=se,
        df=np.full(endogenous.size, max(fit.clusters - 1.0, 1.0)),
        baseline=nothing.baseline,
        treated_items=items,
        effective=items,
        n_rows=fit.n_rows,
        n_items=nothing.n_items,
        rung="instrument",
        reasons=tuple(reasons),
        diagnostics=tuple(diagnostics),
        interval=interval if one else None,
        p=p if one else None,
    )


def _nothing(
    log: EventLog,
    outcome: int,
    n_tags: int,
    endogenous: Mask,
    items: Floats,
    reason: Reason,
    n_rows: int,
) -> Estimates:
    none = np.full(n_tags, np.nan)
    absent = Reason("reason.no_instrument")
    return Estimates(
        outcome=log.outcomes[outcome].name,
        estimate=none,
        se=none.copy(),
        df=np.ones(n_tags),
        baseline=none.copy(),
        treated_items=items,
        effective=items,
        n_rows=n_rows,
        n_items=len(log.items),
        rung="instrument",
        reasons=tuple(reason if one else absent for one in endogenous),
        diagnostics=tuple({} for _ in range(n_tags)),
    )
