"""One request's terms: what they add to items, and the scores had some events not been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.shares import ColdShares, cold_shares
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Fitted, Scores
from tagcf.recommend.terms.fitted import SHORT, Served, Terms, serve
from tagcf.types import Codes, Floats, Mask


@dataclass(frozen=True, slots=True)
class Serving:
    """What one history was served with.

    Scores without some events are in the units of the whole history's: what a term adds is
    computed again, the standard deviation that it is a multiple of stays. Histories short enough
    for segments, whose units move most, are scored again as a whole.
    """

    terms: Terms
    served: Served  # of the one history
    history: Codes  # (H,)
    groups: sparse.csr_array | None  # (1, S)
    n_items: int

    def read(self, history: Codes) -> NDArray[np.integer]:
        """(H,) the items that stand for those of the history; -1 where none does."""
        if self.terms.cold is None:
            return history
        return np.where(history >= 0, self.terms.cold.stands.item[history], -1)

    def cold(self, items: Codes) -> ColdShares | None:
        """What tags have a part in."""
        reading = self.served.reading
        return None if reading is None else cold_shares(reading, items)

    def own(self) -> float:
        """The model's part in the scores; the rest is the segments'."""
        return float(self.served.own[0])

    def by_segments(self, items: Codes) -> Floats:
        """(m,) the segments' part."""
        found = self.served.segments
        return np.zeros(items.size) if found is None else (1 - self.own()) * found[0, items]

    def by_logic(self, items: Codes) -> Floats:
        """(m,) what the logic graph adds."""
        return self._logic([self.history] * items.size, items)

    def by_role(self, items: Codes) -> Floats:
        """(m, R) what each role of the history adds by the graph."""
        graph = self.terms.logic
        if graph is None:
            return np.zeros((items.size, 0))
        asked = Histories.of([self.history.tolist()], self.n_items)
        return graph.by_role(asked, items) * float(self.served.logic_unit[0])

    def by_reach(self, items: Codes) -> Floats:
        """(m,) what is taken off for popularity, or added for the lack of it."""
        if self.terms.frequency is None:
            return np.zeros(items.size)
        return np.asarray(float(self.served.reach_unit[0]) * self.terms.frequency[items])

    def beside(self, items: Codes) -> Floats:
        """(3, m) each of these, in this order."""
        return np.stack([self.by_segments(items), self.by_logic(items), self.by_reach(items)])

    def looks_at(self, size: int) -> bool:
        """Whether a term's part in scores depends on a history of so many events."""
        return bool(self.served.logic_unit[0]) or (self._in_segments and size <= SHORT)

    def without(
        self,
        fitted: Fitted,
        items: Codes,
        place: NDArray[np.int64],
        dropped: Mask,
        model: Floats,
    ) -> Floats:
        """(m,) scores of items had the events `dropped` (m, L) not been.

        Where segments have a say after that, the histories are scored again.

        Parameters
        ----------
        place
            (L,) of the events in the history.
        model
            (m,) the same by the model alone.
        """
        out = np.asarray(model + self.by_reach(items))
        if self.served.logic_unit[0]:
            out = out + self._logic(self._left(place, dropped), items)
        if self._in_segments:
            short = np.flatnonzero(self.history.size - dropped.sum(axis=1) <= SHORT)
            if short.size:
                out[short] = self._again(fitted, self._left(place, dropped[short]), items[short])
        return out

    @property
    def _in_segments(self) -> bool:
        known = self.groups is not None and self.groups.nnz > 0
        return known and self.terms.segments is not None

    def _left(self, place: NDArray[np.int64], dropped: Mask) -> list[Codes]:
        return [np.delete(self.history, place[row]) for row in dropped]

    def _again(self, fitted: Fitted, histories: list[Codes], items: Codes) -> Floats:
        """(m,) the score of one item after each history; the same histories are scored once."""
        place: dict[tuple[int, ...], int] = {}
        row = [place.setdefault(tuple(one.tolist()), len(place)) for one in histories]
        scores = self.scores(fitted, Histories.of(list(place), self.n_items))
        return scores[row, items].astype(np.float64)

    def scores(self, fitted: Fitted, histories: Histories) -> Scores:
        """(U, I) scores of other histories of the same person."""
        groups = self.groups
        if groups is not None:
            groups = sparse.csr_array(groups[np.zeros(len(histories), np.int64)])
        return serve(fitted, self.terms, histories, groups).scores

    def _logic(self, histories: list[Codes], items: Codes) -> Floats:
        graph, unit = self.terms.logic, float(self.served.logic_unit[0])
        if graph is None or unit == 0:
            return np.zeros(items.size)
        asked = Histories.of([one.tolist() for one in histories], self.n_items)
        lead = graph.scores_at(asked, items) - float(self.served.logic_mean[0])
        return np.where(asked.sizes > 0, unit * lead, 0.0)
