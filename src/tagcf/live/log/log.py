"""The log of live events: durable, each event once, readable from any offset."""

from __future__ import annotations

import math
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tagcf.errors import OutputError, TagCFError
from tagcf.live.log import kernels, store
from tagcf.live.log.days import write_days
from tagcf.live.log.seen import Seen
from tagcf.live.wire.batch import cut, kept
from tagcf.types import Mask
from tagcf.types.live import LiveEvents

FILE, LOCK = "events.sqlite", "writer.lock"
WINDOW = 1 << 22  # new events against which repeats are told: 96 MB
LATE_S = 3600.0
_AHEAD_S = 3600.0  # how far a client's clock may be before ours


@dataclass(frozen=True, slots=True)
class GroupCommit:
    """When appended events are written through to the disk: at so many, or after so long.

    The default commits every batch before `LiveLog.append` returns. With more events or seconds,
    what was appended since the last commit is lost if the process or the machine dies; whoever
    acknowledges events to their sender waits for `Appended.durable`, or calls `LiveLog.commit`.
    The time is looked at in `append` and in `LiveLog.commit_if_due` only.
    """

    events: int = 1
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch.

    Parameters
    ----------
    offset
        Events in the log after it: where `LiveLog.read` would go on.
    fresh
        (n,) which of its events are new and were kept; the others are repeats.
    durable
        Whether everything up to `offset` survives the end of the process and of the machine.
    late
        How many of the new ones are older than the newest event before them by more than the
        limit. They are kept like any other.
    """

    offset: int
    fresh: Mask
    durable: bool
    late: int


@dataclass(slots=True)
class LogCounts:
    """What was appended since the log was opened."""

    fresh: int = 0
    repeated: int = 0
    unordered: int = 0  # older than an event that came before
    late: int = 0  # the same, by more than the limit
    ahead: int = 0  # more than an hour ahead of this machine's clock


class LiveLog:
    """An append-only log of events in a folder; one process writes, others may read.

    A repeat is an event whose key (`LiveEvents.event`) is among those of the last `window` new
    events, across restarts. Older repeats are taken for new ones.
    """

    def __init__(self, folder: Path, window: int, group: GroupCommit, late_after_s: float) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.counts = LogCounts()
        self._group, self._late_after_s = group, late_after_s
        self._end = self._durable = 0
        self._newest = -math.inf
        self._pending_since: float | None = None  # the oldest event that is not committed
        with store.told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _claim(folder)
        try:
            self._db = store.connect(self.path)
            try:
                self._seen = Seen(window)
                self._recover()
            except BaseException:
                self._db.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        window: int = WINDOW,
        group: GroupCommit | None = None,
        late_after_s: float = LATE_S,
    ) -> Self:
        """Open a log for writing, or begin one.

        Raises
        ------
        DataError
            What is there is broken, or not ours.
        OutputError
            Another process writes, or the folder cannot be written.
        """
        return cls(Path(folder), window, group or GroupCommit(), late_after_s)

    @property
    def offset(self) -> int:
        """Events in the log, with those not yet committed."""
        return self._end

    @property
    def durable(self) -> int:
        """Events that survive the end of the process and of the machine."""
        return self._durable

    def append(self, events: LiveEvents) -> Appended:
        """Keep the new ones among these events, and commit where the group is full.

        Raises
        ------
        OutputError
            The disk is full or refuses. What was not committed is then forgotten, here too:
            send everything again that was not said to be durable.
        """
        fresh = self._seen.fresh(events.event)
        new = kept(events, fresh)
        late = 0
        if len(new):
            late = self._follow(new)
            with self._all_or_nothing():
                if self._pending_since is None:
                    self._pending_since = time.monotonic()
                store.insert(self._db, self._end + len(new), self._newest, new)
                self._end += len(new)
                self.commit_if_due()
        self.counts.fresh += len(new)
        self.counts.repeated += len(events) - len(new)
        return Appended(self._end, fresh, self._durable == self._end, late)

    def commit(self) -> int:
        """Write everything through to the disk; returns the offset up to which that is."""
        with self._all_or_nothing():
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        self._durable, self._pending_since = self._end, None
        return self._durable

    def commit_if_due(self) -> int:
        """Commit where the group is full or its time is over; returns `durable`."""
        since = self._pending_since
        if since is not None and (
            self._end - self._durable >= self._group.events
            or time.monotonic() - since >= self._group.seconds > 0
        ):
            self.commit()
        return self._durable

    def read(self, after: int = 0) -> Iterator[tuple[int, LiveEvents]]:
        """Yield the committed events after offset `after`, batch by batch, with the offset then."""
        self.commit()
        return read_log(self.folder, after, upto=self._durable)

    def write_days(self, folder: Path | str, *, today: bool = False) -> list[Path]:
        """Write what is new of each finished day to ``folder/day=2026-11-23/part-….parquet``.

        A day is finished when an event of a later one has come; `today` writes those of the
        newest day too. Late events of a day already written go into a further part. Killed and
        called again, it goes on where it was. Returns the parts that were written.
        """
        self.commit()
        newest = store.day_of(self._newest) if self._end else 0
        with store.told(Path(folder)):
            return write_days(
                self._db, self.path, Path(folder), self._durable, newest + 1 if today else newest
            )

    def close(self) -> None:
        """Commit and close; once is enough."""
        if self._lock < 0:
            return
        try:
            self.commit()
        finally:
            self._db.close()
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _follow(self, new: LiveEvents) -> int:
        self._newest, unordered, late, ahead = kernels.order(
            new.ts, self._newest, self._late_after_s, time.time() + _AHEAD_S
        )
        self.counts.unordered += unordered
        self.counts.late += late
        self.counts.ahead += ahead
        return int(late)

    def _recover(self) -> None:
        """Take up the state of the last commit."""
        with store.told(self.path):
            self._end, self._newest = store.end_of(self._db)
            self._durable, self._pending_since = self._end, None
            self._seen.fresh(store.latest_keys(self._db, self._seen.window))

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Where the database refuses, go back to the last commit and raise an error of ours."""
        try:
            with store.told(self.path):
                yield
        except TagCFError:
            with suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            self._seen.forget()
            self._recover()
            raise


def read_log(
    folder: Path | str, after: int = 0, upto: int | None = None
) -> Iterator[tuple[int, LiveEvents]]:
    """Yield the committed events of a log after offset `after`, batch by batch.

    Another process may be writing. With each batch comes the offset from which to go on.

    Raises
    ------
    OutputError
        There is no log.
    DataError
        It is broken, or not ours.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise OutputError("live_log.no_log", path=path)
    connection = store.connect_reader(path)
    try:
        with store.told(path):
            end = store.end_of(connection)[0]
        stop = end if upto is None else min(upto, end)
        for batch in store.batches(connection, path, after, stop):
            first = batch.last - len(batch.events)
            start, end = max(after - first, 0), min(stop, batch.last) - first
            events = batch.events
            whole = start == 0 and end == len(events)
            yield first + end, events if whole else cut(events, start, end)
    finally:
        connection.close()


def _claim(folder: Path) -> int:
    """Two writers would each miss what the other has already kept."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise OutputError("live_log.in_use", path=folder) from error
    return handle
