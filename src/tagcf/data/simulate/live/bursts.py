"""Highlights, what looks like one and is none, and how rates of a room move by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from tagcf.data.simulate.live.platform import TICK, LivePlatform
from tagcf.data.simulate.live.rooms import Segments
from tagcf.data.simulate.live.visits import Pieces, Shows
from tagcf.types import Codes, Floats

# What viewers do beside watching, and how often a second at match .7 without any burst.
INTERACTIONS = ("like", "danmaku", "comment", "share", "gift", "follow", "rewatch")
RATES = np.array([0.0100, 0.0060, 0.0015, 0.0008, 0.0009, 0.0005, 0.0009])
KINDS = ("highlight", "lottery", "bots", "raid", "combo")
SLOT = 200  # seconds of a room's time that hold at most one of them
# A decoy's chance in a slot, in the order of KINDS without the first.
DECOYS = np.array([0.060, 0.055, 0.035, 0.045])
EVIDENCE = (40.0, 100.0)  # nats by which a highlight's expected counts speak for it
STRONGEST = 8.0  # times the usual rate
FEWEST = 8.0  # viewers for a highlight
RAMP = 4.0  # seconds in which a burst rises and falls
LOTTERY = (14.0, 26.0)  # times the usual rate of danmaku
WOBBLE, SHARED_WOBBLE = 0.20, 0.08  # log standard deviation of a rate, own and of all rates
MEMORY, SHARED_MEMORY = 45.0, 90.0  # seconds in which it is forgotten
TREND = 0.35  # log amplitude of slow waves


@dataclass(frozen=True, slots=True)
class Bursts:
    """What was planted in rooms, in the order of room and start; inner seconds."""

    kind: Codes  # position in KINDS
    room: Codes
    start: Floats
    end: Floats
    factor: Floats  # (B, A) times the usual rate of each of INTERACTIONS
    size: Floats  # accounts of bots, guests of a raid, gifts of a combo


def viewers_of(settings: LivePlatform, pieces: Pieces, weight: Floats | None = None) -> Floats:
    """(R, ticks) viewers of each room, or the sum of their weights, at the middle of a tick."""
    change = np.zeros((settings.rooms, settings.ticks + 2))
    one = np.ones(len(pieces.user)) if weight is None else weight
    first = np.ceil(pieces.start / TICK - 0.5).astype(np.int64)
    last = np.ceil(pieces.end / TICK - 0.5).astype(np.int64)
    np.add.at(change, (pieces.room, first), one)
    np.add.at(change, (pieces.room, last), -one)
    return change.cumsum(axis=1)[:, : settings.ticks]


def plant(
    settings: LivePlatform, segments: Segments, viewers: Floats, rng: np.random.Generator
) -> Bursts:
    """Draw highlights and decoys, at most one in a slot of a room's time on air."""
    room, start = _slots(segments)
    n = len(room)
    chances = np.append(settings.highlights * SLOT / 3600, settings.decoys * DECOYS)
    ladder = chances.cumsum()
    kind = np.searchsorted(ladder, rng.random(n), side="right").astype(np.int32)
    planted = kind < len(KINDS)
    room, start, kind = room[planted], start[planted], kind[planted]
    n = len(room)
    lasts = TICK * np.round(rng.uniform(20, 60, n) / TICK)
    start = start + TICK * np.round(rng.uniform(20, SLOT - 100, n) / TICK)
    audience = _mean_viewers(viewers, room, start, lasts)
    factor = np.ones((n, len(INTERACTIONS)))
    highlight = kind == KINDS.index("highlight")
    takes_part = rng.random(factor.shape).argsort(axis=1) < rng.integers(5, 8, n)[:, None]
    usual = audience * lasts * (takes_part @ RATES)
    strength = strength_for(usual, rng.uniform(*EVIDENCE, n))
    uneven = np.clip(1 + 0.25 * rng.normal(size=factor.shape), 0.4, 1.8)
    rises = np.where(takes_part, strength[:, None] ** uneven, 1.0)
    factor[highlight] = rises[highlight]
    lottery = kind == KINDS.index("lottery")
    factor[lottery, INTERACTIONS.index("danmaku")] = rng.uniform(*LOTTERY, lottery.sum())
    size = np.select(
        [kind == KINDS.index("bots"), kind == KINDS.index("raid"), kind == KINDS.index("combo")],
        [
            rng.integers(3, 8, n),
            np.round(np.maximum(12, audience * rng.uniform(0.8, 2.0, n))),
            rng.integers(30, 90, n),
        ],
        0,
    )
    enough = (audience >= FEWEST) & (strength <= STRONGEST)
    kept = np.where(highlight, enough, audience >= FEWEST / 2)
    return Bursts(
        kind=kind[kept],
        room=room[kept],
        start=start[kept],
        end=(start + lasts)[kept],
        factor=factor[kept],
        size=size[kept].astype(np.float64),
    )


def strength_for(usual: Floats, evidence: Floats) -> Floats:
    """Factor g at which the expected log likelihood ratio, λ(g log g - g + 1), is this.

    `usual` is λ, the count expected without the burst.
    """
    grid = np.linspace(1.05, 4 * STRONGEST, 2_000)
    nats = grid * np.log(grid) - grid + 1
    strength: Floats = np.interp(evidence / np.maximum(usual, 1e-9), nats, grid)
    return strength


def _slots(segments: Segments) -> tuple[Codes, Floats]:
    """Rooms and starts of all slots that lie in one stretch on air."""
    new = np.append(
        True, (segments.room[1:] != segments.room[:-1]) | (segments.start[1:] != segments.end[:-1])
    )
    first, last = segments.start[new], segments.end[np.append(new[1:], True)]
    rooms: list[int] = []
    starts: list[float] = []
    for room, a, b in zip(segments.room[new], first, last, strict=True):
        here = np.arange(a + SLOT, b - SLOT, SLOT)  # not in the first minutes, nor the last
        rooms += [room] * len(here)
        starts += here.tolist()
    return np.array(rooms, np.int32), np.array(starts, np.float64)


def _mean_viewers(viewers: Floats, room: Codes, start: Floats, lasts: Floats) -> Floats:
    total = np.concatenate([np.zeros((len(viewers), 1)), viewers.cumsum(axis=1)], axis=1)
    a, b = (start / TICK).astype(int), ((start + lasts) / TICK).astype(int)
    mean: Floats = (total[room, b] - total[room, a]) / (b - a)
    return mean


def usual_rates(settings: LivePlatform, rng: np.random.Generator) -> Floats:
    """(R, A, ticks) how the rates of a room wander: slow waves, and noise with a memory."""
    shape = (settings.rooms, len(INTERACTIONS), settings.ticks)
    time = TICK * np.arange(settings.ticks)
    period = rng.uniform(2_400, 5_400, (settings.rooms, 1))
    phase = rng.uniform(0, 2 * np.pi, (settings.rooms, 1))
    log = np.broadcast_to(
        (TREND * np.sin(2 * np.pi * time / period + phase))[:, None], shape
    ).copy()
    log += _wander(shape, WOBBLE, MEMORY, rng)
    log += _wander((settings.rooms, 1, settings.ticks), SHARED_WOBBLE, SHARED_MEMORY, rng)
    return np.exp(log)


def _wander(
    shape: tuple[int, ...], spread: float, memory: float, rng: np.random.Generator
) -> Floats:
    """Autoregressive noise of order one along the last axis."""
    keep = float(np.exp(-TICK / memory))
    noise = rng.normal(0, spread * np.sqrt(1 - keep**2), shape)
    wander: Floats = lfilter([1.0], [1.0, -keep], noise, axis=-1)
    return wander


def lift(settings: LivePlatform, bursts: Bursts, kinds: tuple[str, ...]) -> Floats:
    """(R, A, ticks) times the usual rate that bursts of these kinds make; 1 elsewhere."""
    raised = np.ones((settings.rooms, len(INTERACTIONS), settings.ticks))
    wanted = np.isin(bursts.kind, [KINDS.index(kind) for kind in kinds])
    for b in np.flatnonzero(wanted):
        a, z = int(bursts.start[b] / TICK), int(bursts.end[b] / TICK)
        middle = TICK * (np.arange(a, z) + 0.5)
        edge = np.minimum(middle - bursts.start[b], bursts.end[b] - middle)
        shape = np.minimum(1.0, 0.3 + 0.7 * edge / RAMP)
        raised[bursts.room[b], :, a:z] *= bursts.factor[b][:, None] ** shape
    return raised


def raids(
    bursts: Bursts,
    segments: Segments,
    segment_at: Codes,
    first_guest: int,
    rng: np.random.Generator,
) -> tuple[Pieces, Shows]:
    """Let guests arrive together, sent by another room; each goes after a while."""
    raid = np.flatnonzero(bursts.kind == KINDS.index("raid"))
    size = bursts.size[raid].astype(np.int64)
    b = np.repeat(raid, size)
    n = len(b)
    user = (first_guest + np.arange(n)).astype(np.int32)
    room = bursts.room[b]
    shown = bursts.start[b] + rng.exponential(8.0, n)
    delay = rng.uniform(0.4, 1.6, n)
    segment = segment_at[room, (shown / TICK).astype(np.int64)]
    begins = shown + delay
    ends = np.minimum(begins + 8 + rng.exponential(150.0, n), segments.end[np.maximum(segment, 0)])
    here = (segment >= 0) & (ends > begins + 1)
    nobody = np.full(n, -1, np.int32)
    pieces = Pieces(
        user=user[here],
        session=nobody[here],
        room=room[here],
        segment=segment[here],
        interest=nobody[here],
        start=begins[here],
        end=ends[here],
        entered=begins[here],
        match=np.zeros(int(here.sum())),  # nobody knows what guests are after
        leaves=np.ones(int(here.sum()), np.bool_),
    )
    shows = Shows(
        user=user[here],
        room=room[here],
        segment=segment[here],
        at=shown[here],
        opened=np.ones(int(here.sum()), np.bool_),
        seconds=delay[here],
    )
    return pieces, shows
