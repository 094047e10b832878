"""(6) Events as they come, and what is read out of their stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.types.arrays import Floats

Keys = NDArray[np.uint64]  # of ids: a hash of their text; 0 where there is none
Actions = NDArray[np.uint8]  # positions in ACTIONS

ACTIONS = (
    "impression",
    "click",
    "scroll",
    "dwell",
    "rewatch",
    "like",
    "comment",
    "share",
    "danmaku",
    "gift",
    "follow",
    "product_click",
    "add_to_cart",
    "purchase",
    "leave",
)

# The canonical columns of a batch; ids are the platform's own, as text.
_FIELDS: list[pa.Field[Any]] = [
    pa.field("event_id", pa.string()),
    pa.field("user_id", pa.string(), nullable=False),
    pa.field("room_id", pa.string()),
    pa.field("item_id", pa.string()),
    pa.field("product_id", pa.string()),
    pa.field("scene", pa.string()),
    pa.field("device", pa.string()),
    pa.field("ts", pa.float64(), nullable=False),  # epoch seconds
    pa.field("action", pa.uint8(), nullable=False),  # position in ACTIONS
    pa.field("value", pa.float32()),  # seconds of dwell, rewatch, leave; coins; money
    pa.field("text", pa.string()),
]
EVENT_SCHEMA = pa.schema(_FIELDS)


@dataclass(frozen=True, slots=True)
class LiveEvents:
    """A batch of events in the order of arrival, not of time; all arrays have shape (n,).

    `rows` are the same events as they came, in the columns of `EVENT_SCHEMA`. `event` is never
    0: an event without an id of its own has the hash of its whole row, so that the same row sent
    twice is one event.
    """

    event: Keys
    user: Keys
    room: Keys
    item: Keys
    product: Keys
    scene: Keys
    device: Keys
    ts: Floats  # epoch seconds
    action: Actions
    value: NDArray[np.float32]  # NaN where none came
    rows: pa.Table

    def __len__(self) -> int:
        return len(self.ts)
