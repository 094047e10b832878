"""What each event of a history adds to items' scores, and the same scores without some events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.term import DECAY
from tagcf.recommend.explain.kernels import (
    add_scores_without,
    add_shares,
    dense_pieces,
    sparse_pieces,
)
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.retrieval.contract import Retriever
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.terms.serving import Serving
from tagcf.types import Codes, Fidelity, Floats, HistoryReason, Mask

NAMED = 3  # events named as reasons
OCCLUDED = 50  # latest events left out one at a time where shares are not exact
ALIKE = 100  # events back to which likeness of tags has any weight to speak of


@dataclass(frozen=True, slots=True)
class Attribution:
    """Shares of L events in the scores of m items.

    With method "exact" a score is the sum of `base`, its shares and `beside`.
    """

    place: NDArray[np.int64]  # (L,) of the events in the history
    share: Floats  # (m, L)
    base: Floats  # (m,) what an empty history has
    beside: Floats  # (3, m) what segments, logic and reach add that is no event's
    method: Literal["exact", "occlusion"]
    without: Callable[[Mask], Floats]  # (m, L) events dropped -> (m,) scores


def attribute(
    fitted: Fitted,
    history: Codes,
    items: Codes,
    n_items: int,
    serving: Serving | None = None,
    retriever: Retriever | None = None,
) -> Attribution:
    """Tell what each event adds to each item's score.

    A linear model's score is the sum of its events' shares, exactly, and so is what tags make of
    it for a cold item. Of other models a share is what the score loses when the event is left
    out, for the latest `OCCLUDED` events.

    Parameters
    ----------
    history
        (H,) items, oldest first; unknown ones are passed over.
    items
        (m,) items, each once.
    n_items
        Size of the catalogue.
    serving
        The terms on the scores, as they were served; None: none.
    retriever
        The model's, where the catalogue is too large to score whole.
    """
    if isinstance(fitted, FittedLinear):
        return _exact(fitted, history, items, serving)
    return _occluded(fitted, history, items, n_items, serving, retriever)


def _exact(
    fitted: FittedLinear, history: Codes, items: Codes, serving: Serving | None
) -> Attribution:
    read = history if serving is None else serving.read(history)
    known = np.flatnonzero((read >= 0) & (read < fitted.n_items))
    cold = None if serving is None else serving.cold(items)
    reach = max(part.design.reach for part in fitted.settings.parts)
    if cold is not None:
        reach = max(reach, ALIKE)
    place = known[-reach - 2 * NAMED :]  # what moves into the window when evidence is dropped
    event, item = read[place].astype(np.int64), items.astype(np.int64)
    base = fitted.popularity[item].astype(np.float64)
    parts = []
    for part, table in zip(fitted.settings.parts, fitted.tables, strict=True):
        design, windows = part.design, len(part.design.windows)
        if isinstance(table, sparse.csr_array):
            where = table.indptr, table.indices, table.data
            pieces = sparse_pieces(event, item, windows, fitted.n_items, *where)
        else:
            pieces = dense_pieces(event, item, windows, fitted.n_items, table)
        if cold is not None:
            first = fitted.n_items * np.arange(windows)
            pieces = cold.mixed(pieces, table[(first[:, None] + event).ravel()])
        parts.append((pieces, design.lengths, design.fades, part.weight))
    if cold is not None:
        base = cold.base(base, fitted.popularity)
        parts.append(cold.likeness(history[place], DECAY))
    share = np.zeros((item.size, place.size))
    for part_of in parts:
        add_shares(*part_of, share)

    def without(dropped: Mask) -> Floats:
        score = base.copy()
        for one in parts:
            add_scores_without(*one, dropped, score)
        return score

    if serving is None:
        return Attribution(place, share, base, np.zeros((3, item.size)), "exact", without)
    own, beside = serving.own(), serving.beside(items)
    return Attribution(
        place, own * share, own * base, beside, "exact",
        lambda dropped: serving.without(items, place, dropped, without(dropped)),
    )  # fmt: skip


def _occluded(
    fitted: Fitted,
    history: Codes,
    items: Codes,
    n_items: int,
    serving: Serving | None,
    retriever: Retriever | None,
) -> Attribution:
    place = np.arange(history.size)[-OCCLUDED:]

    def scores_of(variants: list[NDArray[np.int32]]) -> Floats:
        if retriever is not None:
            return np.array([retriever.asked(one).scores(items) for one in variants], np.float64)
        asked = Histories.of([one.tolist() for one in variants], n_items)
        found = fitted.scores(asked) if serving is None else serving.scores(fitted, asked)
        return found[:, items].astype(np.float64)

    variants = [np.delete(history, at) for at in place]
    whole, base = scores_of([history])[0], scores_of([history[:0]])[0]
    left = scores_of(variants) if variants else np.zeros((0, items.size))

    def without(dropped: Mask) -> Floats:
        return np.diagonal(scores_of([np.delete(history, place[row]) for row in dropped]))

    beside = np.zeros((3, items.size)) if serving is None else serving.beside(items)
    return Attribution(place, (whole - left).T, base, beside, "occlusion", without)


def told(
    found: Attribution, names: list[str], ts: Floats, score: Floats
) -> list[tuple[tuple[HistoryReason, ...], Fidelity | None]]:
    """Name, for each item, the events that add most, and put them to the test.

    Parameters
    ----------
    names, ts
        (L,) ids and times of the events of `found`.
    score
        (m,) the items' scores by the model.
    """
    order = np.argsort(-found.share, axis=1, kind="stable")
    sorted_share = np.take_along_axis(found.share, order, axis=1)
    count = (sorted_share[:, :NAMED] > 0).sum(axis=1)
    if not count.any():
        return [((), None)] * len(score)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
    named = rank < count[:, None]
    others = ~named & (rank < 2 * count[:, None])
    fell, control = found.without(named), found.without(others)
    out: list[tuple[tuple[HistoryReason, ...], Fidelity | None]] = []
    for j, n in enumerate(count.tolist()):
        reasons = tuple(
            HistoryReason(names[e], _time(ts[e]), float(found.share[j, e]))
            for e in order[j, :n].tolist()
        )
        enough = order.shape[1] >= 2 * n
        out.append(
            (
                reasons,
                Fidelity(float(score[j]), float(fell[j]), float(control[j]) if enough else None)
                if n
                else None,
            )
        )
    return out


def _time(ts: float) -> float | None:
    return float(ts) if np.isfinite(ts) else None
