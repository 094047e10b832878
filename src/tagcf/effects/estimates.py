"""What every method returns for one outcome, and how that becomes effects with verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.effects.multiplicity import ALPHA, Target, false_discovery, shrink, widening
from tagcf.types import Effect, Estimand, Floats, Method, Reason, Rung, Tag, Verdict

FALSE_DISCOVERY_RATE = 0.10
CLAIMS = ("raises", "lowers")


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates of all tags on one outcome. T tags."""

    outcome: str
    estimate: Floats  # (T,) NaN where there is none
    se: Floats  # (T,)
    df: Floats  # (T,)
    baseline: Floats  # (T,)
    treated_items: Floats  # (T,)
    effective: Floats  # (T,)
    n_rows: int
    n_items: int
    rung: Rung
    reasons: tuple[Reason | None, ...]  # (T,) why a tag cannot be told; None: it can
    diagnostics: tuple[dict[str, float | int | str | None], ...]  # (T,)
    # (T, 2) interval by other means (Anderson–Rubin); None: estimate ± t · se
    interval: Floats | None = None
    p: Floats | None = None  # (T,) p-values by the same means


def nothing_told(
    outcome: str, reasons: tuple[Reason, ...], items: Floats, n_items: int
) -> Estimates:
    """Estimates of tags that cannot be told, each for its reason."""
    none, zero = np.full(items.size, np.nan), np.zeros(items.size)
    return Estimates(
        outcome=outcome,
        estimate=none,
        se=none,
        df=zero + 1.0,
        baseline=none,
        treated_items=items,
        effective=zero,
        n_rows=0,
        n_items=n_items,
        rung="observational",
        reasons=reasons,
        diagnostics=tuple({} for _ in reasons),
    )


def to_effects(
    found: Estimates,
    tags: Sequence[Tag],
    method: Method,
    estimand: Estimand,
    segment: str | None = None,
    shrink_to: Target | None = None,
) -> list[Effect]:
    """Give p, q, shrunken values and a verdict to each tag.

    A tag that cannot be told is no test: it does not count among those that false discovery is
    controlled over. The shrunken interval of a claimed tag is widened for its being picked.
    """
    measured = np.isfinite(found.estimate) & np.isfinite(found.se) & (found.se > 0)
    reasons = tuple(
        Reason("reason.not_estimated") if reason is None and not measured[at] else reason
        for at, reason in enumerate(found.reasons)
    )
    told = np.array([reason is None for reason in reasons])
    half = stats.t.ppf(1 - ALPHA / 2, found.df) * found.se
    low, high = found.estimate - half, found.estimate + half
    p = 2 * stats.t.sf(np.abs(found.estimate) / np.where(found.se > 0, found.se, np.nan), found.df)
    if found.interval is not None and found.p is not None:
        low, high, p = found.interval[:, 0], found.interval[:, 1], found.p
    low, high, p = np.asarray(low), np.asarray(high), np.asarray(p)
    q = false_discovery(np.where(told, p, np.nan))
    # t intervals are wider than normal ones: shrink with the normal error that is as wide.
    error = half / stats.norm.ppf(1 - ALPHA / 2)
    shrunk, shrunk_low, shrunk_high = shrink(
        np.where(told, found.estimate, np.nan), np.where(told, error, np.nan), shrink_to
    )
    verdicts = [_verdict(reasons[at], q[at], low[at], high[at]) for at in range(len(tags))]
    claimed = np.array([verdict in CLAIMS for verdict in verdicts])
    stretch = np.where(claimed, widening(int(claimed.sum()), int(told.sum())), 1.0)
    shrunk_low = shrunk + stretch * (shrunk_low - shrunk)
    shrunk_high = shrunk + stretch * (shrunk_high - shrunk)
    effects = []
    for at, tag in enumerate(tags):
        reason, verdict = reasons[at], verdicts[at]
        effects.append(
            Effect(
                tag=tag.slug,
                tag_zh=tag.zh,
                tag_en=tag.en,
                outcome=found.outcome,
                segment=segment,
                method=method,
                estimand=estimand,
                estimate=_number(found.estimate[at]),
                se=_number(found.se[at]),
                ci_low=_number(low[at]),
                ci_high=_number(high[at]),
                p=_number(p[at]),
                q=_number(q[at]),
                shrunk=_number(shrunk[at]),
                shrunk_low=_number(shrunk_low[at]),
                shrunk_high=_number(shrunk_high[at]),
                baseline=_number(found.baseline[at]),
                relative=_ratio(found.estimate[at], found.baseline[at]),
                n_rows=found.n_rows,
                n_items=found.n_items,
                n_treated_items=int(found.treated_items[at]),
                effective_items=float(np.round(np.nan_to_num(found.effective[at]), 2)),
                rung=found.rung,
                verdict=verdict,
                reason=reason,
                diagnostics=found.diagnostics[at],
            )
        )
    return effects


def _verdict(reason: Reason | None, q: float, low: float, high: float) -> Verdict:
    if reason is not None:
        return "cannot tell"
    if q <= FALSE_DISCOVERY_RATE and low > 0:
        return "raises"
    if q <= FALSE_DISCOVERY_RATE and high < 0:
        return "lowers"
    return "no clear effect"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ratio(estimate: float, baseline: float) -> float | None:
    return _number(estimate / baseline) if np.isfinite(baseline) and baseline != 0 else None
