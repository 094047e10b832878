"""A user's interests as the companion may change them: every change can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagcf.errors import DataError
from tagcf.live.interest import Edit, InterestEngine, InterestReason, TagInterest
from tagcf.live.interest.edits import Edits, read_edits
from tagcf.live.interest.reading.answers import EditKind
from tagcf.live.kept import engine_options
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.viewing.companion.record import Deed, Record, Span, without_resets
from tagcf.live.wire import id_key, kept
from tagcf.live.wire.event import Id
from tagcf.settings import LiveSettings
from tagcf.types.live import LiveEvents

Change = tuple[EditKind, str, float]  # kind, tag and amount
Spans = Mapping[int, Sequence[Span]]
EDITS, RECORD = "edits.jsonl", "companion.jsonl"  # of one folder; the first is LiveStream's as well


@dataclass(frozen=True, slots=True)
class Past:
    """Events from which interests can be made anew."""

    events: LiveEvents
    make: Callable[[LiveEvents], InterestEngine]

    def engine(self, spans: Spans) -> InterestEngine:
        """Make the interests of all events but those in forgotten spans."""
        return self.make(without_spans(self.events, spans))

    def count(self, user: Id, span: Span, forgotten: Sequence[Span] = ()) -> int:
        """Events of a user in a span that are in none of the forgotten ones."""
        ts = self.events.ts
        counted = self.events.user == np.uint64(id_key(user))
        counted &= (ts >= span[0]) & (ts < span[1])
        for since, until in forgotten:
            counted &= (ts < since) | (ts >= until)
        return int(counted.sum())


def without_spans(events: LiveEvents, spans: Spans) -> LiveEvents:
    """Leave out what users did in spans that they want forgotten."""
    left = np.ones(len(events), np.bool_)
    for user, forgotten in spans.items():
        own = events.user == np.uint64(user)
        for since, until in forgotten:
            left &= ~(own & (events.ts >= since) & (events.ts < until))
    return events if left.all() else kept(events, left)


class Memory:
    """Interests, what users said of them, and how to take it back.

    Parameters
    ----------
    engine
        Interests. Without `past` these are all there is: what a reset takes cannot come back.
    record
        What was done for users; by default kept in memory alone.
    past
        Events to make the interests anew from, as spans are forgotten or resets taken back.
    """

    def __init__(
        self, engine: InterestEngine, record: Record | None = None, past: Past | None = None
    ) -> None:
        self.engine, self.past = engine, past
        self.record = record or Record()

    @classmethod
    def of_tables(
        cls, tables: LiveTables, folder: Path, at: float, settings: LiveSettings | None = None
    ) -> Memory:
        """Make the interests of a workspace's events up to a time; edits are kept in a folder.

        Raises
        ------
        DataError
            There are no tags.
        OutputError
            What is in the folder cannot be read.
        """
        if tables.tags is None:
            raise DataError("live_viewing.no_tags")
        tags, segments, edits = tables.tags, tables.segments, folder / EDITS
        until = tables.events.ts <= at
        events = tables.events if until.all() else kept(tables.events, until)
        options = engine_options(settings or LiveSettings())

        def make(some: LiveEvents) -> InterestEngine:
            engine = InterestEngine(tags, segments=segments, edits=edits, **options)
            engine.update(some)
            return engine

        record, past = Record(folder / RECORD), Past(events, make)
        return cls(past.engine(record.forgotten()), record, past)

    def interest(self, user: Id, at: float | None = None) -> tuple[TagInterest, ...]:
        """All interests of a user, the strongest first."""
        return self.engine.interest(user, at, k=len(self.engine.slugs))

    def strength(self, user: Id, tag: str, at: float | None = None) -> float:
        """Strength of one interest."""
        return self.reason(user, tag, at).strength

    def reason(self, user: Id, tag: str, at: float | None = None) -> InterestReason:
        """Where an interest comes from."""
        return self.engine.explain(user, tag, at)

    def laid(self, user: Id) -> dict[str, Edit]:
        """Edits in force beside resets, by tag."""
        edits = self.engine.edits(user)
        return {edit.tag: edit for edit in edits if edit.tag and edit.kind != "reset"}

    def change(self, user: Id, changes: Sequence[Change], at: float) -> None:
        """Put edits of one request into force together."""
        known = self.laid(user)
        before = [known[tag] for _, tag, _ in changes if tag in known]
        made = [self.engine.edit(user, kind, tag, amount) for kind, tag, amount in changes]
        self.record.add(id_key(user), "edit", at, made, before)

    def reset(self, user: Id, tag: str | None, at: float) -> None:
        """Forget all behaviour behind one interest, or behind all."""
        known = self.laid(user)
        before = [known[tag]] if tag in known else list(known.values()) if tag is None else []
        made = self.engine.reset(user, tag)
        self.record.add(id_key(user), "reset", at, [made], before)

    def forget(self, past: Past, user: Id, span: Span, at: float) -> int:
        """Forget what a user did in a span; how many events counted until then."""
        forgotten = self.forgotten(user)
        self.record.add(id_key(user), "forget_time", at, span=span)
        self.engine = past.engine(self.record.forgotten())
        return past.count(user, span, forgotten)

    def forgotten(self, user: Id) -> tuple[Span, ...]:
        """Spans of a user that are forgotten."""
        return self.record.forgotten().get(id_key(user), ())

    def last(self, user: Id) -> Deed | None:
        """Newest deed of a user that was not taken back, by this process or another."""
        self.record.refresh()
        return self.record.last(id_key(user))

    def changed_since(self, user: Id, deed: Deed) -> tuple[str | None, ...]:
        """Tags on which something else is in force than a deed put there; None is all tags.

        To take such a deed back would take back what was said since, perhaps elsewhere.
        """
        earlier = self.record.restored(id_key(user))
        there = {earlier.get(one.number, one.number) for one in self._in_force(user)}
        return tuple(dict.fromkeys(one.tag for one in deed.edits if one.number not in there))

    def _in_force(self, user: Id) -> tuple[Edit, ...]:
        """Edits of a user, those that other processes have made among them."""
        path, key = self.engine.edits_made.path, id_key(user)
        if path is None:
            return self.engine.edits(user)
        edits = Edits()
        for edit in read_edits(path):
            if edit.user == key:
                edits.apply(edit)
        return edits.of(key)

    def can_undo(self, deed: Deed) -> bool:
        """Whether a deed can be taken back."""
        return deed.kind == "edit" or self.past is not None

    def undo(self, user: Id, deed: Deed, at: float) -> None:
        """Take a deed back: earlier edits are in force again, forgotten events count again.

        Only for a deed that nothing was `changed_since`.
        """
        made: list[Edit] = []
        if deed.kind == "edit":
            earlier = {edit.tag: edit for edit in deed.before}
            for edit in reversed(deed.edits):
                old = earlier.get(edit.tag)
                kind, amount = (old.kind, old.amount) if old else ("boost", 1.0)
                made.append(self.engine.edit(user, kind, edit.tag, amount))
        elif deed.kind == "reset":
            path = self.engine.edits_made.path
            if path is not None:
                without_resets(path, deed.edits)
        self.record.add(id_key(user), "undo", at, made, of=deed.number)
        if deed.kind != "edit" and self.past is not None:
            self.engine = self.past.engine(self.record.forgotten())
