"""The features of a row or a pair, side by side, and where each stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.recommend.rank.books import Book
from tagcf.recommend.rank.ground import Ground, context_columns
from tagcf.recommend.rank.kernels import pair_products
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns: context, items, users, item × user, taste, popularity and age, model scores.

    P context columns (the intercept first), K logged outcomes, W windows, S scores.
    """

    context: int
    outcomes: int
    windows: int
    scores: int

    @property
    def item(self) -> slice:
        """(K) of the item's record."""
        return slice(self.context, self.context + self.outcomes)

    @property
    def user(self) -> slice:
        """(K) of the user's record."""
        return slice(self.item.stop, self.item.stop + self.outcomes)

    @property
    def both(self) -> slice:
        """(K) of their products."""
        return slice(self.user.stop, self.user.stop + self.outcomes)

    @property
    def taste(self) -> int:
        """Column of the user's taste for the item's tags."""
        return self.context + 3 * self.outcomes

    @property
    def popularity(self) -> slice:
        """(W + 1) of the popularity windows and the item's age."""
        return slice(self.taste + 1, self.taste + 2 + self.windows)

    @property
    def score(self) -> slice:
        """(S) of other models."""
        return slice(self.popularity.stop, self.popularity.stop + self.scores)

    @property
    def width(self) -> int:
        """Columns in all."""
        return self.taste + 2 + self.windows + self.scores


def layout_of(ground: Ground, n_outcomes: int, n_scores: int) -> Layout:
    """Count the columns."""
    n_context = 1 + len(ground.covariates.basis.names)
    return Layout(n_context, n_outcomes, len(ground.popularity.windows), n_scores)


def features_of(
    layout: Layout,
    ground: Ground,
    book: Book,
    users: Codes,
    items: Codes,
    covariates: Floats,
    ts: Floats | None,
    scores: Floats | None,
) -> Floats:
    """(n, F) features of pairs by one book; -1 stands for an unknown user or item."""
    out = np.zeros((len(users), layout.width))
    out[:, : layout.context] = context_columns(ground.covariates, covariates)
    item, user = book.item[items], book.user[users]
    out[:, layout.item], out[:, layout.user], out[:, layout.both] = item, user, item * user
    out[:, layout.taste] = pair_products(users, items, book.tastes, ground.factors)
    out[:, layout.popularity] = ground.popularity.features(items, ts)
    if scores is not None:
        out[:, layout.score] = scores
    return out
