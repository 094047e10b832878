"""A process that takes in events and says what it has acknowledged, until it is killed.

``python live_writer.py FOLDER FIRST`` goes on from batch FIRST; each line of output is the
number of a batch that has become durable.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from tagcf.data.arrays import tags_from_arrays
from tagcf.live.log import GroupCommit
from tagcf.live.stream import LiveStream
from tagcf.live.wire import encode_arrow, encode_json, from_table
from tagcf.types import IdMap, TagMatrix

START, N, ITEMS, TAGS = 1.7e9, 500, 200, 30
SNAPSHOT_EVERY = 40  # batches
SETTINGS = {"users_at_most": 5_000, "remembered": 8}


def some_tags() -> TagMatrix:
    rng = np.random.default_rng(0)
    carried = rng.random((ITEMS, TAGS)) * (rng.random((ITEMS, TAGS)) < 0.1)
    ids = IdMap(pa.array([f"i{at}" for at in range(ITEMS)]))
    return tags_from_arrays(ids, carried, [f"tag{at}" for at in range(TAGS)])


def batch(number: int) -> bytes:
    """Batch `number` of the same endless load: 500 events, some out of order, JSON or Arrow."""
    rng = np.random.default_rng(number)
    event = np.arange(number * N, (number + 1) * N)
    table = pa.table(
        {
            "event_id": pa.array(event),
            "user_id": pa.array(rng.integers(0, 2_000, N)),
            "item_id": pa.array([f"i{at}" for at in rng.integers(0, ITEMS, N)]),
            "scene": pa.array(rng.choice(["beauty", "games"], N)),
            "ts": START + event * 0.5 - rng.exponential(30, N),
            "action": pa.array(rng.integers(0, 15, N).astype(np.uint8)),
            "value": pa.array(rng.exponential(20, N)),
        }
    )
    events = from_table(table)
    return encode_json(events) if number % 2 else encode_arrow(events)


def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    waiting: list[tuple[int, int]] = []
    group = GroupCommit(events=4 * N, seconds=0.05)
    with LiveStream.open(folder, some_tags(), group=group, **SETTINGS) as stream:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        while True:
            waiting.append((number, stream.send(batch(number)).offset))
            number += 1
            if number % SNAPSHOT_EVERY == 0:
                stream.snapshot()
            while waiting and waiting[0][1] <= stream.durable:
                sys.stdout.write(f"{waiting.pop(0)[0]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
