"""Cells in the order of their clusters, whole clusters at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Codes, Floats

Positions = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class ClusterBlock:
    """Whole clusters: m cells in the order of c clusters."""

    cells: Positions | slice  # (m,) a slice where they stand after one another already
    starts: Positions  # (c,) first cell of each cluster
    codes: Positions  # (c,) the clusters
    sizes: Positions  # (c,)

    @property
    def n_cells(self) -> int:
        """Cells of the block."""
        return int(self.sizes.sum())


def cluster_blocks(weight: Floats, cluster: Codes, most: int) -> Iterator[ClusterBlock]:
    """Cells that have weight, cluster after cluster.

    Parameters
    ----------
    weight, cluster
        (C,) of the cells.
    most
        Cells of a block, about; a cluster of more is a block of its own.
    """
    order = np.flatnonzero(weight > 0)
    if (np.diff(cluster[order]) < 0).any():
        order = order[np.argsort(cluster[order], kind="stable")]
    starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    ends = np.append(starts[1:], order.size)
    first = 0
    while first < starts.size:
        last = int(max(np.searchsorted(ends, starts[first] + most, side="right"), first + 1))
        cells = order[starts[first] : ends[last - 1]]
        in_place = cells[-1] - cells[0] == cells.size - 1 and (np.diff(cells) == 1).all()
        yield ClusterBlock(
            cells=slice(int(cells[0]), int(cells[-1]) + 1) if in_place else cells,
            starts=starts[first:last] - starts[first],
            codes=cluster[order[starts[first:last]]],
            sizes=ends[first:last] - starts[first:last],
        )
        first = last
