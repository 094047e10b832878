"""Who has had what: the histories that were learned from, and events that came after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from tagcf.errors import UnknownNameError
from tagcf.recommend.cold.users import segment_members
from tagcf.recommend.histories import Histories
from tagcf.text import did_you_mean
from tagcf.types import Codes, Floats

NEAR = 2_000  # ids looked through for a name near to an unknown one


Lived = tuple[Codes, Floats]  # items and times, oldest first; replaced whole, never changed


@dataclass(frozen=True, slots=True)
class People:
    """Users by their ids. `add` adds in place; `settled` and `without` give other people.

    One thread may add while others read: a reader finds a user's events as they are before or
    after one, and a user once there is an event of theirs.
    """

    ids: list[str]
    position: dict[str, int]
    learned: Histories  # of the first users; those who came later have none
    segments: tuple[tuple[str, tuple[str, ...]], ...]  # names and levels
    segment_of: Codes  # (U, S) of the users who were learned from; -1 unknown
    recent: dict[int, Lived] = field(default_factory=dict)  # of those with events since

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
        came = self.recent.get(user)
        if came is None:
            return item, ts
        item, ts = np.concatenate([item, came[0]]), np.concatenate([ts, came[1]])
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
        at = self.position.get(user, -1)
        new = at < 0
        if new:
            at = len(self.ids)
            self.ids.append(user)
        items, times = self._learned(at)
        own, own_ts = self.recent.get(at, (items[:0], times[:0]))
        place = own.size
        if np.isfinite(ts):
            place = int(np.searchsorted(own_ts, ts, "right"))
            if _there(items, times, item, ts) or _there(own, own_ts, item, ts):
                return False
        self.recent[at] = _with_event(own, own_ts, place, item, ts)
        if new:
            self.position[user] = at  # last: who is found has an event
        return True

    def before_and_after(self) -> tuple[Histories, Histories]:
        """Learned and present histories of everybody with events that were not learned from."""
        changed = sorted(self.recent)
        n = self.learned.n_items
        pairs = [(self._learned(user), self.history(user)) for user in changed]
        return _joined([one for one, _ in pairs], n), _joined([two for _, two in pairs], n)

    def settled(self) -> People:
        """Give the same people with their present histories as the learned ones."""
        old = self.learned
        user = [np.full(items.size, at, np.int32) for at, (items, _) in self.recent.items()]
        came = list(self.recent.values())
        learned = Histories.from_events(
            np.concatenate([old.user, *user]),
            np.concatenate([old.item, *(items for items, _ in came)]),
            np.concatenate([old.ts, *(times for _, times in came)]),
            len(self.ids),
            old.n_items,
        )
        missing = len(self.ids) - len(self.segment_of)
        filler = np.full((missing, len(self.segments)), -1, np.int32)
        segment_of = np.vstack([self.segment_of, filler])
        return replace(self, learned=learned, segment_of=segment_of, recent={})

    def without(self, user: int) -> tuple[People, Histories]:
        """Give people without a user, name and all, and what had been learned from them."""
        was = _joined([self._learned(user)], self.learned.n_items)
        learned, segment_of = self.learned, self.segment_of
        if user < len(learned):
            kept = np.ones(learned.item.size, np.bool_)
            kept[learned.indptr[user] : learned.indptr[user + 1]] = False
            learned, segment_of = learned.where(kept), segment_of.copy()
            segment_of[user] = -1
        left = People.of(
            [*self.ids[:user], "", *self.ids[user + 1 :]], learned, self.segments, segment_of
        )
        recent = {at: one for at, one in self.recent.items() if at != user}
        return replace(left, recent=recent), was


def _there(items: Codes, times: Floats, item: int, ts: float) -> bool:
    return bool(((items == item) & (times == ts)).any())


def _with_event(items: Codes, times: Floats, place: int, item: int, ts: float) -> Lived:
    return (
        np.concatenate([items[:place], np.array([item], np.int32), items[place:]]),
        np.concatenate([times[:place], [ts], times[place:]]),
    )


def _joined(parts: Sequence[tuple[Codes, Floats]], n_items: int) -> Histories:
    sizes = np.array([len(item) for item, _ in parts], np.int64)
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    none: list[Codes] = [np.empty(0, np.int32)]
    item = np.concatenate([*none, *(item for item, _ in parts)]).astype(np.int32)
    ts = np.concatenate([np.empty(0), *(ts for _, ts in parts)])
    return Histories(indptr, item, ts, n_items)
