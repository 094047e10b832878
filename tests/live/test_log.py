"""The log: durable, each event once, readable from any offset, and clear about what is wrong."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagcf.errors import DataError, OutputError
from tagcf.live.log import GroupCommit, LiveLog
from tagcf.live.log.log import read_log
from tagcf.live.log.seen import Seen
from tagcf.live.wire import from_rows, from_table
from tagcf.types.live import EVENT_SCHEMA, LiveEvents

DAY = 86_400.0
START = 1_700_006_400.0  # midnight


def made(first: int, n: int, *, step_s: float = 1.0, text: str | None = None) -> LiveEvents:
    number = np.arange(first, first + n)
    return from_table(
        pa.table(
            {
                "event_id": pa.array(number).cast(pa.string()),
                "user_id": pa.array(number % 13),
                "item_id": pa.array(number % 101),
                "ts": START + number * step_s,
                "action": pa.array((number % 15).astype(np.uint8)),
                "value": pa.array(number * 0.5),
                "text": pa.array([text] * n, pa.string()),
            }
        )
    )


def numbers(log: LiveLog | Path, after: int = 0) -> list[int]:
    read = log.read(after) if isinstance(log, LiveLog) else read_log(log, after)
    return [int(one) for _, events in read for one in events.rows["event_id"].to_pylist()]


def test_what_is_read_is_what_was_kept(tmp_path: Path) -> None:
    with LiveLog.open(tmp_path) as log:
        batches = [made(0, 10), made(10, 1, text="价格?"), made(11, 30)]
        for batch in batches:
            appended = log.append(batch)
            assert appended.durable
            assert appended.fresh.all()
        assert (log.offset, log.durable) == (41, 41)
        back = [events for _, events in log.read()]
        for batch, events in zip(batches, back, strict=True):
            assert events.rows.equals(batch.rows)
            assert (events.event == batch.event).all()
    offsets = [offset for offset, _ in read_log(tmp_path)]
    assert offsets == [10, 11, 41]
    for after in (0, 1, 10, 11, 40, 41, 50):
        assert numbers(tmp_path, after) == list(range(after, 41))
    assert [offset for offset, _ in read_log(tmp_path, 3, upto=20)] == [10, 11, 20]


def test_repeats_are_left_out_across_restarts(tmp_path: Path) -> None:
    with LiveLog.open(tmp_path) as log:
        log.append(made(0, 100))
        again = log.append(made(50, 100))
        assert again.fresh.tolist() == [False] * 50 + [True] * 50
        assert again.offset == 150
        twice = from_rows([{"user_id": 1, "ts": 5, "action": "like"}] * 3)
        assert log.append(twice).fresh.tolist() == [True, False, False]
        assert (log.counts.fresh, log.counts.repeated) == (151, 52)
    with LiveLog.open(tmp_path) as log:
        assert not log.append(made(0, 150)).fresh.any()
        assert not log.append(twice).fresh.any()
        assert log.offset == 151
        kept = [one for _, events in log.read() for one in events.rows["event_id"].to_pylist()]
        assert kept == [*map(str, range(150)), None]


@given(
    st.integers(1, 40),
    st.lists(st.lists(st.integers(1, 60), max_size=20), max_size=12),
    st.sampled_from([1, 2**40, 2**63 - 59]),
)
def test_the_window_is_exact(window: int, batches: list[list[int]], far: int) -> None:
    """Beside a list that is searched; keys that meet in the table included."""
    seen, last = Seen(window), list[int]()
    for batch in batches:
        keys = np.array(batch, np.uint64) * np.uint64(far) | np.uint64(1 << 62)
        expected = []
        for key in keys.tolist():
            expected.append(key not in last)
            if expected[-1]:
                last = [*last, key][-window:]
        assert seen.fresh(keys).tolist() == expected


def test_the_window_survives_a_restart(tmp_path: Path) -> None:
    with LiveLog.open(tmp_path, window=64) as log:
        for first in range(0, 500, 50):
            log.append(made(first, 50))
    with LiveLog.open(tmp_path, window=64) as log:
        assert not log.append(made(436, 64)).fresh.any()
        assert log.append(made(435, 1)).fresh.all()
        assert log.append(made(436, 1)).fresh.all()  # pushed out by the one before


def test_late_events_are_kept_and_counted(tmp_path: Path) -> None:
    def at(*seconds: float) -> LiveEvents:
        return from_rows([{"user_id": 1, "ts": START + s, "action": "click"} for s in seconds])

    with LiveLog.open(tmp_path, late_after_s=60) as log:
        assert log.append(at(0, 100, 50, 39, 100)).late == 1
        assert (log.counts.fresh, log.counts.unordered, log.counts.late) == (4, 2, 1)
    with LiveLog.open(tmp_path, late_after_s=60) as log:  # the newest time is remembered
        assert log.append(at(-5, 99)).late == 1
        clock = time.time() + 1e6 - START
        log.append(at(clock, 101))  # a clock that is wrong makes nobody late
        assert (log.counts.ahead, log.counts.late) == (1, 1)
        assert log.offset == 8


def test_group_commit(tmp_path: Path) -> None:
    with LiveLog.open(tmp_path, group=GroupCommit(events=100, seconds=60)) as log:
        assert not log.append(made(0, 40)).durable
        assert not log.append(made(40, 40)).durable
        assert (log.offset, log.durable) == (80, 0)
        assert numbers(tmp_path) == []
        assert log.append(made(80, 40)).durable
        assert numbers(tmp_path) == list(range(120))
        log.append(made(120, 1))
        assert log.commit() == 121
    with LiveLog.open(tmp_path, group=GroupCommit(events=100, seconds=0.01)) as log:
        log.append(made(121, 1))
        time.sleep(0.02)
        assert log.commit_if_due() == 122


def test_one_writer_and_many_readers(tmp_path: Path) -> None:
    with LiveLog.open(tmp_path) as log:
        log.append(made(0, 10))
        with pytest.raises(OutputError, match="Another process is writing"):
            LiveLog.open(tmp_path)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(numbers, (tmp_path,)) == list(range(10))
    with pytest.raises(OutputError, match="no event log"):
        list(read_log(tmp_path / "elsewhere"))


@pytest.mark.parametrize("how", ["no database", "cut", "other program", "later version", "flipped"])
def test_a_broken_file_is_said_to_be_broken(tmp_path: Path, how: str) -> None:
    with LiveLog.open(tmp_path) as log:
        for first in range(0, 3000, 1000):
            log.append(made(first, 1000, text="text that is found in the file"))
    path = log.path
    if how == "no database":
        path.write_bytes(b"not a database at all" * 100)
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "flipped":
        data = bytearray(path.read_bytes())
        at = data.rindex(b"found in the file")
        data[at] ^= 1
        path.write_bytes(data)
    else:
        with sqlite3.connect(path) as db:
            pragma = "user_version=99" if how == "later version" else "application_id=1"
            db.execute(f"PRAGMA {pragma}")
        db.close()
    said = {"later version": "has format 99", "other program": "is no event log",
            "flipped": "is not what was written"}.get(how, "is broken")  # fmt: skip
    with pytest.raises(DataError, match=said):
        list(read_log(tmp_path))
    if how != "flipped":
        with pytest.raises(DataError, match=said):
            LiveLog.open(tmp_path).append(made(3000, 10))


def test_a_half_written_commit_is_none(tmp_path: Path) -> None:
    """Whatever the WAL breaks off in, the log holds the commits before it."""
    log = LiveLog.open(tmp_path / "log")
    for first in range(0, 2000, 100):
        log.append(made(first, 100))
    wal = log.path.with_name(log.path.name + "-wal").read_bytes()
    assert len(wal) > 1_000_000
    lengths = set()
    for k in range(12):
        copy = tmp_path / f"copy-{k}"
        shutil.copytree(tmp_path / "log", copy)
        os.truncate(copy / f"{log.path.name}-wal", len(wal) * k // 12 + 7 * k)
        with LiveLog.open(copy) as again:
            assert numbers(again) == list(range(again.offset))
            assert again.offset % 100 == 0
            again.append(made(0, 2000))
            assert numbers(again) == list(range(2000))
            lengths.add(again.counts.repeated)
    log.close()
    assert len(lengths) > 6  # they broke off in different places


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with LiveLog.open(tmp_path) as log:
        acknowledged = 0
        log._db.execute("PRAGMA max_page_count=20")  # SQLite itself says that it is full

        def fill() -> None:
            nonlocal acknowledged
            while True:
                acknowledged = log.append(made(acknowledged, 5000)).offset

        with pytest.raises(OutputError, match="The disk is full"):
            fill()
        assert 0 < acknowledged == log.offset == log.durable
        log._db.execute("PRAGMA max_page_count=1000000")
        assert log.append(
            made(acknowledged, 5000)
        ).fresh.all()  # what was refused is not taken for a repeat
        assert numbers(log) == list(range(acknowledged + 5000))


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_log import made, numbers
from tagcf.errors import OutputError
from tagcf.live.log import LiveLog
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
log = LiveLog.open(Path(sys.argv[1]))
done = 0
try:
    while True:
        done = log.append(made(done, 5000)).offset
except OutputError as error:
    print(done, error)
"""


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """Here the operating system does not let the file grow."""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), here],
        capture_output=True,
        text=True,
        check=True,
    )
    acknowledged, said = done.stdout.split(maxsplit=1)
    assert "send again whatever was not acknowledged" in said
    assert int(acknowledged) > 0
    assert numbers(tmp_path) == list(range(int(acknowledged)))


def of_days(folder: Path) -> list[int]:
    parts = sorted(folder.rglob("*.parquet"))
    return [
        int(one) for part in parts for one in pq.ParquetFile(part).read()["event_id"].to_pylist()
    ]


def test_days_as_parquet(tmp_path: Path) -> None:
    days = tmp_path / "days"
    with LiveLog.open(tmp_path / "log") as log:
        for first in range(0, 300, 7):  # 100 events a day
            log.append(made(first, 7, step_s=DAY / 100))
        assert [part.parent.name for part in log.write_days(days)] == [
            "day=2023-11-15", "day=2023-11-16", "day=2023-11-17",
        ]  # fmt: skip
        assert sorted(of_days(days)) == list(range(300))
        assert log.write_days(days) == []
        (today,) = log.write_days(days, today=True)
        assert today.parent.name == "day=2023-11-18"
        late = from_rows([{"event_id": 1000, "user_id": 1, "ts": START + 5, "action": "click"}])
        log.append(late)
        (further,) = log.write_days(days)
        assert further.parent.name == "day=2023-11-15"
        assert sorted(of_days(days)) == [*range(301), 1000]
    table = pq.ParquetFile(further).read()
    assert table.column_names == EVENT_SCHEMA.names
    assert table["action"].to_pylist() == ["click"]
    assert from_table(table).event[0] == late.event[0]


def test_days_broken_off_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each part: before it is written, and between writing and noting it."""
    from tagcf.live.log import days as module

    monkeypatch.setattr(module, "PART_ROWS", 30)
    note = module._note
    for after in range(11):
        folder = tmp_path / str(after)
        with LiveLog.open(folder / "log") as log:
            for first in range(0, 300, 7):
                log.append(made(first, 7, step_s=DAY / 100))
            left = after

            def dies(*how: object) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt
                note(*how)  # type: ignore[arg-type]

            monkeypatch.setattr(module, "_note", dies)
            try:
                log.write_days(folder / "days")
                broke_off = False
            except KeyboardInterrupt:
                broke_off = True
            monkeypatch.setattr(module, "_note", note)
            log.append(made(300, 50, step_s=DAY / 100))  # a later offset than was planned
            log.write_days(folder / "days", today=True)
            assert sorted(of_days(folder / "days")) == list(range(350))
            assert broke_off == (after < 9)
