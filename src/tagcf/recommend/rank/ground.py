"""What a ranker knows of items and users apart from their outcomes: context, authors, factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from tagcf.effects.linear.basis import Basis, expand, make_basis
from tagcf.effects.linear.design import Survey
from tagcf.types import Codes, EventLog, Floats

Small = NDArray[np.float32]
DAY = 86_400.0
MOST_BUCKETS = 64


@dataclass(frozen=True, slots=True)
class Covariates:
    """Covariates (p) by whom they belong to; NaN where the log does not say.

    A covariate that never changes within an item is the item's, else within a user the user's,
    else the row's, for which its mean stands unless a request brings its own.
    """

    basis: Basis
    item: Floats  # (I + 1, p)
    user: Floats  # (U + 1, p)
    usual: Floats  # (p,)

    def fill(self, users: Codes, items: Codes, given: Floats | None) -> Floats:
        """(n, p) covariates of pairs: given, else the item's, else the user's, else usual."""
        values = self.item[items]
        values = np.where(np.isnan(values), self.user[users], values)
        if given is not None:
            values = np.where(np.isnan(given), values, given)
        return np.where(np.isnan(values), self.usual, values)


@dataclass(frozen=True, slots=True)
class Popularity:
    """Impressions per item and bucket of time, and when each item was first seen.

    `before` (I, B + 1) counts what was shown before each bucket began.
    """

    start: float  # epoch seconds; NaN: the log has no times
    width: float  # seconds of a bucket
    before: Small  # (I, B + 1)
    first: Floats  # (I,) epoch seconds; inf: never seen
    windows: tuple[float, ...]  # days

    def features(self, items: Codes, ts: Floats | None) -> Floats:
        """(n, W + 1) log counts of each window before `ts`, and log age in days; None: now.

        Only buckets that had ended by then are counted, so that no row sees itself.
        """
        n_buckets = self.before.shape[1] - 1
        out = np.zeros((len(items), len(self.windows) + 1))
        if np.isnan(self.start) or not n_buckets:
            return out
        now = self.start + n_buckets * self.width
        at = np.full(len(items), now) if ts is None else np.where(np.isfinite(ts), ts, now)
        bucket = np.clip((at - self.start) // self.width, 0, n_buckets).astype(np.int64)
        known = items >= 0
        seen = self.before[items, bucket]
        for j, days in enumerate(self.windows):
            back = max(1, round(days * DAY / self.width))
            since = self.before[items, np.maximum(bucket - back, 0)]
            out[:, j] = np.where(known, np.log1p(seen - since), 0.0)
        age = np.maximum(at - self.first[items], 0.0) / DAY
        out[:, -1] = np.where(known & np.isfinite(self.first[items]), np.log1p(age), 0.0)
        return out


@dataclass(frozen=True, slots=True)
class Ground:
    """All of it. I items, U users, A authors, R factors; row -1 of a table is an unknown one."""

    covariates: Covariates
    popularity: Popularity
    author: Codes  # (I,) -1 unknown
    n_authors: int
    carried: sparse.csr_array  # (I, T) 0/1
    factors: Small  # (I + 1, R)


def lay_ground(
    log: EventLog,
    seen: Survey,
    carried: sparse.csr_array,
    *,
    knots: int,
    factors: int,
    windows: tuple[float, ...],
    without: int | None = None,
) -> Ground:
    """Read the log once for what belongs to whom and how often items were shown when.

    The covariate `without` is no part of the context: outcomes are corrected by it before.
    """
    p = len(log.covariates)
    item, user = _Constant.of(len(log.items), p), _Constant.of(len(log.users), p)
    first = np.full(len(log.items), np.inf)
    timed = np.isfinite(seen.first_ts) and np.isfinite(seen.last_ts)
    span = seen.last_ts - seen.first_ts if timed else 0.0
    width = max(DAY, span / MOST_BUCKETS)
    n_buckets = int(span // width) + 1 if timed else 0
    shown = np.zeros((len(log.items), n_buckets), dtype=np.float32)
    for batch in log.batches():
        item.add(batch.item, batch.covariates)
        user.add(batch.user, batch.covariates)
        known = (batch.item >= 0) & np.isfinite(batch.ts)
        if timed:
            bucket = ((batch.ts[known] - seen.first_ts) // width).astype(np.int64)
            np.add.at(shown, (batch.item[known], bucket), 1.0)
            np.minimum.at(first, batch.item[known], batch.ts[known])
    before = np.zeros((len(log.items), n_buckets + 1), dtype=np.float32)
    np.cumsum(shown, axis=1, out=before[:, 1:])
    start = seen.first_ts if timed else np.nan
    author = log.item_author if log.item_author is not None else np.full(len(log.items), -1)
    return Ground(
        covariates=_covariates(log, seen, item, user, knots, without),
        popularity=Popularity(start, width, before, first, windows),
        author=np.asarray(author, dtype=np.int32),
        n_authors=log.n_authors,
        carried=carried,
        factors=item_factors(carried, factors),
    )


@dataclass(slots=True)
class _Constant:
    """Covariates (A, p) of one axis as far as they never change."""

    value: Floats
    changes: NDArray[np.bool_]  # (p,)

    @staticmethod
    def of(size: int, p: int) -> _Constant:
        return _Constant(np.full((size + 1, p), np.nan), np.zeros(p, dtype=np.bool_))

    def add(self, code: Codes, covariates: Floats) -> None:
        known = code >= 0
        code, given = code[known], covariates[known]
        fresh = np.isnan(self.value[code])
        old = np.where(fresh, given, self.value[code])
        self.value[code] = old
        agreed = self.value[code]
        self.changes |= ((agreed != given) & ~np.isnan(given)).any(axis=0)


def _covariates(
    log: EventLog,
    seen: Survey,
    item: _Constant,
    user: _Constant,
    knots: int,
    without: int | None,
) -> Covariates:
    p = len(log.covariates)
    used = tuple(at for at in range(p) if at != without)
    basis = make_basis(log.covariates, seen.sample, knots, used)
    usual = np.zeros(p)
    for at, covariate in enumerate(log.covariates):
        values = seen.sample[:, at]
        if covariate.kind == "category":
            levels, counts = np.unique(values, return_counts=True)
            usual[at] = levels[counts.argmax()] if levels.size else -1.0
        else:
            usual[at] = np.nanmean(values) if np.isfinite(values).any() else 0.0
    item.value[:, item.changes] = np.nan
    user.value[:, user.changes | ~item.changes] = np.nan
    item.value[-1], user.value[-1] = np.nan, np.nan
    return Covariates(basis, item.value, user.value, usual)


def context_columns(covariates: Covariates, values: Floats) -> Floats:
    """(n, 1 + P) an intercept and the basis of covariates (n, p)."""
    return np.hstack([np.ones((len(values), 1)), expand(covariates.basis, values)])


def item_factors(carried: sparse.csr_array, width: int) -> Small:
    """(I + 1, R) tags of items, centred; their largest directions where there are more than R.

    Truncated singular value decomposition; the last row is an unknown item's.
    """
    n_items, n_tags = carried.shape
    if n_tags <= width or min(carried.shape) <= width + 1:
        table = carried.toarray()
    else:
        start = np.ones(min(carried.shape))
        _, _, right = svds(carried.astype(np.float64), k=width, v0=start)
        table = np.asarray(carried @ right.T)
    centred = table - table.mean(axis=0) if n_items else table
    return np.vstack([centred, np.zeros((1, table.shape[1]))]).astype(np.float32)
