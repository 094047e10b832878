"""Return after a period: what one more random impression with a tag does.

An impression cannot cause a return by itself; a user's period can. The treatment of a period is
its dose: how many of its *random* impressions carried the tag, minus how many were to be expected.
How much a user is shown, and what suits him, goes with whether he returns anyway; so total exposure
is never used (for the recommender's own impressions see `tagcf.effects.dose.chosen`). Tags are
centred within authors, so that quality that an author's items share cancels; an item of unknown
author has nobody to be compared with and drops out.

Random need not mean uniform. Each impression weighted by 1 / its logged probability gives a sum
whose expectation is the same for every policy: so much per impression. This recentred sum is the
instrument for the dose (Borusyak and Hull 2023); under uniform exposure it is the dose. What is
to be expected of an impression moves with the catalogue, so every period has its own intercept and
its own slopes on the number of random impressions. Policies that can never show part of what the
others show are not covered.

Errors are two-way: by user, and by item through the items that a period contained (Borusyak, Hull
and Jaravel 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from tagcf.effects.dose.periods import Periods, gather_periods
from tagcf.effects.linear.solve import tell_apart
from tagcf.types import EventLog, Floats, Mask

__all__ = ["DoseFit", "Doses", "Periods", "fit_dose", "gather_periods", "make_doses"]

BLOCK_CELLS = 4_000_000  # numbers per dense block of rows × tags
LEAST_SPREAD = 1e-9  # share of a column that must be left after others are taken out


@dataclass(frozen=True, slots=True)
class Swept:
    """Counts times centred tags, less what the controls explain, never written out whole."""

    counts: sparse.csr_array  # (N, I)
    centred: Floats  # (I, T)
    by_period: Floats  # (3G, T) coefficients on the periods' basis
    by_control: Floats  # (P, T) coefficients on the controls' basis


@dataclass(frozen=True, slots=True)
class Doses:
    """Doses of all tags and what every fit on them shares. N periods, I items, T tags."""

    periods: Periods
    basis: sparse.csr_array  # (N, 3G) orthonormal: 1, n, n² of random impressions per period
    controls: Floats  # (N, P) orthonormal, orthogonal to `basis`
    dose: Swept
    instrument: Swept  # the same object as `dose` under uniform exposure
    y: Floats  # (N,) outcome less what the controls explain
    cross: Floats  # (T, T) instruments × doses
    gram: Floats  # (T, T) instruments × instruments
    cross_y: Floats  # (T,) instruments × outcome
    total: Floats  # (T,) sum of squares of each tag over random impressions
    items: Floats  # (T,) items that carry the tag, among those shown at random
    shown: Floats  # (I,) weight of each item's random impressions


@dataclass(frozen=True, slots=True)
class DoseFit:
    """Effects of one more random impression with the tag. T tags."""

    coef: Floats  # (T,)
    cov: Floats  # (T, T)
    df: Floats  # (T,)
    effective: Floats  # (T,) effective items
    effective_users: Floats  # (T,)
    kept: Mask  # (T,)
    aliases: tuple[tuple[int, int], ...]
    unique_share: Floats  # (T,)


def make_doses(
    log: EventLog, carried: Floats, periods: Periods, instrument: sparse.csr_array | None = None
) -> Doses:
    """Centre tags, take the controls out, and sum what fits of any set of tags need.

    Parameters
    ----------
    carried
        (I, T) 0/1.
    instrument
        (N, I) what stands for the counts; ``None``: the periods' weighted counts.
    """
    moved = periods.weighted if instrument is None else instrument
    n_shown = np.asarray(periods.counts.sum(axis=0), dtype=np.float64).ravel()
    shown = np.asarray(periods.weighted.sum(axis=0), dtype=np.float64).ravel()
    centred = _centre(log, carried, shown)
    basis = _period_basis(periods)
    controls = _control_basis(basis, periods.controls)
    dose = _sweep(periods.counts, centred, basis, controls)
    uniform = moved is periods.counts
    swept = dose if uniform else _sweep(moved, centred, basis, controls)
    y = periods.returned - basis @ (basis.T @ periods.returned)
    y = y - controls @ (controls.T @ y)
    n_tags = carried.shape[1]
    cross, gram, cross_y = np.zeros((n_tags, n_tags)), np.zeros((n_tags, n_tags)), np.zeros(n_tags)
    for rows in _blocks(y.size, n_tags):
        z = _rows_of(swept, basis, controls, rows)
        d = z if uniform else _rows_of(dose, basis, controls, rows)
        gram += z.T @ z
        cross += z.T @ d
        cross_y += z.T @ y[rows]
    return Doses(
        periods=periods,
        basis=basis,
        controls=controls,
        dose=dose,
        instrument=swept,
        y=y,
        cross=cross,
        gram=gram,
        cross_y=cross_y,
        total=n_shown @ (carried - n_shown @ carried / max(n_shown.sum(), 1.0)) ** 2,
        items=carried[n_shown > 0].sum(axis=0),
        shown=shown,
    )


def fit_dose(doses: Doses, columns: Mask, told: Mask | None = None) -> DoseFit:
    """Regress return on the doses of some tags jointly, by their instruments.

    Parameters
    ----------
    columns
        (T,) tags in the model.
    told
        (T,) tags whose effective items and users are wanted; ``None``: all in the model.
    """
    kept, aliases = tell_apart(doses.gram, doses.total, columns)
    inverse = _inverse(doses, kept)
    coef = inverse @ doses.cross_y
    # 1 / variance that the coefficient would have with errors of variance 1.
    spread = np.diag(inverse @ doses.gram @ inverse.T)
    at, unique = np.flatnonzero(kept), np.zeros(coef.size)
    unique[at] = 1.0 / (spread[at] * np.maximum(doses.total[at], 1e-300))
    counted = kept if told is None else kept & told
    influence = np.where(counted[:, None], inverse, 0.0)
    items = _effective((doses.instrument.centred @ influence.T) ** 2 * doses.shown[:, None])
    users = _effective(_user_moves(doses, influence))
    return DoseFit(
        coef=coef,
        cov=_covariance(doses, coef, inverse, int(kept.sum())),
        df=np.maximum(np.minimum(items, users) - 1.0, 1.0),
        effective=items,
        effective_users=users,
        kept=kept,
        aliases=aliases,
        unique_share=unique,
    )


def shared_error(one: tuple[Doses, DoseFit], other: tuple[Doses, DoseFit]) -> Floats:
    """(T, T) covariance of two answers about the same users and items, by items they share.

    What an item itself does to return is in the residuals of all who were shown it, either way.
    Products within a user are left out, as they count as the user's.
    """
    (doses, fit), (others, fitted) = one, other
    pairs, more = _by_item(doses, fit.coef)[1], _by_item(others, fitted.coef)[1]
    users = min(pairs.shape[0], more.shape[0])
    within = np.asarray(pairs[:users].multiply(more[:users]).sum(axis=0)).ravel()
    both = np.asarray(pairs.sum(axis=0)).ravel() * np.asarray(more.sum(axis=0)).ravel()
    middle = (doses.instrument.centred * (both - within)[:, None]).T @ others.instrument.centred
    return np.asarray(_inverse(doses, fit.kept) @ middle @ _inverse(others, fitted.kept).T)


def _inverse(doses: Doses, kept: Mask) -> Floats:
    """(T, T) inverse of instruments × doses; 0 outside the model."""
    at = np.flatnonzero(kept)
    inverse = np.zeros_like(doses.cross)
    if at.size:
        inverse[np.ix_(at, at)] = linalg.inv(doses.cross[np.ix_(at, at)])
    return inverse


def _by_item(doses: Doses, coef: Floats) -> tuple[sparse.csr_array, sparse.csr_array]:
    """(U, N) residuals by user, and (U, I) the same through the items of the instrument."""
    own = doses.dose
    fitted = own.counts @ (own.centred @ coef) - doses.basis @ (own.by_period @ coef)
    e = doses.y - fitted + doses.controls @ (own.by_control @ coef)
    residuals = _by_user(doses.periods, e)
    return residuals, sparse.csr_array(residuals @ doses.instrument.counts)


def _centre(log: EventLog, carried: Floats, shown: Floats) -> Floats:
    """(I, T) tags minus their expected value under random exposure, within authors if known."""
    if log.item_author is None or not log.n_authors:
        group = np.zeros(len(carried), dtype=np.int64)
    else:
        alone = log.n_authors + np.arange(len(carried))
        group = np.where(log.item_author < 0, alone, log.item_author)
    _, group = np.unique(group, return_inverse=True)
    member = sparse.csr_array((shown, (group, np.arange(group.size))))
    weight = np.asarray(member.sum(axis=1), dtype=np.float64).ravel()
    mean = (member @ carried) / np.where(weight > 0, weight, 1.0)[:, None]
    return np.asarray(np.where(shown[:, None] > 0, carried - mean[group], 0.0))


def _period_basis(periods: Periods) -> sparse.csr_array:
    """(N, 3G) orthonormal columns that span 1, n and n² of random impressions in each period."""
    period, size = periods.period, periods.period.size
    n_groups = int(period.max(initial=-1)) + 1
    n = np.asarray(periods.counts.sum(axis=1), dtype=np.float64).ravel()
    n = n / max(float(n.max(initial=0.0)), 1.0)
    columns: list[Floats] = []
    for raw in (np.ones(size), n, n**2):
        column = raw
        for before in [*columns, *columns]:  # twice is enough (Giraud et al. 2005)
            slope = np.bincount(period, weights=before * column, minlength=n_groups)
            column = column - before * slope[period]
        left = np.bincount(period, weights=column**2, minlength=n_groups)
        whole = np.bincount(period, weights=raw**2, minlength=n_groups)
        use = left > LEAST_SPREAD * whole
        columns.append(column * (use / np.sqrt(np.where(use, left, 1.0)))[period])
    at = period[:, None] * 3 + np.arange(3)
    return sparse.csr_array(
        (np.column_stack(columns).ravel(), at.ravel(), 3 * np.arange(size + 1)),
        shape=(size, 3 * n_groups),
    )


def _control_basis(basis: sparse.csr_array, controls: Floats) -> Floats:
    """(N, P) orthonormal columns that span the controls outside `basis`."""
    size = np.sqrt((controls**2).sum(axis=0))
    scaled = controls[:, size > 0] / size[size > 0]
    if not scaled.size:
        return np.asarray(scaled)
    for _ in range(2):
        scaled = scaled - basis @ (basis.T @ scaled)
    columns, upper, _ = linalg.qr(scaled, mode="economic", pivoting=True)
    return np.asarray(columns[:, np.abs(np.diag(upper)) > np.sqrt(LEAST_SPREAD)])


def _sweep(
    counts: sparse.csr_array, centred: Floats, basis: sparse.csr_array, controls: Floats
) -> Swept:
    by_period = np.asarray((basis.T @ counts) @ centred)
    return Swept(counts, centred, by_period, np.asarray((counts.T @ controls).T @ centred))


def _rows_of(swept: Swept, basis: sparse.csr_array, controls: Floats, rows: slice) -> Floats:
    """(n, T) some rows, written out."""
    out = swept.counts[rows] @ swept.centred - basis[rows] @ swept.by_period
    return np.asarray(out - controls[rows] @ swept.by_control)


def _blocks(n_rows: int, n_tags: int) -> Iterator[slice]:
    step = max(1, BLOCK_CELLS // max(n_tags, 1))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)


def _covariance(doses: Doses, coef: Floats, inverse: Floats, n_kept: int) -> Floats:
    """(T, T) two-way covariance: users, items, less what both count."""
    periods, swept = doses.periods, doses.instrument
    residuals, pairs = _by_item(doses, coef)
    scores = pairs @ swept.centred - (residuals @ doses.basis) @ swept.by_period
    scores = scores - (residuals @ doses.controls) @ swept.by_control
    item_sums = np.asarray(pairs.sum(axis=0)).ravel()
    pair_squares = np.asarray(pairs.multiply(pairs).sum(axis=0)).ravel()
    users = int(np.unique(periods.user).size)
    free = max(users - n_kept - doses.controls.shape[1] - 1, 1)
    n_rows = doses.y.size
    free_rows = max(n_rows - doses.basis.shape[1], 1)
    small = users / free * n_rows / free_rows
    by_users = inverse @ (scores.T @ scores) @ inverse.T * small
    excess = (swept.centred * (item_sums**2 - pair_squares)[:, None]).T @ swept.centred
    both = by_users + inverse @ excess @ inverse.T
    # Never below the users' own error: the items' share can come out negative by chance.
    short = np.maximum(np.diag(by_users) - np.diag(both), 0.0)
    return np.asarray(both + np.diag(short))


def _by_user(periods: Periods, values: Floats, rows: slice = slice(None)) -> sparse.csr_array:
    """(U, n) sums over the periods of each user, each times a value."""
    user = periods.user[rows]
    shape = (int(periods.user.max(initial=-1)) + 1, user.size)
    return sparse.csr_array((values, (user, np.arange(user.size))), shape=shape)


def _user_moves(doses: Doses, influence: Floats) -> Floats:
    """(U, T) sum of squares of what each user's periods weigh in each coefficient."""
    told = np.flatnonzero(influence.any(axis=1))
    moves = np.zeros((int(doses.periods.user.max(initial=-1)) + 1, len(influence)))
    for rows in _blocks(doses.y.size, len(influence)):
        z = _rows_of(doses.instrument, doses.basis, doses.controls, rows) @ influence[told].T
        moves[:, told] += _by_user(doses.periods, np.ones(len(z)), rows) @ z**2
    return moves


def _effective(gamma: Floats) -> Floats:
    """(T,) how many of them carry each coefficient, (Σγ)²/Σγ²."""
    return np.asarray(gamma.sum(axis=0) ** 2 / np.maximum((gamma**2).sum(axis=0), 1e-300))
