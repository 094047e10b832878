"""Two-stage least squares and LIML from moments, for many endogenous variables, clustered errors.

Both are k-class estimators (Theil 1958; Wooldridge 2010, chapter 5): 2SLS with k = 1, LIML with
the smallest root of Anderson and Rubin (1949). With many instruments 2SLS leans towards least
squares, LIML does not; its errors count the instruments' own noise (Bekker 1994; Hansen, Hausman
and Newey 2008). `weak` beside this module says what can be told however weak the instruments are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.effects.instruments.score_sums import cluster_products, combine_axes
from tagcf.effects.instruments.stage_sums import Moments, StageBlock, inverse, sum_moments
from tagcf.effects.methods import LeastSquares, Liml
from tagcf.types import Codes, Floats, Mask

Blocks = Callable[[], Iterable[StageBlock]]


@dataclass(frozen=True, slots=True)
class StageFit:
    """Estimates of E endogenous variables on K outcomes by L instruments."""

    coef: Floats  # (E, K)
    cov: Floats  # (K, E, E) clustered
    kappa: Floats  # (K,) 1: two-stage least squares
    cov_unadjusted: Floats  # (K, E, E) homoskedastic and independent: for comparison only
    f_unadjusted: Floats  # (E,) first-stage F of each equation, likewise
    endogenous_varies: Mask  # (E,) something is left after groups and controls
    outcome_varies: Mask  # (K,)
    n_instruments: int  # that are left and not combinations of others
    n_rows: int
    clusters: int  # smallest number of clusters among the axes
    first: Floats  # (L, E) first-stage coefficients
    moments: Moments


def two_stage(
    blocks: Blocks,
    n_groups: int = 0,
    estimator: LeastSquares | Liml | None = None,
    moments: Moments | None = None,
) -> StageFit:
    """Estimate by two passes over the rows.

    Parameters
    ----------
    blocks
        Called twice; each call yields all rows once.
    n_groups
        Levels of `StageBlock.group`, whose effects are absorbed; 0: there is none.
    estimator
        `LeastSquares()` unless given.
    moments
        Of these rows, where they are known already: then `blocks` is called once.
    """
    moments = moments or sum_moments(blocks(), n_groups)
    n_z, (n_d, n_out) = len(moments.zz), moments.dy.shape
    first = inverse(moments.zz) @ moments.zd
    fitted = moments.zd.T @ first
    kappa = np.ones(n_out)
    if isinstance(estimator, Liml):
        kappa = np.array([_smallest_root(moments, k) for k in range(n_out)])
    breads = [inverse(moments.dd + one * (fitted - moments.dd)) for one in kappa]
    coef = np.empty((n_d, n_out))
    for k in range(n_out):
        reduced = first.T @ moments.zy[:, k]
        coef[:, k] = breads[k] @ (moments.dy[:, k] + kappa[k] * (reduced - moments.dy[:, k]))
    corrects = isinstance(estimator, Liml)
    mixes = [_score_mix(moments, first, coef, k, corrects) for k in range(n_out)]
    products, clusters = cluster_products(
        _scores(blocks(), moments, np.hstack(mixes), n_d), moments.crossing
    )
    cov = np.empty((n_out, n_d, n_d))
    for k in range(n_out):
        at = slice(k * n_d, (k + 1) * n_d)
        meat = combine_axes(tuple(one[at, at] for one in products))
        cov[k] = breads[k] @ meat @ breads[k]
    return StageFit(
        coef=coef,
        cov=cov,
        kappa=kappa,
        cov_unadjusted=_unadjusted(moments, coef, breads),
        f_unadjusted=_plain_f(moments, first),
        endogenous_varies=moments.varies[n_z : n_z + n_d],
        outcome_varies=moments.varies[n_z + n_d :],
        n_instruments=moments.rank,
        n_rows=moments.n_rows,
        clusters=clusters,
        first=first,
        moments=moments,
    )


def _smallest_root(moments: Moments, k: int) -> float:
    """Find LIML's k: least ratio, over combinations of (Y, D), of variation to that without Z."""
    z = np.column_stack([moments.zy[:, k], moments.zd])
    every = np.block(
        [
            [np.atleast_2d(moments.yy[k]), moments.dy[:, [k]].T],
            [moments.dy[:, [k]], moments.dd],
        ]
    )
    left = every - z.T @ inverse(moments.zz) @ z
    scale = np.sqrt(np.maximum(np.diag(every), 1e-300))
    some = np.diag(left) > 1e-10 * scale**2
    if not some.all():  # what Z determines, or nothing at all: two-stage least squares will do
        return 1.0
    both = np.outer(scale, scale)
    try:
        roots = linalg.eigh(every / both, left / both, eigvals_only=True)
    except linalg.LinAlgError:  # endogenous variables that are combinations of one another
        return 1.0
    return float(max(roots[0], 1.0))


def _score_mix(moments: Moments, first: Floats, coef: Floats, k: int, corrects: bool) -> Floats:
    """(L + E + K, E + 1) fitted endogenous variables and the residual of outcome k.

    For LIML the endogenous variables are first rid of what they share with the residual: its
    estimating equation is that of (D - e·d'Me/e'Me) (Hansen, Hausman and Newey 2008, section 2).
    """
    n_z, n_d = first.shape
    mix = np.zeros((n_z + n_d + coef.shape[1], n_d + 1))
    mix[:n_z, :n_d] = first
    mix[n_z : n_z + n_d, n_d] = -coef[:, k]
    mix[n_z + n_d + k, n_d] = 1.0
    if corrects:
        ze = moments.zy[:, k] - moments.zd @ coef[:, k]
        on_z = inverse(moments.zz) @ ze
        de = moments.dy[:, k] - moments.dd @ coef[:, k]
        ee = moments.yy[k] - coef[:, k] @ (moments.dy[:, k] + de)
        share = (de - moments.zd.T @ on_z) / max(ee - ze @ on_z, 1e-300)
        mix[:n_z, :n_d] -= np.outer(on_z, share)
    return mix


def _scores(
    blocks: Iterable[StageBlock], moments: Moments, mix: Floats, n_d: int
) -> Iterator[tuple[Codes, Floats]]:
    """Clusters and (n, K · E) scores of each block."""
    for block in blocks:
        if not len(block.w):
            continue
        mixed = moments.mixed(block, mix).reshape(len(block.w), -1, n_d + 1)
        scores = mixed[:, :, :n_d] * (mixed[:, :, n_d] * block.w[:, None])[:, :, None]
        yield block.clusters, scores.reshape(len(block.w), -1)


def _unadjusted(moments: Moments, coef: Floats, breads: list[Floats]) -> Floats:
    """(K, E, E) covariance under one variance for all rows, without clusters."""
    squares = moments.yy - 2 * (coef * moments.dy).sum(axis=0)
    squares = squares + np.einsum("ek,ef,fk->k", coef, moments.dd, coef)
    return np.asarray(squares[:, None, None] / max(moments.n_rows, 1) * np.stack(breads))


def _plain_f(moments: Moments, first: Floats) -> Floats:
    """(E,) first-stage F, in the large-sample form of linearmodels: rows, not rows less terms."""
    explained = np.diag(moments.zd.T @ first)
    left = np.diag(moments.dd) - explained
    mean = np.where(left > 0, left, np.nan) / max(moments.n_rows, 1)
    return np.asarray(explained / max(moments.rank, 1) / mean)
