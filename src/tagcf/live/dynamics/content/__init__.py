"""Which content events are about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.live.dynamics.content.kernels import find_contents
from tagcf.live.interest.content import Shelf
from tagcf.types.live import LiveEvents


def contents_of(events: LiveEvents, shelf: Shelf) -> NDArray[np.int64]:
    """(n,) position on the shelf of what each event is about; −1 where it is not there."""
    found = np.empty(len(events), np.int64)
    known = shelf.arrays
    played = (known.slots, known.rooms, known.parts, known.start, known.end, known.played)
    find_contents(events.item, events.product, events.room, events.ts, *played, found)
    return found
