"""Item vectors to begin with, in closed form: spectral factors of decayed co-visitation.

Neighbouring events make a symmetric table of counts C; its normalised form D^-1/2 C D^-1/2 has
the leading eigenvectors that a dot product of item vectors can express best (the same
factorisation that skip-gram performs implicitly: Levy and Goldberg 2014), which training would
otherwise spend its first epochs on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.types import Codes

Array = NDArray[np.float32]

WINDOW = 5
DECAY = 0.7
POWER_STEPS = 4
OVERSAMPLING = 16
PAIRS_AT_ONCE = 20_000_000


def warm_start(train: Histories, width: int, scale: float, rng: np.random.Generator) -> Array:
    """(I, d) vectors of standard deviation `scale`; noise for items that nobody had."""
    noise = rng.normal(0, scale, (train.n_items, width)).astype(np.float32)
    rank = min(width, train.n_items - 1)
    table = neighbours(train)
    if rank < 1 or not table.nnz:
        return noise
    vectors = spectral(table, rank, rng)
    spread = float(vectors.std())
    if spread <= 0:
        return noise
    start = 0.1 * noise
    start[:, :rank] += vectors * np.float32(scale / spread)
    absent = np.bincount(train.item, minlength=train.n_items) == 0
    start[absent] = noise[absent]
    return start


def neighbours(train: Histories) -> sparse.csr_array:
    """(I, I) symmetric: how often two items stood within a few events, nearer ones heavier."""
    size = max(2, PAIRS_AT_ONCE // WINDOW)
    shape = (train.n_items, train.n_items)
    every = train.user
    total = counted(np.zeros(0, np.float32), every[:0], every[:0], shape)
    for start in range(0, train.item.size, size):
        item = train.item[start : start + size + WINDOW]
        user = every[start : start + size + WINDOW]
        for distance in range(1, min(WINDOW, item.size - 1) + 1):
            same = (user[:-distance] == user[distance:])[:size]
            one, other = item[:-distance][:size][same], item[distance:][:size][same]
            weight = np.full(one.size, np.exp(-DECAY * (distance - 1)), np.float32)
            total = total + counted(weight, one, other, shape)
    return sparse.csr_array(total + total.T)


def counted(weight: Array, row: Codes, column: Codes, shape: tuple[int, int]) -> sparse.csr_array:
    """Sum the weights of equal pairs."""
    return sparse.csr_array((weight, (row, column)), shape=shape)


def spectral(table: sparse.csr_array, rank: int, rng: np.random.Generator) -> Array:
    """(I, rank) eigenvectors times the root of their eigenvalues, of the normalised table.

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4).
    """
    degree = np.asarray(table.sum(axis=1)).ravel()
    root = np.where(degree > 0, degree, 1) ** -0.5
    data = table.data * np.repeat(root, np.diff(table.indptr)) * root[table.indices]
    normal = sparse.csr_array(
        (data.astype(np.float32), table.indices, table.indptr), shape=(len(root), len(root))
    )
    columns = min(rank + OVERSAMPLING, normal.shape[0])
    basis = rng.normal(size=(normal.shape[0], columns)).astype(np.float32)
    for _ in range(POWER_STEPS):
        basis = np.linalg.qr(np.asarray(normal @ basis))[0]
    value, vector = np.linalg.eigh(basis.T @ np.asarray(normal @ basis))
    largest = np.argsort(-np.abs(value))[:rank]
    scaled = basis @ vector[:, largest] * np.sqrt(np.abs(value[largest]))
    return np.asarray(scaled, np.float32)
