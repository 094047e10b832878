"""What would move an item into a list or out of it: a bounded search, each find ranked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.cold.term import ColdTerm
from tagcf.recommend.explain.attribution import Attribution
from tagcf.recommend.explain.tag_evidence import TagEvidence
from tagcf.recommend.linear.model import FittedLinear
from tagcf.recommend.pipeline import Candidates, Models, Request, find_candidates
from tagcf.recommend.steer import Acting, Rule
from tagcf.types import Change, Codes, Named

SINGLES, PAIRED, LONGEST = 8, 6, 10  # events tried alone, in pairs, and taken one after another
ADDED = 10  # items tried as an event that might have been
BOOSTS = (0.25, 0.5, 1.0, 2.0, 4.0)
BISECTIONS = 4
TAGS = 5  # tags of the item tried as a boost
OfTags = Literal["boost", "untag", "tag"]
MOST_TAGS = 3  # tags put on or taken off at most


@dataclass(frozen=True, slots=True)
class Searched:
    """What is to be moved: an item at a rank, over or under the edge of a list of k."""

    models: Models
    catalogue: Catalogue
    evidence: TagEvidence | None
    request: Request
    item: int
    rank: int | None
    k: int
    shares: Attribution  # of the item, and of the list's last item where it is outside

    @property
    def inside(self) -> bool:
        """Whether the item is in the list."""
        return self.rank is not None and self.rank <= self.k

    def ranked(self, **changed: object) -> tuple[Candidates, int | None]:
        """Rank again with a changed request."""
        request = replace(self.request, kept=(self.item,), **changed)  # type: ignore[arg-type]  # fields of Request
        found = find_candidates(self.models, self.catalogue, request)
        return found, found.rank_of(self.item)

    def moves(self, rank: int | None) -> bool:
        """Whether a rank is on the other side of the edge."""
        return (rank is not None and rank <= self.k) != self.inside


def changes_of(searched: Searched) -> tuple[Change, ...]:
    """The smallest change of each kind that was found."""
    found = [
        *_unsteered(searched),
        _without(searched),
        None if searched.inside else _with(searched),
        *_tags(searched),
        None if searched.inside else _boost(searched),
    ]
    return tuple(one for one in found if one is not None)


def _unsteered(searched: Searched) -> Iterator[Change]:
    rules = searched.request.rules
    for at, one in enumerate(rules):
        _, rank = searched.ranked(rules=rules[:at] + rules[at + 1 :])
        if searched.moves(rank):
            yield Change("unsteered", (one.rule.label,), None, rank)


def _without(searched: Searched) -> Change | None:
    """Events that had not been: singles, pairs, then one after another."""
    drop = np.where(np.isfinite(searched.shares.drop), searched.shares.drop, 0.0)
    # Inside, what speaks for the item goes; outside, what speaks for the list's last one.
    gain = drop[0] if searched.inside or len(drop) < 2 else drop[1] - drop[0]
    order = [int(e) for e in np.argsort(-gain, kind="stable") if gain[e] > 0]
    sets: list[tuple[int, ...]] = [(e,) for e in order[:SINGLES]]
    sets += combinations(order[:PAIRED], 2)
    sets += [tuple(order[:n]) for n in range(3, min(LONGEST, len(order)) + 1)]
    history = searched.request.history
    for events in sets:
        gone = searched.shares.place[list(events)]
        _, rank = searched.ranked(history=np.delete(history, gone))
        if searched.moves(rank):
            names = tuple(searched.catalogue.ids[history[one]] for one in np.sort(gone))
            return Change("without", names, None, rank)
    return None


def _with(searched: Searched) -> Change | None:
    """One item that had been had last."""
    fitted = searched.models.fitted
    if not isinstance(fitted, FittedLinear):
        return None
    history = searched.request.history
    for other in _leading_to(fitted, searched.item, history, searched.models.terms.cold):
        _, rank = searched.ranked(history=np.append(history, other).astype(np.int32))
        if searched.moves(rank):
            return Change("with", (searched.catalogue.ids[other],), None, rank)
    return None


def _leading_to(
    fitted: FittedLinear, item: int, history: Codes, cold: ColdTerm | None
) -> list[int]:
    """Items whose being the last event adds most to an item's score."""
    gain = np.zeros(fitted.n_items)
    told = None if cold is None or cold.own_share[item] == 1 else cold.ridge.weights(item)
    for part, table in zip(fitted.settings.parts, fitted.tables, strict=True):
        column: NDArray[np.floating] = (
            table[:, [item]].toarray().ravel()
            if isinstance(table, sparse.csr_array)
            else table[:, item]
        )
        if cold is not None and told is not None:
            own = cold.own_share[item]
            column = own * column + (1 - own) * (table @ told.astype(np.float32))
        for b in range(len(part.design.windows)):
            gain += part.weight * column[b * fitted.n_items : (b + 1) * fitted.n_items]
    gain[item] = 0.0
    gain[history] = 0.0
    order = np.argsort(-gain, kind="stable")[:ADDED]
    return [int(one) for one in order if gain[one] > 0]


def _boost(searched: Searched) -> Change | None:
    """The smallest boost of one of the item's tags; others that carry it rise as well."""
    best: tuple[float, int, int | None] | None = None
    for tag in searched.catalogue.tags_of(searched.item)[:TAGS]:
        tried = [one for one in BOOSTS if best is None or one < best[0]]
        low = 0.0
        for weight in tried:
            rank = _boosted(searched, tag, weight)
            if searched.moves(rank):
                best = _narrowed(searched, tag, low, weight, rank)
                break
            low = weight
    if best is None:
        return None
    weight, tag, rank = best
    return _change_of_tags(searched, "boost", [tag], rank, weight)


def _narrowed(
    searched: Searched, tag: int, low: float, high: float, rank: int | None
) -> tuple[float, int, int | None]:
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found = _boosted(searched, tag, middle)
        if searched.moves(found):
            high, rank = middle, found
        else:
            low = middle
    return high, tag, rank


def _boosted(searched: Searched, tag: int, weight: float) -> int | None:
    slug = searched.catalogue.tags[tag].slug
    rule = Acting(Rule(slug, boost=weight), tag, *searched.catalogue.with_tag(tag))
    return searched.ranked(rules=(*searched.request.rules, rule))[1]


def _tags(searched: Searched) -> Iterator[Change]:
    """Tags that the item lost, or had, where predicted outcomes decide."""
    if searched.evidence is None or not searched.models.ranks_by_utility:
        return
    carried = set(searched.catalogue.tags_of(searched.item))
    gains: dict[int, float] = {}  # what taking a tag off (or putting it on) does to the score
    for tag, reasons in searched.evidence.by_tag.items():
        lost = sum(one.score_change or 0.0 for one in reasons)
        gains[tag] = lost if tag in carried else -lost
    wanted = -1.0 if searched.inside else 1.0
    kinds: tuple[tuple[OfTags, bool], ...] = (("untag", True), ("tag", False))
    for kind, own in kinds:
        order = sorted(
            (tag for tag in gains if (tag in carried) == own and wanted * gains[tag] > 0),
            key=lambda tag: -wanted * gains[tag],
        )
        for n in range(1, min(MOST_TAGS, len(order)) + 1):
            rank = _moved_by(searched, sum(gains[tag] for tag in order[:n]))
            if searched.moves(rank):
                yield _change_of_tags(searched, kind, order[:n], rank)
                break


def _change_of_tags(
    searched: Searched, kind: OfTags, tags: list[int], rank: int | None, weight: float | None = None
) -> Change:
    told = [searched.catalogue.tags[tag] for tag in tags]
    slugs = tuple(one.slug for one in told)
    names = tuple(Named(one.slug, one.zh, one.en) for one in told)
    return Change(kind, slugs, weight, rank, names)


def _moved_by(searched: Searched, change: float) -> int | None:
    found, rank = searched.ranked()
    if rank is None:
        return None
    score = np.where(found.item == searched.item, found.score + change, found.score)
    order = np.argsort(-score, kind="stable")
    moved = replace(
        found,
        item=found.item[order],
        score=score[order],
        blocked=found.blocked[order],
        change=found.change[:, order],
    )
    return moved.rank_of(searched.item)
