"""What can be told however weak the instruments are: conditional F and Anderson–Rubin sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tagcf.effects.instruments.anderson_rubin import FittingSet, fitting_set
from tagcf.effects.instruments.concentrated import Products, concentrated_set
from tagcf.effects.instruments.least_squares import Blocks, StageFit
from tagcf.effects.instruments.score_sums import cluster_products, combine_axes
from tagcf.effects.instruments.stage_sums import Moments, StageBlock, inverse
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Strength:
    """First stages and sets. E endogenous variables, K outcomes."""

    first_stage_f: Floats  # (E,) conditional F (Sanderson and Windmeijer 2016), clustered
    sets: tuple[tuple[FittingSet, ...], ...]  # (K, E) Anderson–Rubin set of each coefficient


def strength(blocks: Blocks, fit: StageFit) -> Strength:
    """Test by one more pass over the rows.

    Parameters
    ----------
    blocks
        The rows that `fit` was made of.
    """
    moments, turn = fit.moments, _independent(fit.moments.zz)
    n_d, n_out = fit.coef.shape
    against = _against_others(moments, fit.first)
    n_scores = turn.shape[1] * (2 * n_d + n_out)
    products, _ = cluster_products(
        _instrument_scores(blocks(), fit, turn, against), moments.crossing
    )
    shape = (2 * n_d + n_out, turn.shape[1]) * 2
    if not n_scores:
        products = (np.zeros((0, 0)),)
    each = [one.reshape(shape) for one in products]
    sets = []
    for k in range(n_out):
        some = [*range(n_d), n_d + k]
        kept = [one[some][:, :, some] for one in each]
        total = turn.T @ np.column_stack([moments.zd, moments.zy[:, k]])
        sets.append(_sets(total, kept, fit, k))
    return Strength(_conditional_f(turn.T @ moments.zd @ against, each, n_d + n_out), tuple(sets))


def _independent(zz: Floats) -> Floats:
    """(L, r) combinations of the instruments with unit variance that say all that they say."""
    if not zz.size:
        return zz
    scale = np.sqrt(np.where(np.diag(zz) > 0, np.diag(zz), 1.0))
    values, vectors = np.linalg.eigh(zz / np.outer(scale, scale))
    some = values > 1e-8 * max(values.max(), 1e-300)
    return np.asarray(vectors[:, some] / np.sqrt(values[some]) / scale[:, None])


def _against_others(moments: Moments, first: Floats) -> Floats:
    """(E, E) columns: each endogenous variable less what the others, instrumented, say of it."""
    n_d = first.shape[1]
    fitted = moments.zd.T @ first
    against = np.eye(n_d)
    for at in range(n_d):
        others = np.delete(np.arange(n_d), at)
        if others.size:
            inner = inverse(fitted[np.ix_(others, others)])
            against[others, at] = -inner @ fitted[others, at]
    return against


def _instrument_scores(
    blocks: Iterable[StageBlock], fit: StageFit, turn: Floats, against: Floats
) -> Iterator[tuple[Codes, Floats]]:
    """Clusters and (n, (E + K + E) · r) products of D, Y and first-stage residuals with Z."""
    n_z, n_d = fit.first.shape
    n_out = fit.coef.shape[1]
    rank = turn.shape[1]
    mix = np.zeros((n_z + n_d + n_out, rank + n_d + n_out + n_d))
    mix[:n_z, :rank] = turn
    mix[n_z:, rank : rank + n_d + n_out] = np.eye(n_d + n_out)
    mix[n_z : n_z + n_d, rank + n_d + n_out :] = against
    mix[:n_z, rank + n_d + n_out :] = -fit.first @ against
    for block in blocks:
        mixed = fit.moments.mixed(block, mix)
        z, variables = mixed[:, :rank], mixed[:, rank:] * block.w[:, None]
        yield block.clusters, (variables[:, :, None] * z[:, None, :]).reshape(len(z), -1)


def _conditional_f(total: Floats, each: list[Floats], start: int) -> Floats:
    """(E,) F of each endogenous variable given the others (Sanderson and Windmeijer 2016).

    A Wald statistic: errors come from the first stage's own residuals. With residuals of the
    null instead, it could not exceed the number of clusters, however strong the instrument.
    """
    rank, n_d = total.shape
    f = np.empty(n_d)
    for at in range(n_d):
        meat = combine_axes(tuple(one[start + at, :, start + at, :] for one in each))
        gap = total[:, at]
        wald = gap @ inverse(meat) @ gap if meat.any() else np.inf  # no residual: D is Z's doing
        f[at] = wald / max(rank - n_d + 1, 1) if gap.any() else 0.0
    return f


def _sets(total: Floats, each: list[Floats], fit: StageFit, k: int) -> tuple[FittingSet, ...]:
    """Sets of all coefficients of outcome k; `each` (E + 1, r, E + 1, r) per axis."""
    n_d, rank = int(fit.coef.shape[0]), len(total)
    nan = float("nan")
    if rank < n_d:
        nothing = FittingSet(nan, nan, bounded=False, empty=False, p=nan)
        return tuple(nothing for _ in range(n_d))
    if n_d == 1:

        def covariance(on_d: float, on_y: float) -> Floats:
            weights = np.array([on_d, on_y])
            return combine_axes(
                tuple(np.einsum("a,albm,b->lm", weights, one, weights) for one in each)
            )

        se = float(np.sqrt(fit.cov[k, 0, 0]))
        return (fitting_set(total[:, 1], total[:, 0], covariance, rank, float(fit.coef[0, k]), se),)
    products = Products(total, _positive(each))
    coef, cov = fit.coef[:, k], fit.cov[k]
    return tuple(concentrated_set(products, at, coef, cov) for at in range(n_d))


def _positive(each: list[Floats]) -> Floats:
    """Both axes without their crossing where that is a covariance; else nothing is taken off."""
    if len(each) == 1:
        return each[0]
    both, side = each[0] + each[1], each[0].shape[0] * each[0].shape[1]
    less = both - each[2]
    values = np.linalg.eigvalsh(less.reshape(side, side))
    return less if values.min() > 1e-10 * max(values.max(), 0.0) else np.asarray(both)
