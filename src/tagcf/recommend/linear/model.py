"""The directed linear next-item model: settings, fit, scores, reasons, updates, unlearning."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import EstimationError
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.dense import Dense, DenseFit, dense_statistics
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.fit import Arrays, Change, Fit, Table
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.linear.sparse.statistics import Sparse, SparseFit, sparse_statistics
from tagcf.recommend.linear.streamed.rows import StreamedFit, stream
from tagcf.recommend.scoring import Scores
from tagcf.types import Codes, Floats

POPULARITY = 1e-6  # what a share of all events adds to a score: it breaks ties, and is all that
# an empty history has


@dataclass(frozen=True, slots=True)
class Part:
    """One regression, and how much its scores weigh in the sum."""

    design: Design
    ridge: Ridge
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Linear:
    """Settings of the model: its score is the weighted sum of its parts' scores.

    Each part is B = (SᵀWS + λ D^p)⁻¹ SᵀWY; an event's row of B is what it adds to every score
    (SLIST, Choi et al. 2021, arXiv 2103.16104, with several windows side by side).
    """

    parts: tuple[Part, ...] = (Part(Design((Window(1), Window(30, 0.1))), Ridge(penalty=300.0)),)
    name: str = "linear"

    def fit(self, train: Histories) -> FittedLinear:
        """Fit every part."""
        return FittedLinear(self, tuple(fit_part(train, part) for part in self.parts))


@dataclass(frozen=True, slots=True)
class FittedLinear:
    """A `Linear` after training. Pure: updates return another one."""

    settings: Linear
    fits: tuple[Fit, ...]  # of each part
    popularity: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    # (I,) what every score starts from: far below one event's worth

    def __post_init__(self) -> None:
        share = self.count / max(int(self.count.sum()), 1)
        object.__setattr__(self, "popularity", (POPULARITY * share).astype(np.float32))

    @property
    def n_items(self) -> int:
        """Count the items."""
        return len(self.count)

    @property
    def count(self) -> NDArray[np.int64]:
        """(I,) events of each item."""
        return self.fits[0].count

    @property
    def tables(self) -> tuple[Table, ...]:
        """(F, I) of each part."""
        return tuple(fit.table for fit in self.fits)

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        """Add up the rows of the last events; times make no difference."""
        own = self._known(histories)
        scores = np.tile(self.popularity, (len(own), 1))
        for part, fit in zip(self.settings.parts, self.fits, strict=True):
            fit.add_scores(own, part.design, part.weight, scores)
        return scores

    def attribution(self, history: Codes, item: int) -> Floats:
        """(L,) what each event of a history, oldest first, adds to an item's score.

        The sum, and the item's `popularity`, is the score. An event beyond every window, or of
        an item that the model does not know, adds nothing.

        Raises
        ------
        EstimationError
            The item is not in the catalogue.
        """
        if not 0 <= item < self.n_items:
            facts = {"item": item, "n": f"{self.n_items:,}"}
            raise EstimationError("recommend.unknown_item", **facts)
        event = np.asarray(history, np.int64)
        known = np.flatnonzero((event >= 0) & (event < self.n_items))
        age = np.arange(known.size)[::-1]
        share = np.zeros(event.size)
        for part, fit in zip(self.settings.parts, self.fits, strict=True):
            column = fit.column(item)
            for b, window in enumerate(part.design.windows):
                near = age < window.length
                rows = b * self.n_items + event[known[near]]
                fade = part.weight * np.exp(-window.scoring * age[near])
                share[known[near]] += fade * column[rows]
        return share

    def update(
        self, before: Histories, after: Histories, everybody: Histories | None = None
    ) -> FittedLinear:
        """Learn what some users did: their histories before and after, in the same order.

        Equals a refit bit for bit. Where every part's design is `local`, the last `reach` events
        of `before`, followed by the new ones, do as well as whole histories.

        Parameters
        ----------
        everybody
            All histories as they are now: streamed tables sum rows of what changed from them.

        Raises
        ------
        EstimationError
            A table is streamed, and everybody's histories are not given.
        """
        change = Change(before, after, everybody)
        parts = zip(self.fits, self.settings.parts, strict=True)
        fits = tuple(fit.changed(change, part.design, part.ridge) for fit, part in parts)
        return replace(self, fits=fits)

    def unlearn(self, histories: Histories, everybody: Histories | None = None) -> FittedLinear:
        """Forget whole users: equals training without them bit for bit.

        Parameters
        ----------
        everybody
            All histories without theirs, as for `update`.
        """
        gone = histories.where(np.zeros(histories.item.size, np.bool_))
        return self.update(histories, gone, everybody)

    def _known(self, histories: Histories) -> Histories:
        known = (histories.item >= 0) & (histories.item < self.n_items)
        return histories if known.all() else histories.where(known)


def fit_part(histories: Histories, part: Part) -> Fit:
    """Fit one regression, in the form that its ridge asks for."""
    if part.ridge.streamed:
        return stream(histories, part.design, part.ridge)
    return statistics_of(histories, part).solve(part.design, part.ridge)


def fit_of(arrays: Arrays, ridge: Ridge) -> Fit:
    """Make the fit of what its `arrays` gave."""
    if ridge.streamed:
        return StreamedFit.of_arrays(arrays)
    return (DenseFit if ridge.neighbours is None else SparseFit).of_arrays(arrays)


def statistics_of(histories: Histories, part: Part) -> Dense | Sparse:
    """Count for a dense or a sparse table."""
    if part.ridge.neighbours is None:
        return dense_statistics(histories, part.design)
    return sparse_statistics(histories, part.design)
