"""tagcf check as people run it: exit codes, and what, where and what to do in zh and in en."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tagcf.data.read import read_log
from tagcf.effects.linear.basis import expand, make_basis
from tagcf.effects.linear.design import survey

Make = Callable[..., Path]

CLICK = '[outcomes.click]\ncolumn = "click"\n'
ROWS = "user_id,item_id,ts,click\nu,i,1704067200,1\nv,j,1704067201,0\n"


def rename(folder: Path, name: str) -> None:
    (folder / "impressions.csv").rename(folder / name)


def missing_column(folder: Path) -> None:
    (folder / "impressions.csv").write_text(ROWS.replace("click", "clicked"))


def empty_file(folder: Path) -> None:
    (folder / "impressions.csv").write_bytes(b"")


def header_only(folder: Path) -> None:
    (folder / "impressions.csv").write_text("user_id,item_id,ts,click\n")


def no_file(folder: Path) -> None:
    (folder / "impressions.csv").unlink()


def two_files(folder: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(folder / "impressions.parquet")


def truncated_gzip(folder: Path) -> None:
    packed = gzip.compress((ROWS + "w,k,1704067202,1\n" * 9_000).encode())
    (folder / "impressions.csv").write_bytes(packed[: len(packed) // 2])
    rename(folder, "impressions.csv.gz")


def not_gzip(folder: Path) -> None:
    rename(folder, "impressions.csv.gz")


def broken_part(folder: Path) -> None:
    (folder / "impressions.csv").unlink()
    (folder / "impressions").mkdir()
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "ts": [1], "click": [1]})
    frame.write_parquet(folder / "impressions" / "a.parquet")
    whole = (folder / "impressions" / "a.parquet").read_bytes()
    (folder / "impressions" / "b.parquet").write_bytes(whole[: len(whole) // 2])


def part_lacks_column(folder: Path) -> None:
    (folder / "impressions.csv").unlink()
    (folder / "impressions").mkdir()
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "ts": [1], "click": [1]})
    frame.write_parquet(folder / "impressions" / "a.parquet")
    frame.drop("click").write_parquet(folder / "impressions" / "b.parquet")


def broken_utf8(folder: Path) -> None:
    good = "user_id,item_id,ts,click\n用户一,内容,1704067200,1\n".encode()
    (folder / "impressions.csv").write_bytes(
        good + b"\xe7\x94,i,1,0\n" + "张三,内容,1,1\n".encode()
    )


def unknown_key(folder: Path) -> None:
    (folder / "tagcf.toml").write_text(f"{CLICK}[design]\nauthr = 'a'\n")


def column_twice(folder: Path) -> None:
    (folder / "impressions.csv").write_text("user_id,item_id,ts,click,click\nu,i,1,1,1\n")


def no_usable_rows(folder: Path) -> None:
    (folder / "impressions.csv").write_text("user_id,item_id,ts,click\n,i,1,1\n")


def unknown_encoding(folder: Path) -> None:
    (folder / "tagcf.toml").write_text(f"{CLICK}[data]\nencoding = 'utf-9'\n")


@pytest.mark.parametrize(
    ("spoil", "code", "english", "chinese"),
    [
        (missing_column, 1, ["impressions.csv", "no column click", "clicked"], ["没有 click 列"]),
        (empty_file, 1, ["impressions.csv is empty", "Export it again"], ["是空文件"]),
        (header_only, 1, ["impressions.csv has a header but no rows"], ["只有表头"]),
        (no_file, 1, ["no impression log", "Put impressions.csv"], ["没有曝光日志"]),
        (two_files, 1, ["impressions.csv, impressions.parquet"], ["只保留一个"]),
        (truncated_gzip, 1, ["impressions.csv.gz is cut off"], ["中途断开"]),
        (not_gzip, 1, ["impressions.csv.gz is not a valid gzip"], ["不是有效的 gzip"]),
        (broken_part, 1, ["The Parquet part", "b.parquet is broken"], ["b.parquet 已损坏"]),
        (part_lacks_column, 1, ["b.parquet has no column click"], ["b.parquet 里没有 click 列"]),
        (broken_utf8, 1, ["impressions.csv", "byte 55", "utf-8"], ["第 55 字节"]),
        (column_twice, 1, ["two columns named click"], ["两列都叫 click"]),
        (no_usable_rows, 1, ["Not one row", "column user_id"], ["每一行都无法使用"]),
        (
            unknown_key,
            2,
            ["design.authr", "author", "tagcf settings"],
            ["design.authr 不存在"],
        ),
        (unknown_encoding, 2, ["utf-9", "data.encoding"], ["utf-9"]),
    ],
)
def test_unusable_input(
    workspace: Make,
    run: Callable[..., object],
    spoil: Callable[[Path], None],
    code: int,
    english: list[str],
    chinese: list[str],
) -> None:
    folder = workspace(impressions=ROWS, settings=CLICK)
    spoil(folder)
    for language, phrases in (("en", english), ("zh", chinese)):
        done = run("check", folder, "--lang", language)
        assert done.returncode == code
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        for phrase in phrases:
            assert phrase in done.stderr


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda text: b"\xef\xbb\xbf" + text.encode(), "UTF-8 with byte order mark"),
        (lambda text: text.encode("gbk"), "GBK"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
    ],
)
def test_encodings_are_found(
    workspace: Make, run: Callable[..., object], encode: Callable[[str], bytes], name: str
) -> None:
    text = "user_id,item_id,ts,click\n张三,萌宠互动,1704067200,1\n李四,怀旧音乐,1704067201,0\n"
    folder = workspace(
        impressions=encode(text),
        items=encode("item_id,title\n萌宠互动,小猫\n怀旧音乐,老歌\n"),
        settings=CLICK,
    )
    done = run("check", folder, "--json")
    assert done.returncode == 0, name
    found = json.loads(done.stdout)
    assert found["rows_used"] == 2
    assert {one["kind"] for one in found["bad"]} == ({"note.encoding"} if name == "GBK" else set())
    (folder / "item_tags.csv").write_bytes(encode("item_id,tag\n萌宠互动,猫\n"))
    assert json.loads(run("check", folder, "--json").stdout)["tags"]["strangers"] == []


def test_a_process_of_its_own(workspace: Make, run_process: Callable[..., object]) -> None:
    folder = workspace(impressions=ROWS, settings=CLICK)
    assert "2 行" in run_process("check", folder, "--lang", "zh").stdout
    missing_column(folder)
    done = run_process("check", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "Did you mean: clicked?" in done.stderr


def test_latin_text_is_not_taken_for_chinese(workspace: Make, run: Callable[..., object]) -> None:
    text = "user_id,item_id,ts,click\nrésumé,i,1,1\nnaïve,i,2,0\n"
    folder = workspace(impressions=text.encode("latin-1"), settings=CLICK)
    done = run("check", folder)
    assert done.returncode == 1
    assert "data.encoding" in done.stderr
    (folder / "tagcf.toml").write_text(f"{CLICK}[data]\nencoding = 'latin-1'\n")
    assert run("check", folder).returncode == 0


def test_findings_are_told_and_strict_exits_3(workspace: Make, run: Callable[..., object]) -> None:
    folder = workspace(
        impressions=ROWS
        + "u,i,1704067203,abc\n,i,1704067204,1\nu,i,1704067205,\nu,i,1704067206,7\n",
        items="item_id,title\ni,a\nj,b\nj,c\n",
        item_tags="item_id,tag\ni,one\ni,two\ni,three\nz,three\n",
        settings=CLICK,
    )
    done = run("check", folder)
    assert done.returncode == 0
    for phrase in (
        "6 rows read, 5 used",
        "not a number",
        "row 4: 'abc'",
        "no id",
        "row 5",
        "outcome empty",
        "outside what the column may hold",
        "row 7: '7'",
        "id already seen",
        "1 items without tags: j",
        "3 tags on one item only",
        "one = three = two",
        "tags of items that neither the log nor items.* knows",
        "check that ids are written alike",
        "No A/B strata",
        "No randomly exposed rows",
        "If empty means that it did not happen, export 0.",
    ):
        assert phrase in done.stdout
    chinese = run("check", folder, "--lang", "zh").stdout
    for phrase in ("读入 6 行", "不是数字", "第 4 行“abc”", "按缺失处理", "没有 A/B 分层"):
        assert phrase in chinese
    assert run("check", folder, "--strict").returncode == 3


def test_strict_is_content_with_clean_data(workspace: Make, run: Callable[..., object]) -> None:
    folder = workspace(impressions=ROWS, settings=CLICK)
    assert run("check", folder, "--strict").returncode == 0


def test_json(workspace: Make, run: Callable[..., object]) -> None:
    folder = workspace(impressions=ROWS + "u,i,1704067203,abc\n", settings=CLICK)
    found = json.loads(run("check", folder, "--json").stdout)
    assert found["rows_read"] == found["rows_used"] == 3
    assert found["outcomes"] == [
        {
            "name": "click",
            "kind": "binary",
            "mean": 0.5,
            "missing": pytest.approx(1 / 3),
            "low": 0.0,
            "high": 1.0,
        }
    ]
    (bad,) = found["bad"]
    assert (bad["kind"], bad["count"], bad["action"]) == ("bad.wrong_type", 1, "as_missing")
    assert bad["examples"] == ["row 4: 'abc'"]
    assert found["rung"] == "observational"


def test_outcome_without_values_is_unusable(workspace: Make, run: Callable[..., object]) -> None:
    folder = workspace(impressions="user_id,item_id,ts,click\nu,i,1,yes please\n", settings=CLICK)
    done = run("check", folder)
    assert done.returncode == 1
    assert "No outcome has a single value" in done.stderr


def test_numbers_far_outside_their_column_are_told(workspace: Make, run) -> None:
    rows = "".join(f"u{n},i{n % 400},{1704067200 + n},{n % 2},{n % 24}\n" for n in range(800))
    items = "".join(f"i{k},{100_000_000 if k == 7 else 10 + k}\n" for k in range(400))
    folder = workspace(
        impressions="user_id,item_id,ts,click,hour\n" + rows,
        items="item_id,duration_s\n" + items,
        settings=CLICK + '[design]\ncovariates = ["hour", "duration_s"]\n',
    )
    (far,) = json.loads(run("check", folder, "--json").stdout)["bad"]
    assert (far["kind"], far["count"], far["action"]) == ("note.far_value", 2, "as_missing")
    assert far["where"] == "items.csv, column duration_s"
    assert far["examples"][0].startswith("1e+08 (range ")
    done = run("check", folder, "--strict")
    assert done.returncode == 0  # a long tail is no fault
    assert "count them as missing" in done.stdout
    assert "远在该列通常的范围之外" in run("check", folder, "--lang", "zh").stdout
    # The fit leaves out the same rows, by the same rule.
    log = read_log(folder)
    basis = make_basis(log.covariates, survey(log, None).sample, 5, (0, 1))
    columns = expand(basis, np.vstack([batch.covariates for batch in log.batches()]))
    assert columns[:, basis.names.index("duration_s?")].sum() == far["count"]
    assert "hour?" not in basis.names
