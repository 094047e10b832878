"""Live events end to end on one core: bytes, decode, id hash, durable log, state of interests.

``OMP_NUM_THREADS=1 python -m benchmarks.ingest_live`` pins itself to one core and writes
``benchmarks/results/ingest_live.json``. Events are made up: a million users of whom the engine
knows each already, 300 tags, 3 on an item, batches of 10,000, a commit each 65,536 events or 50 ms
(synchronous=FULL), the WAL's checkpoints, a full window against repeats. Seconds are CPU seconds
of the process, system time included; wall time, with what the disk takes, stands beside them.
Beside the JSON reader stand the libraries that read JSON into columns, on the same bytes; beside
the whole stand rates that peers publish for importing events, on other hardware.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json as arrow_json

from benchmarks.record import write_result
from tagcf.data.arrays import tags_from_arrays
from tagcf.live.interest import InterestEngine
from tagcf.live.interest.engine import DAY
from tagcf.live.log import GroupCommit, LiveLog
from tagcf.live.log.log import WINDOW
from tagcf.live.stream import LiveStream
from tagcf.live.wire import decode, encode_arrow, encode_msgpack, from_table
from tagcf.live.wire.event import FIELDS, Event
from tagcf.types import IdMap, TagMatrix
from tagcf.types.live import ACTIONS, LiveEvents

USERS, ITEMS, TAGS, ROOMS = 1_000_000, 100_000, 300, 1_000
BATCH, BATCHES, REPEATS = 10_000, 200, 4  # long enough that the WAL goes into the database too
GROUP = GroupCommit(events=65_536, seconds=0.05)
START = 1.7e9
SCENES = ("beauty", "games", "shop", "music", "food", "talk")
DEVICES = ("ios", "android", "web")
# Events a second that the projects themselves report for importing feedback; realtime.md, 8.
PUBLISHED = {"Metarank": (1_000, 3_000), "Gorse": (6_500, 42_000)}


def some_tags() -> TagMatrix:
    """Three tags on each item."""
    rng = np.random.default_rng(0)
    carried = np.zeros((ITEMS, TAGS), np.float32)
    for _ in range(3):
        carried[np.arange(ITEMS), rng.integers(0, TAGS, ITEMS)] = 1
    ids = IdMap(pa.array([f"i{at}" for at in range(ITEMS)]))
    return tags_from_arrays(ids, carried, [f"tag{at}" for at in range(TAGS)])


def table(number: int, n: int, user: np.ndarray[Any, Any]) -> pa.Table:
    """Made-up events with an id of their own, nine of the eleven fields filled."""
    rng = np.random.default_rng(number)
    event = np.arange(number * n, (number + 1) * n)

    def text(prefix: str, values: np.ndarray[Any, Any]) -> pa.Array:
        return pa.array(np.char.add(prefix, values.astype(str)))

    return pa.table(
        {
            "event_id": text("e", 10**11 + event),
            "user_id": text("u", user),
            "room_id": text("r", rng.integers(0, ROOMS, n)),
            "item_id": text("i", rng.integers(0, ITEMS, n)),
            "scene": pa.array(rng.choice(SCENES, n)),
            "device": pa.array(rng.choice(DEVICES, n)),
            "ts": np.round(START + event * 1e-3, 3),
            "action": pa.array(rng.integers(0, len(ACTIONS), n).astype(np.uint8)),
            "value": pa.array(np.round(rng.exponential(20, n), 1).astype(np.float32)),
        }
    )


def lines_of(events: pa.Table) -> bytes:
    """JSON as clients write it: an object a line, without what an event lacks."""
    frame = pl.DataFrame(pl.from_arrow(events)).with_columns(
        pl.col("action").replace_strict(dict(enumerate(ACTIONS)), return_dtype=pl.String),
        pl.col("value").cast(pl.Float64).round(1),
    )
    sink = io.BytesIO()
    frame.write_ndjson(sink)
    return sink.getvalue()


def forms(users: Callable[[int], np.ndarray[Any, Any]]) -> dict[str, list[bytes]]:
    """The same batches in each form."""
    found: dict[str, list[bytes]] = {"json": [], "arrow": [], "msgpack": []}
    for number in range(BATCHES):
        events = table(number, BATCH, users(number))
        read = from_table(events)
        found["json"].append(lines_of(events))
        found["arrow"].append(encode_arrow(read))
        if number < BATCHES // 10:
            found["msgpack"].append(encode_msgpack(read))
    return found


def timed(
    work: Callable[[Any], object],
    n: int,
    prepared: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> dict[str, Any]:
    """Microseconds an event, best and median of some runs; what is prepared is not counted."""
    cpu, wall = [], []
    for _ in range(REPEATS):
        with prepared() as given:
            gc.collect()
            begun, started = time.perf_counter(), time.process_time()
            work(given)
            cpu.append((time.process_time() - started) / n * 1e6)
            wall.append((time.perf_counter() - begun) / n * 1e6)
    return {
        "cpu_us": round(min(cpu), 4),
        "cpu_us_median": round(statistics.median(cpu), 4),
        "wall_us": round(min(wall), 4),
        "events_per_cpu_s": round(1e6 / min(cpu)),
        "events_per_wall_s": round(1e6 / min(wall)),
        "load": round(os.getloadavg()[0], 2),
    }


_typed = msgspec.json.Decoder(Event)
_NAMED = pa.schema(
    [(name, pa.float64() if name in ("ts", "value") else pa.string()) for name in FIELDS]
)
_POLARS = {name: pl.Float64 if name in ("ts", "value") else pl.String for name in FIELDS}


def by_msgspec(text: bytes) -> object:
    """Checked objects, then their fields gathered into columns."""
    events = _typed.decode_lines(text)
    return {name: pa.array([getattr(one, name) for one in events]) for name in FIELDS}


def by_pyarrow(text: bytes) -> object:
    """A fixed schema; the text is one block."""
    return arrow_json.read_json(
        pa.BufferReader(text),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=_NAMED, unexpected_field_behavior="ignore"
        ),
    )


def by_polars(text: bytes) -> object:
    """A fixed schema, and Arrow's own layout of strings."""
    frame = pl.read_ndjson(text, schema=_POLARS)
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


READERS: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "json, ours (checked, ids hashed)": ("json", decode),
    "json, msgspec objects gathered": ("json", by_msgspec),
    "json, pyarrow.json": ("json", by_pyarrow),
    "json, polars.read_ndjson": ("json", by_polars),
    "arrow, ours (checked, ids hashed)": ("arrow", decode),
    "msgpack, ours (checked, ids hashed)": ("msgpack", decode),
}


def _each(read: Callable[[bytes], object], some: Sequence[bytes], _: object) -> None:
    for data in some:
        read(data)


def readers(found: dict[str, list[bytes]]) -> list[dict[str, Any]]:
    """Each way to read, on a tenth of the batches."""
    results = []
    for name, (form, read) in READERS.items():
        some = found[form][: BATCHES // 10]

        work = partial(_each, read, some)
        work(None)
        size = sum(map(len, some)) / len(some) / BATCH
        results.append({"what": name, "bytes": round(size, 1), **timed(work, len(some) * BATCH)})
        print(json.dumps(results[-1]), flush=True)
    return results


@contextmanager
def fresh_log(home: Path) -> Iterator[LiveLog]:
    """A log without events, whose window against repeats is full all the same."""
    with (
        tempfile.TemporaryDirectory(dir=home) as folder,
        LiveLog.open(folder, group=GROUP) as log,
    ):
        rng = np.random.default_rng(0)
        for _ in range(0, WINDOW, BATCH):
            log._seen.fresh(rng.integers(1, 1 << 63, BATCH).astype(np.uint64))
        yield log


def logged(data: Sequence[bytes], log: LiveLog) -> None:
    """Bytes to the durable log."""
    for one in data:
        log.append(decode(one))
    log.commit()


def streamed(data: Sequence[bytes], log: LiveLog, engine: InterestEngine) -> None:
    """Bytes to the durable log and the state."""
    stream = LiveStream(log.folder, log, engine)
    for one in data:
        stream.send(one)
    stream.commit()


def counted(batches: Sequence[LiveEvents], engine: InterestEngine, _: object) -> None:
    """The state alone."""
    for batch in batches:
        engine.update(batch)


def known(engine: InterestEngine) -> None:
    """Let the engine meet every user once, so that no page of its memory is new."""
    for first in range(0, USERS, BATCH):
        engine.update(from_table(table(first // BATCH, BATCH, np.arange(first, first + BATCH))))


def zipf(number: int) -> np.ndarray[Any, Any]:
    """A few users do most."""
    rng = np.random.default_rng([1, number])
    return (rng.zipf(1.2, BATCH) * 2_654_435_761) % USERS


def uniform(number: int) -> np.ndarray[Any, Any]:
    """All users do as much."""
    return np.random.default_rng([2, number]).integers(0, USERS, BATCH)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    home = options.parse_args().folder
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    results: list[dict[str, Any]] = []
    engine = InterestEngine(some_tags(), users_at_most=USERS)
    # What the same costs without scenes, without remembered events, at one time scale.
    plain = InterestEngine(
        some_tags(), (DAY,), users_at_most=USERS, scene_half_life=0, remembered=0
    )
    known(engine)
    known(plain)
    reads: list[dict[str, Any]] = []
    for users in (uniform, zipf):
        found = forms(users)
        reads = reads or readers(found)
        for form in ("json", "arrow"):
            data = found[form]
            n = len(data) * BATCH
            batches = [decode(one) for one in data]
            of = {"users": users.__name__, "form": form}
            for what, work, prepared in (
                ("bytes to log", partial(logged, data), partial(fresh_log, home)),
                ("state alone", partial(counted, batches, engine), nullcontext),
                (
                    "bytes to log and state",
                    partial(streamed, data, engine=engine),
                    partial(fresh_log, home),
                ),
                ("plain state alone", partial(counted, batches, plain), nullcontext),
                (
                    "bytes to log and plain state",
                    partial(streamed, data, engine=plain),
                    partial(fresh_log, home),
                ),
            ):
                results.append({**of, "what": what, **timed(work, n, prepared)})
                print(json.dumps(results[-1]), flush=True)
    slowest = min(
        (
            one
            for one in results
            if one["what"] == "bytes to log and state" and one["form"] == "json"
        ),
        key=lambda one: one["events_per_wall_s"],
    )
    beside = {
        name: {"published": rates, "times": round(slowest["events_per_wall_s"] / max(rates), 1)}
        for name, rates in PUBLISHED.items()
    }
    write_result(
        "ingest_live",
        {
            "events": BATCH * BATCHES,
            "batch": BATCH,
            "group": {"events": GROUP.events, "seconds": GROUP.seconds},
            "read": reads,
            "results": results,
            "peers (published, other hardware)": beside,
        },
    )


if __name__ == "__main__":
    main()
