"""Messages of a topic to events that each have an id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagcf.data.bad_rows import shorten
from tagcf.errors import DataError
from tagcf.live.wire import BadEvent, BadEvents, decode, empty
from tagcf.live.wire.batch import with_event_ids
from tagcf.types.live import LiveEvents

_PLACE = ("partition", "offset")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was fetched: one event or a batch, in any form that `decode` knows."""

    topic: str
    partition: int
    offset: int
    value: bytes


def events_of(messages: Sequence[Message], skip_bad: BadEvents | None) -> Iterator[LiveEvents]:
    """Yield the events of messages in their order; single JSON events are read many at a time.

    Raises
    ------
    DataError
        A message cannot be read, and bad ones are not to be skipped.
    """
    single: list[Message] = []
    for message in messages:
        if message.value.lstrip()[:1] == b"{":
            single.append(message)
            continue
        yield from _of_single(single, skip_bad)
        single = []
        if message.value.strip():  # a message without a value says nothing of events
            yield _of_one(message, skip_bad)
    yield from _of_single(single, skip_bad)


def _of_single(messages: list[Message], skip_bad: BadEvents | None) -> Iterator[LiveEvents]:
    """Read messages of one JSON event each; one by one where they are not that."""
    if not messages:
        return
    try:
        events = decode(b"\n".join(message.value.strip() for message in messages))
    except DataError:
        events = None
    if events is not None and len(events) == len(messages):
        yield _named(events, messages)
    else:
        for message in messages:
            yield _of_one(message, skip_bad)


def _of_one(message: Message, skip_bad: BadEvents | None) -> LiveEvents:
    place = f"{message.topic}/{message.partition}/{message.offset}"
    bad = None if skip_bad is None else BadEvents()
    try:
        events = decode(message.value, skip_bad=bad)
    except DataError as error:
        if skip_bad is None:
            raise DataError("live_log.bad_message", place=place, detail=str(error)) from error
        skip_bad.add([BadEvent(1, place, shorten(error), "not_json")])
        return empty()
    if bad is not None and skip_bad is not None:
        skip_bad.take(bad, place)
    return _named(events, [message])


def _named(events: LiveEvents, messages: Sequence[Message]) -> LiveEvents:
    """Give events without an id one that every delivery of their message has."""
    if not events.rows.column("event_id").null_count:
        return events
    partition, offset = ([getattr(one, name) for one in messages] for name in _PLACE)
    within = pa.array(np.arange(len(events)) if len(messages) == 1 else np.zeros(len(events), int))
    numbers = [
        pa.scalar(one[0]) if len(messages) == 1 else pa.array(one) for one in (partition, offset)
    ]
    texts = [pc.cast(one, pa.string()) for one in (*numbers, within)]
    return with_event_ids(
        events, pc.binary_join_element_wise(pa.scalar(messages[0].topic), *texts, "/")
    )
