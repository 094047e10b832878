"""Accuracy and exposure by kind of user, item and author: where a ranking serves some less.

A slice of users or of targets has their accuracy; a slice of items shown (by author) has the
share of the places it got in the first ten beside its share of events and of the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.evaluate.beyond import novelty
from tagcf.recommend.evaluate.intervals import mean_interval
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import Ranked
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.types import Codes, Floats, Segment

SHOWN = 10
RECORD = (0, 1, 5, 20)  # events of an item in training, from … on
ACTIVITY = (0, 1, 6, 21)  # events of a history, from … on
AUTHORS = ("small", "medium", "large")  # each a third of the events, by the author's own number


@dataclass(frozen=True, slots=True)
class Slice:
    """Users or items by level; -1 is in no level."""

    name: str  # "history", "item events", "author size", or a segment's column
    of: Literal["user", "item"]
    code: Codes  # (M,) users asked, or (I,) items
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One model on one level of a slice."""

    model: str
    slice: str
    level: str
    n_users: int  # asked, whose figures these are: in the level, or with a target in it
    recall_10: float
    ndcg_10: float
    ci_low: float  # of ndcg@10
    ci_high: float
    novelty_10: float | None  # bits of the items shown to these users; None for slices of items
    exposure: float | None  # share of the first ten places that these items got; None for users
    events: float | None  # their share of training events
    items: float | None  # their share of the catalogue


def history_slice(asked: Holdout) -> Slice:
    """Users by the length of their history; the new ones, without any, are a level."""
    code = np.searchsorted(ACTIVITY, asked.history.sizes, side="right") - 1
    return Slice("history", "user", code.astype(np.int32), _names(ACTIVITY))


def record_slice(train: Histories) -> Slice:
    """Items by their events in training; those without any are the cold ones."""
    count = np.bincount(train.item, minlength=train.n_items)
    code = np.searchsorted(RECORD, count, side="right") - 1
    return Slice("item events", "item", code.astype(np.int32), _names(RECORD))


def author_slice(train: Histories, author: Codes) -> Slice:
    """Items by the size of their author: authors in the order of their events, cut in thirds.

    Parameters
    ----------
    author
        (I,) author of each item, -1 unknown.
    """
    known = author >= 0
    count = np.bincount(train.item, minlength=train.n_items)
    size = np.bincount(author[known], count[known], minlength=int(author.max(initial=-1)) + 1)
    order = np.argsort(size, kind="stable")
    before = np.cumsum(size[order]) - size[order]
    third = np.empty(size.size, np.int32)
    third[order] = np.minimum(3 * before // max(size.sum(), 1), 2).astype(np.int32)
    code = np.full(author.size, -1, np.int32)
    code[known] = third[author[known]]
    return Slice("author size", "item", code, AUTHORS)


def segment_slice(segment: Segment, code: Codes) -> Slice:
    """Users by a column of theirs; `code` is that of each user asked."""
    return Slice(segment.name, "user", code, segment.levels)


def slice_rows(
    model: str, ranked: Sequence[Ranked], asked: Holdout, slices: Sequence[Slice]
) -> list[SliceRow]:
    """Figures of one model, under one or more seeds, on every level that anybody is in."""
    count = np.bincount(asked.train.item, minlength=asked.train.n_items)
    figures = _Figures(
        np.stack([by_user(one.rank, "ndcg@10") for one in ranked]),
        np.stack([by_user(one.rank, "recall@10") for one in ranked]),
        np.stack([novelty(one.top[:, :SHOWN], count) for one in ranked]),
        np.mean([_shown(one.top[:, :SHOWN], count.size) for one in ranked], axis=0),
        count / max(count.sum(), 1),
    )
    return [
        _level_row(model, one, level, figures, asked)
        for one in slices
        for level in range(len(one.levels))
        if _users_of(one, level, asked).any()
    ]


@dataclass(frozen=True, slots=True)
class _Figures:
    ndcg: Floats  # (S, M)
    recall: Floats  # (S, M)
    novelty: Floats  # (S, M)
    shown: Floats  # (I,) share of places
    events: Floats  # (I,) share of training events


def _level_row(model: str, part: Slice, level: int, figures: _Figures, asked: Holdout) -> SliceRow:
    users = _users_of(part, level, asked)
    ndcg = mean_interval(figures.ndcg[:, users])
    of_items = part.of == "item"
    items = part.code == level
    surprise = figures.novelty[:, users]
    known = surprise[np.isfinite(surprise)]
    return SliceRow(
        model=model,
        slice=part.name,
        level=part.levels[level],
        n_users=int(users.sum()),
        recall_10=float(figures.recall[:, users].mean()),
        ndcg_10=ndcg.mean,
        ci_low=ndcg.low,
        ci_high=ndcg.high,
        novelty_10=float(known.mean()) if known.size and not of_items else None,
        exposure=float(figures.shown[items].sum()) if of_items else None,
        events=float(figures.events[items].sum()) if of_items else None,
        items=float(items.mean()) if of_items else None,
    )


def _users_of(part: Slice, level: int, asked: Holdout) -> NDArray[np.bool_]:
    """(M,) users in the level, or whose target is."""
    code = part.code if part.of == "user" else part.code[asked.target]
    return np.asarray(code == level)


def _shown(top: Codes, n_items: int) -> Floats:
    """(I,) share of all places that each item got."""
    shown = np.bincount(top[top >= 0], minlength=n_items)
    return np.asarray(shown / max(shown.sum(), 1))


def _names(starts: Sequence[int]) -> tuple[str, ...]:
    closed = [
        str(start) if start == stop - 1 else f"{start}-{stop - 1}"
        for start, stop in pairwise(starts)
    ]
    return (*closed, f"{starts[-1]}+")
