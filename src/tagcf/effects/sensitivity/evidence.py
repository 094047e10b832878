"""Every check of the outcomes that share their weights, gathered once for all tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagcf.doubts import Specification
from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear.design import Design
from tagcf.effects.methods import Joint
from tagcf.effects.sensitivity.next_item import fit_next_item
from tagcf.effects.sensitivity.placebo import Placebo, Source, permute_tags, placebo_strata
from tagcf.effects.sensitivity.reduced import Reduced, reduce
from tagcf.effects.sensitivity.robustness import Shares, control_shares
from tagcf.effects.sensitivity.simultaneous import multiplier_draws
from tagcf.effects.sensitivity.specifications import specification_curve, within_authors
from tagcf.effects.task import Task
from tagcf.types import Effect, Floats, Mask


@dataclass(frozen=True, slots=True)
class Doubting:
    """What is doubted, and how hard.

    Parameters
    ----------
    permutations
        Placebo permutations.
    exact
        Controls within whose bins tags are permuted (beside authors), such as the duration.
    negative_outcomes
        Outcomes of the run that were measured before the impression: no tag can cause them.
    tags
        Slugs whose pictures (overlap, balance, specifications) are wanted beside the claims'.
    curve
        Whether to run the specification curve: up to six more passes over the log.
    seed
        Of permutations and multipliers.
    """

    permutations: int = 200
    exact: tuple[str, ...] = ()
    negative_outcomes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    curve: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """All checks of outcomes that share their weights. K outcomes, T tags."""

    fit: Fit
    design: Design
    reduced: Reduced
    sources: tuple[Source, ...]  # the fit, and where it was fused the one on chosen rows
    placebo: Placebo
    shares: Shares
    next_item: Fit | None
    within: list[list[Specification | None]] | None  # by outcome and tag
    curve: list[list[tuple[Specification, ...]]] | None  # by outcome and tag
    draws: list[Floats]  # by outcome (B, T)


def gather_evidence(
    task: Task,
    using: Joint,
    design: Design,
    outcomes: tuple[int, ...],
    effects: Sequence[Sequence[Effect | None]],
    doubting: Doubting,
) -> Evidence | None:
    """Run all checks; None where there is nothing to doubt.

    Parameters
    ----------
    effects
        By outcome and tag, what was told.
    """
    log, carried = task.log, task.carried
    columns = task.columns(carried[task.shown(design)].sum(axis=0))
    fit = fit_joint(log, carried, design, outcomes, using, columns)
    if not fit.varies.any() or not fit.solved.kept.any():
        return None
    reduced = reduce(fit, design)
    sources = _sources(task, using, (design, fit, reduced), columns, effects)
    strata = placebo_strata(log, design, fit, doubting.exact)
    curve = None
    if doubting.curve:
        curve = specification_curve(log, carried, design, outcomes, columns, fit.errors.df)
    return Evidence(
        fit=fit,
        design=design,
        reduced=reduced,
        sources=sources,
        placebo=permute_tags(sources, strata, doubting.permutations, doubting.seed),
        shares=control_shares(reduced, fit, task.slugs),
        next_item=fit_next_item(log, carried, design, fit, using, columns),
        within=within_authors(log, design, fit, columns),
        curve=curve,
        draws=[_multiplied(sources, k, doubting.seed) for k in range(len(outcomes))],
    )


def _sources(
    task: Task,
    using: Joint,
    base: tuple[Design, Fit, Reduced],
    columns: Mask,
    effects: Sequence[Sequence[Effect | None]],
) -> tuple[Source, ...]:
    """Fits that the estimates are made of: chosen rows beside random ones where fused."""
    design, fit, reduced = base
    chosen = np.array(
        [
            [float((one.diagnostics.get("chosen_weight") if one else None) or 0.0) for one in per]
            for per in effects
        ]
    )
    if not chosen.any():
        return (Source(reduced, fit, np.ones(chosen.shape)),)
    rows = replace(design.rows, exposure="chosen", usual_propensity=None)
    other = replace(design, rows=rows)
    second = fit_joint(task.log, task.carried, other, fit.outcomes, using, columns)
    return (
        Source(reduced, fit, 1 - chosen),
        Source(reduce(second, other), second, chosen),
    )


def _multiplied(sources: tuple[Source, ...], k: int, seed: int) -> Floats:
    """(B, T) multiplier draws of the estimates as they are made of their sources."""
    axes = zip(*(one.fit.errors.moves for one in sources), strict=True)
    counts = [one.count[k] for one in sources]
    moves = [
        np.sum([count * part[k] for count, part in zip(counts, axis, strict=True)], axis=0)
        for axis in axes
    ]
    return multiplier_draws(moves, seed)
