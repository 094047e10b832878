"""``tagcf live interest`` and ``match``, and what users say of their interests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live

COMMAND = [sys.executable, "-c", "from tagcf.cli import main; main()", "live"]
USER = "u000004"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAGCF_LANG": "en", "COLUMNS": "160"}
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("interest")
    write_live(simulate_live(LivePlatform(users=80, rooms=6, days=1, seed=12)), root)
    (root / "tagcf.toml").write_text("")
    done = run("replay", str(root), "--keep", "--json")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "kept"))


def interests(folder: Path, *more: str) -> dict[str, dict[str, object]]:
    done = run("interest", str(folder), "--user", USER, "--k", "99", "--json", *more)
    assert done.returncode == 0, done.stderr
    return {one["tag"]: one for one in json.loads(done.stdout)["interests"]}


def edits(folder: Path) -> str:
    path = folder / "out" / "live" / "edits.jsonl"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--boost", "nosuch", "2"), "nosuch"),
        (("--boost", "beauty", "nan"), "nan"),
        (("--set", "beauty", "7"), "7"),
        (("--reset", "nosuch"), "nosuch"),
        (("--tag", "nosuch"), "nosuch"),
    ],
)
def test_a_refused_command_changes_nothing(folder: Path, wrong: tuple[str, ...], told: str) -> None:
    done = run("interest", str(folder), "--user", USER, "--mute", "gaming", *wrong)
    assert done.returncode == 2
    assert told in done.stderr
    assert edits(folder) == ""


def test_a_reset_as_of_the_past_leaves_what_came_after(folder: Path) -> None:
    """A snapshot cannot tell the two apart; the log can."""
    before = interests(folder)
    times: list[float] = []
    for tag in before:
        done = run("interest", str(folder), "--user", USER, "--tag", tag, "--json")
        times = [one["ts"] for one in json.loads(done.stdout)["because"]["events"]]
        if len(times) > 1:
            break
    when = (min(times) + max(times)) / 2
    assert min(times) < when < max(times)
    earlier = interests(folder, "--at", repr(when), "--reset", tag)
    assert earlier.get(tag, {"strength": 0.0})["strength"] == 0.0
    by_snapshot = interests(folder)
    assert by_snapshot == interests(folder, "--at", repr(_newest(folder)))
    assert 0 < by_snapshot[tag]["evidence"][2] < before[tag]["evidence"][2]  # type: ignore[index]
    assert run("replay", str(folder), "--keep", "--json").returncode == 0
    assert interests(folder) == by_snapshot


def _newest(folder: Path) -> float:
    done = run("interest", str(folder), "--user", USER, "--json")
    return float(json.loads(done.stdout)["at"])


def test_before_the_first_event_there_is_nothing_to_tell(folder: Path) -> None:
    done = run("interest", str(folder), "--user", USER, "--at", "2001-01-01")
    assert done.returncode == 1
    assert "no event up to 2001-01-01" in done.stderr
    assert "1970" not in done.stderr
    done = run("interest", str(folder), "--user", "nobody", "--at", repr(_newest(folder)))
    assert done.returncode == 2
    assert '"nobody" up to' in done.stderr


def test_counting_once_is_no_edit(folder: Path) -> None:
    tag = next(iter(interests(folder)))
    assert interests(folder, "--boost", tag, "0.5")[tag]["edited"] == "boost"
    assert interests(folder, "--boost", tag, "1")[tag]["edited"] is None


def test_matches_know_what_a_user_has_muted(folder: Path) -> None:
    def shared() -> list[str]:
        done = run("match", str(folder), "--user", USER, "--json", "--k", "99")
        assert done.returncode == 0, done.stderr
        return [tag for one in json.loads(done.stdout)["matches"] for tag in one["tags"]]

    first = shared()[0]
    interests(folder, "--mute", first)
    assert first not in shared()


def test_a_length_that_is_no_number_is_refused(folder: Path) -> None:
    done = run("draft", str(folder), "--host", "h000", "--minutes", "nan")
    assert done.returncode == 2
    assert "--minutes" in done.stderr
