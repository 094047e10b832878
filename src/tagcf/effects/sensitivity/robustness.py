"""How strong an unseen control would have to be: robustness values, benchmarks, E-values.

Cinelli and Hazlett (2020). A tag is an attribute of items, and so is what could confound it: shares
of variance are those *between items*, and the t is the one with clustered errors on its effective
clusters. Over rows, the noise of single impressions would hide any control of items, and the
numbers of rows would make every effect look safe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from tagcf.doubts import Benchmark
from tagcf.effects.joint.fit import Fit
from tagcf.effects.multiplicity import ALPHA
from tagcf.effects.sensitivity.reduced import Reduced
from tagcf.types import Floats

MOST_TIMES = 100.0  # beyond so many times as strong, no bound is sought
CANDIDATES = 5  # controls of each kind that are followed up


def robustness_value(t: float, df: float, q: float = 1.0, alpha: float | None = None) -> float:
    """Share of variance of both tag and outcome that an unseen control would have to explain.

    Parameters
    ----------
    t, df
        Statistic of the tag and its degrees of freedom.
    q
        Share of the estimate that it should take away.
    alpha
        Level of the interval that should then contain the rest; None: for the estimate itself.

    Returns
    -------
    float
        Cinelli and Hazlett (2020), equation 16 and section 4.3: 0 if nothing is needed.
    """
    if df <= 1 or not np.isfinite(t):
        return 0.0
    f = q * abs(t) / np.sqrt(df)
    if alpha is None:
        return _equal_share(f)
    critical = float(stats.t.ppf(1 - alpha / 2, df - 1)) / np.sqrt(df - 1)
    if f <= critical:
        return 0.0
    if f > 1 / critical:  # then the outcome's share is at most 1, and the tag's decides
        return float((f**2 - critical**2) / (1 + f**2))
    return _equal_share(f - critical)


def _equal_share(f: float) -> float:
    return float((np.sqrt(f**4 + 4 * f**2) - f**2) / 2)


@dataclass(frozen=True, slots=True)
class Shares:
    """What each observed control explains between items, the rest held. B controls, T tags."""

    names: tuple[str, ...]  # (B,) configured controls, then "tag:" and the slug of other tags
    tag: Floats  # (B, T) partial R² with the tag
    outcome: Floats  # (K, B, T) partial R² with the outcome, the tag held


def control_shares(reduced: Reduced, fit: Fit, slugs: list[str]) -> Shares:
    """Partial R² of every control and of every other tag, over items, weighted as in the fit.

    A control's columns (spline, levels) count together.
    """
    weight, used = reduced.weight, reduced.used
    w = weight[used]
    tags = fit.part.cell_tags[used][:, reduced.kept]
    x = fit.part.cell_x[used]
    y = reduced.sums.y[used] / w[:, None] - fit.part.group_y[reduced.group[used]]
    gram = _gram(np.hstack([x, tags, y]), w)
    n_x, n_d = x.shape[1], tags.shape[1]
    groups = column_groups(fit.control_names)
    every, n_tags = np.arange(n_x + n_d), len(slugs)
    at = np.flatnonzero(reduced.kept)
    names = (*groups, *(f"tag:{slug}" for slug in slugs))
    n_out = y.shape[1]
    r2_tag = np.zeros((len(names), n_tags))
    r2_out = np.zeros((n_out, len(names), n_tags))
    full = _swept(gram, every[:n_x], n_x + np.arange(n_d + n_out))
    inverse = linalg.pinvh(full[:n_d, :n_d], rtol=1e-10)
    own = 1.0 / np.maximum(np.diag(inverse), 1e-300)  # left of each tag
    y_left = _y_left(full, n_d)
    for b, columns in enumerate(groups.values()):
        rest = np.setdiff1d(every[:n_x], columns)
        less = _swept(gram, rest, n_x + np.arange(n_d + n_out))
        less_inverse = linalg.pinvh(less[:n_d, :n_d], rtol=1e-10)
        less_own = 1.0 / np.maximum(np.diag(less_inverse), 1e-300)
        r2_tag[b, at] = 1 - own / less_own
        r2_out[:, b, at] = (1 - y_left / np.maximum(_y_left(less, n_d), 1e-300))[:, None]
    # Another tag: from the inverse, as partial correlations.
    shift = len(groups)
    r2_tag[np.ix_(shift + at, at)] = inverse**2 / np.maximum(
        np.outer(np.diag(inverse), np.diag(inverse)), 1e-300
    )
    coef = inverse @ full[:n_d, n_d:]
    explained = coef**2 * own[:, None]  # (D, K) what leaving the tag out would add to the rest
    share = explained / (explained + y_left)
    for k in range(n_out):
        r2_out[k][np.ix_(shift + at, at)] = share[:, [k]]
    diagonal = np.arange(n_tags)
    r2_tag[shift + diagonal, diagonal] = 0.0
    r2_out[:, shift + diagonal, diagonal] = 0.0
    return Shares(names, np.clip(r2_tag, 0.0, 1 - 1e-9), np.clip(r2_out, 0.0, 1 - 1e-9))


def column_groups(names: tuple[str, ...]) -> dict[str, list[int]]:
    """Columns of each configured control: a spline's, a category's levels, the missing mark."""
    groups: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        stem = name.removesuffix("?").partition("=")[0].rpartition("~")
        groups.setdefault(stem[0] or stem[2], []).append(k)
    return groups


def benchmark(shares: Shares, k: int, t: int, statistic: float, df: float) -> Benchmark | None:
    """Find the observed control whose like, unseen, would endanger the effect of a tag most.

    Parameters
    ----------
    k, t
        Positions of outcome and tag.
    statistic, df
        As in `robustness_value`.
    """
    tag, outcome = shares.tag[:, t], shares.outcome[k, :, t]
    threat = np.array([_threat(float(d), float(y)) for d, y in zip(tag, outcome, strict=True)])
    # Those that bias most, and those that leave least of the tag: one of these is reached first.
    likely = {*np.argsort(-threat)[:CANDIDATES].tolist(), *np.argsort(-tag)[:CANDIDATES].tolist()}
    found = [
        Benchmark(
            control=shares.names[b],
            r2_tag=float(tag[b]),
            r2_outcome=float(outcome[b]),
            times_estimate=_times(float(tag[b]), float(outcome[b]), statistic, df, 0.0),
            times_interval=_times(float(tag[b]), float(outcome[b]), statistic, df, ALPHA),
        )
        for b in sorted(likely)
        if threat[b] > 0
    ]
    return min(found, key=lambda one: (one.times_estimate, one.control), default=None)


def _threat(r2_d: float, r2_y: float) -> float:
    """Bias that a like of a control can cause, in units of √df standard errors."""
    bound = strength_bound(r2_d, r2_y, 1.0)
    return float("inf") if bound is None else float(np.sqrt(bound[1] * bound[0] / (1 - bound[0])))


def _times(r2_d: float, r2_y: float, t: float, df: float, alpha: float) -> float:
    """Smallest k at which a control k times as strong takes the estimate (or its interval) to 0."""
    critical = float(stats.t.ppf(1 - alpha / 2, df - 1)) if alpha else 0.0

    def survives(k: float) -> bool:
        bound = strength_bound(r2_d, r2_y, k)
        if bound is None:
            return False
        d, y = bound
        bias = np.sqrt(df * y * d / (1 - d))
        error = np.sqrt((1 - y) / (1 - d) * df / (df - 1))
        return bool(abs(t) - bias > critical * error)

    if not survives(0.0):
        return 0.0
    if survives(MOST_TIMES):
        return MOST_TIMES
    low, high = 0.0, MOST_TIMES
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if survives(middle) else (low, middle)
    return low


def strength_bound(r2_d: float, r2_y: float, k: float) -> tuple[float, float] | None:
    """Bound the partial R² (with tag, with outcome) of a control k times as strong as an observed.

    Cinelli and Hazlett (2020), section 4.4. None where it would determine the tag.
    """
    d = k * r2_d / (1 - r2_d)
    if d >= 1 or k * r2_d >= 1:
        return None
    link = k * r2_d**2 / ((1 - k * r2_d) * (1 - r2_d))
    if link >= 1:
        return None
    y = (np.sqrt(k) + np.sqrt(link)) ** 2 / (1 - link) * r2_y / (1 - r2_y)
    return d, float(min(y, 1.0))


def e_values(baseline: float, low: float, estimate: float, high: float) -> tuple[float, float]:
    """E-values of the estimate and of the interval's limit that is nearer to no effect.

    VanderWeele and Ding (2017): the risk ratio that an unseen control would need with both tag and
    outcome. The share of rows without the tag is taken as known.
    """
    ratios = [max((baseline + change) / baseline, 1e-9) for change in (estimate, low, high)]
    if low <= 0 <= high:
        return e_value(ratios[0]), 1.0
    return e_value(ratios[0]), e_value(ratios[1] if estimate > 0 else ratios[2])


def e_value(ratio: float) -> float:
    """RR + √(RR (RR - 1)), of the ratio or its inverse, whichever is above 1."""
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))


def _gram(columns: Floats, w: Floats) -> Floats:
    return np.asarray((columns * w[:, None]).T @ columns)


def _swept(gram: Floats, out: np.ndarray, left: np.ndarray) -> Floats:
    """Gram of the columns `left` after the columns `out` are taken out of them."""
    block = gram[np.ix_(out, out)]
    scale = np.sqrt(np.where(np.diag(block) > 0, np.diag(block), 1.0))
    inverse = linalg.pinvh(block / np.outer(scale, scale), rtol=1e-10) if out.size else block
    cross = gram[np.ix_(out, left)] / scale[:, None]
    return np.asarray(gram[np.ix_(left, left)] - cross.T @ inverse @ cross)


def _y_left(swept: Floats, n_tags: int) -> Floats:
    """(K,) what all tags leave of the outcomes."""
    dd, dy = swept[:n_tags, :n_tags], swept[:n_tags, n_tags:]
    gone = (dy * (linalg.pinvh(dd, rtol=1e-10) @ dy)).sum(axis=0)
    return np.asarray(np.maximum(np.diag(swept)[n_tags:] - gone, 1e-300))
