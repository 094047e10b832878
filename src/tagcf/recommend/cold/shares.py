"""What each event adds to the score of an item that is told from its tags.

The score is a weighted sum of the model's scores of known items and of likenesses to events
(`ColdReading.tag_weights`); so is what an event adds. Both come as pieces that the kernels add up
as those of any other item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.kernels import add_likeness, mix_dense, mix_sparse
from tagcf.recommend.cold.term import ColdReading
from tagcf.recommend.linear.fit import Table
from tagcf.types import Codes, Floats, Mask

Pieces = NDArray[np.float32]  # (W, m, L)
AlikePart = tuple[Pieces, NDArray[np.int64], Floats, float]  # pieces, lengths, fades, weight


@dataclass(frozen=True, slots=True)
class ColdShares:
    """Pieces of m items, those of them that tags have a say in."""

    reading: ColdReading
    some: Mask  # (m,)
    place: NDArray[np.int64]  # (s,) where those stand
    said: NDArray[np.float32]  # (s,) the tags' part in each
    sums: NDArray[np.float32]  # (s, T + 1) weights of sums over known items
    alike: NDArray[np.float32]  # (s,) weights of likeness
    item: Codes  # (s,)

    def mix(
        self,
        pieces: Pieces,
        event: NDArray[np.integer],
        lasts: NDArray[np.int64],
        table: Table,
    ) -> None:
        """Mix into the items' own pieces what tags say of the same events, in place.

        Parameters
        ----------
        event
            (L,) known items, oldest first.
        lasts
            (W,) how many of the latest events are of use to each window.
        table
            (W · I, I) what an event in each window adds to all items.
        """
        learnt = self.reading.term.ridge.learnt
        own = pieces, self.place, self.said, self.sums, event, lasts
        tags = learnt.indptr, learnt.indices, learnt.data
        if isinstance(table, sparse.csr_array):
            mix_sparse(*own, table.indptr, table.indices, table.data, *tags)
        else:
            mix_dense(*own, table, *tags)

    def base(self, base: Floats, popularity: NDArray[np.float32]) -> Floats:
        """(m,) the same of an empty history, with (I,) what the model then has."""
        term = self.reading.term
        told = self.sums @ (
            term.tables.usual_sums.astype(np.float32)
            if np.array_equal(popularity, term.tables.usual)
            else term.sums(popularity[None])[0]
        )
        out = base.copy()
        out[self.some] = (1 - self.said) * base[self.some] + self.said * told
        return out

    def likeness(self, event: Codes, decay: float) -> AlikePart:
        """What being alike to each event adds, as one more window that is as long as a life."""
        rows, term = self.reading.term.alike.rows, self.reading.term
        pieces = np.zeros((1, self.some.size, event.size), np.float32)
        where = rows.indptr, rows.indices, rows.data, term.tables.mean_rows
        add_likeness(self.item, self.place, self.said * self.alike, event, *where, pieces[0])
        return pieces, np.array([2**31], np.int64), np.array([decay]), 1.0


def cold_shares(reading: ColdReading, items: Codes) -> ColdShares | None:
    """Weights of the items that tags have a say in; None where there are none."""
    said = 1 - reading.term.own_share[items]
    some = said > 0
    if not some.any():
        return None
    item = items[some]
    sums, alike = reading.tag_weights(item)
    return ColdShares(reading, some, np.flatnonzero(some), said[some], sums, alike, item)
