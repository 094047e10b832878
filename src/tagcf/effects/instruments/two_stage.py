"""Two-stage least squares on a log: randomly assigned columns move the exposure to tags.

A bucket swaps whole items, so what it identifies is being shown a bundle that carries the tag.
Authors' effects are absorbed where authors are known; where that moves the estimate, the bucket
swaps authors along with the tag and nothing is told. The Anderson–Rubin set is the interval and
decides the verdict, for one tag and for several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tagcf.effects.estimates import Estimates
from tagcf.effects.instruments.anderson_rubin import FittingSet
from tagcf.effects.instruments.cell_moments import (
    TagRoles,
    moments_of_cells,
    sum_with_instruments,
)
from tagcf.effects.instruments.least_squares import StageFit, two_stage
from tagcf.effects.instruments.stage_sums import StageBlock
from tagcf.effects.instruments.weak import Strength, strength
from tagcf.effects.linear.basis import expand
from tagcf.effects.linear.design import Design, make_design, survey
from tagcf.effects.methods import LeastSquares, Liml, TwoStage
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS, refuse
from tagcf.errors import EstimationError
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask, Reason, Tag

WEAK_F = 10.0  # conditional F below which a set without ends is put down to the instruments
MANY = 5  # instruments per tag from which 2SLS leans too far towards least squares
MOST_MOVED = 2.0  # standard errors that absorbing authors may move an estimate


@dataclass(frozen=True, slots=True)
class _Fits:
    """Fits of K outcomes: the one that counts, and without authors' effects where they differ."""

    fit: StageFit
    strength: Strength
    plain: StageFit | None
    estimator: LeastSquares | Liml
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
    seen = survey(log, None)
    design = make_design(log, seen, absorbs=None, knots=using.knots, exposure="any")
    results: dict[int, Estimates] = {}
    for group in seen.weight_groups:
        wanted_here = tuple(at for at in group if at in outcomes)
        if not wanted_here:
            continue
        shown = _shown(log, design, wanted_here[0])
        items = carried[shown].sum(axis=0)
        if not shown.any():
            nowhere = Reason("reason.no_outcome_values")
            for outcome in wanted_here:
                name = log.outcomes[outcome].name
                results[outcome] = _nothing(name, endogenous, items, shown, nowhere, 0)
            continue
        fits = _fit(log, carried, design, wanted_here, shown, endogenous, using)
        for k, outcome in enumerate(wanted_here):
            name = log.outcomes[outcome].name
            if isinstance(fits, Reason):
                results[outcome] = _nothing(name, endogenous, items, shown, fits, log.n_rows)
            elif fits.fit.outcome_varies[k]:
                results[outcome] = _estimates(fits, k, name, tags, endogenous, items, min_items)
            else:
                constant = Reason("reason.no_outcome_variation")
                results[outcome] = _nothing(name, endogenous, items, shown, constant, log.n_rows)
    return [results[outcome] for outcome in outcomes]


def _fit(
    log: EventLog,
    carried: Floats,
    design: Design,
    outcomes: tuple[int, ...],
    shown: Mask,
    endogenous: Mask,
    using: TwoStage,
) -> _Fits | Reason:
    """Fit outcomes that share their weights, or say why that cannot be done."""
    n_levels = sum(max(len(instrument.levels) - 1, 0) for instrument in log.instruments)
    if not endogenous.any() or n_levels < endogenous.sum():
        return Reason("reason.under_identified")
    held = ~endogenous & (carried[shown].sum(axis=0) >= FEWEST_CONTROL_ITEMS)
    many = n_levels >= MANY * endogenous.sum()
    estimator = using.estimator or (Liml() if many else LeastSquares())
    blocks = partial(_blocks, log, carried, design, outcomes, endogenous, held)
    sums = sum_with_instruments(log, design, outcomes, _axes(log))
    of_cells = partial(moments_of_cells, sums, carried, design, TagRoles(endogenous, held))
    chosen, plain = partial(blocks, authors=None), None
    fit = two_stage(chosen, 0, estimator, of_cells(None, 0))
    if log.item_author is not None and log.n_authors:
        plain, n_groups = fit, log.n_authors + 1
        authors = np.where(log.item_author < 0, log.n_authors, log.item_author).astype(np.int32)
        chosen = partial(blocks, authors=authors)
        of_authors = of_cells(authors[design.cell_item], n_groups)
        fit = two_stage(chosen, n_groups, estimator, of_authors)
    return _Fits(fit, strength(chosen, fit), plain, estimator, shown)


def _shown(log: EventLog, design: Design, outcome: int) -> Mask:
    """(I,) items among the rows that an outcome is measured on."""
    shown = np.zeros(len(log.items), dtype=bool)
    for batch in log.batches():
        keep = design.rows.mask(batch)
        shown[batch.item[keep & (batch.weights[:, outcome] > 0)]] = True
    return shown


def _blocks(
    log: EventLog,
    carried: Floats,
    design: Design,
    outcomes: tuple[int, ...],
    endogenous: Mask,
    held: Mask,
    authors: Codes | None,
) -> Iterator[StageBlock]:
    for batch in log.batches():
        keep = design.rows.mask(batch) & (batch.weights[:, outcomes[0]] > 0)
        tags = carried[batch.item[keep]]
        x = expand(design.basis, batch.covariates[keep])
        columns = [
            batch.instruments[keep, at][:, None] == np.arange(1, len(instrument.levels))
            for at, instrument in enumerate(log.instruments)
        ]
        yield StageBlock(
            y=batch.outcomes[keep][:, list(outcomes)],
            endogenous=tags[:, endogenous],
            controls=np.hstack([np.ones((int(keep.sum()), 1)), x, tags[:, held]]),
            instruments=np.hstack(columns).astype(float),
            w=batch.weights[keep, outcomes[0]],
            clusters=_clusters(log, batch)[keep],
            group=None if authors is None else authors[batch.item[keep]],
        )


def _axes(log: EventLog) -> tuple[int, ...]:
    """Positions of the cluster axes that have several clusters."""
    return tuple(at for at, axis in enumerate(log.clusters) if axis.n_clusters > 1)


def _clusters(log: EventLog, batch: EventBatch) -> Codes:
    """(n, C) clusters of the axes that have several; items where there is no such axis."""
    used = list(_axes(log))
    return batch.clusters[:, used] if used else batch.item[:, None]


def _estimates(
    fits: _Fits,
    k: int,
    outcome: str,
    tags: Sequence[Tag],
    endogenous: Mask,
    items: Floats,
    min_items: int,
) -> Estimates:
    fit, at = fits.fit, np.flatnonzero(endogenous)
    absent = Reason("reason.no_instrument")
    nothing = _nothing(outcome, endogenous, items, fits.shown, absent, fit.n_rows)
    estimate, se, p = (np.full(endogenous.size, np.nan) for _ in range(3))
    interval = np.full((endogenous.size, 2), np.nan)
    reasons, diagnostics = list(nothing.reasons), list(nothing.diagnostics)
    rules = _item_rules(fit, [tags[int(one)] for one in at], items[at], nothing.n_items, min_items)
    for position, tag in enumerate(at):
        fitting = fits.strength.sets[k][position]
        estimate[tag] = fit.coef[position, k]
        se[tag] = np.sqrt(fit.cov[k, position, position])
        reasons[tag] = (
            rules[position] or _why_not(fits, fitting, position) or _moved(fits, k, position)
        )
        diagnostics[tag] = _diagnostics(fits, fitting, k, position)
        interval[tag] = fitting.low, fitting.high
        p[tag] = fitting.p if fitting.bounded else np.nan
    return Estimates(
        outcome=outcome,
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
        interval=interval,
        p=p,
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


def _why_not(fits: _Fits, fitting: FittingSet, position: int) -> Reason | None:
    """What the instruments forbid: a set without ends, or none at all."""
    fit = fits.fit
    if fit.n_instruments < len(fit.coef):
        return Reason("reason.under_identified")
    if fitting.empty:
        return Reason("reason.instruments_disagree")
    if fitting.bounded:
        return None
    weakest = float(fits.strength.first_stage_f.min())
    if len(fit.coef) > 1:  # one tag that is hardly moved leaves room for all others' values
        return Reason("reason.weak_instruments", (("f", round(weakest, 2)),))
    if weakest < WEAK_F:
        return Reason("reason.weak_instrument", (("f", round(weakest, 2)),))
    return Reason("reason.few_clusters", (("n", fit.clusters),))


def _moved(fits: _Fits, k: int, position: int) -> Reason | None:
    """Whether absorbing authors moved the estimate: then authors travel with the tag."""
    if fits.plain is None:
        return None
    coef = [float(one.coef[position, k]) for one in (fits.plain, fits.fit)]
    se = [float(np.sqrt(one.cov[k, position, position])) for one in (fits.plain, fits.fit)]
    if abs(coef[0] - coef[1]) <= MOST_MOVED * max(se):
        return None
    facts = (("before", float(f"{coef[0]:.3g}")), ("after", float(f"{coef[1]:.3g}")))
    return Reason("reason.author_bundle", facts)


def _diagnostics(
    fits: _Fits, fitting: FittingSet, k: int, position: int
) -> dict[str, float | int | str | None]:
    f = float(fits.strength.first_stage_f[position])
    found: dict[str, float | int | str | None] = {
        "identifies": "bundle",
        "first_stage_f": round(f, 2) if np.isfinite(f) else None,
        "clusters": fits.fit.clusters,
        "instruments": fits.fit.n_instruments,
        "estimator": "LIML" if isinstance(fits.estimator, Liml) else "2SLS",
    }
    if fitting.bounded and not fitting.empty:
        found["interval"] = "Anderson-Rubin"
    if fits.plain is not None:
        found["without_author_effects"] = float(fits.plain.coef[position, k])
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
