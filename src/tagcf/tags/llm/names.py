"""Free names in a space in which near-duplicates are near, and which of them are.

With the sentence embeddings, names are near that mean the same (撸猫 and cat petting); without
them, names that are spelled alike (TF-IDF of letter n-grams).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from tagcf.tags.embedding import embedding_installed, load_encoder
from tagcf.tags.llm.kernels import leaders_of

BLOCK = 1024  # names compared at once: bounds the memory
ONE_CELL = 4096  # up to so many names all are compared with all
PROBES = 4  # cells that a name stands in
NEIGHBOURS = 16  # near names that are kept of each

Space = NDArray[np.float32] | sparse.csr_array  # (n, d), rows of unit length


def space_of(names: list[str], *, meaning: bool | None = None) -> Space:
    """Place names; `meaning` chooses the space, by default the sentence embeddings if installed."""
    if embedding_installed() if meaning is None else meaning:
        embed = load_encoder()
        parts = [embed(names[start : start + BLOCK]) for start in range(0, len(names), BLOCK)]
        return np.vstack(parts) if parts else np.zeros((0, 512), np.float32)
    return letters_of(names)


def letters_of(names: list[str]) -> sparse.csr_array:
    """(n, grams) TF-IDF of the runs of one to three letters in each name, ends marked."""
    letters = (
        pl.DataFrame({"letter": [f"^{name}$" for name in names]}, schema={"letter": pl.String})
        .with_row_index("row")
        .with_columns(pl.col("letter").str.split(""))
        .explode("letter")
    )
    runs = [pl.col("letter").shift(-k).over("row") for k in range(3)]
    grams = pl.concat(
        letters.select("row", pl.concat_str(runs[:n]).alias("gram")).drop_nulls() for n in (1, 2, 3)
    ).filter(~pl.col("gram").is_in(["^", "$"]))
    counts = grams.group_by("row", "gram").len().sort("row", "gram")
    coded = counts.with_columns(pl.col("gram").rank("dense").cast(pl.Int32) - 1)
    row, column = coded["row"].to_numpy().astype(np.int32), coded["gram"].to_numpy()
    carried = np.bincount(column)
    weight = coded["len"].to_numpy() * np.log1p(len(names) / carried[column])
    length = np.sqrt(np.bincount(row, weight**2, minlength=len(names)))
    values = (weight / length[row]).astype(np.float32)
    return sparse.csr_array((values, (row, column)), shape=(len(names), len(carried)))


def near_leaders(space: Space, threshold: float) -> NDArray[np.int32]:
    """Leader of each name: the nearest name before it that leads and is near enough, or itself.

    Names stand in the order of their rank. Each is compared with the names of the `PROBES`
    cells that it is nearest to; cells lie around √n of the names, so that work grows as n√n and
    memory as n. Near-duplicates that share none of their cells are missed.
    """
    n = space.shape[0]
    found = [_near_in_cell(space, members, threshold) for members in _cells(space)]
    pairs = np.vstack([pairs for pairs, _ in found]) if found else np.zeros((0, 2), np.int32)
    cosines = np.concatenate([cosine for _, cosine in found]) if found else np.zeros(0)
    _, first = np.unique(pairs[:, 0].astype(np.int64) * n + pairs[:, 1], return_index=True)
    pairs, cosines = pairs[first], cosines[first]
    # Rounded, so that equals stay equal whatever block they were computed in.
    order = np.lexsort((pairs[:, 1], -np.round(cosines, 4), pairs[:, 0]))
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(pairs[:, 0], minlength=n), out=starts[1:])
    leader: NDArray[np.int32] = leaders_of(starts, pairs[order, 1].astype(np.int32))
    return leader


def _cells(space: Space) -> list[NDArray[np.int32]]:
    """Names in groups that overlap, each group in the order of rank."""
    n = space.shape[0]
    if n <= ONE_CELL:
        return [np.arange(n, dtype=np.int32)] if n else []
    centres = np.linspace(0, n - 1, int(np.ceil(np.sqrt(n)))).astype(np.int64)
    pivots = space[centres]
    cell = np.empty((n, PROBES), np.int32)
    for start in range(0, n, BLOCK):
        cosine = _dense(space[start : start + BLOCK] @ pivots.T)
        cell[start : start + BLOCK] = np.argpartition(-cosine, PROBES, axis=1)[:, :PROBES]
    name = np.repeat(np.arange(n, dtype=np.int32), PROBES)
    order = np.argsort(cell.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(cell.ravel(), minlength=len(centres)))
    return [part for part in np.split(name[order], ends[:-1]) if len(part)]


def _near_in_cell(
    space: Space, members: NDArray[np.int32], threshold: float
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Pairs (name, a name before it) at least as near as the threshold, and their cosines."""
    pairs: list[NDArray[np.int32]] = [np.zeros((0, 2), np.int32)]
    cosines: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    placed = space[members]
    for start in range(0, len(members), BLOCK):
        end = min(start + BLOCK, len(members))
        cosine = _dense(placed[start:end] @ placed[:end].T)
        own = np.arange(start, end)[:, None]
        cosine[np.arange(end) >= own] = -1.0
        if end > NEIGHBOURS:
            least = np.partition(cosine, end - NEIGHBOURS, axis=1)[:, end - NEIGHBOURS, None]
            cosine[cosine < least] = -1.0
        name, before = np.nonzero(cosine >= threshold)
        pairs.append(np.column_stack((members[start + name], members[before])))
        cosines.append(cosine[name, before])
    return np.vstack(pairs), np.concatenate(cosines)


def _dense(product: Any) -> NDArray[np.float32]:
    """Product of two spaces; scipy's types don't tell whether it is sparse."""
    table: NDArray[np.float32] = (
        product.toarray() if hasattr(product, "toarray") else np.asarray(product)
    )
    return table
