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
from tagcf.effects.linear.cells import total_by
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.balance import balance_of, plain_controls
from tagcf.effects.matching.found import TagMatch, effective_cells, two_way, unmatched
from tagcf.effects.matching.histogram import match_by_histogram
from tagcf.effects.matching.kernels import squares_by
from tagcf.effects.matching.pairing import Pairing, pair
from tagcf.effects.matching.rows import MatchRows, gather_rows
from tagcf.effects.matching.score import score_of
from tagcf.effects.methods import Joint, Matching
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS, nearest_tags, refuse
from tagcf.types import Balance, EventLog, Floats, Mask, Reason, Tag

LEAST_MATCHED = 0.5  # share of treated weight that must find a match
MOST_IMBALANCE = 0.25  # standardised difference left after matching (Rubin 2001)


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

    def answer(some: list[int], own: Fit) -> int:
        every, thinned = _match_several(some, log, tags, design, outcomes, own, using)
        for at, one in zip(some, every, strict=True):
            found[at], reasons[at] = one, _late_refusal(one, design)
        return thinned

    thinned = answer([at for at in range(len(tags)) if early[at] is None and at not in alone], fit)
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
            thinned,
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
) -> tuple[list[TagMatch], int]:
    """Match tags by one fit; also returned: one row in how many was used."""
    if not some:
        return [], 1
    if using.form is not None:
        return match_by_histogram(some, log, tags, design, outcomes, fit, using, using.form), 1
    rows = gather_rows(log, design, outcomes, fit, using)
    return [_match_one(at, tags, design, fit, rows, using) for at in some], rows.thinned


def _match_one(
    at: int, tags: Sequence[Tag], design: Design, fit: Fit, rows: MatchRows, using: Matching
) -> TagMatch:
    carries = fit.tags[rows.cell, at] > 0
    score = score_of(at, design, fit, rows, carries).of(rows.x, rows.cell)
    caliper = None if using.caliper is None else using.caliper * float(score.std())
    if design.absorbs == "stratum":
        caliper = None  # a stratum has a handful of arms: the nearest, corrected, is the best match
    pairing = pair(score, carries, rows.exact, rows.w, caliper)
    return _effect(at, tags, design, fit, rows, carries, pairing)


def _effect(
    at: int,
    tags: Sequence[Tag],
    design: Design,
    fit: Fit,
    rows: MatchRows,
    carries: Mask,
    pairing: Pairing,
) -> TagMatch:
    some = np.flatnonzero(pairing.matched | (pairing.reuse > 0))  # the rest plays no part
    cell, e = rows.cell[some], rows.e[some]
    treated, reuse = rows.w[some] * pairing.matched[some], pairing.reuse[some]
    total = treated.sum()
    share = float(total / max(rows.w[carries].sum(), 1e-300))
    if total <= 0:
        return unmatched(e.shape[1], share)
    r = e + np.outer(carries[some], fit.solved.coef[at])
    r = r - _correction(rows.x[some], plain_controls(fit.control_names), r, reuse)
    side = treated - reuse  # + for treated, - for controls
    estimate = side @ r / total
    influence = (side[:, None] * r - np.outer(treated, estimate)) / total
    # Residuals are smaller than errors by the leverage of their item, as in CR3.
    lift = fit.errors.inflation[cell] - 1.0
    influence += (side * lift)[:, None] * e / total
    return TagMatch(
        estimate=estimate,
        se=two_way(
            tuple(
                squares_by(axis[some], influence, int(axis[some].max(initial=0)) + 1)
                for axis in rows.axes
            )
        ),
        df=max(effective_cells(total_by(cell, treated, len(fit.tags))) - 1.0, 1.0),
        share=share,
        effective=effective_cells(total_by(cell, np.abs(side), len(fit.tags))),
        balance=balance_of(at, tags, design, fit, rows, pairing),
    )


def _correction(x: NDArray[np.float32], plain: list[int], r: Floats, reuse: Floats) -> Floats:
    """(n, K) what a linear regression among the matched controls predicts from x[:, plain]."""
    used = np.flatnonzero(reuse)
    w = reuse[used]
    own = x[used]
    centre = (w @ own) / max(w.sum(), 1e-300)
    root = np.sqrt(w)
    design = (own - centre.astype(np.float32)) * root.astype(np.float32)[:, None]
    gram = (design.T @ design).astype(np.float64)[np.ix_(plain, plain)]
    cross = (design.T @ ((r[used] - w @ r[used] / max(w.sum(), 1e-300)) * root[:, None]))[plain]
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = linalg.pinvh(gram / np.outer(scale, scale), rtol=1e-5)
    slope = np.zeros((x.shape[1], r.shape[1]), dtype=np.float32)
    slope[plain] = (inverse @ (cross / scale[:, None])) / scale[:, None]
    return np.asarray(x @ slope, dtype=np.float64)


def _late_refusal(one: TagMatch, design: Design) -> Reason | None:
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
    thinned: int,
    found: list[TagMatch | None],
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
        n_rows=int(fit.sums.rows.sum()) // thinned,
        n_items=int((fit.sums.weight > 0).sum()),
        rung=design.rung,
        reasons=reasons,
        diagnostics=tuple({} if one is None else _facts(design, thinned, one) for one in found),
    )


def _facts(design: Design, thinned: int, one: TagMatch) -> dict[str, float | int | str | None]:
    worst = max((abs(row.after) for row in one.balance), default=0.0)
    before = max((abs(row.before) for row in one.balance), default=0.0)
    return {
        "matched_share": round(one.share, 4),
        "max_smd_before": round(before, 4),
        "max_smd_after": round(worst, 4),
        "df": round(one.df, 1),
        "thinned": thinned,
        "rows": design.rows.exposure,
    }
