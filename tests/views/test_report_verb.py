"""``tagcf report`` on a small simulated workspace, from the command line to the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from tagcf.cli import main
from tagcf.counterfactual.store import open_what_if
from tagcf.data.read import read_log
from tagcf.data.workspace import open_workspace
from tagcf.effects.store import read_effects
from tagcf.errors import OutputError
from tagcf.views.gather import choose_what_ifs, read_truth, span_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated platform with its effects."""
    root = tmp_path_factory.mktemp("platform") / "my platform"
    for arguments in (
        ["simulate", str(root), "--users", "600", "--items", "500", "--tags", "12", "--days", "15"],
        ["effects", str(root)],
    ):
        with pytest.raises(SystemExit) as done:
            main(arguments)
        assert not done.value.code
    return root


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main(arguments)
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


def test_it_writes_one_file_and_prints_its_path(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(["report", str(folder), "--lang", "zh"], capsys)
    path = folder / "out" / "report.html"
    assert code == 0
    assert out.strip() == str(path)
    assert "模拟数据" in err
    page = path.read_text("utf-8")
    assert page.startswith('<!doctype html>\n<html lang="zh">')
    assert "http://" not in page
    assert "https://" not in page
    assert f"tagcf report &#39;{folder}&#39;" in page
    assert "intervals contain the truth" in page
    assert page.count('class="whatif"') == 6  # three in each language
    assert not list(path.parent.glob("*.partial"))


def test_json_says_what_the_page_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder / "elsewhere" / "page.html"
    code, out, _ = run(
        ["report", str(folder), "--json", "--lang", "en", "--output", str(target)], capsys
    )
    told = json.loads(out)
    assert code == 0
    assert told["path"] == str(target)
    assert told["simulated"] is True
    assert len(told["outcomes"]) == 6
    first = told["outcomes"][0]
    kinds = ("raises", "lowers", "no clear effect", "cannot tell")
    assert sum(len(first[kind]) for kind in kinds) == 12
    headline = first["verdict"].split(". ")[0]
    assert headline.replace("'", "&#39;") in target.read_text("utf-8")


def test_what_ifs_are_popular_supported_and_differ(folder: Path) -> None:
    workspace = open_workspace(folder)
    effects, log = read_effects(workspace), read_log(workspace)
    span = span_of(log)
    assert span.item_rows.sum() == pytest.approx(log.n_rows)
    assert span.window is not None
    assert 0 < span.window[1] - span.window[0] <= 15 * 86_400
    ready = open_what_if(workspace)
    answers = choose_what_ifs(ready, effects, span.item_rows)
    claimed = {
        effect.tag
        for effect in effects.effects
        if effect.outcome == answers[0].outcome and effect.verdict in ("raises", "lowers")
    }
    assert len(answers) == 3
    assert len({answer.item for answer in answers}) == 3
    assert len({answer.without[0] for answer in answers}) > 1
    for answer in answers:
        assert answer.supported
        assert set(answer.without) <= claimed
        shares = sum(share.delta for share in answer.contributions)
        assert shares == pytest.approx(answer.delta)


def test_without_effects_it_says_what_to_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("out"))
    code, out, err = run(["report", str(bare), "--lang", "en"], capsys)
    assert code == 1
    assert out == ""
    assert f"Run first: tagcf effects {bare}" in err


def test_a_failed_run_keeps_the_previous_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "out" / "report.html").write_text("the report of yesterday", "utf-8")
    (copy / "truth.parquet").write_bytes(b"PAR1 but broken")
    code, _, err = run(["report", str(copy), "--lang", "en"], capsys)
    assert code == 1
    assert "truth.parquet cannot be read" in err
    assert (copy / "out" / "report.html").read_text("utf-8") == "the report of yesterday"


def test_the_truth_is_read_or_refused(folder: Path, tmp_path: Path) -> None:
    rows = read_truth(folder / "truth.parquet")
    assert {row.segment for row in rows} > {None}
    assert read_truth(tmp_path / "truth.parquet") == ()
    pl.DataFrame({"tag": ["a"]}).write_parquet(tmp_path / "truth.parquet")
    with pytest.raises(OutputError, match="cannot be read"):
        read_truth(tmp_path / "truth.parquet")
