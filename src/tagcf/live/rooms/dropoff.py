"""Where viewers leave beyond a room's own habit, and what was on then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.live.rooms.highlights.stretches import PAUSE, SHORTEST
from tagcf.live.rooms.seconds import Seconds
from tagcf.live.rooms.segments import RoomSegments
from tagcf.types import Floats

WINDOW = 30  # seconds
REACH = 600  # seconds on both sides that make a room's habit
FEWEST = 5  # people who leave
JUST = 30.0  # seconds for which a segment counts as just begun


@dataclass(frozen=True, slots=True)
class DropOff:
    """Half a minute in which more people left than usual; epoch seconds."""

    room: int  # position in `Seconds.rooms`
    start: float
    end: float
    leaves: int
    expected: float  # from the room's own rate of leaving, and its viewers then
    ratio: float
    ratio_low: float  # 95% interval, exact for a Poisson count
    ratio_high: float
    q: float  # false discovery rate among all half minutes looked at
    segment_id: str | None
    product_id: str | None
    tags: tuple[str, ...]
    just_begun: bool  # the segment had begun within the last half minute


def find_dropoffs(
    seconds: Seconds, segments: RoomSegments | None = None, *, q: float = 0.1
) -> tuple[DropOff, ...]:
    """Find half minutes in which a room lost more viewers than its own rate explains.

    The rate is the share of viewers who leave a second, over `REACH` seconds around but for the
    window. Windows are judged together at a false discovery rate of `q` (Benjamini and Hochberg
    1995); leaves of a minute are over-dispersed, which a scale from all windows corrects.
    """
    rows = [row for stretch in _stretches(seconds) for row in _windows(*stretch)]
    if not rows:
        return ()
    room, start, leaves, expected, others = np.array(rows).T
    # Pearson's chi-square over windows without the upper tail: outliers are what is looked for.
    spread = (leaves - expected) / np.sqrt(expected)
    scale = max(1.0, float(np.square(np.percentile(spread, 75) - np.percentile(spread, 25)) / 1.82))
    # The rate is itself a count's: what is to come is then negative binomial, not Poisson.
    r = others / scale
    p = stats.nbinom.sf(np.ceil(leaves / scale) - 1, r, r / (r + expected / scale))
    found = stats.false_discovery_control(p)
    chosen = np.flatnonzero((found <= q) & (leaves >= FEWEST) & (leaves > expected))
    return tuple(
        _told(seconds, segments, int(room[k]), start[k], leaves[k], expected[k], scale, found[k])
        for k in chosen
    )


def _stretches(seconds: Seconds) -> list[tuple[int, int, Floats, Floats]]:
    """Room, first second, leaves and viewers by second, of each stretch on air."""
    if len(seconds) == 0:
        return []
    new = (np.diff(seconds.room) != 0) | (np.diff(seconds.second) > PAUSE)
    parts: list[tuple[int, int, Floats, Floats]] = []
    for rows in np.split(np.arange(len(seconds)), np.flatnonzero(new) + 1):
        first = int(seconds.second[rows[0]])
        length = int(seconds.second[rows[-1]]) - first + 1
        if length < SHORTEST:
            continue
        at = seconds.second[rows] - first
        leaves, viewers = np.zeros(length), np.zeros(length)
        leaves[at], viewers[at] = seconds.leaves[rows], seconds.viewers[rows]
        parts.append((int(seconds.room[rows[0]]), first, leaves, viewers))
    return parts


def _windows(
    room: int, first: int, leaves: Floats, viewers: Floats
) -> list[tuple[int, int, float, float, float]]:
    """Room, start, leaves, those expected, and leaves around, by half minute but for the last."""
    n = len(leaves) // WINDOW - 1  # everybody leaves when the room closes
    gone = leaves[: n * WINDOW].reshape(n, WINDOW).sum(axis=1)
    there = viewers[: n * WINDOW].reshape(n, WINDOW).sum(axis=1)
    half = REACH // WINDOW
    run_gone, run_there = (np.concatenate([[0.0], one.cumsum()]) for one in (gone, there))
    k = np.arange(n)
    low, high = np.maximum(k - half, 0), np.minimum(k + half + 1, n)
    others = run_gone[high] - run_gone[low] - gone
    exposure = run_there[high] - run_there[low] - there
    expected = there * (others + 0.5) / np.maximum(exposure, 1.0)
    return [
        (room, first + WINDOW * j, gone[j], expected[j], others[j] + 0.5)
        for j in np.flatnonzero((there > 0) & (exposure > 0)).tolist()
    ]


def _told(
    seconds: Seconds,
    segments: RoomSegments | None,
    room: int,
    start: float,
    leaves: float,
    expected: float,
    scale: float,
    q: float,
) -> DropOff:
    # A quasi-Poisson interval: that of a count of so much less information.
    low = stats.gamma.ppf(0.025, leaves / scale) * scale / expected
    high = stats.gamma.ppf(0.975, leaves / scale + 1) * scale / expected
    row = -1 if segments is None else int(segments.at(seconds.rooms[[room]], [start])[0])
    on = segments is not None and row >= 0
    return DropOff(
        room,
        start,
        start + WINDOW,
        int(leaves),
        float(expected),
        float(leaves / expected),
        float(low),
        float(high),
        float(q),
        segments.segment_id[row] if segments is not None and on else None,
        segments.product_id[row] if segments is not None and on else None,
        segments.tags[row] if segments is not None and on else (),
        bool(segments is not None and on and start - segments.start[row] <= JUST),
    )
