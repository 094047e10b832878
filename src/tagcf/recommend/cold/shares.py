"""What each event adds to the score of an item that is told from its tags.

The score is a weighted sum of the model's scores of known items and of likenesses to events
(`ColdReading.tag_weights`); so is what an event adds. Both come as pieces that the kernels add up
as those of any other item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.cold.term import ColdReading
from tagcf.types import Codes, Floats, Mask

Pieces = NDArray[np.float32]  # (W, m, L)
AlikePart = tuple[Pieces, NDArray[np.int64], Floats, float]  # pieces, lengths, fades, weight


@dataclass(frozen=True, slots=True)
class ColdShares:
    """Pieces of m items, those of them that tags have a say in."""

    reading: ColdReading
    some: Mask  # (m,)
    said: NDArray[np.float32]  # (s,) the tags' part in each
    sums: NDArray[np.float32]  # (s, T + 1) weights of sums over known items
    alike: NDArray[np.float32]  # (s,) weights of likeness
    item: Codes  # (s,)

    def mixed(self, pieces: Pieces, rows: Any) -> Pieces:
        """Mix the items' own pieces with what tags say of the same events.

        Parameters
        ----------
        rows
            (W · L, I) what the events of each window add to all items, dense or sparse.
        """
        windows, _, size = pieces.shape
        found: Any = rows @ self.reading.term.ridge.learnt
        by_tag = found if isinstance(found, np.ndarray) else found.toarray()
        told = (by_tag @ self.sums.T).reshape(windows, size, len(self.sums)).transpose(0, 2, 1)
        out = pieces.copy()
        own = (1 - self.said)[:, None]
        out[:, self.some] = own * pieces[:, self.some] + self.said[:, None] * told
        return out

    def base(self, base: Floats, popularity: NDArray[np.float32]) -> Floats:
        """(m,) the same of an empty history, with (I,) what the model then has."""
        told = self.sums @ self.reading.term.sums(popularity[None])[0]
        out = base.copy()
        out[self.some] = (1 - self.said) * base[self.some] + self.said * told
        return out

    def likeness(self, event: Codes, decay: float) -> AlikePart:
        """What being alike to each event adds, as one more window that is as long as a life."""
        rows, term = self.reading.term.alike.rows, self.reading.term
        near = np.asarray((rows[self.item] @ rows[event].T).toarray())
        near -= np.asarray(rows[event] @ term.tables.mean_rows)[None]
        pieces = np.zeros((1, self.some.size, event.size), np.float32)
        pieces[0, self.some] = (self.said * self.alike)[:, None] * near
        return pieces, np.array([2**31], np.int64), np.array([decay]), 1.0


def cold_shares(reading: ColdReading, items: Codes) -> ColdShares | None:
    """Weights of the items that tags have a say in; None where there are none."""
    said = 1 - reading.term.own_share[items]
    some = said > 0
    if not some.any():
        return None
    item = items[some]
    sums, alike = reading.tag_weights(item)
    return ColdShares(reading, some, said[some], sums, alike, item)
