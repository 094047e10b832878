"""Days of the log as Parquet, each event once, whenever the writing is broken off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tagcf.data.workspace import atomic_path
from tagcf.live.log import store
from tagcf.live.wire.batch import kept
from tagcf.types.live import ACTIONS

PART_ROWS = 1_000_000  # after so many rows a part ends with the batch
_ACTIONS = pa.array(ACTIONS)


def write_days(
    connection: sqlite3.Connection, path: Path, folder: Path, durable: int, before_day: int
) -> list[Path]:
    """Write what is new of each day before `before_day`; returns the parts written.

    A part's name says of which log it is and which offsets it covers, and it appears whole. So
    a part that a killed run wrote and did not note any more is found by its name.
    """
    name = connection.execute("SELECT name FROM log").fetchone()[0]
    written: list[Path] = []
    for day, upto in _unwritten(connection, before_day, durable):
        home = folder / f"day={date(1970, 1, 1) + timedelta(days=day)}"
        after = upto
        while found := _unnoted(home, name, after):
            after = found
            _note(connection, day, after)
        for last, part in _parts(connection, path, day, after, durable):
            target = home / f"part-{name}-{after + 1:012d}-{last:012d}.parquet"
            if part.num_rows:
                with atomic_path(target) as partial:
                    pq.write_table(part, partial, compression="zstd")
                written.append(target)
            _note(connection, day, last)
            after = last
    return written


def _unwritten(
    connection: sqlite3.Connection, before_day: int, durable: int
) -> list[tuple[int, int]]:
    """Days with events that are in no part yet, and the offset up to which they are."""
    query = (
        "SELECT day, coalesce(upto, 0) AS done FROM batch_day LEFT JOIN day_written USING(day) "
        "WHERE day < ? AND last <= ? GROUP BY day HAVING max(last) > done ORDER BY day"
    )
    return connection.execute(query, (before_day, durable)).fetchall()


def _unnoted(home: Path, name: str, after: int) -> int:
    """Last offset of a part that begins right after `after`; 0 where there is none."""
    found = list(home.glob(f"part-{name}-{after + 1:012d}-*.parquet"))
    return int(found[0].stem.rsplit("-", 1)[1]) if found else 0


def _note(connection: sqlite3.Connection, day: int, upto: int) -> None:
    connection.execute("INSERT OR REPLACE INTO day_written VALUES(?, ?)", (day, upto))


def _parts(
    connection: sqlite3.Connection, path: Path, day: int, after: int, durable: int
) -> Iterator[tuple[int, pa.Table]]:
    """Yield rows of the day after an offset, with the offset up to which they reach."""
    rows: list[pa.Table] = []
    last = after
    for batch in store.batches(connection, path, after, durable, day):
        of_day = np.floor(batch.events.ts / store.DAY_S) == day
        rows.append(kept(batch.events, of_day).rows)
        last = batch.last
        if sum(part.num_rows for part in rows) >= PART_ROWS:
            yield last, _named(rows)
            rows = []
    if rows:
        yield last, _named(rows)


def _named(rows: list[pa.Table]) -> pa.Table:
    """Put the rows together, actions by their names: columns as in a workspace's events."""
    table = pa.concat_tables(rows)
    at = table.column_names.index("action")
    codes = table.column("action").cast(pa.int8()).combine_chunks()
    codes = codes if isinstance(codes, pa.Array) else pa.concat_arrays(codes.chunks)
    return table.set_column(at, "action", pa.DictionaryArray.from_arrays(codes, _ACTIONS))
