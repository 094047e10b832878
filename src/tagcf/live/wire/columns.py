"""Columns of events, of any fitting type, to checked `LiveEvents`."""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tagcf.data.times import read_times
from tagcf.errors import DataError
from tagcf.live.wire import kernels
from tagcf.live.wire.batch import kept
from tagcf.live.wire.event import FIELDS, ID_FIELDS, REQUIRED
from tagcf.live.wire.faults import BadEvent, BadEvents, Why, bad_event, refuse
from tagcf.live.wire.keys import check_text, hash_text
from tagcf.text import did_you_mean, listing
from tagcf.types import Floats, Mask
from tagcf.types.live import ACTIONS, EVENT_SCHEMA, Actions, LiveEvents

_LATEST = 4_102_444_800.0  # the year 2100
_SECONDS = np.array([action in ("dwell", "rewatch", "leave") for action in ACTIONS])
_NO_ACTION = 255


def from_table(table: pa.Table, *, skip_bad: BadEvents | None = None) -> LiveEvents:
    """Read events from the columns of a table; further columns are left out.

    Ids may be text or whole numbers, times numbers, timestamps or ISO 8601, actions names or
    positions in `ACTIONS`.

    Parameters
    ----------
    skip_bad
        Where given, bad events are left out and counted here; else they refuse the whole batch.

    Raises
    ------
    DataError
        A required column is missing, a column's type does not fit, or an event is bad.
    """
    check_names(table.column_names)
    columns = {
        name: _whole(table, name) for name in FIELDS if name in table.column_names and len(table)
    }
    return read_columns(columns, len(table), skip_bad)


def check_names(names: list[str]) -> None:
    """Raise `DataError` where a column is missing, or misspelt though it could be left out."""
    for name in REQUIRED:
        if name not in names:
            raise DataError(
                "live_log.missing_field",
                field=name,
                hint=did_you_mean(name, names),
                known=listing(sorted(names)),
            )
    for other in set(names).difference(FIELDS):
        for name in set(FIELDS).difference(names):
            if _misspelt(other, name):
                raise DataError("live_log.misspelt_field", field=other, meant=name)


def read_columns(
    columns: dict[str, pa.Array[Any]],
    n: int,
    skip_bad: BadEvents | None = None,
    places: list[int] | None = None,
) -> LiveEvents:
    """Check columns of `n` events each and put them into the types of `EVENT_SCHEMA`.

    `places` are the events' places in the batch, from 0, where some were left out before.
    """
    bad: list[BadEvent] = []
    ids = {name: _ids(columns.get(name), name, n, bad) for name in ID_FIELDS}
    ts = _times(columns.get("ts"), n, bad)
    action = _actions(columns.get("action"), n, bad)
    value = _values(columns.get("value"), action, n, bad)
    text = _texts(columns.get("text"), n)
    hashed = {name: hash_text(array) for name, array in ids.items()}
    for name, one in hashed.items():
        if one.has_empty:
            ids[name] = pc.if_else(pc.equal(ids[name], pa.scalar("")), None, ids[name])
    nobody = hashed["user_id"].keys == 0
    if nobody.any():
        told = {one.row for one in bad if one.field == "user_id"}
        missing = _of_mask(nobody, "user_id", None, "missing")
        bad += [one for one in missing if one.row not in told]
    events = _events(ids, {name: one.keys for name, one in hashed.items()}, ts, action, value, text)
    return _without(events, bad, skip_bad, places)


def _without(
    events: LiveEvents, bad: list[BadEvent], skip_bad: BadEvents | None, places: list[int] | None
) -> LiveEvents:
    if not bad:
        return events
    firsts: dict[int, BadEvent] = {}
    for one in sorted(bad, key=lambda one: (one.row, FIELDS.index(one.field))):
        firsts.setdefault(one.row - 1, one)
    told = [
        one if places is None else replace(one, row=places[at] + 1) for at, one in firsts.items()
    ]
    if skip_bad is None:
        raise refuse(told)
    skip_bad.add(told)
    fine = np.ones(len(events), bool)
    fine[list(firsts)] = False
    return kept(events, fine)


def _events(
    ids: dict[str, pa.Array[Any]],
    keys: dict[str, NDArray[np.uint64]],
    ts: Floats,
    action: Actions,
    value: NDArray[np.float32],
    text: pa.Array[Any],
) -> LiveEvents:
    event = keys["event_id"]
    if not event.all():
        others = [keys[name] for name in ID_FIELDS[1:]]
        kernels.hash_rows(
            event,
            np.stack(others, axis=1),
            ts.view(np.uint64),
            action,
            value.view(np.uint32),
            hash_text(text).keys,
        )
    arrays = {**ids, "ts": pa.array(ts), "action": pa.array(action), "text": text}
    arrays["value"] = pa.array(value, from_pandas=True)  # NaN is null
    rows = pa.Table.from_arrays([arrays[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)
    event, user, room, item, product, scene, device = (keys[name] for name in ID_FIELDS)
    return LiveEvents(event, user, room, item, product, scene, device, ts, action, value, rows)


def _whole(table: pa.Table, name: str) -> Any:
    """Return the column in one piece, its buffers' sizes checked, dictionaries written out."""
    column = table.column(name)
    try:
        column.validate()
        array: Any = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, column.type)
        if pa.types.is_dictionary(array.type):
            array.validate(full=True)
            array = array.dictionary_decode()
        if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
            array.validate(full=True)
            array = array.cast(pa.string())
    except pa.ArrowException as broken:
        detail = str(broken).splitlines()[0]
        raise DataError("live_log.broken_arrow", detail=detail) from broken
    return array


def _ids(array: pa.Array[Any] | None, name: str, n: int, bad: list[BadEvent]) -> pa.Array[Any]:
    if array is None or pa.types.is_null(array.type):
        return pa.nulls(n, pa.string())
    if pa.types.is_string(array.type):
        return array
    if pa.types.is_integer(array.type):
        return pc.cast(array, pa.string())
    if pa.types.is_floating(array.type):  # whole numbers beside missing ones, from pandas
        numbers = array.to_numpy(zero_copy_only=False)
        fits = np.isnan(numbers) | ((numbers == np.floor(numbers)) & (np.abs(numbers) < 2**53))
        bad += _of_mask(~fits, name, numbers, "not_id")
        whole = pa.array(np.where(fits, numbers, np.nan), from_pandas=True)
        return pc.cast(pc.cast(whole, pa.int64()), pa.string())
    raise _wrong_type(name, array)


def _times(array: pa.Array[Any] | None, n: int, bad: list[BadEvent]) -> Floats:
    if array is None:
        return np.zeros(n)
    kind = array.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        ts = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
        inside = (ts > 0) & (ts < _LATEST)
        if inside.all():
            return ts
    elif not (pa.types.is_string(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise _wrong_type("ts", array)
    else:
        check_text(array)
    given = cast("pl.Series", pl.from_arrow(array))
    ts = read_times(given, "UTC").seconds.astype(np.float64)
    wrong = ~((ts > 0) & (ts < _LATEST))
    if wrong.any():
        missing = array.is_null().to_numpy(zero_copy_only=False)
        bad += _of_mask(wrong & missing, "ts", None, "missing")
        bad += _of_mask(wrong & ~missing, "ts", given, "not_time")
        ts = np.where(wrong, 1.0, ts)
    return ts


def _actions(array: pa.Array[Any] | None, n: int, bad: list[BadEvent]) -> Actions:
    if array is None:
        return np.zeros(n, np.uint8)
    if pa.types.is_string(array.type):
        check_text(array)
        known: Any = pc.index_in(array, value_set=pa.array(ACTIONS))
        code = _narrow(known.fill_null(_NO_ACTION).to_numpy(zero_copy_only=False))
    elif pa.types.is_integer(array.type):
        given: Any = array.fill_null(_NO_ACTION if array.type != pa.int8() else -1)
        code = _narrow(given.to_numpy(zero_copy_only=False))
    else:
        raise _wrong_type("action", array)
    wrong = code >= len(ACTIONS)
    if wrong.any():
        missing = array.is_null().to_numpy(zero_copy_only=False)
        bad += _of_mask(wrong & missing, "action", None, "missing")
        bad += _of_mask(wrong & ~missing, "action", array, "not_action")
        code = np.where(wrong, 0, code).astype(np.uint8)
    return code


def _narrow(whole: NDArray[np.integer]) -> Actions:
    if whole.dtype == np.uint8:
        return whole.astype(np.uint8, copy=False)
    fits = (whole >= 0) & (whole < len(ACTIONS))
    return np.where(fits, whole, _NO_ACTION).astype(np.uint8)


def _values(
    array: pa.Array[Any] | None, action: Actions, n: int, bad: list[BadEvent]
) -> NDArray[np.float32]:
    if array is None or array.null_count == n:
        return np.full(n, np.nan, np.float32)
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
        raise _wrong_type("value", array)
    value = np.asarray(array.to_numpy(zero_copy_only=False))
    if value.dtype != np.float32:
        with np.errstate(over="ignore"):
            value = value.astype(np.float32)
    endless, negative = np.isinf(value), (value < 0) & _SECONDS[action]
    if endless.any() or negative.any():
        bad += _of_mask(endless, "value", array, "not_number")
        bad += _of_mask(negative & ~endless, "value", array, "negative")
    return value


def _texts(array: pa.Array[Any] | None, n: int) -> pa.Array[Any]:
    if array is None or pa.types.is_null(array.type):
        return pa.nulls(n, pa.string())
    if not pa.types.is_string(array.type):
        raise _wrong_type("text", array)
    if array.null_count < n:
        check_text(array)
    return array


def _of_mask(mask: Mask, name: str, values: Any, why: Why) -> list[BadEvent]:
    rows: list[int] = np.flatnonzero(mask).tolist()
    return [bad_event(row, name, "" if values is None else values[row], why) for row in rows]


def _wrong_type(name: str, array: pa.Array[Any]) -> DataError:
    return DataError("live_log.wrong_type", field=name, type=str(array.type))


def _misspelt(other: str, name: str) -> bool:
    """Whether `other` is `name` but for capitals, dashes, or a letter or two."""
    plain, meant = other.lower().replace("_", "").replace("-", ""), name.replace("_", "")
    return plain == meant or (len(meant) > 4 and SequenceMatcher(None, plain, meant).ratio() >= 0.8)
