"""Live events as rows, whatever they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa

from tagcf.errors import DataError

COLUMNS = ("user_id", "item_id", "ts")
Event = tuple[str, str, float]


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of the events of an update."""

    events: int  # taken in
    repeated: int  # the same user, item and time as before
    unknown: int  # of items that the model does not know, or without a user
    new_users: int


def parse_events(events: Any) -> Iterator[Event]:
    """Yield (user, item, epoch seconds) of a table or of rows; NaN where no time is given.

    Raises
    ------
    DataError
        A column is missing, a row is something else, or an id is no text that can be stored.
    """
    if isinstance(events, pa.Table):
        events = pl.DataFrame(pl.from_arrow(events))
    if isinstance(events, pl.DataFrame):
        missing = [name for name in COLUMNS[:2] if name not in events.columns]
        if missing:
            found = ", ".join(events.columns) or "—"
            raise DataError("recommend.events_columns", missing=", ".join(missing), found=found)
        ts = events["ts"] if "ts" in events.columns else pl.Series([None] * len(events))
        rows: Iterable[Any] = zip(events["user_id"], events["item_id"], ts, strict=True)
    else:
        rows = events
    for row in rows:
        event = _event(row)
        if not (_storable(event[0]) and _storable(event[1])):
            raise DataError("recommend.event_id", row=repr(event))
        yield event


def _event(row: Any) -> Event:
    try:
        if isinstance(row, Mapping):
            user, item, ts = row["user_id"], row["item_id"], row.get("ts")
        else:
            user, item, *rest = row
            ts = rest[0] if rest else None
        return _text(user), _text(item), _seconds(ts)
    except (KeyError, TypeError, ValueError) as wrong:
        raise DataError("recommend.event_row", row=repr(row)) from wrong


def _storable(text: str) -> bool:
    """Whether it is Unicode; bytes that were no UTF-8 come in as half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _seconds(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)
