"""``tagcf live host``, ``guide`` and ``draft`` on a small simulated platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tagcf.cli import main
from tagcf.data.simulate.live import LivePlatform, simulate_live, write_live

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hosts")
    write_live(simulate_live(LivePlatform(users=120, rooms=6, days=1, seed=41)), root)
    (root / "tagcf.toml").write_text("")
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["live", *map(str, words)])
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return call


def test_a_report_as_json_and_as_a_page(run: Run, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "host.html"
    code, out, err = run("host", folder, "--host", "h001", "--json", "--html", page, "--lang", "zh")
    assert code == 0, err
    report = json.loads(out)
    assert report["host"] == "h001"
    assert report["segments"]
    assert {"figures", "verdicts", "highlights", "dropoffs"} <= set(report["segments"][0])
    assert "主播 h001" in err
    html = page.read_text("utf-8")
    assert html.count('class="page host"') == 2
    assert "模拟数据" in html
    assert html.count("<svg") > 2 * len(report["segments"])
    body = html.split("<body>")[1].split("<script>")[0]
    assert "{" not in body


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_without_a_host_all_are_listed(run: Run, folder: Path, lang: str) -> None:
    code, out, err = run("host", folder, "--lang", lang)
    assert code == 0
    assert all(f"h{k:03d}" in out for k in range(6))
    assert "6" in err
    code, out, _ = run("host", folder, "--json")
    hosts = json.loads(out)["hosts"]
    assert [one["host"] for one in hosts] == [f"h{k:03d}" for k in range(6)]


def test_wrong_names_are_told(run: Run, folder: Path, tmp_path: Path) -> None:
    code, _, err = run("host", folder, "--host", "h01", "--lang", "en")
    assert code == 2
    assert "h001" in err
    code, _, err = run("guide", folder, "--room", "r01", "--lang", "en")
    assert code == 2
    assert "r001" in err
    code, _, err = run("host", folder, "--html", tmp_path / "x.html")
    assert code == 2
    code, _, err = run("draft", folder, "--host", "nobody")
    assert code == 2


def test_hints_come_in_the_order_of_time(run: Run, folder: Path) -> None:
    code, out, err = run("guide", folder, "--json", "--lang", "zh")
    assert code == 0, err
    hints = json.loads(out)["hints"]
    assert hints
    assert [one["at"] for one in hints] == sorted(one["at"] for one in hints)
    for one in hints:
        assert one["text"]
        assert one["by_chance"] <= 0.5
    room = hints[0]["room_id"]
    code, out, _ = run("guide", folder, "--room", room)
    assert code == 0
    assert len(out.splitlines()) == sum(one["room_id"] == room for one in hints)


def test_a_draft_rests_on_facts(run: Run, folder: Path) -> None:
    code, out, err = run("draft", folder, "--host", "h001", "--json", "--minutes", "60")
    assert code == 0, err
    draft = json.loads(out)
    assert draft["written_by"] == "template"
    assert 50 <= sum(slot["minutes"] for slot in draft["slots"]) <= 75
    starts = [slot["start"] for slot in draft["slots"]]
    assert starts == sorted(starts)
    for slot in draft["slots"]:
        assert slot["because"]
        assert all(point["because"]["text"] for point in slot["points"])
    code, out, _ = run("draft", folder, "--host", "h001", "--lang", "zh")
    assert code == 0
    assert "因为" in out


def test_hosts_and_viewers_are_matched(run: Run, folder: Path) -> None:
    code, out, err = run("match", folder, "--host", "h001", "--k", "3", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["simulated"] is False  # this workspace does not say so
    assert [one["host"] for one in told["matches"]] == ["h001"] * 3
    seconds = [one["seconds"] for one in told["matches"]]
    assert seconds == sorted(seconds, reverse=True)
    viewer = told["matches"][0]["user"]
    code, out, err = run("match", folder, "--user", viewer, "--lang", "zh")
    assert code == 0
    assert "95% 区间" in out
    assert run("match", folder)[0] == 2
    assert run("match", folder, "--user", "nobody")[0] == 2
