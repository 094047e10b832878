"""``tagcf tag`` on files: tags with evidence, what is missing and why, and a second run."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

Run = Callable[..., Any]
ITEMS = (
    "item_id,title,file\n"
    "grey,带狗狗去露营,grey.png\n"
    "tone,,tone.wav\n"
    "gone,camping,nowhere.mp4\n"
    "cut,camping,cut.mp4\n"
    "words,camping with my dog,\n"
)


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """A workspace with a grey picture, a tone, a file that is missing and one that is broken."""
    import cv2

    settings = '[content]\ntext = ["title"]\nmedia = "file"\n'
    (tmp_path / "tagcf.toml").write_text(settings, "utf-8")
    (tmp_path / "items.csv").write_text(ITEMS, "utf-8")
    ramp = np.tile(np.linspace(60, 200, 320, dtype=np.uint8), (240, 1))
    cv2.imwrite(str(tmp_path / "grey.png"), ramp)
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((tone * 8_000).astype(np.int16).tobytes())
    (tmp_path / "cut.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(200))
    return tmp_path


def test_files_are_read_once_and_what_is_missing_is_said(channel: Path, checked: Run) -> None:
    said = checked("tag", channel, "--using", "lexicon", "--json")
    summary = json.loads(said.stdout)
    assert summary["media"]["files"] == summary["media"]["read_now"] == 4
    written = pl.read_parquet(summary["output"])
    of = {item: set(tags) for item, tags in written.group_by("item_id").agg("tag").iter_rows()}
    assert {"black-white", "camping", "dogs"} <= of["grey"]
    assert of["gone"] == of["cut"] == {"camping"}  # tagged from what is left
    assert of["words"] == {"camping", "dogs"}
    lost = pl.read_parquet(channel / "out" / "tag_missing.parquet")
    assert {"frames", "ocr", "sound", "speech"} <= set(
        lost.filter(pl.col("item_id") == "gone")["source"]
    )
    assert "speech" in set(lost.filter(pl.col("item_id") == "tone")["source"])
    assert "nowhere.mp4" in said.stderr
    assert "cut.mp4" in said.stderr or summary["media"]["missing"]
    again = json.loads(checked("tag", channel, "--using", "lexicon", "--json").stdout)
    assert again["media"]["read_now"] == 0
    assert again["tags"] == summary["tags"]


def test_an_item_is_shown_with_its_evidence(channel: Path, checked: Run) -> None:
    checked("tag", channel, "--using", "lexicon")
    shown = json.loads(checked("tag", channel, "--show", "grey", "--json").stdout)
    tags = {one["tag"]: one for one in shown["tags"]}
    [evidence] = tags["black-white"]["evidence"]
    assert evidence["source"] == "frames"
    assert evidence["start_s"] == 0.0
    assert evidence["quote"]
    [words] = tags["dogs"]["evidence"]
    assert (words["source"], words["quote"]) == ("lexicon", "狗狗")
    assert "speech" in {source for one in shown["missing"] for source in one["sources"]}
    table = checked("tag", channel, "--show", "grey")
    assert "Black and white" in table.stdout
    assert "no sound" in table.stderr
    chinese = checked("tag", channel, "--show", "grey", "--lang", "zh")
    assert "黑白影像" in chinese.stdout


def test_media_may_be_left_out(channel: Path, checked: Run) -> None:
    summary = json.loads(
        checked("tag", channel, "--using", "lexicon", "--no-media", "--json").stdout
    )
    assert "media" not in summary
    assert not (channel / "out" / "readings.jsonl").exists()


def test_an_item_that_does_not_exist_has_a_near_name(channel: Path, checked: Run) -> None:
    refused = checked("tag", channel, "--show", "grey", code=1)
    assert "Run first" in refused.stderr
    checked("tag", channel, "--using", "lexicon", "--no-media")
    unknown = checked("tag", channel, "--show", "grei", code=2)
    assert "grey" in unknown.stderr


def test_a_media_column_that_is_not_there_is_named(channel: Path, checked: Run) -> None:
    (channel / "tagcf.toml").write_text('[content]\nmedia = "film"\n', "utf-8")
    refused = checked("tag", channel, code=1)
    assert "film" in refused.stderr
    assert "content.media" in refused.stderr


def test_danmaku_go_to_a_file_of_their_own(channel: Path, checked: Run) -> None:
    lines = [f"tone,u{k},danmaku,想去露营" for k in range(6)] + ["words,u9,danmaku,好"]
    events = "\n".join(["item_id,user_id,action,text", *lines])
    (channel / "events.csv").write_text(events + "\n", "utf-8")
    told = json.loads(checked("tag", channel, "--danmaku", "--json").stdout)
    assert [(one["item_id"], one["tag"], one["writers"]) for one in told["tags"]] == [
        ("tone", "camping", 6)
    ]
    assert told["used_by_effects"] is False
    assert not (channel / "out" / "item_tags.parquet").exists()
    said = checked("tag", channel, "--danmaku")
    assert "想去露营" in said.stdout
    assert "no estimate uses these tags" in said.stderr


def test_a_name_that_no_file_can_have_costs_only_that_item(channel: Path, checked: Run) -> None:
    long = "x" * 300
    items = f"item_id,title,file\nlong,camping,{long}.mp4\ngrey,camping,grey.png\n"
    (channel / "items.csv").write_text(items, "utf-8")
    summary = json.loads(checked("tag", channel, "--using", "lexicon", "--json").stdout)
    written = pl.read_parquet(summary["output"])
    assert set(written.filter(pl.col("item_id") == "long")["tag"]) == {"camping"}
    assert "black-white" in set(written.filter(pl.col("item_id") == "grey")["tag"])


def test_broken_free_names_say_how_to_make_them_again(channel: Path, checked: Run) -> None:
    checked("tag", channel, "--using", "lexicon", "--no-media")
    (channel / "out" / "free_tags.parquet").write_bytes(b"no table")
    refused = checked("tag", channel, "--propose", code=1)
    assert "free_tags.parquet" in refused.stderr
    assert "--extract" in refused.stderr


def test_items_without_rows_are_refused(channel: Path, checked: Run) -> None:
    (channel / "items.csv").write_text("item_id,title,file\n", "utf-8")
    assert "no rows" in checked("tag", channel, code=1).stderr


def test_no_file_outside_the_workspace_is_opened(channel: Path, checked: Run) -> None:
    outside = channel.parent / f"{channel.name}-outside.wav"
    (channel / "tone.wav").rename(outside)
    items = f"item_id,title,file\ntone,,../{outside.name}\nlink,,link.wav\n"
    (channel / "items.csv").write_text(items, "utf-8")
    (channel / "link.wav").symlink_to(outside)
    refused = json.loads(checked("tag", channel, "--using", "lexicon", "--json").stdout)
    [missing] = refused["media"]["missing"]
    assert missing["items"] == 2
    assert "media_root" in missing["example"]
    with (channel / "tagcf.toml").open("a", encoding="utf-8") as settings:
        settings.write('media_root = ".."\n')
    items = f"item_id,title,file\ntone,,{outside.name}\n"
    (channel / "items.csv").write_text(items, "utf-8")
    read = json.loads(checked("tag", channel, "--using", "lexicon", "--json").stdout)
    assert "sound" not in {one for gap in read["media"]["missing"] for one in gap["sources"]}


def test_an_item_without_tags_is_no_unknown_item(channel: Path, checked: Run) -> None:
    (channel / "items.csv").write_text("item_id,title,file\nbare,qwrtz,\n", "utf-8")
    checked("tag", channel, "--using", "lexicon", "--no-media")
    shown = checked("tag", channel, "--show", "bare")
    assert "has no tags" in shown.stderr
    assert f"tagcf tag {channel}" in shown.stderr
    nobody = checked("tag", channel, "--show", "nobody", code=2)
    assert 'no item "nobody" in the items table' in nobody.stderr
    assert "column item_id" in nobody.stderr


def test_reasons_of_an_older_run_are_not_shown(channel: Path, checked: Run) -> None:
    checked("tag", channel, "--using", "lexicon")
    lost = channel / "out" / "tag_missing.parquet"
    assert "Not read" in checked("tag", channel, "--show", "grey").stderr
    checked("tag", channel, "--using", "lexicon", "--no-media")
    assert not lost.exists()
    shown = checked("tag", channel, "--show", "grey", "--json")
    assert json.loads(shown.stdout)["missing"] == []
    assert {one["tag"] for one in json.loads(shown.stdout)["tags"]} == {"camping", "dogs"}
    checked("tag", channel, "--using", "lexicon")
    assert lost.exists()
    (channel / "tagcf.toml").write_text('[content]\ntext = ["title"]\n', "utf-8")
    checked("tag", channel, "--using", "lexicon")
    assert not lost.exists()
    assert not (channel / "out" / "tag_evidence.parquet").exists()


def test_what_is_lost_to_all_sources_is_said_in_short(channel: Path, checked: Run) -> None:
    told = checked("tag", channel, "--using", "lexicon")
    lost = [line for line in told.stderr.splitlines() if "nowhere.mp4" in line]
    assert [line.split(":")[0] for line in lost] == ["Media of which nothing could be read"]
    assert any(line.startswith("Not read: ") for line in told.stderr.splitlines())  # of grey: sound
    shown = checked("tag", channel, "--show", "gone")
    assert shown.stderr.startswith("Nothing of it could be read: There is no media file")
    assert (
        "全部没有读到：没有媒体文件"
        in checked("tag", channel, "--show", "gone", "--lang", "zh").stderr
    )
    grey = checked("tag", channel, "--show", "grey", "--lang", "zh").stderr
    assert "没有读到画面里的东西：没有安装图像分类模型" in grey


def test_urls_are_said_not_to_be_read(channel: Path, checked: Run) -> None:
    url = "https://cdn.example.org/films/a.mp4?w=1"
    long = "https://cdn.example.org/" + "x" * 300
    items = f"item_id,title,file\nfar,camping,{url}\nlong,camping,{long}\n"
    (channel / "items.csv").write_text(items, "utf-8")
    summary = json.loads(checked("tag", channel, "--using", "lexicon", "--json").stdout)
    [missing] = summary["media"]["missing"]
    assert (missing["items"], missing["nothing_read"]) == (2, True)
    assert url in missing["example"]
    assert "URLs are not read" in missing["example"]


def test_readable_formats_are_all_named(channel: Path, checked: Run) -> None:
    import cv2

    cv2.imwrite(str(channel / "grey.bmp"), cv2.imread(str(channel / "grey.png")))
    items = "item_id,title,file\nbmp,,grey.bmp\ncut,,cut.mp4\n"
    (channel / "items.csv").write_text(items, "utf-8")
    summary = json.loads(checked("tag", channel, "--using", "lexicon", "--json").stdout)
    assert "black-white" in {one["tag"] for one in summary["tags"]}
    assert any("webp, bmp." in one["example"] for one in summary["media"]["missing"])


def test_settings_of_a_language_model_are_checked_before_media(channel: Path, checked: Run) -> None:
    refused = checked("tag", channel, "--using", "llm", code=2)
    assert "missing: [llm] base_url, model." in refused.stderr
    with (channel / "tagcf.toml").open("a", encoding="utf-8") as settings:
        settings.write('[llm]\nbase_url = "localhost:8000"\nmodel = "m"\n')
    refused = checked("tag", channel, "--using", "llm", code=2)
    assert '"localhost:8000" is not a usable address' in refused.stderr
    assert not (channel / "out" / "readings.jsonl").exists()
    assert not (channel / "out" / "item_tags.parquet").exists()
