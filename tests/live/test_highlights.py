"""Bursts found in counts with known ones, and what must not look like one."""

from __future__ import annotations

import numpy as np
import pytest

from tagcf.live.rooms.highlights import HighlightWatch, find_bursts
from tagcf.live.rooms.seconds import COUNTED, Seconds

RATES = np.array([0.02, 0.01, 0.003, 0.002, 0.002, 0.001, 0.002, 0.004, 0.001, 0.0003])
VIEWERS = 50
LENGTH = 2_400


def room(
    seed: int,
    factor: np.ndarray | float = 1.0,
    span: tuple[int, int] = (1_200, 1_240),
    raid: float = 1,
) -> Seconds:
    """One room, with a rise in a span; a raid multiplies the viewers from then on."""
    rng = np.random.default_rng(seed)
    viewers = np.full(LENGTH, VIEWERS, np.int32)
    viewers[span[0] :] = int(VIEWERS * raid)
    rate = viewers[:, None] * RATES
    rate[span[0] : span[1]] *= factor
    counts = rng.poisson(rate).astype(np.int32)
    none = np.zeros(LENGTH, np.int32)
    return Seconds(
        np.array([7], np.uint64),
        none,
        1_700_000_000 + np.arange(LENGTH),
        viewers,
        none,
        none,
        none,
        counts,
        counts.astype(np.float32),
    )


SOCIAL = np.where(np.arange(len(COUNTED)) < 7, 3.0, 1.0)
FLOOD = np.where(np.array(COUNTED) == "danmaku", 18.0, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_joint_rise_is_found_with_its_edges(seed: int) -> None:
    (found,) = find_bursts(room(seed, SOCIAL))
    assert abs(found.start - 1_700_001_200) <= 10
    assert abs(found.end - 1_700_001_240) <= 20  # of 40 s; a quiet end cannot be seen
    lift = dict(zip(COUNTED, found.lift, strict=True))
    assert lift["like"] > 1.8
    assert lift["purchase"] < 2.5


@pytest.mark.parametrize("seed", range(4))
def test_a_lottery_a_raid_and_a_usual_hour_are_none(seed: int) -> None:
    assert find_bursts(room(seed)) == ()
    assert find_bursts(room(seed, FLOOD)) == ()
    assert find_bursts(room(seed, raid=2.5)) == ()


def test_the_watch_raises_an_alarm_while_it_rises() -> None:
    early = 0
    for seed in range(5):
        alarms = HighlightWatch().update(room(seed, SOCIAL * 1.3))
        hits = [one for one in alarms if 1_700_001_200 <= one.at <= 1_700_001_245]
        early += bool(hits)
        assert len(alarms) - len(hits) <= 1
    assert early >= 4


def test_the_watch_carries_its_state_over_batches() -> None:
    whole = room(0, SOCIAL * 1.3)
    names = Seconds.__slots__[1:]
    parts = [
        Seconds(whole.rooms, *(getattr(whole, name)[a : a + 100] for name in names))
        for a in range(0, LENGTH, 100)
    ]
    watch = HighlightWatch()
    assert [one for part in parts for one in watch.update(part)] == list(
        HighlightWatch().update(whole)
    )
