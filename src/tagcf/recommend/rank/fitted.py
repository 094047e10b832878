"""A fitted ranker: tables per item and user, so that a request only adds and multiplies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tagcf.effects.linear.basis import expand
from tagcf.errors import DataError
from tagcf.recommend.rank.books import Book
from tagcf.recommend.rank.calibrate import Calibration, Curve
from tagcf.recommend.rank.features import Layout
from tagcf.recommend.rank.ground import Covariates, Ground, Small, context_columns
from tagcf.recommend.rank.kernels import add_both, add_products, add_scores
from tagcf.recommend.rank.returning import ReturnHead
from tagcf.types import Codes, Floats


@dataclass(frozen=True, slots=True)
class Context:
    """What a request brings beside users and items. n pairs.

    `covariates` (n, p) in the order of the log's; NaN (a category: NaN too) where the stored
    value of the item or user, or the usual one, is to stand. `scores` (n, S) of other models.
    """

    covariates: Floats | None = None
    scores: Floats | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """Names and figures of a fitted ranker. K outcomes, logged then derived."""

    names: tuple[str, ...]  # (K,)
    bounds: tuple[tuple[float, float], ...]  # of logged outcomes
    covariates: tuple[str, ...]
    tags: tuple[str, ...]
    calibration: tuple[Calibration, ...]  # (K,)
    spread: tuple[float, ...]  # variance between items that their tags leave
    bias: tuple[float, ...]  # variance of what chosen rows are off by, per item
    simulated: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """Parts of the linear heads, K logged outcomes; the last row is an unknown one's."""

    item: Floats  # (I + 1, K) record, popularity and age
    user: Floats  # (U + 1, K)
    item_record: Floats  # (I + 1, K)
    user_record: Floats  # (U + 1, K)
    item_context: Floats  # (I + 1, K) of the covariates as stored
    user_context: Floats  # (U + 1, K)
    usual: Floats  # (K,) intercept and all covariates at their usual values
    context: Floats  # (1 + P, K)
    product: Floats  # (K, K) of item × user
    taste: Floats  # (K,)
    score: Floats  # (S, K)
    tastes: Small  # (U + 1, R)
    factors: Small  # (I + 1, R)


def tables_of(layout: Layout, ground: Ground, book: Book, coef: Floats) -> Tables:
    """Multiply out what does not depend on the pair. `coef` (F, K)."""
    covariates = ground.covariates
    n_items = len(book.item) - 1
    context = coef[: layout.context]
    everyone = np.append(np.arange(n_items, dtype=np.int32), -1)
    popular = ground.popularity.features(everyone.astype(np.int32), None)
    usual = context_columns(covariates, covariates.usual[None])[0] @ context

    def difference(own: Floats) -> Floats:
        filled = np.where(np.isnan(own), covariates.usual, own)
        return np.asarray(context_columns(covariates, filled) @ context - usual)

    # The user's value stands only where the item has none.
    free = np.isnan(covariates.item[:n_items]).all(axis=0)
    of_user = np.where(free, covariates.user, np.nan)
    return Tables(
        item=book.item @ coef[layout.item] + popular @ coef[layout.popularity],
        user=book.user @ coef[layout.user],
        item_record=book.item,
        user_record=book.user,
        item_context=difference(covariates.item),
        user_context=difference(of_user),
        usual=usual,
        context=context,
        product=coef[layout.both],
        taste=coef[layout.taste],
        score=coef[layout.score],
        tastes=book.tastes,
        factors=ground.factors,
    )


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """Made by `Ranker.fit`. Pure: scoring changes nothing."""

    described: Described
    layout: Layout
    covariates: Covariates
    tables: Tables
    curves: tuple[Curve, ...]
    returns: tuple[ReturnHead, ...]
    tag_weight: Floats  # (T, K) what a tag adds to each outcome, on its own scale

    @property
    def names(self) -> tuple[str, ...]:
        """(K,) outcomes, logged then derived: the columns of `outcomes`."""
        return self.described.names

    def outcomes(
        self, users: ArrayLike, items: ArrayLike, context: Context | None = None
    ) -> Floats:
        """Predict each outcome of showing an item to a user.

        Parameters
        ----------
        users, items
            (n,) dense codes of the log; -1, or beyond the log's, is unknown. One user may stand
            for all pairs.
        context
            Covariates and scores of other models.

        Returns
        -------
        Floats
            (n, K) expected outcomes, calibrated and within their bounds; a derived outcome that
            the log could not tell is NaN.

        Raises
        ------
        DataError
            The ranker was fitted with other models' scores and gets none, or another number.
        """
        context = context or Context()
        tables = self.tables
        item = _known(items, len(tables.item) - 1)
        user = _known(users, len(tables.user) - 1)
        raw = self._context(user, item, context)
        add_both(user, item, tables.user, tables.item, raw)
        records, factors = (tables.user_record, tables.item_record), (tables.tastes, tables.factors)
        add_products(user, item, records, tables.product, factors, tables.taste, raw)
        if self.layout.scores:
            add_scores(_scores(context.scores, len(item), self.layout.scores), tables.score, raw)
        logged = [curve(raw[:, k]) for k, curve in enumerate(self.curves)]
        derived = [one.predict(user, item) for one in self.returns]  # one user, or one a pair
        return np.column_stack([*logged, *derived])

    def _context(self, user: Codes, item: Codes, context: Context) -> Floats:
        tables = self.tables
        if context.covariates is None:
            out = np.tile(tables.usual, (item.size, 1))
            add_both(user, item, tables.user_context, tables.item_context, out)
            return out
        user = np.broadcast_to(user, item.shape) if user.size == 1 else user
        filled = self.covariates.fill(user, item, context.covariates)
        columns = expand(self.covariates.basis, filled)
        return np.asarray(tables.context[0] + columns @ tables.context[1:])


def _known(codes: ArrayLike, size: int) -> Codes:
    """(n,) codes with everything unknown at -1."""
    at = np.atleast_1d(np.asarray(codes, dtype=np.int64))
    return np.where((at < 0) | (at >= size), -1, at).astype(np.int32)


def _scores(scores: Floats | None, n: int, n_scores: int) -> Floats:
    if scores is None or scores.shape != (n, n_scores):
        found = None if scores is None else scores.shape
        raise DataError("rank.scores_missing", found=found, expected=(n, n_scores))
    return scores
