"""Which behaviour a change of the tree was proposed from, and which content that leaves unseen.

A tag that was found in behaviour fits the behaviour it was found in: estimated on the same rows, it
shows effects where there are none. Later rows of the same items don't help, since an item's quality
stays with it. What helps is content that the search never saw: authors (items where authors are not
known) that it left out, or that came after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np

from tagcf.errors import EstimationError
from tagcf.types import EventBatch, EventLog, Floats, Mask


@dataclass(frozen=True, slots=True)
class Mined:
    """Behaviour that was searched: rows up to `last` of a share of the authors (or items)."""

    first: float | None  # epoch seconds of the first and last row; None: the log has no time
    last: float | None
    share: float  # of authors, in the order of `places`

    def covers(self, other: Mined) -> bool:
        """Whether all that is unseen here is unseen there, too."""
        if self.share < other.share:
            return False
        if self.first is None or self.last is None:
            return True
        if other.first is None or other.last is None:
            return False
        return self.first <= other.first and self.last >= other.last


def both_mined(one: Mined | None, other: Mined | None) -> Mined | None:
    """Return the least that covers both."""
    if one is None or other is None:
        return one or other
    share = max(one.share, other.share)
    if one.first is None or one.last is None or other.first is None or other.last is None:
        return Mined(None, None, share)
    return Mined(min(one.first, other.first), max(one.last, other.last), share)


def units_of(items: Sequence[str], authors: Sequence[str | None] | None = None) -> tuple[str, ...]:
    """(I,) whom each item shares its fortunes with: its author, or nobody but itself."""
    if authors is None:
        return tuple(f"item {one}" for one in items)
    pairs = zip(items, authors, strict=True)
    return tuple(f"item {one}" if by is None else f"author {by}" for one, by in pairs)


def places(units: Sequence[str]) -> Floats:
    """(I,) a place in 0..1 of each unit: like drawn at random, and the same in every log."""
    found: dict[str, float] = {}
    for unit in units:
        if unit not in found:
            digest = blake2b(unit.encode(), digest_size=8).digest()
            found[unit] = int.from_bytes(digest) / 2.0**64
    return np.array([found[unit] for unit in units])


def part_to_mine(
    log: EventLog, units: Sequence[str], share: float = 0.5, until: float | None = None
) -> tuple[EventLog, Mined]:
    """Return the rows that proposals may be made from, and what these are.

    Parameters
    ----------
    units
        (I,) as `units_of`.
    share
        Of the units; the others stay unseen, so that effects can be estimated on them.
    until
        Epoch seconds (UTC); rows after it are left out.

    Raises
    ------
    EstimationError
        No row is left, or `until` is given and the log has no time.
    """
    chosen = places(units) < share

    def kept(batch: EventBatch) -> EventBatch:
        keep = chosen[batch.item]
        return batch.rows(keep if until is None else keep & (batch.ts <= until))

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            yield kept(batch)

    rows, first, last, timed = 0, math.inf, -math.inf, True
    for batch in batches():
        rows += batch.n_rows
        if batch.n_rows:
            first, last = min(first, batch.ts.min()), max(last, batch.ts.max())
            timed &= not np.isnan(batch.ts).any()
    if not rows:
        raise EstimationError("tree.nothing_to_mine", until=day_of(until))
    part = replace(log, batches=batches, n_rows=rows, fold=None)
    if not timed:
        return part, Mined(None, None, share)
    return part, Mined(math.floor(first), math.ceil(last), share)


def unseen_items(log: EventLog, units: Sequence[str], mined: Mined) -> Mask:
    """(I,) items whose authors' behaviour was not searched.

    These are the authors that the share left out. Where the log still reaches back to the first
    row that was searched, those without a row up to the last one count, too.
    """
    unseen: Mask = places(units) >= mined.share
    if mined.first is None or mined.last is None:
        return unseen
    code = np.unique(np.array(units), return_inverse=True)[1]
    early = np.zeros(code.max(initial=-1) + 1, bool)
    begins = math.inf
    for batch in log.batches():
        early[code[batch.item[~(batch.ts > mined.last)]]] = True
        if batch.n_rows:
            begins = min(begins, np.nan_to_num(batch.ts, nan=math.inf).min())
    if math.floor(begins) <= mined.first:
        unseen |= ~early[code]
    return unseen


def day_of(seconds: float | None) -> str:
    """ISO 8601 in UTC; a dash where there is no time."""
    if seconds is None:
        return "—"
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def mined_table(mined: Mined) -> dict[str, Any]:
    """As it stands in TOML files: times as text."""
    times = {"from": mined.first, "until": mined.last}
    told = {name: day_of(one) for name, one in times.items() if one is not None}
    return told | {"share": mined.share}


def mined_from_table(table: object) -> Mined:
    """Read what `mined_table` gave; raises `ValueError` where it is anything else."""
    if not isinstance(table, dict) or set(table) - {"from", "until", "share"}:
        raise ValueError(table)
    share = table.get("share")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ValueError(table)
    if ("from" in table) != ("until" in table):
        raise ValueError(table)
    if "from" not in table:
        return Mined(None, None, float(share))
    first, last = (datetime.fromisoformat(str(table[name])) for name in ("from", "until"))
    if first.tzinfo is None or last.tzinfo is None or last < first:
        raise ValueError(table)
    return Mined(first.timestamp(), last.timestamp(), float(share))
