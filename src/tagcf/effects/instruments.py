"""Two-stage least squares from moments, for many endogenous variables, with clustered errors.

Wooldridge (2010, chapter 5); cluster-robust first-stage F; confidence sets of Anderson and Rubin
(1949), which hold however weak the instrument, for one endogenous variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import linalg, stats

from tagcf.effects.cells import sum_matrix
from tagcf.effects.multiplicity import ALPHA
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class StageBlock:
    """Rows of a two-stage regression. Controls include the constant."""

    y: Floats  # (n, K)
    endogenous: Floats  # (n, E)
    controls: Floats  # (n, A)
    instruments: Floats  # (n, L)
    w: Floats  # (n,)
    clusters: Codes  # (n, C) at most two axes


@dataclass(frozen=True, slots=True)
class StageFit:
    """Two-stage estimates. E endogenous variables, K outcomes, L instruments."""

    coef: Floats  # (E, K)
    cov: Floats  # (K, E, E)
    first_stage_f: Floats  # (E,) conditional F (Sanderson–Windmeijer 2016), clustered
    set_low: Floats  # (K,) Anderson–Rubin set of the one endogenous variable; NaN otherwise
    set_high: Floats  # (K,)
    bounded: tuple[bool, ...]  # (K,) the set is an interval
    set_p: Floats  # (K,) Anderson–Rubin p-value of no effect
    cov_unadjusted: Floats  # (K, E, E) homoskedastic and independent: for comparison only
    f_unadjusted: Floats  # (E,) first-stage F of each equation, likewise
    n_rows: int
    clusters: int  # smallest number of clusters among the axes


@dataclass(frozen=True, slots=True)
class _Moments:
    zz: Floats  # (L, L) instruments without controls
    zd: Floats  # (L, E)
    zy: Floats  # (L, K)
    z_on: Floats  # (A, L) instruments on controls
    d_on: Floats  # (A, E)
    y_on: Floats  # (A, K)
    dd: Floats  # (E, E)
    dy: Floats  # (E, K)
    yy: Floats  # (K,)
    n_rows: int


def two_stage(blocks: Callable[[], Iterable[StageBlock]]) -> StageFit:
    """Estimate by two passes over the rows.

    Parameters
    ----------
    blocks
        Called twice; each call yields all rows once.
    """
    moments = _moments(blocks())
    first = linalg.pinvh(moments.zz) @ moments.zd  # (L, E)
    fitted = moments.zd.T @ first  # (E, E)
    coef = linalg.pinvh(fitted) @ first.T @ moments.zy  # (E, K)
    scores = _scores(blocks(), moments)
    bread = linalg.pinvh(fitted) @ first.T  # (E, L)
    n_out = coef.shape[1]
    cov = np.empty((n_out, coef.shape[0], coef.shape[0]))
    for k in range(n_out):
        meat = scores.of(np.append(-coef[:, k], _unit(n_out, k)))
        cov[k] = bread @ meat @ bread.T
    low, high, bounded, p = _anderson_rubin(moments, scores, coef, cov)
    return StageFit(
        coef=coef,
        cov=cov,
        first_stage_f=_conditional_f(moments, scores, first),
        set_low=low,
        set_high=high,
        bounded=bounded,
        set_p=p,
        cov_unadjusted=_unadjusted(moments, coef, fitted),
        f_unadjusted=_plain_f(moments, first),
        n_rows=moments.n_rows,
        clusters=scores.clusters,
    )


def _unit(size: int, at: int) -> Floats:
    return np.asarray(np.eye(size)[at])


def _moments(blocks: Iterable[StageBlock]) -> _Moments:
    total: Floats = np.zeros((0, 0))
    n_rows, ends = 0, np.zeros(4, dtype=int)
    for block in blocks:
        parts = (block.controls, block.instruments, block.endogenous, block.y)
        ends = np.cumsum([part.shape[1] for part in parts])
        stacked = np.hstack(parts)
        gram = (stacked * block.w[:, None]).T @ stacked
        total = total + gram if total.size else gram
        n_rows += len(block.w)
    a = int(ends[0])
    on = _solve(total[:a, :a], total[:a, a:])
    rest = total[a:, a:] - total[a:, :a] @ on
    z, d, y = (slice(ends[k] - a, ends[k + 1] - a) for k in range(3))
    return _Moments(
        zz=rest[z, z],
        zd=rest[z, d],
        zy=rest[z, y],
        z_on=on[:, z],
        d_on=on[:, d],
        y_on=on[:, y],
        dd=rest[d, d],
        dy=rest[d, y],
        yy=np.diag(rest[y, y]),
        n_rows=n_rows,
    )


def _unadjusted(moments: _Moments, coef: Floats, fitted: Floats) -> Floats:
    """(K, E, E) covariance under one variance for all rows, without clusters."""
    squares = moments.yy - 2 * (coef * moments.dy).sum(axis=0)
    squares = squares + np.einsum("ek,ef,fk->k", coef, moments.dd, coef)
    return np.asarray(squares[:, None, None] / moments.n_rows * linalg.pinvh(fitted))


def _plain_f(moments: _Moments, first: Floats) -> Floats:
    """(E,) first-stage F, in the large-sample form of linearmodels: rows, not rows less terms."""
    explained = np.diag(moments.zd.T @ first)
    left = np.diag(moments.dd) - explained
    return np.asarray(explained / len(moments.zz) / (left / moments.n_rows))


def _solve(gram: Floats, right: Floats) -> Floats:
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = linalg.pinvh(gram / np.outer(scale, scale), rtol=1e-12)
    return np.asarray((inverse @ (right / scale[:, None])) / scale[:, None], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Scores:
    """Cluster sums of instrument × (endogenous, outcome), to be combined for any coefficients."""

    sums: tuple[Floats, ...]  # per axis and their crossing: (G, L, E + K)
    clusters: int

    def of(self, weights: Floats) -> Floats:
        """(L, L) covariance of Z'(residual), the residual being (D, Y) @ weights; two-way."""
        each = []
        for sums in self.sums:
            score = sums @ weights
            used = max(int((np.abs(score).sum(axis=1) > 0).sum()), 2)
            each.append(used / (used - 1) * score.T @ score)
        if len(each) == 1:
            return np.asarray(each[0])
        both = each[0] + each[1] - each[2]
        if np.linalg.eigvalsh(both).min() <= 0:
            return np.asarray(max(each[:2], key=np.trace))
        return np.asarray(both)


def _scores(blocks: Iterable[StageBlock], moments: _Moments) -> _Scores:
    """Sum scores by cluster; keys of clusters and their crossings are gathered as they come."""
    totals: list[dict[str, list[np.ndarray]]] = []
    for block in blocks:
        z = block.instruments - block.controls @ moments.z_on
        v = np.hstack(
            [
                block.endogenous - block.controls @ moments.d_on,
                block.y - block.controls @ moments.y_on,
            ]
        )
        outer = (z[:, :, None] * (v * block.w[:, None])[:, None, :]).reshape(len(z), -1)
        for at, key in enumerate(_keys(block.clusters)):
            if at == len(totals):
                totals.append({"keys": [], "sums": []})
            unique, position = np.unique(key, return_inverse=True)
            totals[at]["keys"].append(unique)
            ones = np.ones(len(key))
            summed = sum_matrix(position, ones, unique.size) @ outer
            totals[at]["sums"].append(summed)
    merged = []
    for total in totals:
        unique, position = np.unique(np.concatenate(total["keys"]), return_inverse=True)
        stacked = np.concatenate(total["sums"])
        ones = np.ones(len(stacked))
        summed = sum_matrix(position, ones, unique.size) @ stacked
        merged.append(summed.reshape(unique.size, moments.zz.shape[0], -1))
    axes = merged[: 1 if len(merged) == 1 else 2]
    return _Scores(tuple(merged), min(len(axis) for axis in axes))


def _keys(clusters: Codes) -> list[np.ndarray]:
    axes = [clusters[:, axis].astype(np.int64) for axis in range(clusters.shape[1])]
    if len(axes) == 2:
        axes.append(axes[0] * (2**31) + axes[1])
    return axes


def _conditional_f(moments: _Moments, scores: _Scores, first: Floats) -> Floats:
    """F of each endogenous variable given the others (Sanderson and Windmeijer 2016)."""
    n_z, n_d = moments.zd.shape
    n_out = moments.zy.shape[1]
    fitted = moments.zd.T @ first
    f = np.empty(n_d)
    for at in range(n_d):
        others = np.delete(np.arange(n_d), at)
        on = np.zeros(n_d)
        on[at] = 1.0
        if others.size:
            on[others] = -linalg.pinvh(fitted[np.ix_(others, others)]) @ fitted[others, at]
        gap = moments.zd @ on
        meat = scores.of(np.append(on, np.zeros(n_out)))
        f[at] = gap @ linalg.pinvh(meat) @ gap / max(n_z - n_d + 1, 1)
    return f


def _anderson_rubin(
    moments: _Moments, scores: _Scores, coef: Floats, cov: Floats
) -> tuple[Floats, Floats, tuple[bool, ...], Floats]:
    """Confidence sets that hold for weak instruments; one endogenous variable only."""
    n_d, n_out = coef.shape
    none = np.full(n_out, np.nan)
    if n_d != 1:
        return none, none.copy(), (False,) * n_out, none.copy()
    n_z = len(moments.zz)
    limit = float(stats.chi2.ppf(1 - ALPHA, n_z))

    def statistic(k: int, value: float) -> float:
        gap = moments.zy[:, k] - value * moments.zd[:, 0]
        meat = scores.of(np.append([-value], _unit(n_out, k)))
        return float(gap @ linalg.pinvh(meat) @ gap)

    low, high, bounded, p = none.copy(), none.copy(), [], none.copy()
    # Far out the statistic tends to that of the first stage: bounded if that rejects.
    gap = moments.zd[:, 0]
    far = float(gap @ linalg.pinvh(scores.of(np.append([1.0], np.zeros(n_out)))) @ gap)
    for k in range(n_out):
        p[k] = float(stats.chi2.sf(statistic(k, 0.0), n_z))
        bounded.append(far > limit)
        se = float(np.sqrt(cov[k, 0, 0]))
        low[k], high[k] = _read_off(partial(statistic, k), float(coef[0, k]), se, limit)
    return low, high, tuple(bounded), p


def _read_off(
    statistic: Callable[[float], float], centre: float, se: float, limit: float
) -> tuple[float, float]:
    """Ends of the set around the estimate, by widening steps and bisection."""
    ends = []
    if statistic(centre) > limit:  # instruments disagree: no value fits all of them
        return float("nan"), float("nan")
    for sign in (-1.0, 1.0):
        inside, step = centre, se
        while statistic(centre + sign * step) <= limit and step < 1e6 * se:
            inside, step = centre + sign * step, step * 1.5
        outside = centre + sign * step
        for _ in range(60):
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if statistic(middle) <= limit else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]
