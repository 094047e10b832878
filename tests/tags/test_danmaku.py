"""Tags from danmaku: what an item's viewers mention more than others do, and never for effects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError
from tagcf.tags.danmaku import danmaku_tags, read_danmaku, write_danmaku_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import read_tags
from tagcf.tags.vocabulary import default_vocabulary


def lines(*rows: tuple[str, str | None, str]) -> pl.DataFrame:
    schema = dict.fromkeys(["item_id", "user_id", "text"], pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def found(*batches: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    table = danmaku_tags(batches, default_vocabulary(), Lexicon())
    return {(row["item_id"], row["tag"]): row for row in table.to_dicts()}


def test_writers_count_once_however_often_they_write() -> None:
    spam = lines(*(("a", "u1", f"露营{k}次") for k in range(50)), ("b", "u9", "好"))
    assert found(spam) == {}
    several = lines(*(("a", f"u{k}", "好想去露营") for k in range(4)), ("b", "u9", "好"))
    told = found(several, several)  # the same lines twice change nothing
    assert told["a", "camping"]["writers"] == told["a", "camping"]["of"] == 4
    assert told["a", "camping"]["quote"] == "好想去露营"


def test_what_everybody_says_everywhere_is_no_tag() -> None:
    rows = [(item, f"{item}{k}", "哈哈哈 猫咪") for item in "abcdefgh" for k in range(5)]
    rows += [("a", f"a{k}", "露营真好") for k in range(5)]
    told = found(lines(*rows))
    assert told["a", "camping"]["strength"] > 0.8
    assert not any(tag == "cats" for _, tag in told)


def test_lines_without_a_user_are_each_somebody_elses() -> None:
    rows = lines(("a", None, "露营"), ("a", None, "露营"), ("a", None, "露营"), ("b", None, "好"))
    assert found(rows)["a", "camping"]["writers"] == 3


def test_events_are_read_and_kept_from_the_effects(tmp_path: Path) -> None:
    (tmp_path / "tagcf.toml").write_text('[content]\ntext = ["title"]\n', "utf-8")
    (tmp_path / "events.csv").write_text(
        "item_id,user_id,action,text,ts\n"
        "a,u1,danmaku,去露营,1\na,u2,danmaku,露营呀,2\na,u3,click,露营,3\n"
        "b,u4,danmaku,,4\n,u5,danmaku,露营,5\nb,u6,danmaku,好,6\n",
        "utf-8",
    )
    workspace = open_workspace(tmp_path)
    table = danmaku_tags(read_danmaku(workspace), default_vocabulary(), Lexicon())
    assert table.select("item_id", "tag", "writers", "source").rows() == [
        ("a", "camping", 2, "danmaku")
    ]
    write_danmaku_tags(workspace, table)
    own = "item_id,tag\na,dogs\n"
    (tmp_path / "item_tags.csv").write_text(own, "utf-8")
    assert read_tags(workspace).rows["tag"].to_list() == ["dogs"]


@pytest.mark.parametrize("header", ["", "item_id,user_id,action\n"])
def test_events_that_cannot_serve_say_why(tmp_path: Path, header: str) -> None:
    (tmp_path / "tagcf.toml").write_text("", "utf-8")
    if header:
        (tmp_path / "events.csv").write_text(header + "a,u,danmaku\n", "utf-8")
    with pytest.raises(DataError) as refused:
        read_danmaku(open_workspace(tmp_path))
    assert ("text" if header else "events") in str(refused.value)
