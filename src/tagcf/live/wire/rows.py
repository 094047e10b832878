"""Events one by one, as objects or dictionaries, to `LiveEvents`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from tagcf.data.bad_rows import shorten
from tagcf.live.wire.columns import check_names, read_columns
from tagcf.live.wire.event import FIELDS, ID_FIELDS, REQUIRED, Event
from tagcf.live.wire.faults import BadEvent, BadEvents, Why, bad_event, refuse
from tagcf.types.live import ACTIONS, LiveEvents

_FIELD = re.compile(r"`\$\.(\w+)`$")
_MISSING = re.compile(r"required field `(\w+)`")
_WHY: dict[str, Why] = {
    **dict.fromkeys(ID_FIELDS, "not_id"),
    "ts": "not_time",
    "action": "not_action",
    "value": "not_number",
    "text": "not_text",
}


def from_rows(
    rows: Sequence[Event] | Sequence[Mapping[str, Any]], *, skip_bad: BadEvents | None = None
) -> LiveEvents:
    """Read events from a list of `Event` or of dictionaries with its fields.

    Parameters
    ----------
    skip_bad
        Where given, bad events are left out and counted here; else they refuse the whole batch.

    Raises
    ------
    DataError
        An event lacks a field or has a value that cannot be used there.
    """
    events, places, bad = _typed(rows)
    if bad and skip_bad is None:
        raise refuse(bad)
    if skip_bad is not None:
        skip_bad.add(bad)
    return read_columns(_gathered(events), len(events), skip_bad, places)


def _typed(
    rows: Sequence[Event] | Sequence[Mapping[str, Any]],
) -> tuple[list[Event], list[int] | None, list[BadEvent]]:
    """Events whose fields have a fitting type, their places (None: all), and the others."""
    _check_spelling(rows)
    try:
        return msgspec.convert(rows, list[Event], from_attributes=True), None, []
    except msgspec.ValidationError:
        pass
    events, places, bad = [], [], []
    for place, row in enumerate(rows):
        try:
            events.append(msgspec.convert(row, Event, from_attributes=True))
            places.append(place)
        except msgspec.ValidationError as wrong:
            bad.append(_fault(place, row, str(wrong)))
    return events, places, bad


def _check_spelling(rows: Sequence[Event] | Sequence[Mapping[str, Any]]) -> None:
    """A misspelt field is told here; a missing one by the events that lack it."""
    names = {name for row in rows if isinstance(row, Mapping) for name in row}
    if not names <= set(FIELDS):
        check_names([*names, *(name for name in REQUIRED if name not in names)])


def _fault(place: int, row: object, told: str) -> BadEvent:
    """Say in our own words what msgspec found."""
    missing, wrong = _MISSING.search(told), _FIELD.search(told)
    if missing:
        return bad_event(place, missing[1], "", "missing")
    if wrong is None:
        return BadEvent(place + 1, "user_id", shorten(row), "not_object")
    name = wrong[1]
    value = row[name] if isinstance(row, Mapping) else getattr(row, name)
    if value is None:
        return bad_event(place, name, "", "missing")
    return bad_event(place, name, value, _WHY[name])


def _gathered(events: list[Event]) -> dict[str, pa.Array[Any]]:
    """Columns of the fields that any event has."""
    columns = {name: [getattr(one, name) for one in events] for name in FIELDS}
    return {
        name: _array(name, values)
        for name, values in columns.items()
        if any(value is not None for value in values)
    }


def _array(name: str, values: list[Any]) -> pa.Array[Any]:
    if name == "value":
        return pa.array(values, pa.float64())
    if name == "ts":
        try:
            return pa.array(values, pa.float64())
        except (pa.ArrowException, TypeError):  # texts among them
            pass
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, TypeError):  # numbers among them
        return pa.array([None if one is None else str(one) for one in values], pa.string())


def events_of(events: LiveEvents | pa.Table) -> list[Event]:
    """Return the events one by one, as clients send them."""
    table = events.rows if isinstance(events, LiveEvents) else events
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    columns["action"] = [ACTIONS[int(code or 0)] for code in columns["action"]]
    names = list(columns)
    return [
        Event(**dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]
