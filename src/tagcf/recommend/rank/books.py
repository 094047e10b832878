"""Records of items and users against what was to be expected of them, shrunken.

Three books are kept: of each half of the log, and of all of it. What a half's rows are predicted
with comes from the other half's book, so that no row is predicted with itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.recommend.rank.ground import Ground, Small, context_columns
from tagcf.recommend.rank.kernels import add_factors
from tagcf.recommend.rank.rows import HALVES, Exposure, Rows, read_rows
from tagcf.recommend.rank.shrink import (
    Record,
    Sums,
    author_posterior,
    fuse_records,
    posterior,
    row_noise,
    spread_of,
)
from tagcf.recommend.rank.tag_terms import stray
from tagcf.types import EventLog, Floats

BOOKS = HALVES + 1  # the last one is of all rows


@dataclass(frozen=True, slots=True)
class Book:
    """What one part of the log tells. K logged outcomes; the last row is an unknown one's."""

    item: Floats  # (I + 1, K) posterior mean, terms of tags included
    user: Floats  # (U + 1, K) posterior mean
    tastes: Small  # (U + 1, R) of the user, for the items' factors
    spread: Floats  # (K,) variance between items beyond the terms of their tags
    bias: Floats  # (K,) variance of what chosen rows are off by, per item


@dataclass(frozen=True, slots=True)
class Books:
    """All three, and what they share."""

    context: Floats  # (1 + P, K) coefficients of the context
    noise: Floats  # (K,) variance of a row within its item
    strays: Floats  # (T, K) association of tags beyond their terms
    halves: tuple[Book, ...]
    whole: Book


def keep_books(
    log: EventLog,
    exposure: Exposure,
    ground: Ground,
    terms: tuple[Floats, Floats],
    *,
    association: bool,
) -> Books:
    """Keep the books in three passes over the log.

    Parameters
    ----------
    terms
        (I, K) what the tags of each item add, and the variance of its error.
    association
        Learn how far the tags' association strays from these terms.
    """
    offset = np.vstack([terms[0], np.zeros((1, terms[0].shape[1]))])
    context = _context(log, exposure, ground, offset)
    first = [_Sums.nothing(log) for _ in range(BOOKS)]
    for rows in read_rows(log, exposure):
        left = _residual(rows, ground, context, offset)
        for which, own in enumerate(first):
            own.add(rows, which, left, left)
    noise = first[-1].noise()
    items = [_items(one, noise, terms[1]) for one in first]
    users = [_users(one, noise) for one in first]
    second = [_Sums.nothing(log) for _ in range(BOOKS)]
    tastes = [_Tastes.nothing(len(log.users), ground.factors) for _ in range(BOOKS)]
    for rows in read_rows(log, exposure):
        left = _residual(rows, ground, context, offset)
        for which, own in enumerate(second):
            own.add(rows, which, left - users[which][rows.batch.user], left)
            tastes[which].add(rows, which, left - items[which][rows.batch.item], noise)
    strays = np.zeros((ground.carried.shape[1], terms[0].shape[1]))
    if association:
        record, _ = second[-1].items(noise)
        spread = spread_of(record)
        _, shared = author_posterior(record, spread, ground.author, ground.n_authors)
        strays = stray(ground.carried, record, (spread - shared, shared), ground.author)
    made = [
        _book(second[which], users[which], tastes[which], noise, ground, terms, strays)
        for which in range(BOOKS)
    ]
    return Books(context, noise, strays, tuple(made[:HALVES]), made[-1])


def _context(log: EventLog, exposure: Exposure, ground: Ground, offset: Floats) -> Floats:
    """(1 + P, K) least squares of outcomes, less the tags' terms, on the context."""
    width, n_outcomes = 1 + len(ground.covariates.basis.names), offset.shape[1]
    gram, cross = np.zeros((n_outcomes, width, width)), np.zeros((n_outcomes, width))
    for rows in read_rows(log, exposure):
        x = context_columns(ground.covariates, rows.batch.covariates)
        left = rows.y - offset[rows.batch.item]
        for k in range(n_outcomes):
            weighted = x * rows.weight[:, [k]]
            gram[k] += weighted.T @ x
            cross[k] += weighted.T @ left[:, k]
    ridge = np.einsum("kjj->kj", gram) * 1e-6 + 1e-9
    return np.stack(
        [np.linalg.solve(gram[k] + np.diag(ridge[k]), cross[k]) for k in range(n_outcomes)], axis=1
    )


def _residual(rows: Rows, ground: Ground, context: Floats, offset: Floats) -> Floats:
    """(n, K) outcomes less what context and tags let expect."""
    x = context_columns(ground.covariates, rows.batch.covariates)
    return np.asarray(rows.y - x @ context - offset[rows.batch.item])


def part(rows: Rows, which: int) -> Floats:
    """(n, 1) 1 for the rows that belong to a book."""
    if which == HALVES:
        return np.ones((rows.batch.n_rows, 1))
    return np.asarray((rows.half == bool(which))[:, None], dtype=np.float64)


@dataclass(slots=True)
class _Sums:
    """Sums of one book."""

    random: Sums  # of items, by random exposure
    chosen: Sums
    user: Sums
    squares: Floats  # (K,)
    rows: Floats  # (K,)

    @staticmethod
    def nothing(log: EventLog) -> _Sums:
        n_items, n_users, k = len(log.items), len(log.users), len(log.outcomes)
        random, chosen = Sums.nothing(n_items, k), Sums.nothing(n_items, k)
        return _Sums(random, chosen, Sums.nothing(n_users, k), np.zeros(k), np.zeros(k))

    def add(self, rows: Rows, which: int, of_items: Floats, of_users: Floats) -> None:
        batch, own = rows.batch, part(rows, which)
        weight, noise = rows.weight * own, rows.noise * own
        at_random = rows.random[:, None]
        self.random.add(batch.item, of_items, weight * at_random, noise)
        self.chosen.add(batch.item, of_items, weight * ~at_random, noise)
        self.user.add(batch.user, of_users, weight, noise)
        self.squares += (weight * of_items**2).sum(axis=0)
        self.rows += ((weight > 0) * rows.inverse[:, None]).sum(axis=0)

    def noise(self) -> Floats:
        """(K,) variance of a row within its item."""
        both = Sums(
            self.random.value + self.chosen.value,
            self.random.weight + self.chosen.weight,
            self.random.noise + self.chosen.noise,
        )
        return row_noise(self.squares, both, self.rows, both.weight.sum(axis=1) > 0)

    def items(self, noise: Floats) -> tuple[Record, Floats]:
        """Records of items from both kinds of rows, and the bias of chosen ones."""
        return fuse_records(
            Record(self.random.mean, self.random.variance_of_mean(noise)),
            Record(self.chosen.mean, self.chosen.variance_of_mean(noise)),
        )


@dataclass(slots=True)
class _Tastes:
    """Sums of one book's users over the factors of what they met."""

    sums: Floats  # (U, R)
    weights: Floats  # (U, R)
    factors: Small
    square: float = 0.0  # of the signal, over all rows
    rows: float = 0.0

    @staticmethod
    def nothing(n_users: int, factors: Small) -> _Tastes:
        shape = (n_users, factors.shape[1])
        return _Tastes(np.zeros(shape), np.zeros(shape), factors)

    def add(self, rows: Rows, which: int, left: Floats, noise: Floats) -> None:
        """Add the mean over outcomes of what is left, in units of its noise."""
        known = rows.weight > 0
        scaled = np.where(known, left / np.sqrt(noise), 0.0)
        signal = scaled.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        weight = np.where(known.any(axis=1), part(rows, which)[:, 0], 0.0)
        self.square += float(weight @ signal**2)
        self.rows += float(weight.sum())
        add_factors(
            rows.batch.user, rows.batch.item, signal, weight, self.factors, self.sums, self.weights
        )

    def posterior(self) -> Small:
        """(U + 1, R) tastes, each factor shrunken by itself; their variance by moments."""
        noise = self.square / max(self.rows, 1.0)
        total = float((self.weights**2).sum())
        excess = float((self.sums**2 - noise * self.weights).sum())
        variance = excess / total if total > 0 else 0.0
        if variance <= 0:
            tastes = np.zeros_like(self.sums)
        else:
            tastes = self.sums / (self.weights + noise / variance)
        return np.vstack([tastes, np.zeros((1, tastes.shape[1]))]).astype(np.float32)


def _items(sums: _Sums, noise: Floats, uncertain: Floats) -> Floats:
    """(I + 1, K) first look at items."""
    record, _ = sums.items(noise)
    shrunken = posterior(record, spread_of(record) + uncertain, np.zeros_like(record.mean))
    return np.vstack([shrunken.mean, np.zeros((1, len(noise)))])


def _users(sums: _Sums, noise: Floats) -> Floats:
    """(U + 1, K) users' deviations."""
    record = Record(sums.user.mean, sums.user.variance_of_mean(noise))
    shrunken = posterior(record, spread_of(record), np.zeros_like(record.mean))
    return np.vstack([shrunken.mean, np.zeros((1, len(noise)))])


def _book(
    sums: _Sums,
    users: Floats,
    tastes: _Tastes,
    noise: Floats,
    ground: Ground,
    terms: tuple[Floats, Floats],
    strays: Floats,
) -> Book:
    """Close a book: tags' association, then authors, then items' own records."""
    record, bias = sums.items(noise)
    carried = ground.carried
    expected = carried @ strays
    expected = expected - expected.mean(axis=0)
    left = Record(record.mean - expected, record.variance)
    spread = spread_of(left)
    by_author, shared = author_posterior(left, spread, ground.author, ground.n_authors)
    centre = np.vstack([by_author, np.zeros((1, len(noise)))])[ground.author]
    own = posterior(left, spread - shared + terms[1], centre)
    value = terms[0] + expected + own.mean
    unknown = np.zeros((1, len(noise)))
    return Book(np.vstack([value, unknown]), users, tastes.posterior(), spread, bias)
