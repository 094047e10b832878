"""Propensity score matching of items, one tag at a time, all outcomes at once.

Units are items within their fixed-effect group, weighted as in the joint fit: an item counts for
what its rows tell, on both sides of a match alike. The score is logistic on controls and the
other tags; where groups (strata, authors) are absorbed it is the other tags' and controls' index
after demeaning, and matches stay within the group, without caliper; groups without both kinds
drop out. Outcomes enter as residuals of the joint regression, which corrects the bias of inexact
matches (Abadie and Imbens 2011), and once more by a regression among the matched controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.doubts import POPULARITY, Balance
from tagcf.effects.estimates import Estimates
from tagcf.effects.joint.fit import Fit, fit_joint, outcome_reason
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.balance import balance_of
from tagcf.effects.matching.bins import pair_in_bins
from tagcf.effects.matching.contrast import Contrast, contrast_of
from tagcf.effects.matching.errors import MatchErrors, errors_of
from tagcf.effects.matching.pairing import Pairing, pair
from tagcf.effects.matching.score import score_of
from tagcf.effects.matching.units import MatchUnits, gather_units
from tagcf.effects.methods import Joint, Matching
from tagcf.effects.refusals import (
    FEWEST_CONTROL_ITEMS,
    FEWEST_EFFECTIVE,
    FEWEST_STRATA,
    names_of_control,
    nearest_tags,
    refuse,
)
from tagcf.types import EventLog, Floats, Mask, Reason, Tag

LEAST_MATCHED = 0.5  # share of treated weight that must find a match
GROUP_CALIPERS = 4.0  # within groups, the second nearest may be so many calipers away
GROUP_BIN = 4  # items that a group must have, on average, for each bin of the score
MOST_IMBALANCE = 0.25  # standardised difference left after matching (Rubin 2001)


@dataclass(frozen=True, slots=True)
class TagMatch:
    """The match of one tag; without estimate and errors where no unit was matched."""

    contrast: Contrast | None
    errors: MatchErrors | None
    share: float  # of treated weight that was matched
    groups: int  # strata or authors that hold matches
    balance: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Estimates per outcome, and the balance of each tag."""

    estimates: tuple[Estimates, ...]
    balance: tuple[Balance, ...]


def match_tags(
    log: EventLog,
    tags: Sequence[Tag],
    carried: Floats,
    design: Design,
    outcomes: tuple[int, ...],
    using: Matching,
    columns: Mask,
    min_items: int,
) -> Matched:
    """Match every tag that is on enough items.

    Where some tags are held fixed and others are not, each of the others gets a model of its own.

    Parameters
    ----------
    carried
        (I, T) 0/1.
    columns
        (T,) tags held fixed.
    """
    joint = Joint(knots=using.knots)
    fit = fit_joint(log, carried, design, outcomes, joint, columns)
    early = _early_refusals(design, tags, carried, fit, min_items)
    reaches = fit.items >= FEWEST_CONTROL_ITEMS
    alone = [at for at in range(len(tags)) if reaches[at] and not columns[at]]
    found: list[TagMatch | None] = [None] * len(tags)
    reasons = list(early)

    def answer(some: list[int], own: Fit) -> None:
        every = _match_several(some, log, tags, design, outcomes, own, using)
        for at, one in zip(some, every, strict=True):
            found[at], reasons[at] = one, _late_refusal(one, design, tags)

    answer([at for at in range(len(tags)) if early[at] is None and at not in alone], fit)
    for at in alone:
        own = columns.copy()
        own[at] = True
        own_fit = fit_joint(log, carried, design, outcomes, joint, own, fit)
        reasons[at] = _early_refusals(design, tags, carried, own_fit, min_items)[at]
        if reasons[at] is None:
            answer([at], own_fit)
    constant = (outcome_reason(fit.sums),) * len(tags)
    estimates = tuple(
        _estimates(
            log,
            outcome,
            k,
            design,
            fit,
            found,
            tuple(reasons) if fit.varies[k] else constant,
        )
        for k, outcome in enumerate(outcomes)
    )
    return Matched(estimates, tuple(row for one in found if one for row in one.balance))


def _early_refusals(
    design: Design, tags: Sequence[Tag], carried: Floats, fit: Fit, min_items: int
) -> tuple[Reason | None, ...]:
    used = fit.used_items(design)
    return refuse(
        tags,
        items=fit.items,
        n_items=used.size,
        min_items=min_items,
        kept=fit.solved.kept,
        aliases=fit.solved.aliases,
        unique_share=fit.solved.unique_share,
        effective=fit.errors.effective.min(axis=0),
        crossing=fit.errors.crossing_effective.min(axis=0),
        nearest=nearest_tags(carried[used]),
        strata=fit.groups if design.absorbs == "stratum" else None,
    )


def _match_several(
    some: list[int],
    log: EventLog,
    tags: Sequence[Tag],
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    using: Matching,
) -> list[TagMatch]:
    """Match tags by one fit."""
    if not some:
        return []
    units = gather_units(log, design, outcomes, fit, using)
    pairings = [_pairing(at, fit, units, using) for at in some]
    any_match = [bool(one.treated.any()) for one in pairings]
    contrasts = [
        contrast_of(at, fit, units, pairing)
        for at, pairing, matched in zip(some, pairings, any_match, strict=True)
        if matched
    ]
    told = iter(
        zip(contrasts, errors_of(contrasts, log, design, outcomes, fit, units), strict=True)
    )
    found = []
    for at, pairing, matched in zip(some, pairings, any_match, strict=True):
        contrast, errors = next(told) if matched else (None, None)
        carriers = units.weight * units.carried[:, at]
        found.append(
            TagMatch(
                contrast=contrast,
                errors=errors,
                share=float(carriers[pairing.treated > 0].sum() / max(carriers.sum(), 1e-300)),
                groups=np.unique(units.group[pairing.treated > 0]).size,
                balance=balance_of(at, tags, fit, units, pairing) if matched else (),
            )
        )
    return found


def _pairing(at: int, fit: Fit, units: MatchUnits, using: Matching) -> Pairing:
    """Match one tag.

    A group has a handful of items: there the nearest, corrected, is the best match however far,
    and a wider caliper is for the ones after it.
    """
    score, carries = score_of(at, fit, units), units.carried[:, at]
    width = np.inf if using.caliper is None else using.caliper * float(score.std())
    caliper = None if units.grouped else width
    company = GROUP_CALIPERS * width if units.grouped else width
    if using.form is None:
        most = using.neighbours
        return pair(score, carries, units.pool, units.weight, caliper, most, company)
    bins = using.form.bins
    if units.grouped:
        bins = max(1, min(bins, score.size // np.unique(units.pool).size // GROUP_BIN))
    return pair_in_bins(score, carries, units.pool, units.weight, caliper, bins)


def _late_refusal(one: TagMatch, design: Design, tags: Sequence[Tag]) -> Reason | None:
    if design.absorbs is None and one.share < LEAST_MATCHED:
        return Reason("reason.no_overlap", (("share", round(100 * one.share, 1)),))
    if design.absorbs is not None and one.groups < FEWEST_STRATA:
        key = "reason.few_strata" if design.absorbs == "stratum" else "reason.few_authors"
        return Reason(key, (("n", one.groups), ("need", FEWEST_STRATA)))
    if one.errors is None:
        return None  # not estimated
    few = _few_clusters(one.errors)
    if few is not None or design.absorbs == "stratum":
        return few  # randomised arms: what stays unlike is other tags, and those are held fixed
    return _imbalance(one.balance, one.errors.effective, tags)


def _few_clusters(errors: MatchErrors) -> Reason | None:
    users = float(errors.crossing_effective.min())
    for key, effective in (("few_effective", errors.effective), ("few_users", users)):
        if effective < FEWEST_EFFECTIVE:
            facts = (("n", round(effective, 1)), ("need", FEWEST_EFFECTIVE))
            return Reason(f"reason.{key}", facts)
    return None


def _imbalance(
    balance: tuple[Balance, ...], effective: float, tags: Sequence[Tag]
) -> Reason | None:
    """Refuse where a difference is left that few items do not have by chance alone."""
    most = MOST_IMBALANCE + 2 * np.sqrt(2 / max(effective, 1.0))
    unlike = [row for row in balance if abs(row.after) > most]
    if not unlike:
        return None
    worst = max(unlike, key=lambda row: abs(row.after))
    smd = ("smd", round(abs(worst.after), 2))
    if worst.control == POPULARITY:
        return Reason("reason.popularity_differs", (smd,))
    named = names_of_control(worst.control, {tag.slug: (tag.zh, tag.en) for tag in tags})
    return Reason("reason.unbalanced", (*named, smd))


def _estimates(
    log: EventLog,
    outcome: int,
    k: int,
    design: Design,
    fit: Fit,
    found: list[TagMatch | None],
    reasons: tuple[Reason | None, ...],
) -> Estimates:
    contrasts = [None if one is None else one.contrast for one in found]
    errors = [None if one is None else one.errors for one in found]
    return Estimates(
        outcome=log.outcomes[outcome].name,
        estimate=np.array([np.nan if one is None else one.estimate[k] for one in contrasts]),
        se=np.array([np.nan if one is None else one.se[k] for one in errors]),
        df=np.array([1.0 if one is None else one.df[k] for one in errors]),
        baseline=fit.baseline[k],
        treated_items=fit.items,
        effective=np.array([0.0 if one is None else one.effective for one in errors]),
        n_rows=int(fit.sums.rows.sum()),
        n_items=int((fit.sums.weight > 0).sum()),
        rung=design.rung,
        reasons=reasons,
        diagnostics=tuple({} if one is None else _facts(design, k, one) for one in found),
    )


def _facts(design: Design, k: int, one: TagMatch) -> dict[str, float | int | str | None]:
    worst = max((abs(row.after) for row in one.balance), default=0.0)
    before = max((abs(row.before) for row in one.balance), default=0.0)
    facts: dict[str, float | int | str | None] = {
        "matched_share": round(one.share, 4),
        "max_smd_before": round(before, 4),
        "max_smd_after": round(worst, 4),
        "df": None if one.errors is None else round(float(one.errors.df[k]), 1),
        "rows": design.rows.exposure,
    }
    if design.absorbs is not None:
        facts["groups"], facts["informative_groups"] = design.absorbs, one.groups
    return facts
