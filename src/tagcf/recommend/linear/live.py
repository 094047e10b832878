"""A linear model that keeps learning: events are taken in at once, tables solved now and then."""

from __future__ import annotations

from collections.abc import Sequence

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear


class LiveLinear:
    """Collects what users did and folds it into statistics and tables lazily.

    A history's newest events count in its scores at once, whatever the tables' age; what they
    teach about *items* is learnt at the next refresh. A dense table is then solved anew, since a
    rank-k correction in float32 drifts; of a sparse one only the columns that changed are.

    Parameters
    ----------
    fitted
        Where to start.
    refresh_every
        Events after which `update` refreshes by itself; ``None``: only `refreshed` does.
    """

    def __init__(self, fitted: FittedLinear, refresh_every: int | None = 10_000) -> None:
        self._fitted = fitted
        self._refresh_every = refresh_every
        self._before: list[Sequence[int]] = []
        self._after: list[Sequence[int]] = []
        self._waiting = 0

    @property
    def fitted(self) -> FittedLinear:
        """The model as of the last refresh."""
        return self._fitted

    @property
    def waiting(self) -> int:
        """Events that the tables do not know yet."""
        return self._waiting

    def update(self, before: Sequence[int], new: Sequence[int]) -> None:
        """Take in a user's new items; `before` is their history until then, or a tail of it.

        A tail of the designs' `reach` will do if every design is `local`.
        """
        self._before.append(list(before))
        self._after.append([*before, *new])
        self._waiting += len(new)
        if self._refresh_every is not None and self._waiting >= self._refresh_every:
            self.refreshed()

    def forget(self, history: Sequence[int]) -> None:
        """Unlearn a user, from the next refresh on."""
        self._before.append(list(history))
        self._after.append([])
        self._waiting += len(history)

    def refreshed(self) -> FittedLinear:
        """Fold in what waits; equals a refit on all histories."""
        if self._before:
            n_items = self._fitted.n_items
            before, after = Histories.of(self._before, n_items), Histories.of(self._after, n_items)
            self._fitted = self._fitted.update(before, after)
            self._before, self._after, self._waiting = [], [], 0
        return self._fitted
