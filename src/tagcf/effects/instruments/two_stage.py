"""Two-stage least squares on a log: randomly assigned columns move the exposure to tags.

A bucket swaps whole items, so what it identifies is being shown a bundle that carries the tag.
Authors' effects are absorbed where authors are known; where that moves the estimate, the bucket
swaps authors along with the tag and nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tagcf.effects.estimates import Estimates
from tagcf.effects.instruments.least_squares import StageFit, two_stage
from tagcf.effects.instruments.stage_sums import StageBlock
from tagcf.effects.linear.basis import expand
from tagcf.effects.linear.design import Design, make_design, survey
from tagcf.effects.methods import TwoStage
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS, refuse
from tagcf.errors import EstimationError
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask, Reason, Tag

WEAK_F = 10.0  # with several endogenous tags, conditional F below which nothing is told
MOST_MOVED = 2.0  # standard errors that absorbing authors may move an estimate


@dataclass(frozen=True, slots=True)
class _Fits:
    """One outcome's fits: the one that counts, and without authors' effects where they differ."""

    outcome: str
    fit: StageFit
    plain: StageFit | None
    shown: Mask  # (I,) items among the rows used


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
    design = make_design(log, survey(log, None), absorbs=None, knots=using.knots, exposure="any")
    results = []
    for outcome, shown in zip(outcomes, _shown(log, design, outcomes), strict=True):
        name, items = log.outcomes[outcome].name, carried[shown].sum(axis=0)
        fits = _fit(log, carried, design, outcome, shown, endogenous)
        if isinstance(fits, Reason):
            results.append(_nothing(name, endogenous, items, shown, fits, log.n_rows))
        else:
            results.append(_estimates(fits, tags, endogenous, items, min_items))
    return results


def _fit(
    log: EventLog, carried: Floats, design: Design, outcome: int, shown: Mask, endogenous: Mask
) -> _Fits | Reason:
    """Fit one outcome, or say why that cannot be done."""
    n_levels = sum(max(len(instrument.levels) - 1, 0) for instrument in log.instruments)
    if not endogenous.any() or n_levels < endogenous.sum():
        return Reason("reason.under_identified")
    held = ~endogenous & (carried[shown].sum(axis=0) >= FEWEST_CONTROL_ITEMS)
    blocks = partial(_blocks, log, carried, design, outcome, endogenous, held)
    fit, plain = two_stage(partial(blocks, authors=None)), None
    if log.item_author is not None and log.n_authors:
        plain = fit
        authors = np.where(log.item_author < 0, log.n_authors, log.item_author)
        fit = two_stage(partial(blocks, authors=authors), log.n_authors + 1)
    if not fit.outcome_varies[0]:
        return Reason("reason.no_outcome_variation")
    return _Fits(log.outcomes[outcome].name, fit, plain, shown)


def _shown(log: EventLog, design: Design, outcomes: tuple[int, ...]) -> list[Mask]:
    """For each outcome, (I,) items among the rows that it is measured on."""
    shown = [np.zeros(len(log.items), dtype=bool) for _ in outcomes]
    for batch in log.batches():
        keep = design.rows.mask(batch)
        for mask, outcome in zip(shown, outcomes, strict=True):
            mask[batch.item[keep & (batch.weights[:, outcome] > 0)]] = True
    return shown


def _blocks(
    log: EventLog,
    carried: Floats,
    design: Design,
    outcome: int,
    endogenous: Mask,
    held: Mask,
    authors: Codes | None,
) -> Iterator[StageBlock]:
    for batch in log.batches():
        keep = design.rows.mask(batch) & (batch.weights[:, outcome] > 0)
        tags = carried[batch.item[keep]]
        x = expand(design.basis, batch.covariates[keep])
        columns = [
            batch.instruments[keep, at][:, None] == np.arange(1, len(instrument.levels))
            for at, instrument in enumerate(log.instruments)
        ]
        yield StageBlock(
            y=batch.outcomes[keep, outcome][:, None],
            endogenous=tags[:, endogenous],
            controls=np.hstack([np.ones((int(keep.sum()), 1)), x, tags[:, held]]),
            instruments=np.hstack(columns).astype(float),
            w=batch.weights[keep, outcome],
            clusters=_clusters(log, batch)[keep],
            group=None if authors is None else authors[batch.item[keep]],
        )


def _clusters(log: EventLog, batch: EventBatch) -> Codes:
    """(n, C) clusters of the axes that have several; items where there is no such axis."""
    used = [at for at, axis in enumerate(log.clusters) if axis.n_clusters > 1]
    return batch.clusters[:, used] if used else batch.item[:, None]


def _estimates(
    fits: _Fits, tags: Sequence[Tag], endogenous: Mask, items: Floats, min_items: int
) -> Estimates:
    fit, at = fits.fit, np.flatnonzero(endogenous)
    absent = Reason("reason.no_instrument")
    nothing = _nothing(fits.outcome, endogenous, items, fits.shown, absent, fit.n_rows)
    estimate, se, p = (np.full(endogenous.size, np.nan) for _ in range(3))
    interval = np.full((endogenous.size, 2), np.nan)
    reasons, diagnostics = list(nothing.reasons), list(nothing.diagnostics)
    rules = _item_rules(fit, [tags[int(one)] for one in at], items[at], nothing.n_items, min_items)
    one = at.size == 1
    for position, tag in enumerate(at):
        estimate[tag] = fit.coef[position, 0]
        se[tag] = np.sqrt(fit.cov[0, position, position])
        reasons[tag] = rules[position] or _why_not(fit, position) or _moved(fits, position)
        diagnostics[tag] = _diagnostics(fits, position)
        if one and fit.bounded[0]:
            interval[tag] = fit.set_low[0], fit.set_high[0]
            p[tag] = fit.set_p[0]
            diagnostics[tag]["interval"] = "Anderson-Rubin"
    return Estimates(
        outcome=fits.outcome,
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


def _item_rules(
    fit: StageFit, tags: Sequence[Tag], items: Floats, n_items: int, min_items: int
) -> tuple[Reason | None, ...]:
    """What the items that carry a tag forbid, whatever the instruments."""
    return refuse(
        tags,
        items=items,
        n_items=n_items,
        min_items=min_items,
        kept=fit.endogenous_varies,
        aliases=(),
        unique_share=np.ones(len(tags)),
        effective=items,
        nearest=tuple(range(len(tags))),
    )


def _why_not(fit: StageFit, position: int) -> Reason | None:
    """What the instruments forbid."""
    f = float(fit.first_stage_f[position])
    if fit.n_instruments < len(fit.coef):
        return Reason("reason.under_identified")
    if len(fit.coef) > 1:
        facts = (("f", round(f, 2)), ("need", WEAK_F))
        return Reason("reason.weak_instruments", facts) if f < WEAK_F else None
    if fit.empty[0]:
        return Reason("reason.instruments_disagree")
    if fit.bounded[0]:
        return None
    if f < WEAK_F:
        return Reason("reason.weak_instrument", (("f", round(f, 2)),))
    return Reason("reason.few_clusters", (("n", fit.clusters),))


def _moved(fits: _Fits, position: int) -> Reason | None:
    """Whether absorbing authors moved the estimate: then authors travel with the tag."""
    if fits.plain is None:
        return None
    coef = [float(one.coef[position, 0]) for one in (fits.plain, fits.fit)]
    se = [float(np.sqrt(one.cov[0, position, position])) for one in (fits.plain, fits.fit)]
    if abs(coef[0] - coef[1]) <= MOST_MOVED * max(se):
        return None
    facts = (("before", float(f"{coef[0]:.3g}")), ("after", float(f"{coef[1]:.3g}")))
    return Reason("reason.author_bundle", facts)


def _diagnostics(fits: _Fits, position: int) -> dict[str, float | int | str | None]:
    f = float(fits.fit.first_stage_f[position])
    found: dict[str, float | int | str | None] = {
        "identifies": "bundle",
        "first_stage_f": round(f, 2) if np.isfinite(f) else None,
        "clusters": fits.fit.clusters,
    }
    if fits.plain is not None:
        found["without_author_effects"] = float(fits.plain.coef[position, 0])
    return found


def _nothing(
    outcome: str, endogenous: Mask, items: Floats, shown: Mask, reason: Reason, n_rows: int
) -> Estimates:
    none = np.full(endogenous.size, np.nan)
    absent = Reason("reason.no_instrument")
    return Estimates(
        outcome=outcome,
        estimate=none,
        se=none.copy(),
        df=np.ones(endogenous.size),
        baseline=none.copy(),
        treated_items=items,
        effective=items,
        n_rows=n_rows,
        n_items=int(shown.sum()),
        rung="instrument",
        reasons=tuple(reason if one else absent for one in endogenous),
        diagnostics=tuple({} for _ in range(endogenous.size)),
    )
