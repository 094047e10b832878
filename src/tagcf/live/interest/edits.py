"""What users have said about their own interests; it wins over behaviour.

Set, boost and mute are laid over behaviour when it is read, and leave it alone. A reset has a time:
events up to it never count again, whenever they arrive. State and edits can therefore be brought
back in any order, as from a snapshot and the tail of a log.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tagcf.errors import QuestionError
from tagcf.live.interest.index.kernels import pair_key, put_all
from tagcf.live.interest.reading.answers import Edit, EditKind
from tagcf.live.interest.shared_lines import append_line, locked, read_lines, write_lines
from tagcf.live.interest.state import no_resets
from tagcf.live.interest.update.arrays import Resets
from tagcf.live.wire.event import Id


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What other processes have done to a file of edits."""

    made: tuple[Edit, ...] = ()
    dropped: bool = False  # what somebody has said


@dataclass(slots=True)
class Edits:
    """The edits in force, by user and tag, and the file that they are kept in as they are made."""

    path: Path | None = None
    kept: bool = False  # in that file or elsewhere: then they outlive the state
    last: int = 0  # number of the last edit
    laid: dict[int, dict[str, Edit]] = field(default_factory=dict)  # set, boost, mute
    cleared: dict[int, dict[str | None, Edit]] = field(default_factory=dict)  # resets
    _seen: tuple[int, ...] = ()  # the file as it was last read or written

    def apply(self, edit: Edit) -> None:
        """Put an edit into force."""
        self.last = max(self.last, edit.number)
        laid = self.laid.setdefault(edit.user, {})
        if edit.kind == "reset":
            cleared = self.cleared.setdefault(edit.user, {})
            if edit.tag is None:
                laid.clear()
                cleared.clear()
            else:
                laid.pop(edit.tag, None)
            cleared[edit.tag] = edit
        elif edit.tag is not None:
            laid[edit.tag] = edit
        if not laid:
            del self.laid[edit.user]

    def write(self, edit: Edit) -> None:
        """Append an edit to the file, so that it outlives the process."""
        if self.path is None:
            return
        append_line(self.path, edit)
        self._seen = _look(self.path)

    @contextmanager
    def alone(self) -> Iterator[Meanwhile]:
        """Keep other processes from the file, and hand over what they have done to it meanwhile.

        Whom another process has dropped is dropped here as well.
        """
        if self.path is None:
            yield Meanwhile()
            return
        with locked(self.path):
            look = _look(self.path)
            if look == self._seen:
                yield Meanwhile()
                return
            told = read_edits(self.path)
            self._seen = look
            gone = (self.laid.keys() | self.cleared.keys()) - {edit.user for edit in told}
            for user in gone:
                self._let_go(user)
            yield Meanwhile(tuple(edit for edit in told if edit.number > self.last), bool(gone))

    def of(self, user: int) -> tuple[Edit, ...]:
        """Edits of a user that are in force, in the order they were made."""
        both = [*self.laid.get(user, {}).values(), *self.cleared.get(user, {}).values()]
        return tuple(sorted(both, key=lambda edit: edit.number))

    def every(self) -> tuple[Edit, ...]:
        """All edits in force, in the order they were made."""
        users = self.laid.keys() | self.cleared.keys()
        return tuple(
            sorted((edit for user in users for edit in self.of(user)), key=lambda one: one.number)
        )

    def drop(self, user: int) -> None:
        """Forget what a user has said, in the file as well."""
        self._let_go(user)
        if self.path is not None and self.path.exists():
            with locked(self.path):
                left = [edit for edit in read_edits(self.path) if edit.user != user]
                write_lines(self.path, left)

    def _let_go(self, user: int) -> None:
        self.laid.pop(user, None)
        self.cleared.pop(user, None)


def check_strength(strength: float) -> None:
    """Raise `QuestionError` where no interest can have this strength."""
    if not -1.0 <= strength <= 1.0:
        raise QuestionError("live_interest.bad_strength", value=strength)


def check_factor(factor: float) -> None:
    """Raise `QuestionError` where behaviour cannot be multiplied by this."""
    if not (math.isfinite(factor) and factor >= 0.0):
        raise QuestionError("live_interest.bad_factor", value=factor)


class Editable(ABC):
    """What users can say about their interests, of an engine in one process or in several."""

    @abstractmethod
    def edit(
        self,
        user: Id,
        kind: EditKind,
        tag: str | None,
        amount: float = 0.0,
        at: float | None = None,
    ) -> Edit:
        """Put an edit into force."""

    def set(self, user: Id, tag: str, strength: float, at: float | None = None) -> Edit:
        """Give an interest this strength, -1..1, until the user says otherwise."""
        check_strength(strength)
        return self.edit(user, "set", tag, strength, at)

    def boost(self, user: Id, tag: str, factor: float, at: float | None = None) -> Edit:
        """Multiply what behaviour gives an interest: 2 for twice as much, .5 for half."""
        check_factor(factor)
        return self.edit(user, "boost", tag, factor, at)

    def mute(self, user: Id, tag: str, at: float | None = None) -> Edit:
        """Show no interest in a tag, and bar content that carries it from scores."""
        return self.edit(user, "mute", tag, 0.0, at)

    def reset(self, user: Id, tag: str | None = None, at: float | None = None) -> Edit:
        """Forget what was done up to now, and earlier edits: of one tag, or of everything.

        Events up to `at` do not count again, even if they come only later.
        """
        return self.edit(user, "reset", tag, 0.0, at)


def _look(path: Path) -> tuple[int, ...]:
    """What changes with a file: which it is, its length, and when it was written."""
    if not path.exists():
        return ()
    told = path.stat()
    return told.st_ino, told.st_size, told.st_mtime_ns


def read_edits(path: Path) -> list[Edit]:
    """Edits of a file, in order; a last line that was cut off while it was written is none.

    Raises
    ------
    OutputError
        Another line cannot be read.
    """
    return read_lines(path, Edit, "live_interest.broken_edits")


def resets_of(edits: Iterable[Edit], tag_at: dict[str, int]) -> Resets:
    """Return the table that the compiled code looks reset tags up in."""
    single = [edit for edit in edits if edit.kind == "reset" and edit.tag in tag_at]
    if not single:
        return no_resets()
    keys = np.array(
        [pair_key(np.uint64(one.user), np.uint64(tag_at[str(one.tag)] + 1)) for one in single],
        np.uint64,
    )
    slots = np.zeros((1 << int(4 * len(keys)).bit_length(), 2), np.uint64)
    put_all(slots, keys, 0)
    return Resets(slots, np.array([one.at for one in single]))
