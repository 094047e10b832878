"""One event as a client sends it."""

from __future__ import annotations

import msgspec

Id = str | int


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One event. An id may be text or a whole number: 17 and "17" are the same.

    Parameters
    ----------
    ts
        Epoch seconds (or milli-, micro-, nanoseconds: told apart by their size), or ISO 8601;
        without an offset UTC is meant.
    action
        One of `tagcf.types.live.ACTIONS`.
    value
        Seconds of dwell, rewatch and leave; coins of a gift; money of a purchase.
    """

    user_id: Id
    ts: float | str
    action: str
    event_id: Id | None = None
    room_id: Id | None = None
    item_id: Id | None = None
    product_id: Id | None = None
    scene: Id | None = None
    device: Id | None = None
    value: float | None = None
    text: str | None = None


FIELDS = tuple(Event.__struct_fields__)
REQUIRED = ("user_id", "ts", "action")
# Fields with a key of their own in LiveEvents, in its order.
ID_FIELDS = ("event_id", "user_id", "room_id", "item_id", "product_id", "scene", "device")
