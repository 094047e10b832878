"""How near names are: in meaning, and in what they stand beside and who uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.tags.embedding import embedding_installed, load_encoder
from tagcf.types import Mask

Vectors = NDArray[np.float32]
Embed = Callable[[list[str]], Vectors]

GRAM_WIDTH = 4096


def default_embed() -> Embed:
    """Sentence embeddings where their weights are installed, else character pairs."""
    return load_encoder() if embedding_installed() else character_pairs


def character_pairs(names: list[str]) -> Vectors:
    """(n, 4096) unit vectors of hashed characters and pairs: near where names share letters."""
    vectors = np.zeros((len(names), GRAM_WIDTH), np.float32)
    for row, name in enumerate(names):
        plain = name.casefold().strip()
        for gram in [*plain, *(plain[k : k + 2] for k in range(len(plain) - 1))]:
            vectors[row, _bucket(gram)] += len(gram)
    return unit(vectors)


def contexts(beside: sparse.csr_array, names: int, used: sparse.csr_array | None) -> Vectors:
    """(names, 2 · columns) unit vectors of what names stand beside, and are used beside.

    Parameters
    ----------
    beside
        (I, columns) 0/1: names, in the first columns, and tags on items.
    used
        (U, columns) 0/1 in the same columns: who engaged with something that carries them.

    Returns
    -------
    Positive pointwise mutual information (Church and Hanks 1990), of items and of users.
    """
    parts = [_mutual(beside, names)]
    if used is not None:
        parts.append(_mutual(used, names))
    return np.hstack(parts) / np.float32(np.sqrt(len(parts)))


def groups_of(
    vectors: Vectors, order: Sequence[int], nearness: float, apart: Mask | None = None
) -> list[list[int]]:
    """Group rows: each in `order` joins the group it is nearest to on average, or starts one.

    A second pass lets rows move to a group that came after them. Average linkage to group means, so
    the cost is rows × groups; the same order gives the same groups. No two rows that are `apart`
    (n, n) are put into one group.
    """
    group = np.full(len(vectors), -1)
    sums = np.zeros((16, vectors.shape[1]), np.float32)
    sizes = np.zeros(16)
    count = 0
    for _ in range(2):
        for row in order:
            if group[row] >= 0:
                sums[group[row]] -= vectors[row]
                sizes[group[row]] -= 1
            near = sums[:count] @ vectors[row] / np.maximum(sizes[:count], 1)
            near[sizes[:count] == 0] = -np.inf
            if apart is not None:
                others = group[apart[row]]
                near[others[others >= 0]] = -np.inf
            best = int(np.argmax(near)) if count else -1
            if best < 0 or near[best] < nearness:
                if count == len(sums):
                    sums, sizes = np.vstack([sums, 0 * sums]), np.append(sizes, 0 * sizes)
                best, count = count, count + 1
                sums[best] = 0.0
            group[row] = best
            sums[best] += vectors[row]
            sizes[best] += 1
    members: list[list[int]] = [[] for _ in range(count)]
    for row in order:
        members[group[row]].append(row)
    return [one for one in members if one]


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def mean_nearness(vectors: Vectors, rows: Iterable[int]) -> float:
    """Mean similarity of different rows of a group; 1 for a single one."""
    chosen = vectors[list(rows)]
    n = len(chosen)
    if n < 2:
        return 1.0
    total = chosen.sum(axis=0)
    return float((total @ total - (chosen**2).sum()) / (n * (n - 1)))


def _mutual(table: sparse.csr_array, names: int) -> Vectors:
    ones = sparse.csr_array((np.ones(table.nnz), table.indices, table.indptr), shape=table.shape)
    both = (ones[:, :names].T @ ones).toarray()
    count = np.asarray(ones.sum(axis=0), np.float64).ravel()
    expected = np.outer(count[:names], count) / max(table.shape[0], 1)
    with np.errstate(divide="ignore"):
        mutual = np.log(both / np.maximum(expected, 1e-12))
    return unit(np.maximum(mutual, 0.0).astype(np.float32))


def _bucket(gram: str) -> int:
    """Place of a piece of text; Python's own hash changes from run to run."""
    value = 2166136261
    for byte in gram.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value % GRAM_WIDTH
