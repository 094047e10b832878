"""From statistics to the table B: what an event of each item adds to each item's score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from tagcf.recommend.linear.design import Design
from tagcf.recommend.linear.kernels import UNIT, sparse_columns
from tagcf.recommend.linear.statistics import Dense, Sparse
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class Ridge:
    """How B is solved: (SᵀWS + λ D^p) B = SᵀWY, then column i times count(i)^−γ.

    D is the diagonal of SᵀWS, at least 1. With p = 0 this is plain ridge; an infinite λ leaves
    D^−p SᵀWY, the counts of a co-visitation.
    """

    penalty: float = 300.0  # λ
    penalty_power: float = 0.0  # p
    target_power: float = 0.0  # γ
    neighbours: int | None = None  # None: a dense table; else each column's features at most


def solve(statistics: Dense | Sparse, design: Design, ridge: Ridge) -> Table:
    """Solve for B."""
    if isinstance(statistics, Dense):
        return dense_table(statistics, design, ridge)
    return sparse_table(statistics, design, ridge)


def dense_table(statistics: Dense, design: Design, ridge: Ridge) -> NDArray[np.float32]:
    """(F, I) float32 by one Cholesky factorisation; an unordered design has a zero diagonal."""
    scale = np.float32(1 / UNIT)
    diagonal = _diagonal(np.diag(statistics.gram))
    to = _target_weight(statistics.count, ridge)
    if np.isinf(ridge.penalty):
        cross = statistics.cross if design.ordered else _mirrored(statistics.gram)
        table = cross * scale
        if not design.ordered:
            np.fill_diagonal(table, 0.0)
        table *= (diagonal**-ridge.penalty_power)[:, None].astype(np.float32)
        return np.asarray(table * to, np.float32)
    factor = factorised(statistics, ridge)
    if design.ordered:
        right = np.asfortranarray(statistics.cross * scale)
        table = linalg.cho_solve((factor, False), right, overwrite_b=True, check_finite=False)
    else:
        inverse, _ = linalg.lapack.spotri(factor, overwrite_c=True)
        table = _mirrored(inverse)
        table /= -np.diag(table).copy()
        np.fill_diagonal(table, 0.0)
    return np.ascontiguousarray(table * to, np.float32)


def factorised(statistics: Dense, ridge: Ridge) -> NDArray[np.float32]:
    """Upper Cholesky factor of SᵀWS + λ D^p."""
    gram = np.asfortranarray(statistics.gram, np.float32)
    gram *= np.float32(1 / UNIT)
    diagonal = _diagonal(np.diag(statistics.gram))
    added = ridge.penalty * diagonal**ridge.penalty_power
    gram[np.diag_indices_from(gram)] += added.astype(np.float32)
    factor, _ = linalg.cho_factor(gram, lower=False, overwrite_a=True, check_finite=False)
    return np.asarray(factor)


def sparse_table(
    statistics: Sparse,
    design: Design,
    ridge: Ridge,
    old: sparse.csr_array | None = None,
    touched: NDArray[np.integer] | None = None,
) -> sparse.csr_array:
    """(F, I) float32, each column on its most telling features.

    Column i is solved on the features j with the largest SᵀWY[j, i]² / (D + λ D^p)[j], alone.
    It depends on the rows and columns of those only, so that after an update the columns that
    have an entry at a `touched` item are solved again and the others kept from `old`.
    """
    gram = statistics.gram
    cross = _cross(statistics, design)
    columns = np.arange(cross.shape[1], dtype=np.int64)
    if old is not None and touched is not None:
        columns = _stale(cross, old, touched)
    own = gram.diagonal() / UNIT
    diagonal = _diagonal(gram.diagonal())
    if np.isinf(ridge.penalty):
        full, correct = diagonal**ridge.penalty_power, False
    else:
        full, correct = own + ridge.penalty * diagonal**ridge.penalty_power, True
    count, rows, values = sparse_columns(
        columns, cross.indptr, cross.indices, cross.data / UNIT,
        gram.indptr, gram.indices, gram.data / UNIT, full, ridge.neighbours or 1, correct,
    )  # fmt: skip
    column = np.repeat(columns, count)
    values = values * _target_weight(statistics.count, ridge)[column]
    shape = cross.shape
    if old is None:
        return _table(values, rows, column, shape)
    kept = sparse.coo_array(old)
    stays = ~np.isin(kept.col, columns)
    data = np.concatenate([kept.data[stays], values])
    row = np.concatenate([kept.row[stays], rows])
    return _table(data, row, np.concatenate([kept.col[stays], column]), shape)


Table = NDArray[np.float32] | sparse.csr_array


def _table(
    values: NDArray[Any], row: NDArray[Any], column: NDArray[Any], shape: tuple[int, int]
) -> sparse.csr_array:
    places = sparse.coo_array((values.astype(np.float32), (row, column)), shape=shape)
    return sparse.csr_array(places)


def _cross(statistics: Sparse, design: Design) -> sparse.csc_array:
    if design.ordered:
        table = sparse.csc_array(statistics.cross)
    else:
        off = sparse.csr_array(sparse.triu(statistics.gram, k=1))
        table = sparse.csc_array(off + off.T)
    table.sort_indices()
    return table


def _stale(
    cross: sparse.csc_array, old: sparse.csr_array, touched: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Columns that had, or have, an entry in a row of a touched item, and the items themselves."""
    windows = cross.shape[0] // cross.shape[1]
    rows = (touched[None, :] + cross.shape[1] * np.arange(windows)[:, None]).ravel()
    now, before = sparse.csr_array(cross)[rows], old[rows]
    return np.unique(np.concatenate([touched, now.indices, before.indices])).astype(np.int64)


def _diagonal(gram: NDArray[np.int64]) -> Floats:
    return np.maximum(gram / UNIT, 1.0)


def _target_weight(count: NDArray[np.int64], ridge: Ridge) -> NDArray[np.float32]:
    return (np.maximum(count, 1.0) ** -ridge.target_power).astype(np.float32)


def _mirrored(upper: NDArray[Any]) -> NDArray[Any]:
    full: NDArray[Any] = np.triu(upper)
    full += np.triu(full, 1).T
    return full
