"""The log's database: one row for each batch of new events.

::

    batch        last INTEGER PRIMARY KEY   events of the log up to the batch's last one
                 n, newest                  events in it; newest time of the log so far
                 check_sum                  of the blob in `rows`
                 keys BLOB                  8 bytes an event: what is remembered against repeats
                 rows BLOB                  Arrow IPC; columns without any value are left out
    batch_day    (day, last)                the days (UTC, since 1970) whose events a batch has
    day_written  day, upto                  events of the day up to this offset are in Parquet
    log          name                       of this log, in the names of Parquet parts

WAL with synchronous=FULL: a commit has been written through to the disk when it returns.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tagcf.errors import DataError, OutputError, TagCFError
from tagcf.live.log import kernels
from tagcf.live.wire.arrow import decode_arrow, stream
from tagcf.types.live import EVENT_SCHEMA, Keys, LiveEvents

FORMAT = 1
_APPLICATION = 0x5443464C  # "TCFL"
DAY_S = 86_400
_PAGE = 65_536
_CHECKPOINT = 1024  # pages of the WAL, 64 MB, after which it is written into the database
_BUSY_S = 5.0

_TABLES = """
CREATE TABLE batch(last INTEGER PRIMARY KEY, n INTEGER NOT NULL, newest REAL NOT NULL,
                   check_sum INTEGER NOT NULL, keys BLOB NOT NULL, rows BLOB NOT NULL);
CREATE TABLE batch_day(day INTEGER, last INTEGER, PRIMARY KEY(day, last)) WITHOUT ROWID;
CREATE TABLE day_written(day INTEGER PRIMARY KEY, upto INTEGER NOT NULL);
CREATE TABLE log(name TEXT NOT NULL);
"""

_BATCHES = """
SELECT last, check_sum, rows FROM batch WHERE last > :after AND last - n < :upto ORDER BY last
"""
_BATCHES_OF_DAY = """
SELECT last, check_sum, rows FROM batch WHERE last > :after AND last - n < :upto
AND last IN (SELECT last FROM batch_day WHERE day = :day) ORDER BY last
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch as it stands in the database; `last` is the offset of its last event."""

    last: int
    events: LiveEvents


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, or make it.

    Raises
    ------
    DataError
        It is no database, broken, or of another program or version.
    OutputError
        It cannot be written.
    """
    with told(path):
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a database that may be being written, for reading; see `connect`."""
    with told(path):
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only=ON")
            _check_format(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def insert(connection: sqlite3.Connection, last: int, newest: float, events: LiveEvents) -> None:
    """Put a batch into the transaction that is open, or open one."""
    if not connection.in_transaction:
        connection.execute("BEGIN IMMEDIATE")
    blob = _packed(events.rows)
    connection.execute(
        "INSERT INTO batch VALUES(?,?,?,?,?,?)",
        (last, len(events), newest, byte_sum(blob), events.event, blob),
    )
    days = _days(events)
    connection.executemany("INSERT INTO batch_day VALUES(?,?)", [(day, last) for day in days])


def end_of(connection: sqlite3.Connection) -> tuple[int, float]:
    """Offset of the last event (0 for none) and the newest time so far."""
    row = connection.execute("SELECT last, newest FROM batch ORDER BY last DESC LIMIT 1").fetchone()
    return (0, -np.inf) if row is None else (int(row[0]), float(row[1]))


def latest_keys(connection: sqlite3.Connection, window: int) -> Keys:
    """Keys of the last `window` events, oldest first."""
    parts: list[Keys] = []
    held = 0
    for (blob,) in connection.execute("SELECT keys FROM batch ORDER BY last DESC"):
        parts.append(np.frombuffer(blob, np.uint64))
        held += len(parts[-1])
        if held >= window:
            break
    return np.concatenate(parts[::-1])[-window:] if parts else np.zeros(0, np.uint64)


def batches(
    connection: sqlite3.Connection, path: Path, after: int, upto: int, day: int | None = None
) -> Iterator[Stored]:
    """Batches with events in (after, upto], of one day or of all.

    Raises
    ------
    DataError
        What is stored is not what was written.
    """
    query = _BATCHES if day is None else _BATCHES_OF_DAY
    asked = {"after": after, "upto": upto} | ({} if day is None else {"day": day})
    with told(path):
        for last, check_sum, blob in connection.execute(query, asked):
            if byte_sum(blob) != check_sum:
                raise DataError("live_log.changed_bytes", path=path, offset=last)
            yield Stored(last, decode_arrow(blob))


def byte_sum(blob: bytes | pa.Buffer) -> int:
    """Sum over stored bytes as SQLite's signed integer; see the kernel."""
    readable: Any = blob
    data = np.frombuffer(readable, np.uint8)
    whole = data.size // 8 * 8
    tail = int.from_bytes(data[whole:].tobytes(), "little")
    total = kernels.byte_sum(data[:whole].view(np.uint64), np.uint64(tail))
    return int(np.uint64(total).view(np.int64))


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk into ours, in words that say what to do."""
    try:
        yield
    except TagCFError:
        raise
    except sqlite3.Error as error:
        raise _told(error, path) from error
    except OSError as error:
        detail = error.strerror or str(error)
        raise OutputError("live_log.not_written", path=path, detail=detail) from error


def _told(error: sqlite3.Error, path: Path) -> TagCFError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    detail = str(error)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return DataError("live_log.broken_file", path=path, detail=detail)
    if code == sqlite3.SQLITE_FULL:
        return OutputError("live_log.disk_full", path=path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OutputError("live_log.in_use", path=path.parent)
    return OutputError("live_log.not_written", path=path, detail=detail)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            f"BEGIN;{_TABLES}INSERT INTO log VALUES('{secrets.token_hex(4)}');"
            f"PRAGMA application_id={_APPLICATION};"
            f"PRAGMA user_version={FORMAT};COMMIT;"
        )
    _check_format(connection, path)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION:
        raise DataError("live_log.other_file", path=path)
    if version != FORMAT:
        raise DataError("live_log.other_version", path=path, found=version, known=FORMAT)


def _packed(rows: pa.Table) -> pa.Buffer:
    """Return the rows as Arrow IPC, without columns that are empty."""
    required = [field.name for field in EVENT_SCHEMA if not field.nullable]
    columns = [
        name
        for name in rows.column_names
        if name in required or rows.column(name).null_count < rows.num_rows
    ]
    return stream(rows.select(columns))


def day_of(ts: float) -> int:
    """Day in UTC of an epoch second, counted from 1970-01-01."""
    return int(ts // DAY_S)


def _days(events: LiveEvents) -> list[int]:
    first, last = day_of(events.ts.min()), day_of(events.ts.max())
    if first == last:
        return [first]
    return [int(day) for day in np.unique(events.ts // DAY_S)]
