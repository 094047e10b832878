"""``tagcf live replay`` on a small simulated platform, and on broken ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from tagcf.cli.live_interest import interest
from tagcf.cli.live_replay import replay as verb
from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live
from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.live.rooms.workspace import read_live
from tagcf.live.viewing.companion.record import Record
from tagcf.live.wire import id_key


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


def test_a_kept_stream_is_what_interests_are_read_from(folder: Path, tmp_path: Path) -> None:
    for name in ("events", "segments", "item_tags"):
        for path in folder.glob(f"{name}.*"):
            shutil.copy(path, tmp_path)
    (tmp_path / "tagcf.toml").write_text("[live]\nhalf_lives_minutes = [10.0, 100.0, 1000.0]\n")
    tables = read_live(open_workspace(tmp_path))
    user = tables.events.rows["user_id"][0].as_py()

    def shown(*more: str) -> list[dict[str, object]]:
        arguments = [str(tmp_path), "--user", user, "--json", *more]
        done = CliRunner().invoke(interest, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        found: list[dict[str, object]] = json.loads(done.stdout)["interests"]
        return found

    from_events = shown()
    played = CliRunner().invoke(verb, [str(tmp_path), "--keep"], catch_exceptions=False)
    assert f"{len(tables.events):,} new" in played.stderr
    again = CliRunner().invoke(verb, [str(tmp_path), "--keep"], catch_exceptions=False)
    assert "0 new" in again.stderr
    kept = shown()
    assert len(kept) == len(from_events) > 3
    for one, other in zip(kept, from_events, strict=True):
        assert one["tag"] == other["tag"]
        assert one["strength"] == pytest.approx(other["strength"], rel=1e-5)
    strongest = str(kept[0]["tag"])
    assert strongest not in [one["tag"] for one in shown("--mute", strongest) if one["strength"]]
    assert strongest not in [one["tag"] for one in shown() if one["strength"]]
    CliRunner().invoke(verb, [str(tmp_path), "--keep"], catch_exceptions=False)
    assert strongest not in [one["tag"] for one in shown() if one["strength"]]


@pytest.mark.parametrize("kept", [False, True])
def test_a_span_that_was_forgotten_is_in_no_interest(
    folder: Path, tmp_path: Path, kept: bool
) -> None:
    for name in ("events", "segments", "item_tags"):
        for path in folder.glob(f"{name}.*"):
            shutil.copy(path, tmp_path)
    (tmp_path / "tagcf.toml").write_text("")
    tables = read_live(open_workspace(tmp_path))
    user = tables.events.rows["user_id"][0].as_py()
    if kept:
        CliRunner().invoke(verb, [str(tmp_path), "--keep"], catch_exceptions=False)
    arguments = [str(tmp_path), "--user", user, "--json"]
    before = json.loads(CliRunner().invoke(interest, arguments, catch_exceptions=False).stdout)
    assert before["interests"]
    Record(tmp_path / "out" / "live" / "companion.jsonl").add(
        id_key(user), "forget_time", 1.0, span=(0.0, 4e9)
    )
    with pytest.raises(UnknownNameError, match="no events of a user"):
        CliRunner().invoke(interest, arguments, catch_exceptions=False)


def test_a_user_that_nobody_knows_is_told(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="no events of a user"):
        CliRunner().invoke(interest, [str(folder), "--user", "nobody"], catch_exceptions=False)
