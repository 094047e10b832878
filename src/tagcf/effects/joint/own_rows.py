"""The joint fit where every row is its own item: one pass over the log, then over what it kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tagcf.effects.joint.fit import Fit, Wanted, cluster_axes
from tagcf.effects.linear.cell_tags import ItemTags
from tagcf.effects.linear.cells import CellSums
from tagcf.effects.linear.clustered import Errors, clustered_errors
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.own_rows import (
    keep_rows,
    partial_out_rows,
    row_scores,
    trustworthy,
)
from tagcf.effects.linear.solve import Partialled, Solution, solve
from tagcf.effects.methods import Joint
from tagcf.types import EventLog


def fit_own_rows(
    log: EventLog, items: ItemTags, wanted: Wanted, outcomes: tuple[int, ...], using: Joint
) -> Fit | None:
    """Fit as `fit.fit_each` does. Controls of the fit are whitened, and items have no effects.

    None where the rows are such that single precision would not do (`trustworthy`).

    Parameters
    ----------
    wanted
        Its design satisfies `linear.own_rows.rows_are_items`.
    """
    design, base = wanted.design, wanted.base
    if base is not None:
        solved = solve(base.part, wanted.columns)
        errors = _errors(log, design, base.sums, base.part, solved, using)
        return replace(base, solved=solved, errors=errors, by_rows=solved.coef)
    kept = keep_rows(log, items, design, outcomes)
    if not trustworthy(kept):
        return None
    part = partial_out_rows(kept)
    solved = solve(part, wanted.columns)
    shown = np.zeros(len(items), dtype=bool)
    shown[design.cell_item[kept.sums.weight > 0]] = True
    carriers = items.carriers(shown)
    total = max(kept.weight, 1e-300)
    return Fit(
        outcomes=outcomes,
        sums=kept.sums,
        share=np.broadcast_to(1.0, len(kept.sums.weight)),
        by_rows=solved.coef,
        part=part,
        solved=solved,
        errors=_errors(log, design, kept.sums, part, solved, using),
        control_names=design.basis.names,
        baseline=kept.baseline(),
        mean=kept.outcome_totals() / total,
        items=carriers,
        groups=((carriers > 0) & (carriers < np.count_nonzero(shown))).astype(float),
        varies=kept.outcomes_vary(),
        whitened=True,
    )


def _errors(
    log: EventLog, design: Design, sums: CellSums, part: Partialled, solved: Solution, using: Joint
) -> Errors:
    scores = row_scores(sums, part, solved)
    share = np.broadcast_to(1.0, len(sums.weight))
    no_pairs = np.zeros((len(scores.see), *part.gram.shape))  # nothing straddles cells
    nested = cluster_axes(log, design)[1]
    return clustered_errors(sums, part, solved, scores, nested, using.errors, share, no_pairs)
