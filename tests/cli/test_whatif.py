"""``tagcf whatif`` as people run it, on a small simulated platform."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tagcf.data.simulate import Platform, simulate, write_world
from tagcf.data.workspace import open_workspace
from tagcf.effects.store import write_effects
from tagcf.effects.workspace_effects import estimate_workspace, question_of

Run = Callable[..., Any]
CONTRACT = ["outcome", "before", "after", "delta", "ci_low", "ci_high", "supported", "reason"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated workspace with its effects, in which some tags are on too few items."""
    folder = tmp_path_factory.mktemp("platform")
    world = simulate(Platform(users=200, items=300, tags=12, days=10, seed=3))
    write_world(world, folder)
    workspace = open_workspace(folder)
    question = question_of(workspace, world.tags)
    write_effects(
        workspace, estimate_workspace(workspace, world.log, world.tags, question, "joint")
    )
    return folder


@pytest.fixture(scope="module")
def effects(platform: Path) -> pl.DataFrame:
    found = pl.read_parquet(platform / "out" / "effects.parquet")
    everybody = found.filter(pl.col("segment").is_null())
    return everybody.filter(outcome="click", method="joint", estimand="direct")


@pytest.fixture(scope="module")
def item_with(platform: Path, effects: pl.DataFrame) -> Callable[[bool], tuple[str, str]]:
    """``item_with(told)``: an item, and a tag of it that can (or cannot) be told."""
    tags = pl.read_csv(platform / "item_tags.csv")

    def find(told: bool) -> tuple[str, str]:
        known = effects.filter((pl.col("verdict") != "cannot tell") == told)["tag"].implode()
        row = tags.filter(pl.col("tag").is_in(known)).sort("item_id", "tag").row(0, named=True)
        return row["item_id"], row["tag"]

    return find


def answer_of(run: Run, *arguments: object, code: int = 0) -> dict[str, Any]:
    done = run("whatif", *arguments, "--json")
    assert done.returncode == code, done.stderr
    return dict(json.loads(done.stdout))


def test_json_is_the_contracts(
    run: Run, platform: Path, effects: pl.DataFrame, item_with: Callable[[bool], tuple[str, str]]
) -> None:
    item, tag = item_with(True)
    found = answer_of(run, platform, "--item", item, "--without", tag)
    assert set(CONTRACT) <= set(found)
    assert found["outcome"] == "click"
    effect = effects.filter(tag=tag).row(0, named=True)
    assert found["delta"] == pytest.approx(-effect["estimate"])
    assert found["ci_low"] == pytest.approx(-effect["ci_high"])
    assert found["after"] == found["before"] + found["delta"]
    (only,) = found["contributions"]
    assert set(only) == {"tag", "delta", "ci_low", "ci_high"}
    assert only["tag"] == tag
    assert found["rung"] == effect["rung"]
    assert found["simulated"] is True


def test_user_outcome_and_estimand(run: Run, platform: Path) -> None:
    alone = answer_of(run, platform, "--item", "i000001")
    pair = answer_of(run, platform, "--item", "i000001", "--user", "u000001")
    assert alone["before"] != pair["before"]
    seconds = answer_of(run, platform, "--item", "i000001", "--outcome", "watch_time")
    assert seconds["before"] > 1
    total = answer_of(run, platform, "--item", "i000001", "--estimand", "total")
    assert total["estimand"] == "total"


def test_without_an_edit_every_tag_is_taken_off_in_turn(run: Run, platform: Path) -> None:
    found = answer_of(run, platform, "--item", "i000000")
    tags = pl.read_csv(platform / "item_tags.csv").filter(item_id="i000000")["tag"]
    assert found["delta"] == 0
    assert {one["without"][0] for one in found["each"]} == set(tags)
    table = run("whatif", platform, "--item", "i000000").stdout
    assert len(table.splitlines()) == len(tags) + 4  # simulated, sentence, head and rung


def test_people_read_a_sentence_and_that_it_is_simulated(
    run: Run, platform: Path, item_with: Callable[[bool], tuple[str, str]]
) -> None:
    item, tag = item_with(True)
    english = run("whatif", platform, "--item", item, "--without", tag).stdout
    assert english.startswith("Simulated data")
    assert f"click on item {item} would" in english
    assert "95% interval" in english
    chinese = run("whatif", platform, "--item", item, "--without", tag, "--lang", "zh").stdout
    assert chinese.startswith("模拟数据")
    assert "95% 区间" in chinese


def test_what_cannot_be_told_is_exit_code_3_with_strict_only(
    run: Run, platform: Path, item_with: Callable[[bool], tuple[str, str]]
) -> None:
    item, tag = item_with(False)
    asked = (platform, "--item", item, "--without", tag)
    found = answer_of(run, *asked)
    assert (found["supported"], found["delta"], found["contributions"]) == (False, None, [])
    assert "cannot be told" in found["reason"]
    answer_of(run, *asked, "--strict", code=3)
    assert "no answer" in run("whatif", *asked).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--item", "i000000", "--without", "no-such-tag"], "There is no tag"),
        (["--item", "i00000x"], "Did you mean: i0000"),
        (["--item", "i000000", "--user", "nobody"], "There is no user"),
        (["--item", "i000000", "--outcome", "clicks"], "Did you mean: click"),
        (["--item", "i000000", "--without", "healing", "--with", "治愈感"], "at once"),
        ([], "Name an item"),
        (["--item", "i000000", "--batch", __file__], "belong together"),
        (["--output", "answers.parquet"], "belong together"),
        (["--item", "i000000", "--estimand", "other"], "--estimand"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    run: Run, platform: Path, arguments: list[str], says: str
) -> None:
    done = run("whatif", platform, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_effects_come_first(run: Run, platform: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(platform, bare, ignore=shutil.ignore_patterns("out"))
    done = run("whatif", bare, "--item", "i000000")
    assert done.returncode == 1
    assert f"tagcf effects {bare}" in done.stderr


def test_the_kept_model_is_used_until_effects_or_input_change(
    run: Run, platform: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(platform, folder)
    first = answer_of(run, folder, "--item", "i000002")
    kept = folder / "out" / "model" / "whatif.npz"
    made = kept.stat().st_mtime_ns
    assert answer_of(run, folder, "--item", "i000002") == first
    assert kept.stat().st_mtime_ns == made
    kept.write_bytes(b"broken")
    assert answer_of(run, folder, "--item", "i000002") == first
    made = kept.stat().st_mtime_ns
    # Another day's impressions: the old model no longer speaks for this log.
    path = folder / "impressions.parquet"
    rows = pl.read_parquet(path)
    rows.filter(pl.col("item_id") != "i000002").write_parquet(path)
    os.utime(path, ns=(made, made + 1))
    changed = answer_of(run, folder, "--item", "i000002")
    assert kept.stat().st_mtime_ns != made
    assert changed["before"] != first["before"]


def test_batch(
    run: Run, platform: Path, tmp_path: Path, item_with: Callable[[bool], tuple[str, str]]
) -> None:
    item, tag = item_with(True)
    asked, told = tmp_path / "questions.parquet", tmp_path / "answers.parquet"
    questions = {
        "item_id": [item, item, "nope"],
        "user_id": [None, "u000001", None],
        "without": [[tag], [tag], [tag]],
        "with": [[], [], []],
        "outcome": ["click", "like", "click"],
    }
    pl.DataFrame(questions, schema_overrides={"with": pl.List(pl.String)}).write_parquet(asked)
    done = run("whatif", platform, "--batch", asked, "--output", told, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["questions"], facts["supported"], facts["simulated"]) == (3, 2, True)
    answers = pl.read_parquet(told)
    one = answer_of(run, platform, "--item", item, "--without", tag)
    row = answers.row(0, named=True)
    assert {name: row[name] for name in CONTRACT} == {name: one[name] for name in CONTRACT}
    assert row["contributions"] == one["contributions"]
    assert "nope" in answers["reason"][2]
    strict = run("whatif", platform, "--batch", asked, "--output", told, "--strict")
    assert strict.returncode == 3


def test_batch_of_nothing_and_of_no_parquet(run: Run, platform: Path, tmp_path: Path) -> None:
    asked, told = tmp_path / "questions.parquet", tmp_path / "answers.parquet"
    empty = {"item_id": pl.String, "without": pl.List(pl.String)}
    pl.DataFrame(schema=empty).write_parquet(asked)
    assert run("whatif", platform, "--batch", asked, "--output", told).returncode == 0
    assert len(pl.read_parquet(told)) == 0
    told.unlink()
    for content, says in ((b"item_id\n", "cannot be read"), (b"", "cannot be read")):
        asked.write_bytes(content)
        done = run("whatif", platform, "--batch", asked, "--output", told)
        assert done.returncode == 1
        assert says in done.stderr
    pl.DataFrame({"item": ["i000000"]}).write_parquet(asked)
    done = run("whatif", platform, "--batch", asked, "--output", told)
    assert done.returncode == 1
    assert "item_id" in done.stderr
    assert list(tmp_path.glob("*answers*")) == []  # nothing half-written stays behind
