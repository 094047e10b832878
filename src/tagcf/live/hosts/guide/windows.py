"""Counts of sliding windows, and the room's own rates before them, for all rooms at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.live.hosts.guide.bursts import Bursts
from tagcf.live.hosts.guide.channels import CHANNELS
from tagcf.types import Floats, Mask

BEFORE = 60  # seconds before a window that a hint tells beside it
FALL_WINDOW, FALL_REACH = 90, 300
FALL_START = 1e-2  # acts a viewer and second before anything is known
REACH = 600  # seconds before a window that make the room's own rate
RING = 704  # seconds that are kept: more than any window and its reach together
C = len(CHANNELS) + 1  # the last one is what viewers do altogether

WINDOW = np.array([*(one.window for one in CHANNELS.values()), FALL_WINDOW])
LOOKED_BACK = np.array([*([REACH] * len(CHANNELS)), FALL_REACH])
TOLD_BEFORE = np.array([*([BEFORE] * len(CHANNELS)), FALL_REACH])
PER_VIEWER = np.array([*(one.per_viewer for one in CHANNELS.values()), True])
START = np.array([*(one.start for one in CHANNELS.values()), FALL_START])
_ALL = np.arange(C)


@dataclass(frozen=True, slots=True)
class Standing:
    """All rooms at one second; (R, C) each."""

    count: Floats  # in the window
    before: Floats
    expected: Floats
    shape: Floats  # of the gamma variable that the rate is
    known: Floats  # seconds on air behind the rate


class Windows:
    """Slides windows over counts, second by second.

    Parameters
    ----------
    wander
        Shape of the gamma variable by which a room's rate moves on its own: ``1 / sqrt(wander)`` is
        its relative standard deviation.
    prior
        Events that the rates of all rooms together are worth for one room.
    """

    def __init__(self, wander: float, prior: float) -> None:
        self._wander, self._prior = wander, prior
        self._clear(0)
        self._all = np.zeros((2, C))  # counts and exposure of all rooms so far
        self._now: int | None = None

    def _clear(self, rooms: int) -> None:
        self._rooms = rooms
        self._bursts = Bursts(rooms)
        self._counts = np.zeros((rooms, RING, C), np.float32)
        self._viewers = np.zeros((rooms, RING), np.float32)
        # Sums over the window, over what is told before it, and over what makes the rate.
        self._sums = np.zeros((3, rooms, C))
        self._exposed = np.zeros((2, rooms, C))  # of the window and of the rate
        self._aired = np.zeros((rooms, C))

    def grow(self, rooms: int) -> None:
        """Make room for more rooms; places are doubled, so that they are seldom copied."""
        held = len(self._counts)
        if rooms > held:
            more = max(rooms, 2 * held) - held
            self._bursts.grow(held + more)
            self._counts = np.concatenate([self._counts, np.zeros((more, RING, C), np.float32)])
            self._viewers = np.concatenate([self._viewers, np.zeros((more, RING), np.float32)])
            self._sums = np.concatenate([self._sums, np.zeros((3, more, C))], axis=1)
            self._exposed = np.concatenate([self._exposed, np.zeros((2, more, C))], axis=1)
            self._aired = np.concatenate([self._aired, np.zeros((more, C))])
        self._rooms = max(self._rooms, rooms)

    def forget(self, row: int) -> None:
        """Empty the place of a room, for another one."""
        self._bursts.forget(row)
        for one in (self._counts, self._viewers, self._aired):
            one[row] = 0.0
        self._sums[:, row] = self._exposed[:, row] = 0.0

    def step(self, second: int, counts: Floats, viewers: Floats) -> None:
        """Take in one second: counts (R, C) and viewers (R,); seconds left out are empty."""
        if self._now is not None and second - self._now > REACH:
            self._clear(self._rooms)  # everybody was off air for long
            self._now = None
        while self._now is not None and self._now < second - 1:
            self._move(self._now + 1, np.zeros_like(counts), np.zeros_like(viewers))
        self._move(second, counts, viewers)

    def _move(self, t: int, counts: Floats, viewers: Floats) -> None:
        self._now, rows = t, slice(self._rooms)
        self._counts[rows, t % RING] = counts
        self._viewers[rows, t % RING] = viewers
        exposure = np.where(PER_VIEWER, viewers[:, None], (viewers > 0)[:, None])
        self._all[0] += counts.sum(axis=0)
        self._all[1] += exposure.sum(axis=0)
        leaves, told, gone = (
            self._at(t - WINDOW),
            self._at(t - WINDOW - TOLD_BEFORE),
            self._at(t - WINDOW - LOOKED_BACK),
        )
        self._sums[0, rows] += counts - leaves[0]
        self._sums[1, rows] += leaves[0] - told[0]
        self._sums[2, rows] += leaves[0] - gone[0]
        self._exposed[0, rows] += exposure - leaves[1]
        self._exposed[1, rows] += leaves[1] - gone[1]
        self._aired[rows] += leaves[2] - gone[2]
        self._bursts.add(t, counts[:, -1], viewers)

    def _at(self, second: np.ndarray) -> tuple[Floats, Floats, Floats]:
        """Counts, exposure and being on air, (R, C), of a second for each channel."""
        place, rows = second % RING, slice(self._rooms)
        counts = self._counts[rows, place, _ALL].astype(np.float64)
        viewers = self._viewers[rows, place].astype(np.float64)
        aired = (viewers > 0).astype(np.float64)
        return counts, np.where(PER_VIEWER, viewers, aired), aired

    def standing(self) -> Standing:
        """Windows now, and what was to be expected of them.

        What viewers do altogether comes in runs of one person: its counts hold as much less
        information, and vary as much more, as `Bursts` has measured.
        """
        rows = slice(self._rooms)
        pooled = (1.0 + self._all[0]) / (1.0 / START + self._all[1])
        run = np.ones((self._rooms, C))
        run[:, -1] = self._bursts.size()[rows]
        shape = self._prior + self._sums[2, rows] / run
        rate = shape / (self._prior / pooled + self._exposed[1, rows] / run)
        expected = rate * np.maximum(self._exposed[0, rows], 1.0)
        # A negative binomial variable of the same variance, (run - 1) / expected more.
        both = 1.0 / (1.0 / shape + 1.0 / self._wander + (run - 1.0) / np.maximum(expected, 1e-9))
        return Standing(
            self._sums[0, rows].round(3),
            self._sums[1, rows].round(3),
            expected,
            both,
            self._aired[rows].copy(),
        )


def enough(standing: Standing, seconds: float, fewest: float, times: float) -> Mask:
    """(R, C) windows that may be worth a hint: a known rate, some people, well above it."""
    mask: Mask = (
        (standing.known >= seconds)
        & (standing.count >= fewest)
        & (standing.count >= times * standing.expected)
    )
    return mask
