"""What tags say of items without, or with few, events: put on the scores of any model.

Every number here is linear in the model's scores but for two scalars of a history, the spreads
that likeness and chance are brought to. With these held, the score of a cold item is a weighted
sum of the model's scores of known items and of likenesses to events, so that what each event adds
to it can be told exactly (`ColdReading`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.kernels import (
    add_leads,
    add_profiles,
    add_rows_of,
    levels_of,
    mix_in,
    take_chances,
)
from tagcf.recommend.cold.peers import FittedTagNeighbours, TagNeighbours
from tagcf.recommend.cold.some_items import SomeItems, some_items
from tagcf.recommend.cold.stand_in import StandIns, stand_ins
from tagcf.recommend.cold.tag_ridge import TagRidge, most_carried, tag_ridge, with_penalty
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import POPULARITY
from tagcf.recommend.scoring import Scores
from tagcf.types import Codes, Floats, Mask

DECAY = 0.2  # of likeness to an event with each later one
LEVELLED = 2048  # known items, evenly drawn, whose level and spread stand for all
SMALL = 1e-12  # spreads from here on are none


@dataclass(frozen=True, slots=True)
class ColdChoice:
    """How cold items are scored; see `ColdItems`."""

    penalty: float = 100.0
    likeness: float = 0.0
    prior_events: float = 0.0
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """What every request needs, made once."""

    few: SomeItems
    level: SomeItems
    usual: NDArray[np.float32]  # (I,) what a linear model gives everybody: its tags' sums are known
    usual_sums: Floats  # (T + 1,)
    mean_tags: NDArray[np.float32]  # (T + 1,) of known items
    mean_weights: NDArray[np.float32]  # (T + 1,) of sums over known items, for such an item
    mean_rows: NDArray[np.float32]  # (T,)
    n_known: int
    chance: NDArray[np.float32]  # (I,) of items without events; 0 of others


@dataclass(frozen=True, slots=True)
class ColdTerm:
    """Maps from tags to scores of I items."""

    ridge: TagRidge
    alike: FittedTagNeighbours
    stands: StandIns
    own_share: NDArray[np.float32]  # (I,) of the item's own score; 0 without events
    choice: ColdChoice
    few: Codes  # items that tags have a say in
    level: Codes  # known items that levels and spreads are taken of
    count: Floats  # (I,) events of each item
    columns: Codes  # (T,) which of the tags given are used
    tables: Prepared

    def apply(self, histories: Histories, own: Scores) -> Scores:
        """(U, I) scores with what tags say mixed in, of the model's `own`."""
        return self.read(histories, own).mixed(own) if self.few.size else own

    def read(self, histories: Histories, own: Scores) -> ColdReading:
        """Measure what the two spreads of each history are."""
        sums = self.sums(own)
        by_tag, profile = sums @ self.ridge.inverse, self.profiles(histories)
        stretch, centre, known, usual, ratio = np.zeros((5, len(histories)), np.float32)
        if self.level.size:
            said = self.tables.level.said(by_tag), self.tables.level.alike(profile)
            where = np.ascontiguousarray(own), self.level, np.float32(self.choice.likeness), SMALL
            levels_of(*said, *where, stretch, centre, usual, ratio)
            known = np.asarray(sums[:, -1] / np.float32(self.tables.n_known))
        return ColdReading(self, by_tag, profile, stretch, centre, known, usual, ratio)

    def sums(self, own: Scores) -> NDArray[np.float32]:
        """(U, T + 1) sums over the known items that carry a tag, of (U, I) the model's scores.

        A model that scores few items for a history leaves the others at what everybody gets: only
        what differs from that is added up.
        """
        table, usual = self.ridge.learnt, self.tables.usual
        out = np.tile(self.tables.usual_sums, (len(own), 1))
        for row, total in zip(np.ascontiguousarray(own), out, strict=True):
            some = np.flatnonzero(row != usual)
            add_leads(some, row, usual, table.indptr, table.indices, table.data, total)
        return np.asarray(out, np.float32)

    def profiles(self, histories: Histories) -> NDArray[np.float32]:
        """(U, T) tags of histories, recent events heavier."""
        table = self.alike.rows
        out = np.zeros((len(histories), table.shape[1]), np.float32)
        where = table.indptr, table.indices, table.data, out
        add_profiles(histories.indptr, histories.item, self.stands.item, self.alike.decay, *where)
        return out


@dataclass(frozen=True, slots=True)
class ColdReading:
    """What tags say after U histories."""

    term: ColdTerm
    by_tag: NDArray[np.float32]  # (U, T + 1) worth of each tag
    profile: NDArray[np.float32]  # (U, T) tags of the history
    stretch: NDArray[np.float32]  # (U,) of likeness
    centre: NDArray[np.float32]  # (U,) mean likeness of known items
    known: NDArray[np.float32]  # (U,) mean of the model's scores of known items
    usual: NDArray[np.float32]  # (U,) mean of what their tags say
    ratio: NDArray[np.float32]  # (U,) spread of the first over that of the second

    def of(self, items: Codes) -> Scores:
        """(U, m) scores by tags."""
        return self._of(items, some_items(self.term.ridge, self.term.alike, items))

    def _of(self, items: Codes, tables: SomeItems) -> Scores:
        if self.stretch.any():
            said = tables.both(self.by_tag, self.stretch[:, None] * self.profile)
            said -= (self.stretch * self.centre)[:, None]
        else:
            said = tables.said(self.by_tag)
        take_chances(said, self._chance(items), self.known, self.usual, self.ratio)
        return said

    def mixed(self, own: Scores) -> Scores:
        """(U, I) the model's scores, mixed with what tags say of items with few events."""
        few = self.term.few
        out = np.array(own, np.float32, order="C")
        mix_in(self._of(few, self.term.tables.few), few, self.term.own_share, out)
        return out

    def _chance(self, items: Codes) -> NDArray[np.float32]:
        """(m,) the chance of items without events; 0 of others."""
        return self.term.tables.chance[items]

    def stretched(self, items: Codes) -> NDArray[np.float32]:
        """(m,) what their tags' worth is multiplied with for the chance, first history."""
        chance = self._chance(items)
        return np.asarray(1 - chance + chance * self.ratio[0], np.float32)

    def tag_weights(self, items: Codes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the first history's scores of (m,) items are made of.

        Returns
        -------
        sums
            (m, T + 1) weights of the sums over known items that carry a tag.
        alike
            (m,) weights of the likeness to each event, less that of usual items.
        """
        ridge, chance, ratio = self.term.ridge, self._chance(items)[:, None], self.ratio[0]
        stretched = self.stretched(items)
        sums = np.zeros((items.size, len(ridge.inverse)), np.float32)
        table = ridge.tags
        add_rows_of(items, table.indptr, table.indices, table.data, ridge.inverse, sums)
        sums *= stretched[:, None]
        if chance.any():
            sums -= chance * ratio * self.term.tables.mean_weights
            sums[:, -1] += chance[:, 0] / np.float32(self.term.tables.n_known)
        return sums, stretched * self.stretch[0]


def cold_term(
    tags: sparse.csr_array,
    train: Histories,
    choice: ColdChoice,
    inverse: NDArray[np.float32] | None = None,
    stands: StandIns | None = None,
) -> ColdTerm:
    """Learn the maps.

    Parameters
    ----------
    tags
        (I, T), see `item_features`.
    inverse, stands
        The parts that take time, where they have been made before of the same.
    """
    count = np.bincount(train.item, minlength=train.n_items).astype(np.float64)
    known = count > 0
    columns = most_carried(tags, known)
    kept = sparse.csr_array(tags[:, columns])
    some = np.flatnonzero(known)
    if some.size > LEVELLED:
        some = some[np.linspace(0, some.size - 1, LEVELLED).astype(np.int64)]
    share = own_shares(count, choice.prior_events)
    few, level = _below_one(share), some.astype(np.int32)
    ridge = tag_ridge(kept, known, choice.penalty, inverse)
    alike = TagNeighbours(kept, DECAY).fit(train)
    usual = (POPULARITY * (count / max(int(count.sum()), 1))).astype(np.float32)
    mean_tags = np.asarray(ridge.tags[level].sum(axis=0) / max(level.size, 1), np.float32).ravel()
    return ColdTerm(
        ridge=ridge,
        alike=alike,
        stands=stand_ins(kept, count) if stands is None else stands,
        own_share=share,
        choice=choice,
        few=few,
        level=level,
        count=count,
        columns=columns,
        tables=Prepared(
            some_items(ridge, alike, few),
            some_items(ridge, alike, level),
            usual,
            np.asarray(ridge.learnt.T @ usual.astype(np.float64)),
            mean_tags,
            mean_tags @ ridge.inverse,
            np.asarray(alike.rows[level].sum(axis=0) / max(level.size, 1), np.float32).ravel(),
            int(known.sum()),
            chances(known, choice),
        ),
    )


def with_choice(term: ColdTerm, choice: ColdChoice) -> ColdTerm:
    """Give the term another choice; the map is solved again for another penalty alone."""
    ridge, share = term.ridge, own_shares(term.count, choice.prior_events)
    if choice.penalty != term.choice.penalty:
        ridge = with_penalty(ridge, choice.penalty)
    few = _below_one(share)
    mean_weights = term.tables.mean_tags @ ridge.inverse
    few_items = some_items(ridge, term.alike, few)
    chance = chances(ridge.known, choice)
    tables = replace(term.tables, few=few_items, mean_weights=mean_weights, chance=chance)
    return replace(term, ridge=ridge, choice=choice, own_share=share, few=few, tables=tables)


def chances(known: Mask, choice: ColdChoice) -> NDArray[np.float32]:
    """(I,) the chance of items without events; 0 of others, and where no item has any."""
    return np.where(~known & bool(known.any()), np.float32(choice.chance), np.float32(0))


def _below_one(share: NDArray[np.float32]) -> Codes:
    return np.flatnonzero(share < 1).astype(np.int32)


def own_shares(count: Floats, prior_events: float) -> NDArray[np.float32]:
    """(I,) parts of an item's own score: n / (n + prior), 0 without events."""
    total = count + prior_events
    share = np.divide(count, total, out=np.zeros_like(total), where=count > 0)
    return share.astype(np.float32)


def ratio_of(one: Scores, other: Scores) -> NDArray[np.float32]:
    """(U,) spread of the one over that of the other; 0 where that has none."""
    there = other.std(axis=1)
    found = np.divide(one.std(axis=1), there, out=np.zeros_like(there), where=there > SMALL)
    return np.asarray(found, np.float32)
