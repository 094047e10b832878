"""A run over media is killed at random moments; out/ cannot be written: the real command."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

COMMAND = [sys.executable, "-c", "from tagcf.cli import main; main()", "tag"]
OPTIONS = ["--using", "lexicon", "--json"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "TAGCF_LANG": "en"}
FILES = 14


def fill(folder: Path) -> Path:
    """A workspace of small pictures and sounds, one of them broken."""
    draw = np.random.default_rng(0)
    rows = ["item_id,title,file"]
    for k in range(FILES):
        name = f"{k}.wav" if k % 3 == 0 else f"{k}.png"
        rows.append(f"i{k},camping,{name}")
        if k == 4:
            (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
        elif name.endswith("png"):
            blocks = draw.integers(0, 256, (8, 8, 3), np.uint8)
            picture = np.kron(blocks, np.ones((40, 40, 1), np.uint8))
            Image.fromarray(picture).save(folder / name)
        else:
            with wave.open(str(folder / name), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", ""))
                file.writeframes(draw.integers(-9000, 9000, 32_000).astype(np.int16).tobytes())
    (folder / "items.csv").write_text("\n".join(rows) + "\n", "utf-8")
    settings = '[content]\ntext = ["title"]\nmedia = "file"\n'
    (folder / "tagcf.toml").write_text(settings, "utf-8")
    return folder


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    return fill(tmp_path)


def finished(folder: Path) -> list[bytes]:
    """Whole lines of the journal."""
    path = folder / "out" / "readings.jsonl"
    raw = path.read_bytes() if path.exists() else b""
    return raw.split(b"\n")[:-1]


def run(folder: Path) -> dict[str, object]:
    command = [*COMMAND, str(folder), *OPTIONS]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def kill_after(folder: Path, lines: int, draw: random.Random) -> None:
    """Start the command and kill it soon after the journal has so many lines."""
    with subprocess.Popen(
        [*COMMAND, str(folder), *OPTIONS],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while len(finished(folder)) < lines and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.15))
        assert process.poll() is None, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_loses_nothing_and_repeats_nothing(channel: Path, tmp_path: Path) -> None:
    draw = random.Random(20_261_123)
    before: list[bytes] = []
    for lines in (1, 6):
        kill_after(channel, lines, draw)
        after = finished(channel)
        assert after[: len(before)] == before
        assert len(after) >= lines
        before = after
        assert not (channel / "out" / "item_tags.parquet").exists()
    with (channel / "out" / "readings.jsonl").open("ab") as file:
        file.write(b'01234567 ["half a li')  # what a kill within a write leaves
    told = run(channel)
    assert told["media"]["read_now"] == FILES - len(before)  # type: ignore[index]
    lines_now = finished(channel)
    assert lines_now[: len(before)] == before
    keys = [line.split(b'"')[1] for line in lines_now]
    assert len(keys) == len(set(keys)) == FILES
    whole = tmp_path / "whole"
    whole.mkdir()
    untouched = run(fill(whole))
    for name in ("item_tags", "tag_evidence", "tag_missing"):
        one, other = (pl.read_parquet(at / "out" / f"{name}.parquet") for at in (channel, whole))
        if name == "tag_missing":  # paths in its sentences differ
            one, other = (table.drop("facts") for table in (one, other))
        assert one.equals(other), name
    assert told["tags"] == untouched["tags"]


def without_power() -> None:
    """Let root be refused as others are: give up CAP_DAC_OVERRIDE before the command starts."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="root is refused nothing elsewhere")
@pytest.mark.parametrize("known", [False, True], ids=["first", "again"])
def test_an_out_folder_that_can_not_be_written_is_said_at_once(channel: Path, known: bool) -> None:
    out = channel / "out"
    out.mkdir()
    if known:
        (out / "readings.jsonl").touch(0o444)
    out.chmod(0o555)
    done = subprocess.run(
        [*COMMAND, str(channel), *OPTIONS],
        env=ENVIRONMENT,
        preexec_fn=without_power,
        capture_output=True,
        text=True,
        check=False,
    )
    out.chmod(0o755)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "readings.jsonl cannot be read or written (Permission denied)" in done.stderr
    assert {one.name for one in out.iterdir()} == ({"readings.jsonl"} if known else set())
