"""`tagcf simulate --live` writes a workspace that the other verbs still read."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from tagcf.cli import main
from tagcf.data.read import read_log
from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live
from tagcf.data.workspace import open_workspace
from tagcf.tags.matrix import load_tags
from tagcf.types.live import EVENT_SCHEMA

SMALL = ["--users", "40", "--items", "60", "--tags", "14", "--days", "7", "--lang", "en"]
LIVE = {"events.parquet", "segments.parquet", "products.csv", "social.csv", "truth_live.parquet"}


def run(verb: str, *arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([verb, *arguments])
    return int(exit_.value.code or 0)


def test_live_files_stand_beside_the_platform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "world"
    assert run("simulate", str(folder), *SMALL, "--live", "--json") == 0
    out, err = capsys.readouterr()
    live = json.loads(out)["live"]
    assert live["simulated"] is True
    assert "simulated too" in err
    assert {path.name for path in folder.iterdir()} >= LIVE
    events = pq.read_table(folder / "events.parquet")
    assert events.schema.equals(EVENT_SCHEMA)
    assert events.num_rows == live["events"]
    assert events["ts"].to_numpy().min() > read_last(folder)
    segments = pl.read_parquet(folder / "segments.parquet")
    tagged = set(pl.read_csv(folder / "item_tags.csv")["item_id"])
    assert set(segments["segment_id"]) <= tagged
    assert set(segments["product_id"].drop_nulls()) <= set(
        pl.read_csv(folder / "products.csv")["product_id"]
    )
    # What was there before is still read, and the platform's tags are the same.
    log = read_log(folder)
    assert load_tags(open_workspace(folder), log).carried().sum() > 0
    assert run("check", str(folder)) == 0


def read_last(folder: Path) -> float:
    return float(pl.read_parquet(folder / "impressions.parquet")["ts"].max())  # type: ignore[arg-type]  # a number


def test_without_live_the_files_of_an_earlier_world_go(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    assert run("simulate", str(folder), *SMALL, "--live") == 0
    assert run("simulate", str(folder), *SMALL, "--force") == 0
    assert not LIVE & {path.name for path in folder.iterdir()}


def test_same_world_same_bytes(tmp_path: Path) -> None:
    world = simulate_live(LivePlatform(users=40, rooms=6, days=1, hours=2))
    for name in ("one", "again"):
        write_live(world, tmp_path / name)
        write_live(world, tmp_path / name)  # twice: tags are not added twice
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    truth = pl.read_parquet(tmp_path / "one" / "truth_live.parquet")
    assert truth.equals(world.truth)
