"""tagcf init: what is guessed from the files, and that it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tagcf.settings import load_settings

Make = Callable[..., Path]


def files(workspace: Make) -> Path:
    return workspace(
        impressions=(
            "uid,video_id,timestamp,is_click,finish_rate,watch_s,is_rand,p\n"
            "a,1,1704067200,1,0.5,3.2,0,0.1\nb,2,1704067201,0,0.25,1.5,1,0.2\n"
        ),
        items="video_id,title,author_id,duration_s\n1,小猫学会了开门,x,10\n2,老歌合集,y,20\n",
        users="uid,city_tier\na,1\nb,2\n",
    )


def test_guess_is_written_with_comments_and_reads(
    workspace: Make, run: Callable[..., object]
) -> None:
    folder = files(workspace)
    done = run("init", folder, "--lang", "zh")
    assert done.returncode == 0
    assert "请核对一遍" in done.stderr
    text = (folder / "tagcf.toml").read_text("utf-8")
    assert "# 用户 ID 列" in text
    found = load_settings(folder)
    assert (found.data.user, found.data.item, found.data.time) == ("uid", "video_id", "timestamp")
    assert {name: (one.column, one.kind) for name, one in found.outcomes.items()} == {
        "click": ("is_click", "binary"),
        "finish_rate": ("finish_rate", "rate"),
        "watch_s": ("watch_s", "real"),
    }
    assert found.design.randomized == "is_rand"
    assert found.design.propensity == "p"
    assert found.design.author == "author_id"
    assert found.design.covariates == ["hour", "duration_s"]
    assert found.design.segments == ["city_tier"]
    assert found.content.text == ["title"]
    assert run("check", folder).returncode == 0


def test_an_archive_of_tests_is_recognised(workspace: Make, run: Callable[..., object]) -> None:
    folder = workspace(
        impressions="item_id,test_id,impressions,clicks\na,t,100,3\nb,t,120,0\n",
    )
    assert run("init", folder).returncode == 0
    found = load_settings(folder)
    assert found.data.user == found.data.time == ""
    assert found.design.stratum == "test_id"
    assert (found.outcomes["ctr"].column, found.outcomes["ctr"].trials) == ("clicks", "impressions")
    assert run("check", folder).returncode == 0


def test_existing_settings_are_not_overwritten(workspace: Make, run: Callable[..., object]) -> None:
    folder = files(workspace)
    (folder / "tagcf.toml").write_text("seed = 7\n")
    done = run("init", folder)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert (folder / "tagcf.toml").read_text() == "seed = 7\n"
    assert run("init", folder, "--force").returncode == 0
    assert load_settings(folder).seed == 0


def test_what_cannot_be_guessed_is_said(workspace: Make, run: Callable[..., object]) -> None:
    folder = workspace(impressions="who,what\na,b\n")
    done = run("init", folder)
    assert done.returncode == 1
    assert "data.item" in done.stderr
    (folder / "impressions.csv").write_text("user_id,item_id\na,b\n")
    assert "looks like an outcome" in run("init", folder).stderr
    (folder / "impressions.csv").unlink()
    assert "an impression log" in run("init", folder).stderr


def test_a_column_of_films_is_found_and_covers_are_left(
    workspace: Make, run: Callable[..., object]
) -> None:
    folder = workspace(
        impressions="item_id,click\n1,1\n2,0\n",
        items=(
            "item_id,cover,source_file,title\n"
            "1,c/1.jpg,v/猫.MP4,小猫学会了开门\n2,c/2.jpg,v/b.flv,老歌合集\n3,c/3.jpg,,无片\n"
        ),
    )
    done = run("init", folder, "--lang", "zh")
    assert "媒体文件：source_file 列" in done.stderr
    found = load_settings(folder).content
    assert (found.media, found.text) == ("source_file", ["title"])


def test_addresses_in_the_net_and_titles_are_no_media(
    workspace: Make, run: Callable[..., object]
) -> None:
    folder = workspace(
        impressions="item_id,click\n1,1\n2,0\n",
        items="item_id,url,title\n1,https://a.example/1.mp4,how to open a .mp4\n2,https://a.example/2.mp4,b\n",
    )
    assert run("init", folder).returncode == 0
    assert load_settings(folder).content.media is None


def test_items_alone_can_be_tagged_and_other_verbs_say_what_they_want(
    workspace: Make, run: Callable[..., object]
) -> None:
    folder = workspace(items="item_id,file\n1,a.wav\n2,b.png\n3,c.png\n")
    done = run("init", folder)
    assert done.returncode == 0
    assert "tagcf tag" in done.stderr
    assert "impressions.csv" in done.stderr
    found = load_settings(folder)
    assert (found.data.item, found.content.media, found.outcomes) == ("item_id", "file", {})
    tagged = run("tag", folder, "--using", "lexicon")
    assert tagged.returncode == 0, tagged.stderr
    checked = run("check", folder)
    assert checked.returncode == 0
    assert "impressions.*" in checked.stdout
    refused = run("effects", folder)
    assert refused.returncode == 1
    assert "impressions.csv" in refused.stderr


def test_items_without_anything_to_read_are_no_workspace(
    workspace: Make, run: Callable[..., object]
) -> None:
    folder = workspace(items="item_id,price\n1,3\n2,4\n")
    done = run("init", folder)
    assert done.returncode == 1
    assert "impressions.csv" in done.stderr
    assert not (folder / "tagcf.toml").exists()
