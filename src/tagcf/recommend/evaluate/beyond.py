"""What lists are like beside accurate: coverage, concentration, novelty, diversity, calibration.

All take top lists (M, K), best first, -1 where a list has no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.types import Codes, Floats

ROWS_AT_ONCE = 8192
SMOOTHING = 0.01  # Steck (2018) section 3.1


def coverage(top: Codes, n_items: int) -> float:
    """Share of all items that are in anybody's list."""
    return np.unique(top[top >= 0]).size / n_items


def gini(top: Codes, n_items: int) -> float:
    """Gini coefficient of how often each item is shown: 0 all alike, 1 one item only."""
    shown = np.sort(np.bincount(top[top >= 0], minlength=n_items))
    if not shown.sum():
        return 0.0
    place = np.arange(1, n_items + 1)
    return float(((2 * place - n_items - 1) * shown).sum() / (n_items * shown.sum()))


def novelty(top: Codes, count: NDArray[np.int64]) -> Floats:
    """(M,) mean of −log2 of the share of events that the shown items have.

    Items without events count as having one (Zhou et al. 2010, self-information).
    """
    surprise = -np.log2(np.maximum(count, 1) / max(int(count.sum()), 1))
    return _mean_over(np.where(top >= 0, surprise[top], 0.0), top)


def diversity(top: Codes, tags: sparse.csr_array) -> Floats:
    """(M,) mean of 1 − cosine of the tags of two items of a list (Ziegler et al. 2005).

    An item without tags is like no other. NaN for lists of fewer than two items.
    """
    rows = _unit(tags)
    found = np.full(len(top), np.nan)
    for start in range(0, len(top), ROWS_AT_ONCE):
        part = top[start : start + ROWS_AT_ONCE]
        size = (part >= 0).sum(1)
        summed = _membership(part, tags.shape[0]) @ rows
        own = _membership(part, tags.shape[0]) @ np.diff(rows.indptr).astype(bool)
        # The sum of all pairwise cosines is |Σ rows|² less those of items with themselves.
        squared = np.asarray(summed.multiply(summed).sum(1)).ravel()
        pairs = size * (size - 1)
        many = pairs > 0
        found[start : start + ROWS_AT_ONCE][many] = 1 - ((squared - own)[many] / pairs[many])
    return found


def calibration(top: Codes, histories: Histories, tags: sparse.csr_array) -> Floats:
    """(M,) Kullback-Leibler divergence of a list's tags from its history's: 0 is calibrated.

    Each item spreads one unit over its tags; the list's distribution is mixed with 1 % of the
    history's so that the divergence is finite (Steck 2018, equations 1 to 5). In nats. NaN where
    history or list has no tags.
    """
    share = _spread(tags)
    found = np.full(len(top), np.nan)
    for start in range(0, len(top), ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, len(top))
        had = histories.users(slice(start, stop))
        ones = np.ones(had.item.size)
        shape = (len(had), had.n_items)
        events = sparse.csr_array((ones, had.item, had.indptr), shape=shape)
        wanted = _spread(sparse.csr_array(events @ share))
        given = _spread(sparse.csr_array(_membership(top[start:stop], tags.shape[0]) @ share))
        found[start:stop] = _divergence(wanted, given)
    return found


def _divergence(wanted: sparse.csr_array, given: sparse.csr_array) -> Floats:
    p = wanted.tocsr()
    row = np.repeat(np.arange(p.shape[0]), np.diff(p.indptr))
    q = SMOOTHING * p.data + (1 - SMOOTHING) * np.asarray(given.tocsr()[row, p.indices]).ravel()
    total = np.bincount(row, p.data * np.log(p.data / q), minlength=p.shape[0])
    known = (np.diff(p.indptr) > 0) & (np.diff(given.indptr) > 0)
    return np.where(known, total, np.nan)


def _membership(top: Codes, n_items: int) -> sparse.csr_array:
    """(M, I) 1 for each item shown."""
    row, place = np.nonzero(top >= 0)
    return sparse.csr_array((np.ones(row.size), (row, top[row, place])), (len(top), n_items))


def _unit(table: sparse.csr_array) -> sparse.csr_array:
    """Rows of length 1; rows without anything stay."""
    return _scaled(table, np.sqrt(_row_sums(table, table.data.astype(np.float64) ** 2)))


def _spread(table: sparse.csr_array) -> sparse.csr_array:
    """Rows that sum to 1; rows without anything stay."""
    return _scaled(table, _row_sums(table, table.data.astype(np.float64)))


def _scaled(table: sparse.csr_array, by: Floats) -> sparse.csr_array:
    value = table.data / np.repeat(np.where(by > 0, by, 1.0), np.diff(table.indptr))
    scaled = sparse.csr_array((value, table.indices, table.indptr), table.shape, copy=True)
    scaled.eliminate_zeros()
    return scaled


def _row_sums(table: sparse.csr_array, values: Floats) -> Floats:
    row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    return np.bincount(row, values, minlength=table.shape[0]).astype(np.float64)


def _mean_over(values: Floats, top: Codes) -> Floats:
    size = (top >= 0).sum(1)
    return np.where(size > 0, values.sum(1) / np.maximum(size, 1), np.nan)
