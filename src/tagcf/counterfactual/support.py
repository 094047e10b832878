"""Whether an item with the edited tags could exist.

Overlap in the sense of P(D_t = d | other tags) is read off counts of items, because a count
can be said in words: "of 312 items with 露营, 0 lack 户外场景". For each tag that an edit
changes, its new value is looked up beside

- every other single tag, present or absent in the edited item, and
- every pair of other tags that the edited item carries.

A combination counts as unseen when three things hold: fewer than 2% of the items with the
condition show the new value (the usual .02 limit of overlap); that is less than a quarter of
what its overall frequency would give, so that merely rare tags pass; and at least twenty
items fulfil the condition and their count has a binomial chance below .001, so that few items
prove nothing. Combinations of more than three tags are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import bdtr

from tagcf.types import Floats, Mask

Counts = NDArray[np.int64]
Positions = NDArray[np.int64]

LEAST_SHARE = 0.02
LEAST_LIFT = 0.25
CHANCE = 0.001
FEWEST_ITEMS = 20
_BITS_AT_ONCE = 1 << 15  # words of bits held while triples are counted: they fit the cache

Pattern = Literal["none", "without", "lacking", "together", "neither", "without_both", "all_three"]
PATTERNS: tuple[Pattern, ...] = (
    "none",
    "without",
    "lacking",
    "together",
    "neither",
    "without_both",
    "all_three",
)


@dataclass(frozen=True, slots=True)
class Support:
    """Which tags items carry together. T tags, I items."""

    n_items: int
    carriers: Counts  # (T,) items with the tag
    together: Counts  # (T, T) items with both; the diagonal repeats `carriers`
    bits: NDArray[np.uint64]  # (T, ceil(I / 64)) which items carry each tag
    unseen: Mask  # (2, 2, T, T): new value of tag t, value of tag u -> the two never meet


@dataclass(frozen=True, slots=True)
class Unseen:
    """For each change, the first combination that the items do not show; all (n,).

    `pattern` is a position in `PATTERNS`, 0 where nothing is missing. `tag` is the changed
    tag and `first`, `second` those it does not meet (-1 where there is none); `seen` items
    of the `among` that fulfil the condition show it.
    """

    pattern: NDArray[np.int8]
    first: Positions
    second: Positions
    seen: Counts
    among: Counts


def learn_support(carried: sparse.csr_array) -> Support:
    """Count tags together, from which items carry which (I, T; any non-zero is carried)."""
    n_items, n_tags = carried.shape
    ones = carried.astype(np.int64)
    ones.data[:] = ones.data != 0
    together = np.asarray((ones.T @ ones).todense(), dtype=np.int64).reshape(n_tags, n_tags)
    return Support(
        n_items, np.diag(together).copy(), together, _bits(ones), _unseen_tables(together, n_items)
    )


def _bits(ones: sparse.csr_array) -> NDArray[np.uint64]:
    n_items, n_tags = ones.shape
    bits = np.zeros((n_tags, -(-n_items // 64)), dtype=np.uint64)
    columns = ones.tocsc()
    for t in range(n_tags):
        member = np.zeros(bits.shape[1] * 64, dtype=bool)
        member[columns.indices[columns.indptr[t] : columns.indptr[t + 1]]] = True
        bits[t] = np.packbits(member).view(np.uint64)
    return bits


def _unseen_tables(together: Counts, n_items: int) -> Mask:
    """(2, 2, T, T) for each new value of t and value of u, whether they are unseen together."""
    tables = np.zeros((2, 2, *together.shape), dtype=bool)
    for value in (0, 1):
        for beside in (0, 1):
            seen, among, usual = _cell(together, n_items, value, beside)
            tables[value, beside] = _is_unseen(seen, among, usual)
            np.fill_diagonal(tables[value, beside], val=False)
    return tables


def _cell(together: Counts, n_items: int, value: int, beside: int) -> tuple[Counts, Counts, Floats]:
    """Items that show (t = value, u = beside), among those of the condition; (T, T) each.

    The condition is u = beside; only where t is added beside an absent u is it turned round,
    "of the items with t, how many lack u". Third: the share that the overall frequency gives.
    """
    has = np.diag(together)
    t, u = has[:, None], np.broadcast_to(has, together.shape)
    usual: Floats = np.broadcast_to(t / n_items if value else 1 - t / n_items, together.shape)
    if value == 1 and beside == 0:
        return t - together, np.broadcast_to(t, together.shape), 1 - u / n_items
    if value == 1:
        return together, u, usual
    if beside == 1:
        return u - together, u, usual
    return n_items - t - u + together, n_items - u, usual


def _is_unseen(seen: Counts, among: Counts, usual: Floats) -> Mask:
    expected = among * usual
    unseen = (seen < LEAST_SHARE * among) & (seen < LEAST_LIFT * expected)
    unseen &= among >= FEWEST_ITEMS
    at = np.nonzero(unseen)
    unseen[at] = bdtr(seen[at], among[at], np.broadcast_to(usual, seen.shape)[at]) < CHANCE
    return np.asarray(unseen)


def find_unseen(support: Support, edited: Mask, row: Positions, tag: Positions) -> Unseen:
    """Look for a combination that no item, or hardly any, shows.

    Parameters
    ----------
    edited
        (Q, T) the tags of each edited item.
    row, tag
        (n,) the changes: row of `edited`, and the tag whose value there is new.
    """
    n = len(row)
    found = Unseen(
        pattern=np.zeros(n, np.int8),
        first=np.full(n, -1),
        second=np.full(n, -1),
        seen=np.zeros(n, np.int64),
        among=np.zeros(n, np.int64),
    )
    if n:
        value = edited[row, tag].astype(np.int64)
        _look_at_pairs(support, edited, row, tag, value, found)
        # Written last: one tag that is missed is easier to understand than two.
        _look_at_singles(support, edited, row, tag, value, found)
    return found


def _look_at_singles(
    support: Support, edited: Mask, row: Positions, tag: Positions, value: Counts, found: Unseen
) -> None:
    """Fill in the single tag with most items behind it that a changed tag never meets."""
    beside = edited[row]  # (n, T)
    unseen = np.where(beside, support.unseen[value, 1, tag], support.unseen[value, 0, tag])
    hit = np.nonzero(unseen.any(1))[0]
    if not len(hit):
        return
    present = beside[hit]
    # Prefer tags that are there over tags that are not, then the one on most items.
    rank = np.where(unseen[hit], support.carriers + present * (support.n_items + 1), -1)
    other = rank.argmax(1)
    there = present[np.arange(len(hit)), other].astype(np.int64)
    new = value[hit]
    for v in (0, 1):
        for b in (0, 1):
            of = np.nonzero((new == v) & (there == b))[0]
            seen, among, _ = _cell(support.together, support.n_items, v, b)
            place = hit[of]
            found.seen[place] = seen[tag[place], other[of]]
            found.among[place] = among[tag[place], other[of]]
            found.first[place], found.second[place] = other[of], -1
            name: Pattern = (("neither", "without"), ("lacking", "together"))[v][b]
            found.pattern[place] = PATTERNS.index(name)


def _look_at_pairs(
    support: Support, edited: Mask, row: Positions, tag: Positions, value: Counts, found: Unseen
) -> None:
    """Fill in the pair of present tags with most items behind it that a changed tag never meets."""
    change, first, second = _present_pairs(edited, row, tag)
    if not len(change):
        return
    t, new = tag[change], value[change]
    among = support.together[first, second]
    usual: Floats = np.abs((1 - new) - support.carriers[t] / support.n_items)
    # Most pairs need no counting: they are on too few items to prove anything, or, where t
    # comes off, one of the two is often without t as it is.
    enough = among >= FEWEST_ITEMS
    enough &= among * np.log1p(-np.minimum(usual, 1 - 1e-12)) < np.log(CHANCE)
    with_t = np.minimum(support.together[first, t], support.together[second, t])
    enough &= (new == 1) | (with_t > (1 - LEAST_SHARE) * among)
    telling = np.nonzero(enough)[0]
    if not len(telling):
        return
    change, first, second, t, new = (p[telling] for p in (change, first, second, t, new))
    among, usual = among[telling], usual[telling]
    with_t = _count_triples(support, first, second, t)
    seen = np.where(new == 1, with_t, among - with_t)
    hit = np.nonzero(_is_unseen(seen, among, usual))[0]
    hit = hit[np.argsort(among[hit], kind="stable")]  # the last write is the largest
    place = change[hit]
    found.first[place], found.second[place] = first[hit], second[hit]
    found.seen[place], found.among[place] = seen[hit], among[hit]
    found.pattern[place] = np.where(
        new[hit] == 1, PATTERNS.index("all_three"), PATTERNS.index("without_both")
    )


def _present_pairs(
    edited: Mask, row: Positions, tag: Positions
) -> tuple[Positions, Positions, Positions]:
    """Every change with every pair of other tags of its edited item, as flat positions."""
    beside = edited[row].copy()
    beside[np.arange(len(row)), tag] = False
    change, other = np.nonzero(beside)
    counts = np.bincount(change, minlength=len(row))
    starts = np.cumsum(counts) - counts
    rest = counts[change] - 1 - (np.arange(len(change)) - starts[change])
    left = np.repeat(np.arange(len(change)), rest)
    step = np.arange(len(left)) - np.repeat(np.cumsum(rest) - rest, rest) + 1
    return change[left], other[left], other[left + step]


def _count_triples(support: Support, a: Positions, b: Positions, c: Positions) -> Counts:
    """Items that carry all three tags, each distinct triple counted once."""
    n_tags = len(support.together)
    key, back = np.unique((a * n_tags + b) * n_tags + c, return_inverse=True)
    u, v, w = key // n_tags**2, key // n_tags % n_tags, key % n_tags
    counts = np.zeros(len(key), np.int64)
    step = max(_BITS_AT_ONCE // max(support.bits.shape[1], 1), 1)
    for start in range(0, len(key), step):
        block = slice(start, start + step)
        all_three = support.bits[u[block]] & support.bits[v[block]]
        all_three &= support.bits[w[block]]
        counts[block] = np.bitwise_count(all_three).sum(1)
    return counts[back]
