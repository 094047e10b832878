"""Propensity score matching, one tag at a time, all outcomes at once.

The score is logistic on controls and the other tags; where units were randomised in strata it is
the other tags' index after demeaning, and matches stay within the stratum, without caliper (a
logit per stratum of five arms would have nothing to learn from; strata without both kinds drop
out). Outcomes enter as residuals of the joint regression,
which corrects the bias of inexact matches (Abadie and Imbens 2011), and once more by a regression
among the matched controls. The variance is that of the influence function
D(r - τ) - (1 - D)K·r, K being how often a control was reused, clustered two-way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from tagcf.effects.estimates import Estimates
from tagcf.effects.joint.fit import Fit, fit_joint, outcome_reason
from tagcf.effects.linear.cells import sum_matrix
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.balance import balance_of, plain_controls
from tagcf.effects.matching.pairing import Pairing, pair
from tagcf.effects.matching.propensity import even_sample, fit_logit
from tagcf.effects.matching.rows import MatchRows, gather_rows
from tagcf.effects.methods import Joint, Matching
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS, nearest_tags, refuse
from tagcf.types import Balance, Codes, EventLog, Floats, Mask, Reason, Tag

MOST_IN_SCORE = 40  # other tags in a propensity score
LEAST_MATCHED = 0.5  # share of treated weight that must find a match
MOST_IMBALANCE = 0.25  # standardised difference left after matching (Rubin 2001)


@dataclass(frozen=True, slots=True)
class Matched:
    """Estimates per outcome, and the balance of each tag."""

    estimates: tuple[Estimates, ...]
    balance: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class _One:
    """The match of one tag. K outcomes."""

    estimate: Floats  # (K,)
    se: Floats  # (K,)
    df: float
    share: float  # of treated weight that was matched
    effective: float  # items by their weight
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
    rows = gather_rows(log, design, outcomes, fit, using)
    early = _early_refusals(design, tags, carried, fit, min_items)
    reaches = fit.items >= FEWEST_CONTROL_ITEMS
    found: list[_One | None] = []
    reasons: list[Reason | None] = []
    for at in range(len(tags)):
        why, own_fit, own_rows = early[at], fit, rows
        if reaches[at] and not columns[at]:
            own = columns.copy()
            own[at] = True
            own_fit = fit_joint(log, carried, design, outcomes, joint, own)
            own_rows = gather_rows(log, design, outcomes, own_fit, using)
            why = _early_refusals(design, tags, carried, own_fit, min_items)[at]
        one = None
        if why is None:
            one = _match_one(at, tags, design, own_fit, own_rows, using)
            why = _late_refusal(one, design)
        found.append(one)
        reasons.append(why)
    constant = (outcome_reason(fit.sums),) * len(tags)
    estimates = tuple(
        _estimates(
            log, outcome, k, design, fit, rows, found, tuple(reasons) if fit.varies[k] else constant
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


def _match_one(
    at: int, tags: Sequence[Tag], design: Design, fit: Fit, rows: MatchRows, using: Matching
) -> _One:
    carries = fit.tags[rows.cell, at] > 0
    others = fit.solved.kept.copy()
    others[at] = False
    if design.absorbs == "stratum":
        # Index of the other tags from the Gram's inverse: regression of this tag on the others.
        slope = -fit.solved.inverse[:, at] / fit.solved.inverse[at, at]
        slope[at] = 0.0
        score = (fit.part.cell_tags @ slope)[rows.cell]
    else:
        score = _propensity_score(at, fit, rows, carries, others)
    caliper = None if using.caliper is None else using.caliper * float(score.std())
    if design.absorbs == "stratum":
        caliper = None  # a stratum has a handful of arms: the nearest, corrected, is the best match
    pairing = pair(score, carries, rows.exact, rows.w, caliper)
    return _effect(at, tags, design, fit, rows, carries, pairing)


def _propensity_score(at: int, fit: Fit, rows: MatchRows, carries: Mask, others: Mask) -> Floats:
    """(n,) logit, fitted on an even sample of rows; tags enter by cell, without a copy per row."""
    tags = fit.tags[:, _telling(at, fit, others)]
    some = even_sample(len(rows.w))
    columns = np.hstack([rows.x[some], tags[rows.cell[some]]])
    logit = fit_logit(columns, carries[some].astype(float), rows.w[some])
    own = rows.x.shape[1]
    by_cell = tags @ logit.slope[own:] + logit.intercept
    return np.asarray(rows.x @ logit.slope[:own] + by_cell[rows.cell])


def _telling(at: int, fit: Fit, others: Mask) -> NDArray[np.integer]:
    """Other tags that enter the score: the ones that say most about this tag, given the rest.

    Read off the Gram's inverse as partial correlations. A logit on hundreds of tags costs more
    and separates; tags left out are held fixed by the outcome's regression all the same.
    """
    inverse = fit.solved.inverse
    partial = np.abs(inverse[at]) / np.sqrt(np.maximum(np.diag(inverse), 1e-300)) * others
    count = min(MOST_IN_SCORE, int(others.sum()))
    return np.sort(np.argsort(-partial, kind="stable")[:count])


def _effect(
    at: int,
    tags: Sequence[Tag],
    design: Design,
    fit: Fit,
    rows: MatchRows,
    carries: Mask,
    pairing: Pairing,
) -> _One:
    some = np.flatnonzero(pairing.matched | (pairing.reuse > 0))  # the rest plays no part
    cell, e = rows.cell[some], rows.e[some]
    treated, reuse = rows.w[some] * pairing.matched[some], pairing.reuse[some]
    total = treated.sum()
    share = float(total / max(rows.w[carries].sum(), 1e-300))
    if total <= 0:
        nothing = np.full(e.shape[1], np.nan)
        return _One(nothing, nothing, 1.0, share, 0.0, ())
    r = e + np.outer(carries[some], fit.solved.coef[at])
    r = r - _correction(rows.x[some][:, plain_controls(fit.control_names)], r, reuse)
    side = treated - reuse  # + for treated, - for controls
    estimate = side @ r / total
    influence = (side[:, None] * r - np.outer(treated, estimate)) / total
    # Residuals are smaller than errors by the leverage of their item, as in CR3.
    lift = fit.errors.inflation[cell] - 1.0
    influence += (side * lift)[:, None] * e / total
    return _One(
        estimate=estimate,
        se=_clustered_se(influence, rows.clusters[some]),
        df=max(_effective(cell, treated) - 1.0, 1.0),
        share=share,
        effective=_effective(cell, np.abs(side)),
        balance=balance_of(at, tags, design, fit, rows, pairing),
    )


def _effective(cell: Codes, weight: Floats) -> float:
    """Effective number of cells, (Σw)²/Σw²."""
    by_cell = np.bincount(cell, weights=weight)
    return float(by_cell.sum() ** 2 / max((by_cell**2).sum(), 1e-300))


def _correction(x: Floats, r: Floats, reuse: Floats) -> Floats:
    """(n, K) what a linear regression among the matched controls predicts from x."""
    used = reuse > 0
    design = np.column_stack([np.ones(int(used.sum())), x[used]])
    weighted = design * reuse[used][:, None]
    gram = weighted.T @ design
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = linalg.pinvh(gram / np.outer(scale, scale), rtol=1e-8)
    coef = (inverse @ ((weighted.T @ r[used]) / scale[:, None])) / scale[:, None]
    coef[0] = 0.0  # a level common to both sides cancels
    return np.asarray(x @ coef[1:])


def _clustered_se(influence: Floats, clusters: Codes) -> Floats:
    """(K,) two-way clustered error of a sum of influences."""
    axes = [clusters[:, axis].astype(np.int64) for axis in range(clusters.shape[1])]
    axes = [axis for axis in axes if axis.size and axis.max() > axis.min()]
    if not axes:
        axes = [np.arange(len(influence))]
    each = [_sum_of_squares(influence, axis) for axis in axes]
    if len(each) == 1:
        return np.asarray(np.sqrt(each[0]))
    both = each[0] + each[1] - _sum_of_squares(influence, axes[0] * 2**31 + axes[1])
    return np.asarray(np.sqrt(np.maximum(both, np.maximum(each[0], each[1]))))


def _sum_of_squares(influence: Floats, code: np.ndarray) -> Floats:
    unique, position = np.unique(code, return_inverse=True)
    ones = np.ones(code.size)
    sums = sum_matrix(position, ones, unique.size) @ influence
    count = int((np.abs(sums).sum(axis=1) > 0).sum())
    return np.asarray((sums**2).sum(axis=0) * count / max(count - 1, 1))


def _late_refusal(one: _One, design: Design) -> Reason | None:
    if design.absorbs == "stratum":
        return None  # randomised arms: what stays unlike is other tags, and those are held fixed
    if one.share < LEAST_MATCHED:
        return Reason("reason.no_overlap", (("share", round(100 * one.share, 1)),))
    worst = max(one.balance, key=lambda row: abs(row.after), default=None)
    # Few items differ by chance alone, matched or not.
    by_chance = 2 * np.sqrt(2 / max(one.effective, 1.0))
    if worst is not None and abs(worst.after) > MOST_IMBALANCE + by_chance:
        facts = (("control", worst.control), ("smd", round(abs(worst.after), 2)))
        return Reason("reason.unbalanced", facts)
    return None


def _estimates(
    log: EventLog,
    outcome: int,
    k: int,
    design: Design,
    fit: Fit,
    rows: MatchRows,
    found: list[_One | None],
    reasons: tuple[Reason | None, ...],
) -> Estimates:
    return Estimates(
        outcome=log.outcomes[outcome].name,
        estimate=np.array([np.nan if one is None else one.estimate[k] for one in found]),
        se=np.array([np.nan if one is None else one.se[k] for one in found]),
        df=np.array([1.0 if one is None else one.df for one in found]),
        baseline=fit.baseline[k],
        treated_items=fit.items,
        effective=np.array([0.0 if one is None else one.effective for one in found]),
        n_rows=len(rows.w),
        n_items=int((fit.sums.weight > 0).sum()),
        rung=design.rung,
        reasons=reasons,
        diagnostics=tuple({} if one is None else _facts(design, rows, one) for one in found),
    )


def _facts(design: Design, rows: MatchRows, one: _One) -> dict[str, float | int | str | None]:
    worst = max((abs(row.after) for row in one.balance), default=0.0)
    before = max((abs(row.before) for row in one.balance), default=0.0)
    return {
        "matched_share": round(one.share, 4),
        "max_smd_before": round(before, 4),
        "max_smd_after": round(worst, 4),
        "df": round(one.df, 1),
        "thinned": rows.thinned,
        "rows": design.rows.exposure,
    }
