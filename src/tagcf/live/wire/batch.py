"""Batches cut and put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagcf.live.wire.keys import hash_text
from tagcf.types import Mask
from tagcf.types.live import EVENT_SCHEMA, LiveEvents

_ARRAYS = ("event", "user", "room", "item", "product", "scene", "device", "ts", "action", "value")


def kept(events: LiveEvents, mask: Mask) -> LiveEvents:
    """Return the events of `mask` (n,), in their order; the batch itself if all are."""
    if mask.all():
        return events
    arrays = {name: getattr(events, name)[mask] for name in _ARRAYS}
    return LiveEvents(**arrays, rows=events.rows.filter(pa.array(mask)))


def cut(events: LiveEvents, start: int, stop: int | None = None) -> LiveEvents:
    """Return the events from position `start` to before `stop`, without copying them."""
    arrays = {name: getattr(events, name)[start:stop] for name in _ARRAYS}
    rows = events.rows.slice(start, None if stop is None else stop - start)
    return LiveEvents(**arrays, rows=rows)


def joined(batches: Sequence[LiveEvents]) -> LiveEvents:
    """Put batches one after the other."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return empty()
    arrays = {name: np.concatenate([getattr(one, name) for one in batches]) for name in _ARRAYS}
    rows = pa.concat_tables([one.rows for one in batches]).combine_chunks()
    return LiveEvents(**arrays, rows=rows)


def empty() -> LiveEvents:
    """Return a batch of no events."""
    keys: dict[str, Any] = {name: np.zeros(0, np.uint64) for name in _ARRAYS[:7]}
    return LiveEvents(
        **keys,
        ts=np.zeros(0),
        action=np.zeros(0, np.uint8),
        value=np.zeros(0, np.float32),
        rows=EVENT_SCHEMA.empty_table(),
    )


def with_event_ids(events: LiveEvents, ids: pa.Array[Any]) -> LiveEvents:
    """Give the events that have no id of their own theirs of `ids` (n,)."""
    own = events.rows.column("event_id").combine_chunks()
    own = own.chunk(0) if isinstance(own, pa.ChunkedArray) else own
    filled = pc.coalesce(own, ids)
    at = EVENT_SCHEMA.get_field_index("event_id")
    rows = events.rows.set_column(at, EVENT_SCHEMA.field(at), filled)
    return replace(events, event=hash_text(filled).keys, rows=rows)
