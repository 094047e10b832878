"""What every method returns for one outcome, and how that becomes effects with verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.effects.multiplicity import ALPHA, Target, claims_level, false_discovery, shrink
from tagcf.types import Effect, Estimand, Floats, Mask, Method, Reason, Rung, Tag, Verdict

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
    claimable: Mask | None = None  # (T,) False: no claim, however clear; None: all


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
    half = _half(found, ALPHA)
    low, high = found.estimate - half, found.estimate + half
    p = 2 * stats.t.sf(np.abs(found.estimate) / np.where(found.se > 0, found.se, np.nan), found.df)
    if found.interval is not None and found.p is not None:
        low, high, p = found.interval[:, 0], found.interval[:, 1], found.p
    low, high, p = np.asarray(low), np.asarray(high), np.asarray(p)
    q = false_discovery(np.where(told, p, np.nan))
    claimable = told if found.claimable is None else found.claimable
    verdicts = [
        _verdict(reasons[at], q[at], low[at], high[at], claimable=bool(claimable[at]))
        for at in range(len(tags))
    ]
    claimed = np.array([verdict in CLAIMS for verdict in verdicts])
    shrunk, shrunk_low, shrunk_high = _shrunk(found, told, claimed, shrink_to)
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


def _half(found: Estimates, level: float) -> Floats:
    """(T,) half-widths at a level; of intervals by other means, which are not alike on both sides.

    These are taken to grow with the level as normal ones do.
    """
    if found.interval is None:
        return np.asarray(stats.t.ppf(1 - level / 2, found.df) * found.se)
    wider = np.abs(found.interval - found.estimate[:, None]).max(axis=1)
    return np.asarray(wider * stats.norm.ppf(1 - level / 2) / stats.norm.ppf(1 - ALPHA / 2))


def _shrunk(
    found: Estimates, told: Mask, claimed: Mask, target: Target | None
) -> tuple[Floats, Floats, Floats]:
    """Shrunken values and their intervals; those of claims at the level that their number asks for.

    t intervals are wider than normal ones: shrink with the normal error that is as wide.
    """

    def at_level(level: float) -> tuple[Floats, Floats, Floats]:
        error = _half(found, level) / stats.norm.ppf(1 - level / 2)
        known = told & np.isfinite(error)
        return shrink(
            np.where(known, found.estimate, np.nan), np.where(known, error, np.nan), target, level
        )

    shrunk, low, high = at_level(ALPHA)
    if claimed.any():
        _, picked_low, picked_high = at_level(claims_level(int(claimed.sum()), int(told.sum())))
        half = np.maximum(picked_high - picked_low, high - low) / 2
        low = np.where(claimed, shrunk - half, low)
        high = np.where(claimed, shrunk + half, high)
    return shrunk, low, high


def _verdict(
    reason: Reason | None, q: float, low: float, high: float, *, claimable: bool
) -> Verdict:
    if reason is not None:
        return "cannot tell"
    if not claimable:
        return "no clear effect"
    if q <= FALSE_DISCOVERY_RATE and low > 0:
        return "raises"
    if q <= FALSE_DISCOVERY_RATE and high < 0:
        return "lowers"
    return "no clear effect"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ratio(estimate: float, baseline: float) -> float | None:
    return _number(estimate / baseline) if np.isfinite(baseline) and baseline != 0 else None
