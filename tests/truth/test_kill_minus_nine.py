"""Kill -9 under load, at random points: nothing acknowledged is lost, nothing counts twice."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tagcf.live.interest import InterestEngine
from tagcf.live.log.log import read_log
from tagcf.live.stream import LiveStream

LIVE = Path(__file__).parents[1] / "live"
sys.path.insert(0, str(LIVE))
from live_writer import SETTINGS, N, some_tags  # noqa: E402

PATIENCE_S = 120.0
LONGEST_S = 1.0  # a process lives at most so long after it has opened
RESENT = 6  # batches that their sender sends again after a restart, though acknowledged


def run_and_kill(folder: Path, first: int, lives_s: float, *, compiles: bool) -> list[int]:
    """Acknowledged batches of a process that is killed so long after it has opened.

    One that may have to compile first lives that long from its first acknowledgement.
    """
    command = [sys.executable, str(LIVE / "live_writer.py"), str(folder), str(first)]
    environment = {**os.environ, "PYTHONPATH": str(LIVE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], PATIENCE_S)[0]
        assert process.stdout.readline() == b"open\n"
        first_said = process.stdout.readline() if compiles else b""
        time.sleep(lives_s)
        process.send_signal(signal.SIGKILL)
        said = (first_said + process.stdout.read()).split(b"\n")
        said.pop()  # a cut last line acknowledges nothing
    return [int(line) for line in said]


def check(folder: Path, acknowledged: int) -> int:
    """Events of the log, after a check of it and of the state made from it."""
    ids = [int(one) for _, e in read_log(folder / "log") for one in e.rows["event_id"].to_pylist()]
    assert len(ids) == len(set(ids)), "an event was kept twice"
    assert set(range(acknowledged * N)) <= set(ids), "an acknowledged event was lost"
    copy = folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    replayed = InterestEngine(some_tags(), **SETTINGS)
    for _, events in read_log(copy / "log"):
        replayed.update(events)
    with LiveStream.open(copy, some_tags(), **SETTINGS) as stream:
        assert stream.log.offset == len(ids)
        for user in range(0, 2_000, 97):
            one, other = (
                {tag.tag: tag.strength for tag in engine.interest(user, k=30)}
                for engine in (stream.engine, replayed)
            )
            assert one.keys() == other.keys()
            scale = max(map(abs, other.values()), default=0.0)
            for tag, strength in other.items():
                assert one[tag] == pytest.approx(strength, rel=1e-5, abs=1e-5 * scale)
    return len(ids)


def killed(folder: Path, times: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    acknowledged = stored = 0
    with contextlib.chdir(folder.parent):
        for turn in range(times):
            again = max(0, acknowledged - RESENT)
            lives_s = float(rng.uniform(0, LONGEST_S))
            said = run_and_kill(folder, again, lives_s, compiles=turn == 0)
            acknowledged = max([acknowledged, *(batch + 1 for batch in said)])
            stored = check(folder, acknowledged)
    assert acknowledged > times  # it was under load
    assert stored >= acknowledged * N


def test_killed_five_times(tmp_path: Path) -> None:
    killed(tmp_path / "live", times=5, seed=0)


@pytest.mark.truth
def test_killed_fifty_times(tmp_path: Path) -> None:
    killed(tmp_path / "live", times=50, seed=1)
