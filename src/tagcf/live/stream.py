"""Log and interest together: what was acknowledged is kept, what is kept counts, and only once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from tagcf.errors import DataError, OutputError, TagCFError
from tagcf.live.interest import InterestEngine
from tagcf.live.interest.snapshot import newest
from tagcf.live.log import Appended, GroupCommit, LiveLog
from tagcf.live.log.log import LATE_S, WINDOW
from tagcf.live.wire import BadEvents, Event, decode, from_rows, from_table, kept
from tagcf.types import TagMatrix
from tagcf.types.live import LiveEvents

SNAPSHOT_EVERY = 10_000_000  # events; to take them in again takes some seconds
Sent = bytes | LiveEvents | pa.Table | Sequence[Event] | Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of events that were sent.

    Parameters
    ----------
    offset
        Events in the log after them.
    durable
        Whether these, and all before, survive the end of the process and of the machine. Where
        not (in a group commit), they do as soon as `LiveStream.durable` has reached `offset`.
    fresh, repeated, late
        How many were new, came before already, or were kept though late.
    """

    offset: int
    durable: bool
    fresh: int
    repeated: int
    late: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the state came from when the stream was opened."""

    snapshot: int  # offset that it contained; 0 where there was none
    replayed: int  # events of the log after it


class LiveStream:
    """A `LiveLog` and an `InterestEngine` in one folder, with snapshots and recovery.

    ::

        FOLDER/log/          the events
               snapshots/    the newest state, and up to which event it goes
               edits.jsonl   what users said of their own interests
    """

    def __init__(
        self,
        folder: Path,
        log: LiveLog,
        engine: InterestEngine,
        snapshot_every: int | None = SNAPSHOT_EVERY,
    ) -> None:
        self.folder, self.log, self.engine = folder, log, engine
        self.snapshot_error: TagCFError | None = None  # of the last one, where it failed
        self._every = snapshot_every
        self.recovered = self._recover()
        self._tried = self.recovered.snapshot

    @classmethod
    def open(
        cls,
        folder: Path | str,
        tags: TagMatrix,
        *,
        group: GroupCommit | None = None,
        window: int = WINDOW,
        late_after_s: float = LATE_S,
        snapshot_every: int | None = SNAPSHOT_EVERY,
        **engine: Any,
    ) -> Self:
        """Open a stream, or begin one: the newest snapshot, then the events after it.

        Parameters
        ----------
        group, window, late_after_s
            Of the log; see `LiveLog` and `GroupCommit`.
        snapshot_every
            Events after which a snapshot is written while events come, which wait meanwhile.
            ``None``: only when the stream is closed. Where the disk refuses one, `snapshot_error`
            says why, events go on, and the next is tried as many events later.
        **engine
            Of the engine; see `InterestEngine`.

        Raises
        ------
        DataError
            The log is broken.
        OutputError
            Another process writes, the folder cannot be written, or the snapshot was made with
            other tags or settings: remove it, and the state is made from the whole log.
        """
        home = Path(folder)
        log = LiveLog.open(home / "log", group=group, window=window, late_after_s=late_after_s)
        try:
            edits = home / "edits.jsonl"
            return cls(home, log, InterestEngine(tags, edits=edits, **engine), snapshot_every)
        except BaseException:
            log.close()
            raise

    @property
    def durable(self) -> int:
        """Events that survive the end of the process and of the machine."""
        return self.log.durable

    def send(self, events: Sent, *, skip_bad: BadEvents | None = None) -> Ack:
        """Take events in: bytes in any form of `decode`, a table, or events one by one.

        Raises
        ------
        DataError
            An event is bad, and `skip_bad` is not given; nothing of the batch is kept.
        OutputError
            The log cannot be written. What was never said to be durable is then forgotten, by
            the state too: send it again.
        """
        read = _read(events, skip_bad)
        appended = self.append(read)
        fresh = int(appended.fresh.sum())
        return Ack(appended.offset, appended.durable, fresh, len(read) - fresh, appended.late)

    def append(self, events: LiveEvents) -> Appended:
        """Keep the new ones among these events and let them count."""
        with self._in_step():
            appended = self.log.append(events)
        new = kept(events, appended.fresh)
        if len(new):
            self.engine.update(new)
        self._counted = appended.offset
        if self._every is not None and appended.offset - self._tried >= self._every:
            self._try_snapshot()
        return appended

    def commit(self) -> int:
        """Make everything that was sent durable; returns the offset up to which that is."""
        with self._in_step():
            return self.log.commit()

    def snapshot(self) -> Path:
        """Write the state down, so that opening again reads only the events after it."""
        return self.engine.save(self.folder / "snapshots", self.commit())

    def close(self, *, snapshot: bool = True) -> None:
        """Commit, write a snapshot unless told not to, and close."""
        try:
            if snapshot:
                self.snapshot()
        finally:
            self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(snapshot=error is None)

    def _try_snapshot(self) -> None:
        """Write a snapshot that nobody asked for: the events are safe without it."""
        self._tried = self._counted
        offset = self.commit()
        try:
            self.engine.save(self.folder / "snapshots", offset)
            self.snapshot_error = None
        except OutputError as error:
            self.snapshot_error = error

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Where the log goes back to its last commit, let the state follow."""
        try:
            yield
        except OutputError:
            if self.log.offset < self._counted:
                self.engine.restart()
                self._recover()
            raise

    def _recover(self) -> Recovered:
        home = self.folder / "snapshots"
        start = self.engine.load(home) if newest(home) is not None else 0
        if start > self.log.offset:
            raise DataError(
                "live_log.older_than_state", path=self.log.path, log=self.log.offset, state=start
            )
        if self.engine.overreached:
            self.engine.restart()
            start = 0
        replayed = 0
        for _, events in self.log.read(after=start):
            self.engine.update(events)
            replayed += len(events)
        self._counted = self.log.offset
        return Recovered(start, replayed)


def _read(events: Sent, skip_bad: BadEvents | None) -> LiveEvents:
    if isinstance(events, LiveEvents):
        return events
    if isinstance(events, pa.Table):
        return from_table(events, skip_bad=skip_bad)
    if isinstance(events, bytes):
        return decode(events, skip_bad=skip_bad)
    return from_rows(events, skip_bad=skip_bad)
