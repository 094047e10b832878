"""Half minutes in which a room loses people, against simulated leaving."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tagcf.live.rooms.dropoff import find_dropoffs
from tagcf.live.rooms.seconds import Seconds
from tagcf.live.rooms.segments import cut_rooms
from tagcf.live.wire import id_key

START, LENGTH = 1_700_000_000, 3_600


def room(seed: int, extra: float = 1.0) -> Seconds:
    rng = np.random.default_rng(seed)
    rate = np.full(LENGTH, 0.004 * 60)
    rate[1_800:1_830] *= extra
    leaves = rng.poisson(rate).astype(np.int32)
    none, viewers = np.zeros(LENGTH, np.int32), np.full(LENGTH, 60, np.int32)
    counts = np.zeros((LENGTH, 10), np.int32)
    return Seconds(
        np.array([id_key("r1")], np.uint64),
        none,
        START + np.arange(LENGTH),
        viewers,
        none,
        none,
        leaves,
        counts,
        counts.astype(np.float32),
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_is_found_with_what_was_on(seed: int) -> None:
    segments = cut_rooms(
        pl.DataFrame(
            {
                "room_id": ["r1", "r1"],
                "start_ts": [float(START), START + 1_790.0],
                "end_ts": [START + 1_790.0, START + 3_600.0],
                "product_id": [None, "p1"],
            }
        )
    )
    found = find_dropoffs(room(seed, 5.0), segments)
    (hit,) = [one for one in found if one.start == START + 1_800]
    assert hit.product_id == "p1"
    assert hit.segment_id == f"r1@{START + 1790}"
    assert hit.just_begun
    assert hit.ratio_low < 5.0 < hit.ratio_high * 1.3
    assert hit.ratio_low > 1.5


def test_usual_leaving_is_told_in_no_more_than_one_room_of_ten() -> None:
    assert sum(bool(find_dropoffs(room(seed))) for seed in range(60)) <= 6
