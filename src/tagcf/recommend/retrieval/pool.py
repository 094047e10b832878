"""Candidates of one request through a retriever: the same ones that scoring every item gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.retrieval.contract import Asked, Found
from tagcf.recommend.steer import Acting, add_boosts
from tagcf.types import Codes, Floats, Mask

Items = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Pool:
    """n candidates, those that come without rules first."""

    item: Codes  # (n,)
    score: Floats  # (n,) by the model
    entered: Mask  # (n,) whether also without any rule


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which candidates are wanted: `n` of them, and `n_blocked` of what rules block."""

    n: int
    n_blocked: int
    hidden: Items
    allowed: Items | None  # only these; None: all
    rules: Sequence[Acting]
    kept: Sequence[int]  # whether or not they are among the best


def pool_of(asked: Asked, wanted: Wanted) -> Pool:
    """Best items with and without the rules, the best that rules block, and those to be kept.

    Items that a rule boosts are all scored; of the others the model's best are the best.
    """
    plain = _best(asked, wanted.n, wanted.hidden, wanted.allowed)
    parts: list[Items] = [plain.item]
    if wanted.rules:
        blocks = [one.items for one in wanted.rules if one.rule.block]
        marks = _Marks(asked.n_items)
        blocked = marks.items(blocks, [wanted.hidden], wanted.allowed)
        unit = float(np.std(plain.score.astype(np.float64))) if plain.item.size else 0.0
        touched = [one.items for one in wanted.rules if not one.rule.block]
        items = marks.items(touched, [wanted.hidden, blocked], wanted.allowed)
        score = np.zeros(asked.n_items, np.float32)
        for some in (blocked, items):
            score[some] = asked.scores(some)
        add_boosts(score, wanted.rules, unit if unit > 0 else 1.0)
        parts.append(_top(blocked, score[blocked], wanted.n_blocked).item)
        boosted = _top(items, score[items], wanted.n)
        hidden = marks.items([wanted.hidden, blocked, *touched], [], None)
        rest = _best(asked, wanted.n, hidden, wanted.allowed)
        parts.append(_merged(boosted, rest, wanted.n))
    parts.append(np.array(wanted.kept, np.int32))
    every = np.concatenate(parts).astype(np.int32)
    _, first = np.unique(every, return_index=True)
    item = every[np.sort(first)]
    return Pool(item, asked.scores(item).astype(np.float64), np.isin(item, plain.item))


def _best(asked: Asked, n: int, hidden: Items, allowed: Items | None) -> Found:
    if allowed is None:
        return asked.best(n, hidden)
    items = _Marks(asked.n_items).items([allowed], [hidden], None)
    return _top(items, asked.scores(items), n)


def _top(items: Items, score: NDArray[np.float32], n: int) -> Found:
    """Best n of some items (each once, in rising order) by their scores."""
    order = np.argsort(-score, kind="stable")[:n]
    return Found(items[order].astype(np.int32), score[order])


def _merged(one: Found, other: Found, n: int) -> Codes:
    item = np.concatenate([one.item, other.item])
    order = np.lexsort((item, -np.concatenate([one.score, other.score])))
    return item[order[:n]]


@dataclass(frozen=True, slots=True)
class _Marks:
    """Sets of items, told by a flag an item: no sorting."""

    n_items: int

    def items(
        self, parts: Sequence[Items], without: Sequence[Items], allowed: Items | None
    ) -> NDArray[np.int64]:
        """Items of any part, in rising order, that are not left out and are allowed."""
        found = np.zeros(self.n_items, np.bool_)
        for part in parts:
            found[part] = True
        for part in without:
            found[part] = False
        if allowed is not None:
            may = np.zeros(self.n_items, np.bool_)
            may[allowed] = True
            found &= may
        return np.flatnonzero(found)
