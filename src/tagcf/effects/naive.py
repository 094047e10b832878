"""The naive difference, for contrast: what a dashboard shows, with every confounder left in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tagcf.effects.dose.model import Periods
from tagcf.effects.estimates import Estimates
from tagcf.effects.joint.fit import outcome_reason, outcomes_vary
from tagcf.effects.linear.basis import Basis
from tagcf.effects.linear.cells import sum_cells
from tagcf.effects.linear.design import Design, Rows
from tagcf.types import EventLog, Floats, Reason


def naive_differences(
    log: EventLog, carried: Floats, design: Design, outcomes: tuple[int, ...]
) -> list[Estimates]:
    """Mean outcome of all rows with a tag minus that of all rows without, errors by item."""
    rows = Rows(segment=design.rows.segment)
    plain = replace(design, rows=rows, basis=Basis((), ()))
    sums = sum_cells(log, plain, outcomes)
    tags = carried[design.cell_item]
    used = np.unique(design.cell_item[sums.weight > 0])
    items = carried[used].sum(axis=0)
    with_weight = sums.weight @ tags
    without_weight = sums.weight @ (1 - tags)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_with = (sums.y.T @ tags) / with_weight
        mean_without = (sums.y.T @ (1 - tags)) / without_weight
    varies = outcomes_vary(sums)
    found = []
    for k, outcome in enumerate(outcomes):
        y = sums.y[:, [k]]
        weight = sums.weight[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            score = (
                tags * (y - weight * mean_with[k]) / with_weight
                - (1 - tags) * (y - weight * mean_without[k]) / without_weight
            )
        by_item = np.zeros((len(carried), tags.shape[1]))
        np.add.at(by_item, design.cell_item, score)
        found.append(
            Estimates(
                outcome=log.outcomes[outcome].name,
                estimate=mean_with[k] - mean_without[k],
                se=np.sqrt((by_item**2).sum(axis=0)),
                df=np.maximum(items - 1.0, 1.0),
                baseline=mean_without[k],
                treated_items=items,
                effective=items,
                n_rows=int(sums.rows.sum()),
                n_items=used.size,
                rung="observational",
                reasons=tuple(
                    _one_sided(n, used.size) if varies[k] else outcome_reason(sums) for n in items
                ),
                diagnostics=tuple({} for _ in items),
            )
        )
    return found


def naive_return(outcome: str, carried: Floats, periods: Periods) -> Estimates:
    """Slope of return on a period's raw count of impressions with the tag, tag by tag."""
    dose = np.asarray(periods.counts @ carried)
    y = periods.returned - periods.returned.mean()
    dose = dose - dose.mean(axis=0)
    square = (dose**2).sum(axis=0)
    slope = dose.T @ y / np.where(square > 0, square, np.nan)
    score = dose * (y[:, None] - dose * slope)
    by_user = np.zeros((int(periods.user.max(initial=0)) + 1, carried.shape[1]))
    np.add.at(by_user, periods.user, score)
    shown = np.asarray(periods.counts.sum(axis=0)).ravel() > 0
    items = carried[shown].sum(axis=0)
    return Estimates(
        outcome=outcome,
        estimate=slope,
        se=np.sqrt((by_user**2).sum(axis=0)) / np.where(square > 0, square, np.nan),
        df=np.full(len(slope), max(np.unique(periods.user).size - 1.0, 1.0)),
        baseline=np.full(len(slope), periods.returned.mean() if y.size else np.nan),
        treated_items=items,
        effective=items,
        n_rows=y.size,
        n_items=int(shown.sum()),
        rung="observational",
        reasons=tuple(_one_sided(n, int(shown.sum())) for n in items),
        diagnostics=tuple({} for _ in items),
    )


def _one_sided(items: float, n_items: int) -> Reason | None:
    """Without items on both sides there is no difference."""
    if items < 2 or n_items - items < 2:
        return Reason("reason.few_items", (("n", int(min(items, n_items - items))), ("need", 2)))
    return None
