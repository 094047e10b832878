"""Chosen pieces in the order to watch them, each with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.path.pieces import Piece
from tagcf.live.viewing.path.worth import Worth
from tagcf.types import Floats

INSTANT = 1e-3  # seconds that are none: epoch seconds have no finer steps to count on
SCRAP = 15.0  # seconds of a replay that are not worth a stop of their own


@dataclass(frozen=True, slots=True)
class Stop:
    """One stretch of a path: seconds of one part, and why.

    `begin` is when to watch it, `start` and `end` what of the room it is; of a replay these differ.
    `because` are tags of the user that speak for it and their shares of its gain, which add up to 1
    with `rest`, what is due to how it was received alone.
    """

    part: RoomPart
    start: float
    end: float
    begin: float
    replay: bool
    gain: float
    because: tuple[tuple[str, float], ...]
    rest: float
    highlights: int
    seen_before: float  # minutes of its tags that the path or the user had seen already


def stops_of(
    pieces: Sequence[Piece], worth: Worth, positions: Sequence[int], at: float, *, best_first: bool
) -> tuple[Stop, ...]:
    """Put pieces in order, replays in the gaps of what is on, and join neighbours."""
    joined: list[Stop] = []
    reached = worth.before.copy()
    for piece, row in zip(pieces, positions, strict=True):
        stop = _stop(piece, worth, row, reached)
        reached = reached + worth.adds[row]
        last = joined[-1] if joined else None
        if (
            last
            and last.part is stop.part
            and last.end == stop.start
            and last.replay == stop.replay
        ):
            joined[-1] = _join(last, stop)
        else:
            joined.append(stop)
    if best_first:
        joined.sort(key=lambda stop: -stop.gain / (stop.end - stop.start))
    return _timed(joined, at)


def _stop(piece: Piece, worth: Worth, row: int, reached: Floats) -> Stop:
    gains = worth.by_tag(reached + worth.adds[row]) - worth.by_tag(reached)
    gain = float(gains.sum())
    own = [
        (slug, float(share))
        for slug, share in zip(worth.tags[:-1], gains[:-1] / max(gain, 1e-12), strict=True)
        if share > 0
    ]
    about = worth.adds[row, :-1] > 0
    return Stop(
        piece.part,
        piece.start,
        piece.end,
        piece.start,
        piece.replay,
        gain,
        tuple(sorted(own, key=lambda pair: (-pair[1], pair[0]))),
        float(gains[-1] / max(gain, 1e-12)),
        sum(
            1
            for one in piece.part.highlights
            if piece.start <= (one.start + one.end) / 2 < piece.end
        ),
        float(reached[:-1][about].max(initial=0.0)),
    )


def _join(one: Stop, two: Stop) -> Stop:
    gain = one.gain + two.gain
    shares: dict[str, float] = {}
    for stop in (one, two):
        for slug, share in stop.because:
            shares[slug] = shares.get(slug, 0.0) + share * stop.gain / max(gain, 1e-12)
    return replace(
        one,
        end=two.end,
        gain=gain,
        because=tuple(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))),
        rest=(one.rest * one.gain + two.rest * two.gain) / max(gain, 1e-12),
        highlights=one.highlights + two.highlights,
    )


def _timed(stops: Sequence[Stop], at: float) -> tuple[Stop, ...]:
    """Give every stop its time: what is on has its own, replays fill the time around, in order.

    A replay that does not end before something is on is stopped there and goes on after it, without
    scraps of a few seconds.
    """
    live = sorted((stop for stop in stops if not stop.replay), key=lambda stop: stop.start)
    queue = [stop for stop in stops if stop.replay]
    clock, placed = at, list[Stop]()
    for due in [*live, None]:
        until = due.start if due is not None else float("inf")
        while queue and until - clock > INSTANT:
            stop = queue.pop(0)
            long = stop.end - stop.start
            if clock + long > until:
                middle = stop.start + until - clock
                if stop.end - middle >= SCRAP:
                    queue.insert(0, _part_of(stop, middle, stop.end))
                stop = _part_of(stop, stop.start, middle)
            if stop.end - stop.start >= SCRAP or long < SCRAP:
                placed.append(replace(stop, begin=clock))
            clock += stop.end - stop.start
        if due is not None:
            placed.append(replace(due, begin=due.start))
            clock = due.end
    return tuple(placed)


def _part_of(stop: Stop, start: float, end: float) -> Stop:
    share = (end - start) / (stop.end - stop.start)
    return replace(stop, start=start, end=end, gain=stop.gain * share)
