from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagcf.cli import main

SMALL = ["--users", "40", "--items", "60", "--tags", "10", "--days", "7", "--lang", "en"]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["simulate", *arguments])
    return int(exit_.value.code or 0)


def test_summary_on_stdout_talk_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "world"
    assert run(str(folder), "--sector", "shop", "--seed", "4", *SMALL, "--json") == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["simulated"] is True
    assert summary["sector"] == "shop"
    assert summary["tags"] == 10
    assert len(summary["null_tags"]) == 5
    assert {Path(name).name for name in summary["files"]} == {
        path.name for path in folder.iterdir()
    }
    assert "Simulated" in err
    for verb in ("tagcf check", "tagcf effects", "tagcf report"):
        assert f"{verb} {folder}" in err


def test_without_json_nothing_is_on_stdout_and_chinese_is_spoken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path / "world"), *SMALL[:-1], "zh") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "模拟平台" in err


def test_a_folder_with_anything_in_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run(str(tmp_path), *SMALL) == 1
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_force_replaces_a_simulated_platform_and_drops_its_answers(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    assert run(str(folder), "--seed", "1", *SMALL) == 0
    before = (folder / "truth.parquet").read_bytes()
    (folder / "out").mkdir()
    (folder / "out" / "effects.parquet").write_text("of the old world")
    assert run(str(folder), "--seed", "2", *SMALL) == 1
    assert run(str(folder), "--seed", "2", *SMALL, "--force") == 0
    assert (folder / "truth.parquet").read_bytes() != before
    assert not (folder / "out").exists()


@pytest.mark.parametrize("settings", ["", "[data]\nsimulated = false\n", "not toml ["])
def test_force_never_replaces_real_data(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tagcf.toml").write_text(settings)
    (tmp_path / "impressions.csv").write_text("user_id,item_id,ts\n")
    assert run(str(tmp_path), *SMALL, "--force") == 1
    assert "does not hold a simulated platform" in capsys.readouterr().err
    assert (tmp_path / "impressions.csv").read_text() == "user_id,item_id,ts\n"


@pytest.mark.parametrize("wrong", [["--sector", "cinema"], ["--users", "0"], ["--colour", "red"]])
def test_wrong_usage_is_exit_code_two(wrong: list[str], tmp_path: Path) -> None:
    assert run(str(tmp_path / "world"), *wrong) == 2
