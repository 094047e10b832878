"""What each event of a history adds to items' scores, and the same scores without some events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.term import DECAY
from tagcf.recommend.explain.kernels import (
    add_drops,
    add_scores_without,
    add_shares,
    dense_pieces,
    leading,
    sparse_pieces,
)
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.retrieval.contract import Retriever
from tagcf.recommend.scoring import Fitted
from tagcf.recommend.terms.serving import Serving
from tagcf.types import Codes, Fidelity, Floats, HistoryReason, Mask

Places = NDArray[np.int64]
NAMED = 3  # events named as reasons
OCCLUDED = 50  # latest events left out one at a time where shares are not exact
ALIKE = 100  # events back to which likeness of tags has any weight to speak of


@dataclass(frozen=True, slots=True)
class Attribution:
    """Shares of L events in the scores of m items, and what leaving each out does.

    With method "exact" a score is the sum of `base`, its shares and `beside`. A share is at the
    event's place in the history; once the event is gone older ones move up, and the score loses
    its `drop`, not its share. Reasons are chosen by the drop.
    """

    place: NDArray[np.int64]  # (L,) of the events in the history
    share: Floats  # (m, L)
    drop: Floats  # (m, L) score less the score without the event; −inf: not looked at
    tested: bool  # else drops are the model's alone, without its terms'
    base: Floats  # (m,) what an empty history has
    beside: Floats  # (3, m) what segments, logic and reach add that is no event's
    method: Literal["exact", "occlusion"]
    scored: Callable[[Mask, Places], Floats]  # as `without`

    def without(self, dropped: Mask, of: Places | None = None) -> Floats:
        """(r,) scores when the events `dropped` (r, L) had not been.

        Parameters
        ----------
        dropped
            At most `NAMED` events in each row.
        of
            (r,) places of the items among the m; None: each in its turn.
        """
        return self.scored(dropped, np.arange(len(dropped)) if of is None else of)

    def first(self) -> Attribution:
        """Of the first item alone."""
        one = slice(0, 1)
        return replace(
            self, share=self.share[one], drop=self.drop[one],
            base=self.base[one], beside=self.beside[:, one],
        )  # fmt: skip


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
        design, lasts = part.design, part.design.lengths + NAMED
        if isinstance(table, sparse.csr_array):
            where = table.indptr, table.indices, table.data
            pieces = sparse_pieces(event, item, lasts, fitted.n_items, *where)
        else:
            pieces = dense_pieces(event, item, lasts, fitted.n_items, table)
        if cold is not None:
            cold.mix(pieces, event, lasts, table)
        parts.append((pieces, design.lengths, design.fades, part.weight))
    if cold is not None:
        base = cold.base(base, fitted.popularity)
        parts.append(cold.likeness(history[place], DECAY))
    share, drop = np.zeros((item.size, place.size)), np.zeros((item.size, place.size))
    for part_of in parts:
        add_shares(*part_of, share)
        add_drops(*part_of, drop)

    def scored(dropped: Mask, of: Places) -> Floats:
        score = base[of]
        for pieces, lengths, fades, weight in parts:
            add_scores_without(pieces[:, of], lengths, fades, weight, dropped, score)
        return score

    if serving is None:
        beside = np.zeros((3, item.size))
        return Attribution(place, share, drop, True, base, beside, "exact", scored)
    own, beside = serving.own(), serving.beside(items)
    return Attribution(
        place, own * share, own * drop, not serving.looks_at(history.size - 1),
        own * base, beside, "exact",
        lambda dropped, of: serving.without(fitted, items[of], place, dropped, scored(dropped, of)),
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

    def scored(dropped: Mask, of: Places) -> Floats:
        found = scores_of([np.delete(history, place[row]) for row in dropped])
        return found[np.arange(of.size), of]

    beside = np.zeros((3, items.size)) if serving is None else serving.beside(items)
    lost = (whole - left).T
    return Attribution(place, lost, lost, True, base, beside, "occlusion", scored)


def put_to_the_test(found: Attribution, most: int) -> Attribution:
    """Score again without each of the `most` leading events, where terms look at histories."""
    if found.tested or not found.share.size:
        return found
    m, size = found.drop.shape
    event = np.argsort(-found.drop, axis=1, kind="stable")[:, :most].ravel()
    row = np.repeat(np.arange(m), event.size // m)
    dropped = np.zeros((row.size, size), np.bool_)
    dropped[np.arange(row.size), event] = True
    whole = found.base + found.share.sum(axis=1) + found.beside.sum(axis=0)
    drop = np.full((m, size), -np.inf)
    drop[row, event] = whole[row] - found.without(dropped, row)
    return replace(found, drop=drop, tested=True)


def leading_events(found: Attribution) -> list[int]:
    """Name the events without which the first item loses most, the most first."""
    order, counts, _, _ = leading(found.drop[:1], NAMED)
    return [int(e) for e in order[0, : counts[0]]]


def told(
    found: Attribution, names: list[str], ts: Floats, score: Floats
) -> list[tuple[tuple[HistoryReason, ...], Fidelity | None]]:
    """Name, for each item, the events without which it loses most, and put these to the test.

    Parameters
    ----------
    names, ts
        (L,) ids and times of the events of `found`.
    score
        (m,) the items' scores by the model.
    """
    found = put_to_the_test(found, 2 * NAMED)
    order, counts, named, others = leading(found.drop, NAMED)
    if not counts.any():
        return [((), None)] * len(score)
    fell, control = found.without(named).tolist(), found.without(others).tolist()
    when, enough = ts.tolist(), found.share.shape[1]
    out: list[tuple[tuple[HistoryReason, ...], Fidelity | None]] = []
    for j, n in enumerate(counts.tolist()):
        if not n:
            out.append(((), None))
            continue
        reasons = tuple(
            HistoryReason(
                names[e],
                when[e] if isfinite(when[e]) else None,
                float(found.share[j, e]),
                float(found.drop[j, e]),
            )
            for e in order[j, :n].tolist()
        )
        other = control[j] if enough >= 2 * n else None
        out.append((reasons, Fidelity(float(score[j]), fell[j], other)))
    return out
