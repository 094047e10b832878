"""What changed since training is said, and nothing else; what training found is said once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tagcf.cli import main
from tagcf.data.content import files_content
from tagcf.data.simulate import Platform, simulate, write_world

Run = Callable[..., Any]
USER = ("--user", "u000007", "-k", 1)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated workspace with effects and a model."""
    folder = tmp_path_factory.mktemp("platform")
    write_world(simulate(Platform(users=120, items=60, tags=8, days=21, seed=1)), folder)
    for command in (["effects", str(folder), "--json"], ["train", str(folder), "--json"]):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert end.value.code in (0, None), command
    return folder


@pytest.fixture
def platform(trained_once: Path, tmp_path: Path) -> Path:
    """A copy with times of its own, as ``cp -r`` makes it."""
    return Path(shutil.copytree(trained_once, tmp_path / "copy", copy_function=shutil.copy))


def write_more(folder: Path, text: str) -> None:
    with (folder / "tagcf.toml").open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_copy_that_was_touched_is_the_same(checked: Run, platform: Path) -> None:
    for path in platform.iterdir():
        os.utime(path)
    said = checked("recommend", platform, *USER)
    assert "Since training" not in said.stderr


def test_an_edited_log_is_another(checked: Run, platform: Path) -> None:
    path = platform / "impressions.parquet"
    pl.read_parquet(path).slice(1).write_parquet(path)
    assert "Since training, the log changed" in checked("recommend", platform, *USER).stderr


def test_tags_of_items(checked: Run, platform: Path) -> None:
    path = platform / "item_tags.csv"
    path.write_text("\n".join(path.read_text("utf-8").splitlines()[:-3]) + "\n", "utf-8")
    for verb in (("recommend", platform), ("explain", platform, "--item", "i000001")):
        assert "Since training, the tags of items changed" in checked(*verb, *USER).stderr
    zh = checked("recommend", platform, *USER, "--lang", "zh").stderr
    assert "训练之后内容的标签变了" in zh


def test_settings(checked: Run, platform: Path) -> None:
    write_more(platform, '\n[recommend]\nexplore = 0.5\nsteer = "steer.toml"\n')
    (platform / "steer.toml").write_text("", "utf-8")
    assert "Since training" not in checked("recommend", platform, *USER).stderr
    write_more(platform, "candidates = 20\nutility = { click = 1.0 }\n")
    said = checked("recommend", platform, *USER).stderr
    assert "settings ([recommend] candidates, [recommend] utility) changed" in said
    checked("train", platform, "--no-search")
    assert "Since training" not in checked("recommend", platform, *USER).stderr


def test_a_model_chosen_on_the_command_line_is_no_change(checked: Run, platform: Path) -> None:
    write_more(platform, '\n[recommend]\nmodel = "fused"\n')
    checked("train", platform, "--model", "linear", "--no-search")
    assert "Since training" not in checked("recommend", platform, *USER).stderr


def test_rules_for_users_who_are_not_there(checked: Run, run: Run, platform: Path) -> None:
    write_more(platform, '\n[recommend]\nsteer = "steer.toml"\n')
    rules = platform / "steer.toml"
    tag = pl.read_csv(platform / "item_tags.csv")["tag"][0]
    rules.write_text(f'[[rule]]\ntag = "{tag}"\nboost = 1\nuser = "u00007"\n', "utf-8")
    for verb in (("train", platform, "--no-search"), ("recommend", platform, *USER)):
        said = checked(*verb).stderr
        assert 'is for the user "u00007"' in said
        assert "Did you mean: u000007" in said
    rules.write_text(f'[[rule]]\ntag = "{tag}"\nboost = 1\nsegment = "city_tier=99"\n', "utf-8")
    for verb in (("train", platform), ("recommend", platform, *USER)):
        done = run(*verb)
        assert done.returncode == 2
        assert '"city_tier" does not have. There are: 1, 2, 3.' in done.stderr
        assert "Training the model" not in done.stderr


def test_broken_effects_say_what_to_run(run: Run, platform: Path) -> None:
    (platform / "out" / "effects.parquet").write_bytes(b"no Parquet")
    for verb in (("recommend", *USER), ("explain", "--item", "i000001", *USER), ("train",)):
        done = run(verb[0], platform, *verb[1:])
        assert (done.returncode, done.stdout) == (1, "")
        assert f"Make it again with: tagcf effects {platform}" in done.stderr
        assert "broke inside" not in done.stderr


@pytest.mark.parametrize("verb", [("recommend", *USER, "--explore"), ("train",), ("evaluate",)])
def test_a_negative_seed_is_wrong_usage(
    run: Run, trained_once: Path, verb: tuple[str, ...]
) -> None:
    done = run(verb[0], trained_once, *verb[1:], "--seed", -1)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--seed" in done.stderr


def test_near_users_and_segments_that_are_not_there(
    run: Run, checked: Run, trained_once: Path
) -> None:
    for verb in (("recommend",), ("explain", "--item", "i000001")):
        done = run(verb[0], trained_once, *verb[1:], "--user", "u00007")
        assert done.returncode == 2
        assert "Did you mean: u000007" in done.stderr
        assert "tagcf recommend" not in done.stderr
    said = checked("recommend", trained_once, *USER, "--segment", "foo=1", "--segment",
                   "city_tier=99").stderr  # fmt: skip
    assert "no segment column “foo”; foo=1 was passed over. There are: city_tier, age_band" in said
    assert "Levels of “city_tier”: 1, 2, 3" in said


def test_training_says_each_thing_once(checked: Run, platform: Path) -> None:
    said = checked("train", platform, "--no-search").stdout
    assert "not searched (--no-search)" in said
    assert "too short" not in said
    assert said.count("Calibration gained nothing") <= 1
    for line in said.splitlines():
        if "before calibration" in line:
            error, before = line.split("calibration error ")[1].rstrip(")").split(" (before ")
            assert error != before.split()[-1]


def test_what_could_not_be_tested_says_so(checked: Run, workspace: Callable[..., Path]) -> None:
    """Tags that every item carries change no rank."""
    lines = [f"u{u},i{(u + k) % 6},{100 * u + k},1" for u in range(9) for k in range(5)]
    folder = workspace(
        settings='[outcomes.click]\ncolumn = "click"\n',
        impressions="user_id,item_id,ts,click\n" + "\n".join(lines),
        item_tags="item_id,tag\n" + "\n".join(f"i{k},camping" for k in range(6)),
    )
    said = checked("train", folder).stdout
    assert "The logic graph is off: it could not be tested" in said
    assert "+0.0000 …" not in said


def test_a_log_without_users(run: Run, workspace: Callable[..., Path]) -> None:
    lines = "\n".join(f"i{k % 6},{k},1" for k in range(30))
    folder = workspace(
        settings='[data]\nuser = ""\n[outcomes.click]\ncolumn = "click"\n',
        impressions="item_id,ts,click\n" + lines,
    )
    done = run("train", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "None of 30 impressions has a user id" in done.stderr


def test_content_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"abc")
    two.write_bytes(b"abc")
    assert files_content([one]) == files_content([two]) != files_content([one, two])
    assert files_content([tmp_path / "none"]) == ""
    monkeypatch.setattr("tagcf.data.content._WHOLE", 2)
    monkeypatch.setattr("tagcf.data.content._BLOCK", 2)
    assert files_content([one]) == files_content([two])
    for changed in (b"xbc", b"abx", b"abcd"):
        two.write_bytes(changed)
        assert files_content([one]) != files_content([two]), changed
