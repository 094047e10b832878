"""Bursts as they begin: Page's CUSUM over joint rises, a fixed state per room, no looking ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.live.rooms.highlights import kernels
from tagcf.live.rooms.highlights.find import TAKES_PART
from tagcf.live.rooms.seconds import COUNTED, Seconds


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rise that goes on; epoch seconds."""

    room: int  # position in `Seconds.rooms`
    since: int
    at: int


class HighlightWatch:
    """Tells within seconds that a room bursts.

    Parameters
    ----------
    rise
        Times the usual rate that is watched for.
    height
        Log likelihood ratio that raises an alarm; a higher one means fewer false ones, later.
    others
        What must be left of it without the behaviour that rises most: a lottery floods one alone.
    half_life
        Seconds in which what is usual is half forgotten.
    longest
        Seconds after which a rise is the new usual.
    """

    def __init__(
        self,
        *,
        rise: float = 2.2,
        height: float = 16.0,
        others: float = 6.0,
        half_life: float = 150.0,
        longest: float = 120.0,
    ) -> None:
        self._settings = tuple(
            np.float32(one) for one in (rise, 0.5 ** (1 / half_life), height, others, longest)
        )
        self._rate = np.zeros((0, len(COUNTED)), np.float32)
        self._sums = np.zeros((0, len(COUNTED)), np.float32)
        self._exposure = np.zeros(0, np.float32)
        self._levels = np.zeros(0, np.float32)
        self._spans = np.zeros((0, 2), np.int64)

    def update(self, seconds: Seconds) -> tuple[Alarm, ...]:
        """Run closed seconds through the watch; rows of a room must come in the order of time."""
        missing = len(seconds.rooms) - len(self._levels)
        if missing > 0:
            for name in ("_rate", "_sums", "_exposure", "_levels", "_spans"):
                held = getattr(self, name)
                more = np.zeros((missing, *held.shape[1:]), held.dtype)
                setattr(self, name, np.concatenate([held, more]))
        alarms = np.empty((len(seconds), 3), np.int64)
        raised = kernels.watch(
            seconds.room,
            seconds.second,
            seconds.viewers,
            seconds.weighted,
            (TAKES_PART > 0.5).astype(np.float32),
            self._rate,
            self._exposure,
            self._sums,
            self._levels,
            self._spans,
            self._settings,
            alarms,
        )
        return tuple(Alarm(*row) for row in alarms[:raised].tolist())
