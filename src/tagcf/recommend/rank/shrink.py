"""Empirical Bayes for what items and users did: how much of a record is the thing itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.effects.linear.item_effects import between_variance
from tagcf.recommend.rank.kernels import add_rows
from tagcf.types import Codes, Floats, Mask

SURE = 0.95  # of `sure_spread`


@dataclass(slots=True)
class Sums:
    """Weighted sums of one axis, (A, K) each; filled batch by batch."""

    value: Floats  # Σ w e
    weight: Floats  # Σ w
    noise: Floats  # Σ of impressions × inverse propensity²

    @staticmethod
    def nothing(size: int, n_outcomes: int) -> Sums:
        """Sums over no rows."""
        return Sums(*(np.zeros((size, n_outcomes)) for _ in range(3)))

    def add(self, code: Codes, value: Floats, weight: Floats, noise: Floats) -> None:
        """Add rows, in place."""
        add_rows(code, value, weight, noise, self.value, self.weight, self.noise)

    @property
    def mean(self) -> Floats:
        """(A, K) self-normalised mean; 0 without rows."""
        return np.divide(
            self.value, self.weight, out=np.zeros_like(self.value), where=self.weight > 0
        )

    def variance_of_mean(self, noise: Floats) -> Floats:
        """(A, K) variance of that mean if a row has variance `noise` (K,); inf without rows."""
        some = self.weight > 0
        ratio = np.divide(
            self.noise, self.weight**2, out=np.full_like(self.value, np.inf), where=some
        )
        return np.where(some, ratio * np.maximum(noise, 1e-12), np.inf)


@dataclass(frozen=True, slots=True)
class Record:
    """An estimate per item (or user) and the variance of its error; inf where there is none."""

    mean: Floats  # (A, K)
    variance: Floats  # (A, K)


def fuse_records(random: Record, chosen: Record) -> tuple[Record, Floats]:
    """Random and chosen rows in one record, and the variance (K,) that chosen rows are off by.

    Chosen rows keep a bias that no number of rows removes. Where items have both kinds, what
    the two differ by beyond noise is its variance; their common shift is taken out.
    """
    both = np.isfinite(random.variance) & np.isfinite(chosen.variance)
    bias, shift = np.zeros(random.mean.shape[1]), np.zeros(random.mean.shape[1])
    for k in range(len(bias)):
        at = both[:, k]
        if at.sum() < 10:
            continue
        gap = chosen.mean[at, k] - random.mean[at, k]
        noise = chosen.variance[at, k] + random.variance[at, k]
        precision = 1.0 / noise
        shift[k] = precision @ gap / precision.sum()
        bias[k] = between_variance(gap - shift[k], noise, int(at.sum()) - 1)
    precise = 1.0 / random.variance
    other = 1.0 / (chosen.variance + bias)
    total = precise + other
    some = total > 0
    mean = precise * random.mean + other * (chosen.mean - shift)
    return Record(
        np.divide(mean, total, out=np.zeros_like(mean), where=some),
        np.divide(1.0, total, out=np.full_like(mean, np.inf), where=some),
    ), bias


def spread_of(record: Record) -> Floats:
    """(K,) variance of the true values behind a record with mean zero."""
    spread = np.zeros(record.mean.shape[1])
    for k in range(len(spread)):
        at = np.isfinite(record.variance[:, k])
        if at.sum() >= 3:
            means, noise = record.mean[at, k], record.variance[at, k]
            weight = 1.0 / (noise + np.median(noise))
            centred = means - weight @ means / weight.sum()
            spread[k] = between_variance(centred, noise, int(at.sum()) - 1)
    return spread


def sure_spread(record: Record) -> Floats:
    """(K,) variance of the true values that chance would hide in one of twenty records.

    The lower limit of Viechtbauer's (2007) Q-profile interval: where errors are far larger than
    what is behind them, moments find a spread in half of all records that have none, and whatever
    they find is noise. It comes near `spread_of` as records grow.
    """
    spread = np.zeros(record.mean.shape[1])
    for k in range(len(spread)):
        at = np.isfinite(record.variance[:, k])
        if at.sum() >= 3:
            most = int(stats.chi2.ppf(SURE, int(at.sum()) - 1))
            spread[k] = between_variance(record.mean[at, k], record.variance[at, k], most)
    return spread


def posterior(record: Record, spread: Floats, centre: Floats) -> Record:
    """Posterior means and variances around a centre, with prior variance `spread`; (A, K) each."""
    kept = np.where(
        np.isfinite(record.variance), spread / np.maximum(spread + record.variance, 1e-300), 0.0
    )
    return Record(centre + kept * (record.mean - centre), spread * (1.0 - kept))


def author_posterior(
    record: Record, spread: Floats, author: Codes, n_authors: int
) -> tuple[Floats, Floats]:
    """(A, K) what the items of an author share, and (K,) its variance.

    Of the variance between items, the part that items of one author have in common is told by
    the products of their records.
    """
    known = (author >= 0)[:, None] & np.isfinite(record.variance)
    precision = np.where(known, 1.0 / np.maximum(spread + record.variance, 1e-12), 0.0)
    value = np.where(known, record.mean, 0.0)
    at = np.where(author < 0, n_authors, author)

    def by_author(of_item: Floats) -> Floats:
        out = np.zeros((n_authors + 1, of_item.shape[1]))
        np.add.at(out, at, of_item)
        return out[:n_authors]

    total, size = by_author(precision * value), by_author(precision)
    products = (total**2 - by_author((precision * value) ** 2)).sum(axis=0)
    pairs = (size**2 - by_author(precision**2)).sum(axis=0)
    shared = np.divide(products, pairs, out=np.zeros_like(products), where=pairs > 0)
    shared = np.clip(shared, 0.0, 0.95 * spread)
    own = spread - shared
    inner = np.where(known, 1.0 / np.maximum(own + record.variance, 1e-12), 0.0)
    total, size = by_author(inner * value), by_author(inner)
    return shared * total / (1.0 + shared * size), shared


def row_noise(squares: Floats, sums: Sums, rows: Floats, known: Mask) -> Floats:
    """(K,) variance of a row within its item.

    Parameters
    ----------
    squares
        (K,) Σ w e².
    sums
        Of items.
    rows
        (K,) Σ of inverse propensities of measured rows.
    known
        (A,) items to use.
    """
    weight = np.maximum(sums.weight, 1e-300)
    between = np.where(known[:, None], sums.value**2 / weight, 0.0).sum(axis=0)
    spent = np.where(known[:, None], sums.noise / weight, 0.0).sum(axis=0)
    return np.asarray(np.maximum(squares - between, 1e-12) / np.maximum(rows - spent, 1.0))
