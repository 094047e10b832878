"""Batches of events as the state takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tagcf.errors import DataError
from tagcf.live.interest.update.arrays import Batch
from tagcf.live.wire import from_rows, from_table
from tagcf.live.wire.event import Event
from tagcf.types import Floats
from tagcf.types.live import LiveEvents

AnyEvents = LiveEvents | pa.Table | Sequence[Event] | Sequence[Mapping[str, Any]]

LAST_TIME = 4_102_444_800.0  # the year 2100: later is no time of seconds


def as_batch(events: AnyEvents) -> Batch:
    """Columns of events that change interests, whatever the events came as."""
    if isinstance(events, pa.Table):
        events = from_table(events)
    elif not isinstance(events, LiveEvents):
        events = from_rows(events)
    return Batch(
        *(events.user, events.room, events.item, events.product, events.scene),
        *(events.ts, events.action, events.value),
    )


def check_times(ts: Floats) -> None:
    """Refuse times that are no seconds between 1970 and 2100.

    One of them would move its user's landmark so far that all before it were nothing.
    """
    if len(ts) and not (ts.min() > 0.0 and ts.max() < LAST_TIME):
        row = int(np.flatnonzero(~((ts > 0.0) & (ts < LAST_TIME)))[0])
        raise DataError("live_interest.bad_time", row=row + 1, value=ts[row])
