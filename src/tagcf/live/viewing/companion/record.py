"""What a user told the companion, so that it can be taken back: in this session and in later ones.

Edits themselves are kept by the engine, in its own file. The record beside it knows which belong
together, what was in force before, and spans of time that were forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tagcf.live.interest import Edit
from tagcf.live.interest.edits import read_edits
from tagcf.live.interest.shared_lines import append_line, locked, read_lines, write_lines

Span = tuple[float, float]
DeedKind = Literal["edit", "reset", "forget_time", "undo"]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done for a user, who is known with its number.

    `edits` were put into force, `before` were in force on their tags until then; `since` and
    `until` are the span that was forgotten, `of` the number of the deed that was taken back.
    """

    number: int
    user: int
    kind: DeedKind
    at: float
    edits: tuple[Edit, ...] = ()
    before: tuple[Edit, ...] = ()
    since: float = 0.0
    until: float = 0.0
    of: int = 0


@dataclass(slots=True)
class Record:
    """Deeds in their order, and the file that they are kept in as they are done.

    Several processes may keep one file: it is locked while a deed is added, and read again before.
    """

    path: Path | None = None
    deeds: list[Deed] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the file, where there is one."""
        self.refresh()

    def refresh(self) -> None:
        """Take over what other processes have added to the file."""
        if self.path is not None and self.path.exists():
            with locked(self.path):
                self.deeds = read_deeds(self.path)

    def add(
        self,
        user: int,
        kind: DeedKind,
        at: float,
        edits: Sequence[Edit] = (),
        before: Sequence[Edit] = (),
        span: Span = (0.0, 0.0),
        of: int = 0,
    ) -> Deed:
        """Add a deed, on disk first."""
        told = (user, kind, at, tuple(edits), tuple(before), *span, of)
        if self.path is None:
            deed = Deed(self._next(), *told)
        else:
            with locked(self.path):
                self.deeds = read_deeds(self.path)
                deed = Deed(self._next(), *told)
                append_line(self.path, deed)
        self.deeds.append(deed)
        return deed

    def _next(self) -> int:
        return max((deed.number for deed in self.deeds), default=0) + 1

    def last(self, user: int) -> Deed | None:
        """Newest deed of a user that has not been taken back."""
        own = [deed for deed in self.deeds if deed.user == user]
        undone = {deed.of for deed in own if deed.kind == "undo"}
        left = (one for one in reversed(own) if one.kind != "undo" and one.number not in undone)
        return next(left, None)

    def restored(self, user: int) -> dict[int, int]:
        """Edits that brought an earlier one back: the number of each, and of the earlier one."""
        deeds = {deed.number: deed for deed in self.deeds if deed.user == user}
        earlier: dict[int, int] = {}
        for undo in deeds.values():
            if undo.kind != "undo" or undo.of not in deeds:
                continue
            before = {edit.tag: edit.number for edit in deeds[undo.of].before}
            for edit in undo.edits:
                if edit.tag in before:
                    number = before[edit.tag]
                    earlier[edit.number] = earlier.get(number, number)
        return earlier

    def forgotten(self) -> dict[int, tuple[Span, ...]]:
        """Spans that are forgotten, by key of the user."""
        undone = {(deed.user, deed.of) for deed in self.deeds if deed.kind == "undo"}
        spans: dict[int, tuple[Span, ...]] = {}
        for deed in self.deeds:
            if deed.kind == "forget_time" and (deed.user, deed.number) not in undone:
                spans[deed.user] = (*spans.get(deed.user, ()), (deed.since, deed.until))
        return spans


def read_deeds(path: Path) -> list[Deed]:
    """Deeds of a file, in order; a last line that was cut off while it was written is none.

    Raises
    ------
    OutputError
        Another line cannot be read.
    """
    return read_lines(path, Deed, "live_viewing.broken_record")


def without_resets(path: Path, resets: Sequence[Edit]) -> None:
    """Take resets out of a file of edits, atomically; another user's of the same number stay.

    An edit of nothing keeps the number of each: a snapshot that knows the number does not bring
    the reset back.
    """
    gone = {(one.user, one.number) for one in resets}
    with locked(path):
        kept = [
            Edit(one.number, one.user, "boost", None, 1.0, one.at)
            if one.kind == "reset" and (one.user, one.number) in gone
            else one
            for one in read_edits(path)
        ]
        write_lines(path, kept)
