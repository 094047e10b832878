"""The time of a stream, by clocks of which some are wrong.

A telephone whose clock is a day ahead must not make everybody else late, and a stream that goes on
after a night, or has an event a minute, must lose nothing. Events from far ahead are therefore held
back until three people have come from there without anybody from nearer between them (six where
others from far ahead were contradicted of late), or two people with twenty events in a row; nobody
is believed who is an hour ahead of our own clock. Nothing depends on how events are cut into
batches.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagcf.live.rooms.seconds.clock import kernels
from tagcf.types import Codes
from tagcf.types.live import Keys

AHEAD = 3_600  # seconds by which a clock may be ahead of ours
HELD = 4_096  # events held back at most
_Counts = NDArray[np.int64]


class Admitted(NamedTuple):
    """Events (n,) that are believed, in the order they count; `clock` is the time after each."""

    second: _Counts
    room: Codes
    user: Keys
    action: NDArray[np.uint8]
    clock: _Counts


class _Held(NamedTuple):
    second: _Counts
    room: Codes
    user: Keys
    action: NDArray[np.uint8]
    near: _Counts


class StreamClock:
    """Tells the time of a stream, and holds back who seems to be ahead of it.

    Parameters
    ----------
    step
        Seconds ahead of the stream's time that need nobody to agree.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._newest = np.full(kernels.AGREEING, 2 * kernels.UNBEGUN, np.int64)
        self._held = _Held(*_columns(HELD))
        self._tally = np.zeros(4, np.int64)

    @property
    def now(self) -> int:
        """Time of the stream."""
        return int(self._newest[0])

    @property
    def refused(self) -> int:
        """Events from far ahead that nobody agreed with."""
        return int(self._tally[kernels.REFUSED])

    @property
    def memory(self) -> int:
        """Bytes of what may be held back."""
        return sum(column.nbytes for column in self._held)

    def admit(
        self, second: _Counts, room: Codes, user: Keys, action: NDArray[np.uint8]
    ) -> Admitted:
        """Take in events (n,) in the order of arrival; return those that are believed by now."""
        places = len(second) + int(self._tally[kernels.WAITING])
        out = Admitted(*_columns(places))
        latest = int(time.time()) + AHEAD
        n = kernels.admit(
            second, room, user, action, self._step, latest,
            self._newest, self._held, self._tally, out,
        )  # fmt: skip
        return Admitted._make(column[:n] for column in out)

    def finish(self) -> Admitted:
        """Return what is still held, as no more comes; those that were contradicted are refused."""
        tally = self._tally
        waiting = int(tally[kernels.WAITING])
        held = _Held._make(column[:waiting] for column in self._held)
        run = held.near == tally[kernels.NEAR]
        left = run & ~np.isin(held.user, held.user[~run])
        n = int(left.sum())
        for column in held:
            column[:n] = column[left]
        tally[kernels.WAITING] = tally[kernels.RUN] = n
        tally[kernels.REFUSED] += waiting - n
        out = Admitted(*_columns(n))
        if n:
            if self.now <= kernels.UNBEGUN:
                self._newest[:] = held.second[0]
            last = int(held.second[n - 1])
            kernels.release(self._held, tally, self._newest, self._step, last, out, 0)
        return out


def _columns(
    n: int,
) -> tuple[_Counts, Codes, Keys, NDArray[np.uint8], _Counts]:
    return (
        np.empty(n, np.int64),
        np.empty(n, np.int32),
        np.empty(n, np.uint64),
        np.empty(n, np.uint8),
        np.empty(n, np.int64),
    )
