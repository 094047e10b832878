"""``tagcf live replay`` on a small simulated platform, and on broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from tagcf.cli.live_replay import replay as verb
from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live
from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError
from tagcf.live.rooms.workspace import read_live


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("live")
    write_live(simulate_live(LivePlatform(users=80, rooms=4, days=1, seed=12)), root)
    (root / "tagcf.toml").write_text("")
    return root


def test_the_answer_is_the_contract(folder: Path) -> None:
    done = CliRunner().invoke(verb, [str(folder), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert {"highlights", "switches", "intents"} <= set(answer)
    assert {"user_id", "room_id", "ts", "probability"} <= set(answer["intents"][0])
    chance = np.array([one["probability"] for one in answer["intents"]])
    assert ((chance > 0) & (chance < 1)).all()
    assert {"user_id", "ts", "from", "to"} <= set(answer["switches"][0])
    for one in answer["highlights"]:
        assert one["end"] > one["start"]
        assert one["tags"]


def test_csv_with_bad_rows_is_read_and_told(folder: Path, tmp_path: Path) -> None:
    events = pl.read_parquet(folder / "events.parquet").head(2_000)
    rows = events.with_columns(
        pl.when(pl.int_range(pl.len()) == 5)
        .then(None)
        .otherwise(pl.col("user_id"))
        .alias("user_id")
    )
    rows.write_csv(tmp_path / "events.csv")
    (tmp_path / "tagcf.toml").write_text("")
    tables = read_live(open_workspace(tmp_path))
    whole = read_live(open_workspace(folder))
    assert tables.bad.count == 1
    assert tables.segments is None
    assert len(tables.events) + tables.repeated == 1_999
    assert set(tables.events.event.tolist()) <= set(whole.events.event.tolist())


def test_no_events_is_told(tmp_path: Path) -> None:
    (tmp_path / "tagcf.toml").write_text("")
    with pytest.raises(DataError, match=r"events\.csv"):
        read_live(open_workspace(tmp_path))
    (tmp_path / "events.csv").write_text("user_id,ts,action\n")
    with pytest.raises(DataError):
        read_live(open_workspace(tmp_path))
