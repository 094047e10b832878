"""tagcf settings: values and where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def test_sources(
    workspace: Callable[..., Path], run: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace(settings="[outcomes.click]\ncolumn='c'\n[tags]\nmin_items=20\n")
    monkeypatch.setenv("TAGCF_DATA__TIMEZONE", "Asia/Shanghai")
    done = run("settings", folder, "--json")
    assert done.returncode == 0
    rows = {row["name"]: row for row in json.loads(done.stdout)["settings"]}
    assert (rows["tags.min_items"]["value"], rows["tags.min_items"]["source"]) == (20, "file")
    assert rows["data.timezone"]["value"] == "Asia/Shanghai"
    assert rows["data.timezone"]["source"] == "env"
    assert rows["data.item"]["source"] == "default"
    assert rows["outcomes.click.column"]["source"] == "file"
    assert all(row["description"] for row in rows.values())


def test_defaults_without_a_folder(run: Callable[..., object]) -> None:
    done = run("settings", "--lang", "zh")
    assert done.returncode == 0
    assert "data.timezone" in done.stdout
    assert "一切随机数的种子" in done.stdout


def test_no_workspace(run: Callable[..., object], tmp_path: Path) -> None:
    done = run("settings", tmp_path)
    assert done.returncode == 2
    assert "tagcf init" in done.stderr
