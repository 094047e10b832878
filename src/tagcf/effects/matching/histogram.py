"""Matching in bins of the score, for logs of any length.

Subclassification (Rosenbaum and Rubin 1984) in the limit of many bins: cut at quantiles of the
treated, within exact cells, bounded by the caliper beyond the outermost treated. Outcomes enter
as residuals of the joint regression. Same estimand as pairing: the treated. The first pass fills
the histogram, the second sums what each row moves the estimates by, per cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.balance import (
    WeightedSums,
    plain_controls,
    sums_of_cells,
    worst_differences,
)
from tagcf.effects.matching.bins import BinSums, add_block, cut_bins, empty_bins
from tagcf.effects.matching.found import TagMatch, effective_cells, two_way, unmatched
from tagcf.effects.matching.influence import BinAnswer, Moves, answer_of, moves_of
from tagcf.effects.matching.rows import match_blocks
from tagcf.effects.methods import Histogram, Matching
from tagcf.types import EventLog, Floats, Tag


def match_by_histogram(
    some: list[int],
    log: EventLog,
    tags: Sequence[Tag],
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    using: Matching,
    form: Histogram,
) -> list[TagMatch]:
    """Match the tags at the positions `some`, in two passes and a sample."""
    bins = cut_bins(some, log, design, outcomes, fit, using, form)
    sums = empty_bins(bins, fit)
    for block in match_blocks(log, design, outcomes, fit, using):
        add_block(sums, bins, block)
    answer = answer_of(sums)
    moves = moves_of(log, design, outcomes, fit, using, bins, answer)
    return [_tag_match(t, at, tags, design, fit, sums, answer, moves) for t, at in enumerate(some)]


def _tag_match(
    t: int,
    at: int,
    tags: Sequence[Tag],
    design: Design,
    fit: Fit,
    sums: BinSums,
    answer: BinAnswer,
    moves: Moves,
) -> TagMatch:
    carriers = fit.sums.weight * (fit.tags[:, at] > 0)
    share = float(answer.treated[t] / max(carriers.sum(), 1e-300))
    if answer.treated[t] <= 0:
        return unmatched(answer.gap.shape[1], share)
    plain = plain_controls(fit.control_names)
    others = np.flatnonzero(fit.solved.kept & (np.arange(len(tags)) != at))
    cell_tags = (fit.part.cell_tags if design.absorbs == "stratum" else fit.tags)[:, others]
    names = [fit.control_names[k] for k in plain] + [tags[int(k)].slug for k in others]

    def side(by_cell: Floats, x: Floats, squares: Floats) -> WeightedSums:
        own = WeightedSums(float(by_cell.sum()), x[plain], squares[plain])
        return own + sums_of_cells(cell_tags, by_cell)

    matched, used = moves.by_cell[:, :, t]
    return TagMatch(
        estimate=fit.solved.coef[at] + answer.gap[t],
        se=two_way(tuple(one[t] for one in moves.along)),
        df=max(effective_cells(matched) - 1.0, 1.0),
        share=share,
        effective=effective_cells(matched + used),
        balance=worst_differences(
            tags[at],
            names,
            side(fit.sums.weight, *sums.all_x),
            side(carriers, sums.x[t], sums.x_squares[t]),
            side(matched, moves.x[0, t], moves.x_squares[0, t]),
            side(used, moves.x[1, t], moves.x_squares[1, t]),
        ),
    )
