"""Return after a period: what one more random impression with a tag does.

An impression cannot cause a return by itself; a user's period can. The treatment of a period is
its dose: how many of its *random* impressions carried the tag, minus how many were to be expected
(Borusyak and Hull 2023). Total exposure is chosen by the user and the recommender and is never
used. Tags are centred within authors, so that quality that an author's items share cancels.
Errors are two-way: by user, and by item through the items that a period contained (Borusyak, Hull
and Jaravel 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from tagcf.effects.basis import Basis, expand, make_basis
from tagcf.effects.design import Survey
from tagcf.effects.solve import tell_apart
from tagcf.types import EventLog, Floats, Mask, Outcome

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Periods:
    """User-periods with full follow-up. N periods, I items, P controls."""

    returned: Floats  # (N,) 0/1
    user: np.ndarray  # (N,)
    counts: sparse.csr_array  # (N, I) random impressions of each item
    controls: Floats  # (N, P) intercept first
    dropped: int  # periods without full follow-up


@dataclass(frozen=True, slots=True)
class DoseFit:
    """Effects of one more random impression with the tag. T tags."""

    coef: Floats  # (T,)
    cov: Floats  # (T, T)
    df: Floats  # (T,)
    effective: Floats  # (T,) effective items
    kept: Mask  # (T,)
    aliases: tuple[tuple[int, int], ...]
    unique_share: Floats  # (T,)
    items: Floats  # (T,) items that carry the tag, among those shown at random
    baseline: float
    n_periods: int


def gather_periods(
    log: EventLog, outcome: Outcome, seen: Survey, *, randomized_only: bool = True
) -> Periods:
    """Cut the log into user-periods, see who came back, and count what they were shown.

    One pass; memory holds a bit per user and period, and the counted impressions.
    """
    start = np.floor(seen.first_ts / DAY) * DAY
    end = start + np.ceil((seen.last_ts - start + 1e-6) / DAY) * DAY
    length, follow = outcome.period_days * DAY, outcome.days * DAY
    n_periods = max(int(np.floor((end - follow - start) / length + 1e-9)), 0)
    n_all = int(np.ceil((end - start) / length))
    n_users = len(log.users)
    present = np.zeros((n_users, n_all), dtype=bool)
    returned = np.zeros((n_users, n_all), dtype=bool)
    users_only = tuple(
        at for at, covariate in enumerate(log.covariates) if covariate.source == "users"
    )
    basis: Basis = make_basis(log.covariates, seen.sample, 3, users_only)
    columns = np.zeros((n_users, len(basis.names)))
    units, items = [], []
    for batch in log.batches():
        period = ((batch.ts - start) // length).astype(np.int64)
        present[batch.user, period] = True
        for back in range(1, int(np.ceil(follow / length)) + 1):
            before = period - back
            ends = start + (before + 1) * length
            counts = (before >= 0) & (batch.ts < ends + follow)
            returned[batch.user[counts], before[counts]] = True
        columns[batch.user] = expand(basis, batch.covariates)
        counted = period < n_periods
        if randomized_only and batch.randomized is not None:
            counted &= batch.randomized
        units.append(batch.user[counted].astype(np.int64) * n_all + period[counted])
        items.append(batch.item[counted])
    used = np.flatnonzero(present[:, :n_periods].ravel())
    user, period = used // max(n_periods, 1), used % max(n_periods, 1)
    counts = _count(units, items, user * n_all + period, len(log.items))
    n_random = np.asarray(counts.sum(axis=1)).ravel()
    controls = np.column_stack(
        [
            np.ones(used.size),
            *(period == at for at in range(1, n_periods)),
            n_random,
            n_random**2,
            columns[user],
        ]
    )
    return Periods(
        returned=returned[user, period].astype(float),
        user=user,
        counts=counts,
        controls=controls,
        dropped=int(present[:, n_periods:].sum()),
    )


def _count(
    units: list[np.ndarray], items: list[np.ndarray], keys: np.ndarray, n_items: int
) -> sparse.csr_array:
    """(N, I) how often each unit was shown each item."""
    unit = np.concatenate([np.empty(0, dtype=np.int64), *units])
    item = np.concatenate([np.empty(0, dtype=np.int32), *items])
    row = np.searchsorted(keys, unit)
    ones = np.ones(unit.size)
    return sparse.csr_array((ones, (row, item)), shape=(keys.size, n_items))


def fit_dose(log: EventLog, carried: Floats, periods: Periods, columns: Mask | None) -> DoseFit:
    """Regress return on recentred doses of all tags jointly.

    Parameters
    ----------
    carried
        (I, T) 0/1.
    columns
        (T,) tags in the model; ``None``: all.
    """
    shown = np.asarray(periods.counts.sum(axis=0), dtype=np.float64).ravel()
    centred = _centre(log, carried, shown)
    dose = np.asarray(periods.counts @ centred)
    basis, _ = np.linalg.qr(periods.controls) if periods.controls.size else (dose[:, :0], None)
    dose = dose - basis @ (basis.T @ dose)
    y = periods.returned - basis @ (basis.T @ periods.returned)
    gram = dose.T @ dose
    total = shown @ (carried - shown @ carried / max(shown.sum(), 1.0)) ** 2
    wanted = np.ones(len(gram), dtype=bool) if columns is None else columns
    kept, aliases = tell_apart(gram, total, wanted)
    at = np.flatnonzero(kept)
    inverse = np.zeros_like(gram)
    if at.size:
        inverse[np.ix_(at, at)] = linalg.inv(gram[np.ix_(at, at)])
    coef = inverse @ (dose.T @ y)
    e = y - dose @ coef
    unique = np.zeros(len(gram))
    unique[at] = 1.0 / (np.diag(inverse)[at] * np.maximum(total[at], 1e-300))
    effective = _effective_items(centred @ inverse, shown)
    return DoseFit(
        coef=coef,
        cov=_covariance(periods, centred, dose, e, inverse),
        df=np.maximum(effective - 1.0, 1.0),
        effective=effective,
        kept=kept,
        aliases=aliases,
        unique_share=unique,
        items=carried[shown > 0].sum(axis=0),
        baseline=float(periods.returned.mean()) if periods.returned.size else float("nan"),
        n_periods=periods.returned.size,
    )


def _centre(log: EventLog, carried: Floats, shown: Floats) -> Floats:
    """(I, T) tags minus their expected value under random exposure, within authors if known."""
    if log.item_author is None:
        group = np.zeros(len(carried), dtype=np.int64)
    else:
        group = np.where(log.item_author < 0, log.n_authors, log.item_author)
    weight = np.bincount(group, weights=shown, minlength=group.max() + 1)
    mean = np.zeros((weight.size, carried.shape[1]))
    np.add.at(mean, group, carried * shown[:, None])
    mean /= np.where(weight > 0, weight, 1.0)[:, None]
    return np.asarray(carried - mean[group])


def _covariance(
    periods: Periods, centred: Floats, dose: Floats, e: Floats, inverse: Floats
) -> Floats:
    """(T, T) two-way covariance: users, items, less what both count."""
    n_users = int(periods.user.max()) + 1 if periods.user.size else 0
    by_user = sparse.csr_array(
        (np.ones(e.size), (periods.user, np.arange(e.size))), shape=(n_users, e.size)
    )
    user_scores = by_user @ (dose * e[:, None])
    weighted = sparse.csr_array(periods.counts.multiply(e[:, None]))
    item_sums = np.asarray(weighted.sum(axis=0)).ravel()
    pairs = sparse.csr_array(by_user @ weighted)
    pair_squares: Floats = np.asarray(pairs.multiply(pairs).sum(axis=0)).ravel()
    users = int(np.unique(periods.user).size)
    free = max(users - len(inverse) - periods.controls.shape[1], 1)
    by_users = inverse @ (user_scores.T @ user_scores) @ inverse * (users / free)
    excess = (centred * (item_sums**2 - pair_squares)[:, None]).T @ centred
    both = by_users + inverse @ excess @ inverse
    # Never below the users' own error: the items' share can come out negative by chance.
    short = np.maximum(np.diag(by_users) - np.diag(both), 0.0)
    return np.asarray(both + np.diag(short))


def _effective_items(influence: Floats, shown: Floats) -> Floats:
    """(T,) items by their weight in each coefficient, (Σγ)²/Σγ²."""
    gamma = influence**2 * shown[:, None]
    return np.asarray(gamma.sum(axis=0) ** 2 / np.maximum((gamma**2).sum(axis=0), 1e-300))
