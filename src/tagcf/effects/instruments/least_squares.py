"""Two-stage least squares from moments, for many endogenous variables, with clustered errors.

Wooldridge (2010, chapter 5); `first_stage` beside this module says how strong the instruments
are, and `anderson_rubin` gives intervals that hold however weak they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tagcf.effects.instruments.anderson_rubin import FittingSet, fitting_set
from tagcf.effects.instruments.first_stage import conditional_f, plain_f
from tagcf.effects.instruments.stage_sums import (
    Moments,
    Scores,
    StageBlock,
    inverse,
    sum_moments,
    sum_scores,
)
from tagcf.types import Floats, Mask


@dataclass(frozen=True, slots=True)
class StageFit:
    """Two-stage estimates. E endogenous variables, K outcomes, L instruments."""

    coef: Floats  # (E, K)
    cov: Floats  # (K, E, E)
    first_stage_f: Floats  # (E,) conditional F (Sanderson–Windmeijer 2016), clustered
    set_low: Floats  # (K,) Anderson–Rubin set of the one endogenous variable; NaN otherwise
    set_high: Floats  # (K,)
    bounded: tuple[bool, ...]  # (K,) the set has ends
    empty: tuple[bool, ...]  # (K,) no value fits: the instruments contradict one another
    set_p: Floats  # (K,) Anderson–Rubin p-value of no effect
    cov_unadjusted: Floats  # (K, E, E) homoskedastic and independent: for comparison only
    f_unadjusted: Floats  # (E,) first-stage F of each equation, likewise
    endogenous_varies: Mask  # (E,) something is left after groups and controls
    outcome_varies: Mask  # (K,)
    n_instruments: int  # that are left and not combinations of others
    n_rows: int
    clusters: int  # smallest number of clusters among the axes


def two_stage(blocks: Callable[[], Iterable[StageBlock]], n_groups: int = 0) -> StageFit:
    """Estimate by two passes over the rows.

    Parameters
    ----------
    blocks
        Called twice; each call yields all rows once.
    n_groups
        Levels of `StageBlock.group`, whose effects are absorbed; 0: there is none.
    """
    moments = sum_moments(blocks(), n_groups)
    n_z, (n_d, n_out) = len(moments.zz), moments.dy.shape
    first = inverse(moments.zz) @ moments.zd  # (L, E)
    fitted = moments.zd.T @ first  # (E, E)
    bread = inverse(fitted) @ first.T  # (E, L)
    coef = bread @ moments.zy  # (E, K)
    scores = sum_scores(blocks(), moments, first)
    cov = np.empty((n_out, n_d, n_d))
    for k in range(n_out):
        meat = scores.of(np.concatenate([-coef[:, k], _unit(n_out, k), np.zeros(n_d)]))
        cov[k] = bread @ meat @ bread.T
    sets = [_set(moments, scores, k, coef, cov) for k in range(n_out)]
    return StageFit(
        coef=coef,
        cov=cov,
        first_stage_f=conditional_f(moments, scores, first),
        set_low=np.array([one.low for one in sets]),
        set_high=np.array([one.high for one in sets]),
        bounded=tuple(one.bounded for one in sets),
        empty=tuple(one.empty for one in sets),
        set_p=np.array([one.p for one in sets]),
        cov_unadjusted=_unadjusted(moments, coef, fitted),
        f_unadjusted=plain_f(moments, first),
        endogenous_varies=moments.varies[n_z : n_z + n_d],
        outcome_varies=moments.varies[n_z + n_d :],
        n_instruments=moments.rank,
        n_rows=moments.n_rows,
        clusters=scores.clusters,
    )


def _unit(size: int, at: int) -> Floats:
    return np.asarray(np.eye(size)[at])


def _unadjusted(moments: Moments, coef: Floats, fitted: Floats) -> Floats:
    """(K, E, E) covariance under one variance for all rows, without clusters."""
    squares = moments.yy - 2 * (coef * moments.dy).sum(axis=0)
    squares = squares + np.einsum("ek,ef,fk->k", coef, moments.dd, coef)
    return np.asarray(squares[:, None, None] / max(moments.n_rows, 1) * inverse(fitted))


def _set(moments: Moments, scores: Scores, k: int, coef: Floats, cov: Floats) -> FittingSet:
    """Anderson–Rubin set of outcome k; none where several variables are endogenous."""
    if coef.shape[0] != 1:
        nan = float("nan")
        return FittingSet(nan, nan, bounded=False, empty=False, p=nan)
    unit = _unit(coef.shape[1], k)

    def covariance(on_d: float, on_y: float) -> Floats:
        return scores.of(np.concatenate([[on_d], on_y * unit, [0.0]]))

    se = float(np.sqrt(cov[k, 0, 0]))
    zy, zd = moments.zy[:, k], moments.zd[:, 0]
    return fitting_set(zy, zd, covariance, moments.rank, float(coef[0, k]), se)
