"""``tagcf live path``, ``resonance`` and ``companion`` as people run them."""

from __future__ import annotations

import contextvars
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagcf.cli import main
from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live

COMMAND = [sys.executable, "-c", "from tagcf.cli import main; main()", "live"]
AT = "2025-02-03T20:00"


@dataclass(frozen=True)
class Run:
    """What a run of the command left."""

    returncode: int
    stdout: bytes
    stderr: bytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("viewing")
    write_live(simulate_live(LivePlatform(users=120, rooms=8, days=1, seed=12)), root)
    (root / "tagcf.toml").write_text("")
    return root


def run(*words: str, told: str | bytes = b"") -> Run:
    """Run the command in this process, which has compiled what it needs."""
    data = told.encode() if isinstance(told, str) else told
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, "utf-8", write_through=True))
        patch.setenv("TAGCF_LANG", "en")
        code = contextvars.copy_context().run(_main, words)
        return Run(code, out.getvalue(), err.getvalue())


def _main(words: tuple[str, ...]) -> int:
    try:
        main(["live", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def talk(folder: Path, told: str | bytes, *more: str) -> tuple[list[dict[str, object]], str]:
    done = run(
        "companion", str(folder), "--user", "u000004", "--at", AT, "--json", *more, told=told
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(one) for one in done.stdout.decode().splitlines()], done.stderr.decode()


def test_a_path_is_planned_and_explained(folder: Path) -> None:
    asked = ("path", str(folder), "--room", "r003", "--user", "u000004", "--at", AT)
    done = run(*asked, "--minutes", "15", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert 0 < answer["watched"] <= 15
    assert answer["value"] <= answer["best_possible"]
    for stop in answer["stops"]:
        shares = sum(one["share"] for one in stop["because"]) + stop["rest"]
        assert shares == pytest.approx(1, abs=0.01)
        assert stop["begin"] >= answer["at"]
        assert not stop["replay"] or stop["end"] <= answer["at"]
    shown = run(*asked, "--lang", "zh")
    assert "回看" in shown.stdout.decode()
    assert "r003" in shown.stderr.decode()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("path", "--room", "r03", "--user", "u000004"), 2, "Did you mean: r003"),
        (("path", "--room", "r003", "--user", "u04"), 2, "Did you mean: u000004"),
        (("path", "--room", "r003", "--user", "u000004", "--minutes", "0"), 2, "above 0"),
        (("path", "--room", "r003", "--user", "u000004", "--minutes", "nan"), 2, "above 0"),
        (("path", "--room", "r003", "--user", "u000004", "--at", "soon"), 2, "2026-03-10T21:30"),
        (("path", "--room", "r003", "--user", "u000004", "--at", "1999-01-01"), 1, "no event"),
        (("path", "--user", "u000004"), 2, "--room"),
        (("companion", "--user", "nobody"), 2, 'user "nobody"'),
        (("companion",), 2, "--user"),
        (("companion", "--user", "u000004", "--using", "llm"), 2, "base_url"),
        (("resonance", "--room", "x"), 2, 'room "x"'),
    ],
)
def test_mistakes_are_told(folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    verb, *rest = words
    done = run(verb, str(folder), *rest)
    assert (done.returncode, done.stdout) == (code, b"")
    told = done.stderr.decode()
    assert said in told
    assert "Traceback" not in told


def test_without_segments_or_tags_it_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tagcf.toml").write_text("")
    (tmp_path / "events.parquet").write_bytes((folder / "events.parquet").read_bytes())
    done = run("companion", str(tmp_path), "--user", "u000004")
    assert done.returncode == 1
    assert "segments" in done.stderr.decode()
    (tmp_path / "segments.parquet").write_bytes((folder / "segments.parquet").read_bytes())
    done = run("path", str(tmp_path), "--room", "r003", "--user", "u000004")
    assert done.returncode == 1
    assert "item_tags" in done.stderr.decode()


def test_resonance_is_told_of_every_room(folder: Path) -> None:
    done = run("resonance", str(folder), "--json", "--at", AT)
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    rooms = [one["room_id"] for one in answer["rooms"]]  # that have been on by then
    assert rooms == sorted(rooms)
    assert len(rooms) >= 6
    for one in answer["rooms"]:
        assert one["verdict"] in ("follows", "no clear link", "cannot tell")
        assert (one["p"] is None) == (one["verdict"] == "cannot tell")
    assert answer["expected"]
    for one in answer["expected"]:
        assert sum(one["shares"].values()) == pytest.approx(1, abs=0.001)
    one_room = json.loads(run("resonance", str(folder), "--room", "r002", "--json").stdout)
    assert [one["room_id"] for one in one_room["rooms"]] == ["r002"]
    assert "r002" in run("resonance", str(folder), "--lang", "zh").stdout.decode()


def test_a_conversation_is_kept_and_can_be_taken_back_later(folder: Path) -> None:
    first, told = talk(folder, "less fitness\nnever show me parenting\n忘了最近一小时的\n")
    assert [one["changed"] for one in first] == [True, True, True]
    assert "edits.jsonl" in told
    asked = ("path", str(folder), "--room", "r003", "--user", "u000004", "--at", AT, "--json")
    path = json.loads(run(*asked).stdout)
    assert all(one["tag"] == "parenting" for one in path["left_out"])
    second, _ = talk(folder, "我跟你说过什么\nundo\nundo\nundo\nundo\nwhat have I told you")
    assert "育儿" in str(second[0]["text"])
    assert [one["changed"] for one in second[1:]] == [True, True, True, False, False]
    assert "not told me anything" in str(second[-1]["text"])


def test_odd_lines_are_answered_one_by_one(folder: Path) -> None:
    lines = b"\xef\xbb\xbfwhat do I like\r\n\n\xff\xfe\n" + b"a" * 3_000_000 + b"\nhelp"
    answers, told = talk(folder, lines)
    assert len(answers) == 5
    assert answers[0]["wishes"] == [{"kind": "likes"}]
    assert [one["wishes"] for one in answers[1:4]] == [[{"kind": "unknown"}]] * 3
    assert answers[4]["wishes"] == [{"kind": "help"}]
    assert "Line 3 is not UTF-8" in told
    assert not any(one["changed"] for one in answers)


def test_plain_answers_are_a_line_each_in_the_language_asked_for(folder: Path) -> None:
    words = ("companion", str(folder), "--user", "u000004", "--at", AT)
    done = run(*words, told="what do I like\n我喜欢什么\n")
    english, chinese = done.stdout.decode().splitlines()
    assert english.startswith("Going by")
    assert chinese.startswith("从你的行为看")
    done = run(*words, "--lang", "zh", told="what do I like\n")
    assert done.stdout.decode().startswith("从你的行为看")


@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of this kind")
def test_on_a_terminal_lines_are_asked_for(folder: Path) -> None:
    import pty

    mine, theirs = pty.openpty()
    words = ("companion", str(folder), "--user", "u000004", "--at", AT)
    env = {**os.environ, "TAGCF_LANG": "en", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        [*COMMAND, *words], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as one:
        os.close(theirs)
        os.write(mine, b"help\n")
        assert one.stdout is not None
        assert one.stderr is not None
        assert b"Ask me" in one.stdout.readline()
        os.write(mine, b"\x04")
        assert one.wait(60) == 0
        assert one.stderr.read().count(b"you: ") == 2
    os.close(mine)


def test_no_lines_no_answers_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    for name in ("events.parquet", "segments.parquet", "item_tags.csv", "tagcf.toml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    done = run("companion", str(tmp_path), "--user", "u000004")
    assert (done.returncode, done.stdout) == (0, b"")
    run("path", str(tmp_path), "--room", "r003", "--user", "u000004")
    assert not (tmp_path / "out").exists()
