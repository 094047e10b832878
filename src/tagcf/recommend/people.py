"""Who has had what: the histories that were learned from, and events that came after."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from tagcf.errors import UnknownNameError
from tagcf.recommend.cold.users import segment_members
from tagcf.recommend.histories import Histories
from tagcf.text import did_you_mean
from tagcf.types import Codes, Floats

NEAR = 2_000  # ids looked through for a name near to an unknown one


@dataclass(slots=True)
class People:
    """Users by their ids. Changed in place by `add` and `forget`."""

    ids: list[str]
    position: dict[str, int]
    learned: Histories  # of the first users; those who came later have none
    segments: tuple[tuple[str, tuple[str, ...]], ...]  # names and levels
    segment_of: Codes  # (U, S) of the users who were learned from; -1 unknown
    recent: dict[int, tuple[list[float], list[int]]] = field(default_factory=dict)

    @staticmethod
    def of(
        ids: Sequence[str],
        learned: Histories,
        segments: tuple[tuple[str, tuple[str, ...]], ...] = (),
        segment_of: Codes | None = None,
    ) -> People:
        """Start from histories."""
        names = [str(one) for one in ids]
        of = np.full((len(names), len(segments)), -1, np.int32)
        return People(
            names,
            {one: at for at, one in enumerate(names) if one},
            learned,
            segments,
            of if segment_of is None else segment_of,
        )

    def require(self, user: str) -> int:
        """Position of a user.

        Raises
        ------
        UnknownNameError
            There is none; the message has near ids.
        """
        found = self.position.get(str(user), -1)
        if found < 0:
            start = str(user)[:2]
            near = [one for one in self.ids if one.startswith(start)][:NEAR] or self.ids[:NEAR]
            hint = did_you_mean(str(user), near)
            raise UnknownNameError("recommend.unknown_user", name=user, hint=hint)
        return found

    def history(self, user: int) -> tuple[Codes, Floats]:
        """Items and times of a user, oldest first."""
        item, ts = self._learned(user)
        if user not in self.recent:
            return item, ts
        times, items = self.recent[user]
        item = np.concatenate([item, np.array(items, np.int32)])
        ts = np.concatenate([ts, np.array(times)])
        if not np.isfinite(ts).all():
            return item, ts
        order = np.argsort(ts, kind="stable")
        return item[order], ts[order]

    def _learned(self, user: int) -> tuple[Codes, Floats]:
        if user >= len(self.learned):
            return np.empty(0, np.int32), np.empty(0)
        at = slice(int(self.learned.indptr[user]), int(self.learned.indptr[user + 1]))
        return self.learned.item[at], self.learned.ts[at]

    def segments_of(self, user: int) -> dict[str, str]:
        """Segment name to the user's level, where it is known."""
        if user >= len(self.segment_of):
            return {}
        codes = self.segment_of[user].tolist()
        return {
            name: levels[code]
            for (name, levels), code in zip(self.segments, codes, strict=True)
            if 0 <= code < len(levels)
        }

    @property
    def members(self) -> sparse.csr_array | None:
        """(U, ΣL) 0/1: who is in which level of which segment; None without segments."""
        if not self.segments:
            return None
        return segment_members(self.segment_of, tuple(len(levels) for _, levels in self.segments))

    @property
    def levels(self) -> tuple[str, ...]:
        """(ΣL) names of the columns of `members`."""
        return tuple(f"{name}={level}" for name, levels in self.segments for level in levels)

    def levels_of(self, segments: Mapping[str, str]) -> tuple[int, ...]:
        """Columns of `members` for segment names and levels; unknown ones have none."""
        found, first = [], 0
        for name, levels in self.segments:
            if segments.get(name) in levels:
                found.append(first + levels.index(segments[name]))
            first += len(levels)
        return tuple(found)

    def add(self, user: str, item: int, ts: float) -> bool:
        """Take in one event, in the order of time; False where it repeats one."""
        at = self.position.get(user)
        if at is None:
            at = len(self.ids)
            self.ids.append(user)
            self.position[user] = at
        items, times = self._learned(at)
        if np.isfinite(ts) and bool(((items == item) & (times == ts)).any()):
            return False
        own_ts, own = self.recent.setdefault(at, ([], []))
        place = bisect_right(own_ts, ts) if np.isfinite(ts) else len(own_ts)
        if any(own_ts[k] == ts and own[k] == item for k in range(place)):
            return False
        own_ts.insert(place, ts)
        own.insert(place, item)
        return True

    def before_and_after(self) -> tuple[Histories, Histories]:
        """Learned and present histories of everybody with events that were not learned from."""
        changed = sorted(self.recent)
        n = self.learned.n_items
        pairs = [(self._learned(user), self.history(user)) for user in changed]
        return _joined([one for one, _ in pairs], n), _joined([two for _, two in pairs], n)

    def settle(self) -> None:
        """Make the present histories the learned ones."""
        came = [
            (user, item, ts)
            for user, (times, items) in self.recent.items()
            for item, ts in zip(items, times, strict=True)
        ]
        old, new = self.learned, [np.array(one) for one in zip(*came, strict=True)]
        if new:
            self.learned = Histories.from_events(
                np.concatenate([old.user, new[0]]),
                np.concatenate([old.item, new[1]]).astype(np.int32),
                np.concatenate([old.ts, new[2]]),
                len(self.ids),
                old.n_items,
            )
        self.recent.clear()
        missing = len(self.ids) - len(self.segment_of)
        if missing > 0:
            filler = np.full((missing, len(self.segments)), -1, np.int32)
            self.segment_of = np.vstack([self.segment_of, filler])

    def forget(self, user: int) -> Histories:
        """Take a user out, name and all; returns what had been learned from them."""
        was = _joined([self._learned(user)], self.learned.n_items)
        self.recent.pop(user, None)
        if user < len(self.learned):
            kept = np.ones(self.learned.item.size, np.bool_)
            kept[self.learned.indptr[user] : self.learned.indptr[user + 1]] = False
            self.learned = self.learned.where(kept)
            self.segment_of[user] = -1
        del self.position[self.ids[user]]
        self.ids[user] = ""
        return was


def _joined(parts: Sequence[tuple[Codes, Floats]], n_items: int) -> Histories:
    sizes = np.array([len(item) for item, _ in parts], np.int64)
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    none: list[Codes] = [np.empty(0, np.int32)]
    item = np.concatenate([*none, *(item for item, _ in parts)]).astype(np.int32)
    ts = np.concatenate([np.empty(0), *(ts for _, ts in parts)])
    return Histories(indptr, item, ts, n_items)
