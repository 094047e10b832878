"""Which form of table fits in memory, told from the numbers of items and events beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design
from tagcf.recommend.linear.pairs.kernels import count_pairs

Form = Literal["dense", "sparse", "streamed"]
ENTRY_BYTES = 48  # of a pair that occurs: sums, and copies while they are added and solved


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that statistics may take."""

    dense: float = 6e8  # of one design
    sparse: float = 3e9  # of all designs that are tried, with their tables


def dense_bytes(n_items: int, design: Design) -> float:
    """Bytes of a design's statistics in full."""
    windows = len(design.windows)
    return 8.0 * n_items**2 * (windows * (windows + 1) if design.ordered else 1)


def sparse_bytes(histories: Histories, design: Design) -> float:
    """Bytes that a design's statistics take at most: as many pairs as there are events to make."""
    n = float(histories.n_items)
    if not design.ordered:
        kept = np.minimum(histories.sizes, design.reach).astype(np.float64)
        return ENTRY_BYTES * min(float(np.sum(kept * (kept + 1) / 2)), n * n / 2)
    gram, cross = count_pairs(histories.indptr, design.lengths)
    features = n * len(design.windows)
    return ENTRY_BYTES * (min(float(gram), features**2 / 2) + min(float(cross), features * n))


def forms(
    histories: Histories, dense: tuple[Design, ...], others: tuple[Design, ...], memory: Memory
) -> list[tuple[Design, Form]]:
    """Give designs the form that fits: dense, else sparse while memory lasts, else streamed.

    Parameters
    ----------
    histories
        What tables will be made of.
    dense
        Designs wanted where dense tables are affordable.
    others
        Designs wanted where not all of those are; the first have the first claim to memory.
    """
    out: list[tuple[Design, Form]] = [
        (one, "dense") for one in dense if dense_bytes(histories.n_items, one) <= memory.dense
    ]
    if dense and len(out) == len(dense):
        return out
    taken = {design for design, _ in out}
    room = memory.sparse
    for one in others:
        if one in taken:
            continue
        size = sparse_bytes(histories, one)
        fits = size <= room
        room -= size if fits else 0.0
        out.append((one, "sparse" if fits else "streamed"))
    return out
