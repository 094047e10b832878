"""What `check` and `tag` say of items.*, of paths and of settings: the same, in en and zh."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

Run = Callable[..., object]

CONTENT = '[content]\ntext = ["title"]\n'
CLICK = '[outcomes.click]\ncolumn = "click"\n'
ROWS = "user_id,item_id,ts,click\nu,i1,1704067200,1\nv,i2,1704067201,0\n"
ITEMS = "item_id,title,file\ni1,露营 学生,a.mp4\ni2,猫,b.mp4\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tagcf.toml").write_text(CONTENT + CLICK, "utf-8")
    (tmp_path / "items.csv").write_text(ITEMS, "utf-8")
    (tmp_path / "impressions.csv").write_text(ROWS, "utf-8")
    return tmp_path


@pytest.mark.parametrize("setting", ['text = ["titel"]', 'media = "titel"'])
def test_check_asks_for_the_columns_of_content(folder: Path, run: Run, setting: str) -> None:
    (folder / "tagcf.toml").write_text(f"[content]\n{setting}\n{CLICK}", "utf-8")
    checked, tagged = run("check", folder), run("tag", folder)
    assert checked.returncode == tagged.returncode == 1
    assert checked.stderr == tagged.stderr
    assert "no column titel" in checked.stderr
    assert "Did you mean: title, item_id?" in checked.stderr
    told = run("check", folder, "--lang", "zh").stderr
    assert "。相近的有：title、item_id。现有" in told
    assert "现有的列：item_id、title、file" in told
    (folder / "items.csv").unlink()
    missing = run("check", folder)
    assert missing.returncode == 1
    assert "there is no items file" in missing.stderr


@pytest.mark.parametrize("name", ["items", "users"])
def test_header_alone_is_an_error(folder: Path, run: Run, name: str) -> None:
    (folder / f"{name}.csv").write_text(f"{name[:-1]}_id,title\n", "utf-8")
    done = run("check", folder)
    assert done.returncode == 1
    assert f"{name}.csv has a header but no rows" in done.stderr


def test_rows_that_an_open_quote_swallowed_are_told(folder: Path, run: Run) -> None:
    many = 'item_id,title,file\ni1,a,x\ni2,"b,x\ni3,c,x\ni4,d,x\n'
    (folder / "items.csv").write_text(many, "utf-8")
    done = run("tag", folder, "--using", "lexicon")
    assert done.returncode == 0
    told = "items.csv: 3 rows, other number of columns than the header: left out (row 3: 'i2,"
    assert told in done.stderr
    (bad,) = [
        one
        for one in json.loads(run("check", folder, "--json").stdout)["bad"]
        if one["kind"] == "bad.broken_line"
    ]
    assert bad["count"] == 3
    # Swallowed without a trace: the number of columns still fits.
    (folder / "items.csv").write_text('item_id,title,file\ni1,a,x\ni2,b,"x\ni3,c,x\n', "utf-8")
    assert "a quote is not closed" in run("tag", folder, "--using", "lexicon").stderr
    assert run("check", folder, "--strict").returncode == 3
    # A text over two lines is no fault.
    (folder / "items.csv").write_text('item_id,title,file\ni1,"a\nb",x\ni2,c,x\n', "utf-8")
    assert "not closed" not in run("tag", folder, "--using", "lexicon").stderr
    assert "not closed" not in run("check", folder).stdout


def test_repeated_ids_are_told_by_both_once(folder: Path, run: Run) -> None:
    (folder / "items.csv").write_text(ITEMS + "i1,again,x\ni2,again,y\n", "utf-8")
    told = "items.csv, column item_id: 2 rows, id already seen: left out (row 4: 'i1', row 5: 'i2')"
    assert told in run("tag", folder, "--using", "lexicon").stderr
    found = json.loads(run("check", folder, "--json").stdout)["bad"]
    assert [one["kind"] for one in found] == ["bad.duplicate_id"]
    assert "第 4 行“i1”、第 5 行“i2”" in run("check", folder, "--lang", "zh").stdout


def test_media_that_are_not_there_are_counted(folder: Path, run: Run) -> None:
    (folder / "tagcf.toml").write_text(f'{CONTENT}media = "file"\n{CLICK}', "utf-8")
    (folder / "a.mp4").write_bytes(b"not opened")
    done = run("check", folder, "--json")
    assert done.returncode == 0
    (bad,) = json.loads(done.stdout)["bad"]
    assert (bad["kind"], bad["count"], bad["examples"]) == ("bad.missing_media", 1, ["b.mp4"])
    (folder / "b.mp4").write_bytes(b"not opened")
    assert json.loads(run("check", folder, "--json").stdout)["bad"] == []


def test_items_alone_can_be_checked_and_get_roles(folder: Path, run: Run) -> None:
    (folder / "impressions.csv").unlink()
    (folder / "tagcf.toml").write_text(CONTENT, "utf-8")
    done = run("check", folder, "--strict")
    assert done.returncode == 0
    assert "items alone: 2, of which 2 have a text" in done.stdout
    assert "also need impressions.*" in done.stdout
    found = json.loads(run("check", folder, "--json").stdout)
    assert (found["n_items"], found["rung"], found["usable"]) == (2, None, True)
    done = run("tag", folder, "--roles")
    assert done.returncode == 0
    assert "users get no roles" in done.stderr
    roles = pl.read_parquet(folder / "out" / "item_roles.parquet")
    assert roles["item_id"].unique().sort().to_list() == ["i1", "i2"]
    assert run("tag", folder, "--roles", "--using", "llm").returncode == 1


def test_a_wrong_path_is_usage(tmp_path: Path, run: Run) -> None:
    nowhere = tmp_path / "nowhere"
    for verb in ("tag", "check", "init", "settings", "effects"):
        done = run(verb, nowhere)
        assert done.returncode == 2
        assert f"There is no folder {nowhere}" in done.stderr
    done = run("import", "coat", nowhere, tmp_path / "out")
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()


def test_a_bad_byte_is_named_by_line(folder: Path, run: Run) -> None:
    (folder / "items.csv").write_bytes(b"item_id,title,file\ni1,a,x\ni2,b\xe7\x94d,x\n")
    for verb in ("check", "tag"):
        done = run(verb, folder)
        assert done.returncode == 1
        assert "byte 30 on (line 3, which starts 'i2,b')" in done.stderr
    assert "第 3 行，行首是“i2,b”" in run("check", folder, "--lang", "zh").stderr


@pytest.mark.parametrize(
    ("written", "name", "english", "chinese"),
    [
        ('[content]\ntext = "t"', "content.text", "a list", "应是列表"),
        ("[content]\nmedia = 3", "content.media", "text in quotes", "应是文字"),
        ("[tags]\nthreshold = 3", "tags.threshold", "1.0 or less", "应不大于 1.0"),
        ("[tags]\nthreshold = 0", "tags.threshold", "above 0", "应大于 0"),
        ("[tags]\nmin_items = 1", "tags.min_items", "2 or more", "应不小于 2"),
        ("[tags]\nmin_items = 2.5", "tags.min_items", "a whole number", "应是整数"),
        ('[tags]\nsurface = "so"', "tags.surface", "true or false", "应是 true 或 false"),
        ("[tags]\ncontrol_for = 5", "tags.control_for ", "'all', or it", "'all'，或者应是列表"),
        ("content = 3", "content ", "a section", "应是一节"),
        ('language = "fr"', "language", "only be: 'zh', 'en'", "只能写：'zh', 'en'"),
        ("[outcomes.x]", "outcomes.x ", "either `column`", "要么写 column"),
        ("[contnt]", "contnt", "Did you mean: content?", "不存在。相近的有：content。用"),
    ],
)
def test_settings_are_corrected_in_plain_words(
    folder: Path, run: Run, written: str, name: str, english: str, chinese: str
) -> None:
    (folder / "tagcf.toml").write_text(written + "\n", "utf-8")
    for language, phrase in (("en", english), ("zh", chinese)):
        done = run("check", folder, "--lang", language)
        assert done.returncode == 2
        assert phrase in done.stderr
        assert name in done.stderr
        assert "Input" not in done.stderr


def test_choices_are_told_in_chinese(folder: Path, run: Run) -> None:
    done = run("tag", folder, "--using", "foo", "--lang", "zh")
    assert done.returncode == 2
    assert "不能是 'foo'。可选：auto、lexicon" in done.stderr
    assert "Error" not in done.stderr
    done = run("demo", folder / "demo", "--users", "2", "--lang", "zh")
    assert "不能是 2，范围是 x>=12。" in done.stderr
    assert "--using cannot be 'foo'" in run("tag", folder, "--using", "foo").stderr
