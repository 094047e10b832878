"""What `tagcf effects` answers beside the effects, as people read it; and what it leaves alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tagcf.data.simulate import Platform, simulate
from tagcf.data.simulate.write import write_world
from tagcf.data.workspace import open_workspace
from tagcf.effects.store import read_effects, write_effects

CLICK = ("--outcome", "click")
WATCHED = ("--outcome", "watch_time", "--json")
DOUBT = ("--using", "joint", "--doubt", "--negative-outcome", "depth")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform with three logged outcomes, return, and one segment."""
    folder = tmp_path_factory.mktemp("asked") / "platform"
    write_world(simulate(Platform(users=200, items=300, tags=12, days=14, seed=5)), folder)
    settings = (folder / "tagcf.toml").read_text("utf-8")
    for outcome in ("completion", "like"):
        settings = re.sub(rf"\[outcomes\.{outcome}\][^\[]*", "", settings)
    settings = settings.replace('["city_tier", "age_band"]', '["city_tier"]')
    (folder / "tagcf.toml").write_text(settings, "utf-8")
    return folder


@pytest.fixture(scope="module")
def first_doubt() -> list[tuple[dict[str, bytes], dict[str, Any]]]:
    """Empty until `doubted` was made: then the files, and what was printed."""
    return []


@pytest.fixture
def doubted(world: Path, first_doubt, run) -> dict[str, Any]:
    """What the doubts of the world said; its files are as they left them. Doubted only once."""
    if not first_doubt:
        done = run("effects", world, *DOUBT, *WATCHED)
        assert done.returncode == 0, done.stderr
        first_doubt.append((stored(world), json.loads(done.stdout)))
    files, said = first_doubt[0]
    for name in stored(world).keys() - files.keys():
        (world / "out" / "model" / name).unlink()
    for name, content in files.items():
        place = world / "out" if name == "effects.parquet" else world / "out" / "model"
        (place / name).write_bytes(content)
    return said


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A platform on which no pair of tags passes the screening."""
    folder = tmp_path / "few"
    write_world(simulate(Platform(users=60, items=60, tags=8, days=14, seed=3)), folder)
    return folder


def stored(folder: Path) -> dict[str, bytes]:
    files = [folder / "out" / "effects.parquet", *(folder / "out" / "model").iterdir()]
    return {path.name: path.read_bytes() for path in files}


# ── what is stored ──────────────────────────────────────────────────────────
@pytest.mark.usefixtures("doubted")
def test_a_question_leaves_effects_and_doubts_alone(world: Path, run) -> None:
    before = stored(world)
    assert any(name.startswith("doubts-") for name in before)
    for asked in (
        ("--pair", "camping:healing"),
        ("--pairs", "--tag", "camping"),
        ("--for-user", "u000007"),
        ("--kin",),
        ("--siblings", "camping"),
        ("--borrow",),
        ("--mediation", "camping:urban-escape"),
        ("--using", "joint", "--kin", "--by", "city_tier"),
    ):
        done = run("effects", world, *CLICK, *asked)
        assert done.returncode == 0, done.stderr
        assert stored(world) == before, asked
        assert "is left as it was" in done.stderr
        assert "Wrote" not in done.stderr


def test_withdrawn_claims_stay_withdrawn_in_a_question(world: Path, doubted, run) -> None:
    withdrawn = {row["tag"] for row in doubted["doubt"] if row["stopped_by"]}
    assert withdrawn, "no claim was withdrawn: the test shows nothing"
    asked = json.loads(run("effects", world, *WATCHED, "--kin").stdout)["effects"]
    assert {row["tag"]: row["verdict"] for row in asked} == {
        row["tag"]: row["verdict"] for row in doubted["effects"]
    }
    assert {row["verdict"] for row in asked if row["tag"] in withdrawn} == {"cannot tell"}


@pytest.mark.usefixtures("doubted")
def test_doubts_of_other_estimates_are_not_applied(world: Path, run) -> None:
    workspace = open_workspace(world)
    found = read_effects(workspace)
    moved = [replace(one, estimate=(one.estimate or 0.0) + 1.0) for one in found.effects]
    write_effects(workspace, replace(found, effects=tuple(moved)))
    done = run("effects", world, *CLICK, "--kin")
    assert "belong to other estimates" in done.stderr


@pytest.mark.usefixtures("doubted")
@pytest.mark.parametrize("refit", [(), ("--using", "joint"), CLICK])
def test_a_refit_says_that_the_doubts_are_gone(world: Path, run, refit: tuple[str, ...]) -> None:
    done = run("effects", world, *refit)
    assert "the doubts of the last run no longer hold" in done.stderr
    assert not list((world / "out" / "model").glob("doubts-*"))
    assert "no longer hold" not in run("effects", world, *refit).stderr


@pytest.mark.usefixtures("doubted")
def test_another_method_leaves_the_doubts(world: Path, run) -> None:
    done = run("effects", world, "--using", "naive")
    assert "no longer hold" not in done.stderr
    assert list((world / "out" / "model").glob("doubts-*"))


def test_a_first_question_stores_nothing(few: Path, run) -> None:
    done = run("effects", few, *CLICK, "--kin")
    assert done.returncode == 0
    assert not (few / "out" / "effects.parquet").exists()
    assert "nothing was stored" in done.stderr


# ── names ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--siblings", "nosuch"), ["nosuch", "Tags: ", "camping"]),
        (("--siblings", "campin"), ["Did you mean: camping"]),
        (("--mediation", "camping:nosuch"), ["nosuch", "Tags: "]),
        (("--mediation", "urban-escape:camping"), ["cannot be a mediator"]),
        (("--for-user", "u99"), ["Did you mean", "200 users, such as u000000"]),
        (("--pair", "slow-pace"), ["A:B", "Tags: "]),
        (("--pair", "camping:camping"), ["two different tags"]),
        (("--by", "activity", "--activity", "nope"), ["nope", "user_activity"]),
        (("--by", "activity", "--activity", "hour"), ["hour", "same in all rows"]),
        (("--by", "city_tier,city_tier"), ["city_tier", "twice"]),
        (("--activity", "user_activity"), ["--by activity"]),
        (("--tag", "nosuch"), ["nosuch", "Tags: "]),
    ],
)
def test_wrong_names_are_found_before_the_estimation(
    world: Path, run, arguments: tuple[str, ...], says: list[str]
) -> None:
    done = run("effects", world, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Estimating" not in done.stderr
    for phrase in says:
        assert phrase in done.stderr


# ── text ────────────────────────────────────────────────────────────────────
def test_only_the_answer_is_printed(world: Path, run) -> None:
    done = run("effects", world, *CLICK, "--kin", "--borrow", "--pair", "camping:healing")
    parts = done.stdout.split("\n\n")
    titles = ["Pairs of tags", "Borrowed", "Shrunken toward the parent"]
    assert [part[: len(title)] for part, title in zip(parts, titles, strict=True)] == titles
    assert "verdict" not in parts[2]
    assert all(title not in done.stderr for title in titles)
    answer = json.loads(run("effects", world, *CLICK, "--kin", "--json").stdout)
    assert answer.keys() == {"effects", "tags_version", "kin"}


def test_words_and_units_of_the_language(world: Path, run) -> None:
    asked = (*CLICK, "--tag", "healing", "--kin", "--pair", "camping:healing", "--siblings")
    english = run("effects", world, *asked, "camping").stdout
    chinese = run("effects", world, *asked, "camping", "--lang", "zh").stdout
    assert re.search(r"^Camping\tHealing\tclick\t", english, re.MULTILINE)
    assert re.search(r"^露营\t治愈感\tclick\t.*\t无法判断", chinese, re.MULTILINE)
    kin = re.compile(
        r"^Healing\tclick\temotion\t.*\t[+−]?\d+\.\d+ pp\t[+−]?[\d.]+ … [+−]?[\d.]+$", re.M
    )
    assert kin.search(english)
    assert "个百分点" in chinese
    assert "\t情绪\t" in chinese
    for raw in ("ci_low", "n_both", "cannot tell\t", "few_"):
        assert raw not in english
    assert not re.search(r"[a-z]{4,}-[a-z]{4,}\t", chinese)


def test_the_main_table_has_the_same_units(world: Path, run) -> None:
    table = run("effects", world, *CLICK, "--tag", "camping", "--using", "joint").stdout
    (row,) = json.loads(
        run("effects", world, *CLICK, "--tag", "camping", "--using", "joint", "--json").stdout
    )["effects"]
    written = table.splitlines()[1].split("\t")[3]
    number = float(written.removesuffix(" pp").replace("−", "-"))
    assert number == pytest.approx(100 * row["estimate"], abs=0.06)


def test_only_the_wanted_tags_are_answered(world: Path, run) -> None:
    kin = json.loads(run("effects", world, "--kin", "--tag", "healing", "--json").stdout)["kin"]
    assert {row["tag"] for row in kin} == {"healing"}
    done = run("effects", world, *CLICK, "--kin", "--tag", "camping")
    assert done.stdout.splitlines()[-1] == "None of the tags asked for can be told."


def test_no_effects_of_a_kind_are_said_to_be_none(few: Path, run) -> None:
    done = run("effects", few, "--using", "robust", "--outcome", "return_7d")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("There are no effects of this kind")


# ── empty answers ───────────────────────────────────────────────────────────
def test_no_pair_passed(few: Path, run) -> None:
    done = run("effects", few, *CLICK, "--pairs")
    assert re.search(r"None of \d+ pairs .* at least 30 items .* smallest group\.", done.stdout)
    assert "first tag" not in done.stdout
    quiet = run("effects", few, *CLICK, "--pairs", "--json")
    assert json.loads(quiet.stdout)["pairs"] == []
    assert "passed the screening" in quiet.stderr


def test_an_outcome_without_impressions_is_explained(world: Path, run) -> None:
    for asked in (("--pairs",), ("--for-user", "u000007"), ("--mediation", "camping:healing")):
        done = run("effects", world, "--outcome", "return_7d", *asked)
        assert done.returncode == 0, done.stderr
        assert "return_7d: counted by user and period" in done.stdout


def test_a_user_like_everybody_is_told_so(few: Path, run) -> None:
    done = run("effects", few, "--for-user", "u000007")
    rows = json.loads(run("effects", few, "--for-user", "u000007", "--json").stdout)["for_user"]
    for name in {row["outcome"] for row in rows}:
        if all(row["rank"] == 0 for row in rows if row["outcome"] == name):
            assert re.search(rf"^.*\b{name}\b.*: .*no more than the average", done.stdout, re.M)


def test_the_same_estimates_are_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    from tagcf.cli.answers import print_answers
    from tagcf.cli.effect_cells import Wording
    from tagcf.cli.heterogeneity import Answer
    from tagcf.effects.heterogeneity.answers import UserEffect

    like = UserEffect("t", "click", "u", 0.05, 0.05, 0.02, 0.08, 1, 90, None)
    unlike = replace(like, outcome="like", estimate=0.09, ci_low=0.06, ci_high=0.12)
    wording = Wording({"t": "Tag"}, {"click": True, "like": True})
    print_answers([Answer("for_user", (like, unlike))], wording)
    printed = capsys.readouterr().out
    assert "click: No detectable difference for this user" in printed
    assert "like: No" not in printed


# ── nothing can be told ─────────────────────────────────────────────────────
def test_when_nothing_can_be_told_the_last_line_says_what_decides(few: Path, run) -> None:
    (few / "tagcf.toml").write_text(
        (few / "tagcf.toml").read_text("utf-8") + "\n[tags]\nmin_items = 59\n"
        if "[tags]" not in (few / "tagcf.toml").read_text("utf-8")
        else (few / "tagcf.toml").read_text("utf-8").replace("[tags]", "[tags]\nmin_items = 59"),
        "utf-8",
    )
    done = run("effects", few, "--using", "joint", "--outcome", "click")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Nothing can be told: all 8 answers")
    assert "tags.min_items" in done.stdout.splitlines()[-1]


def test_what_can_be_told_comes_first(world: Path, run) -> None:
    done = run("effects", world, "--using", "joint", "--all")
    untold = ["cannot tell" in line for line in done.stdout.splitlines()[1:]]
    assert any(untold)
    assert not all(untold)
    assert untold == sorted(untold)
    assert "Nothing can be told" not in done.stdout


def test_an_older_table_is_named(few: Path, run) -> None:
    (few / "out").mkdir(exist_ok=True)
    pl.DataFrame({"tag": ["a"]}).write_parquet(few / "out" / "effects.parquet")
    done = run("report", few)
    assert done.returncode == 1
    assert "written by another version or program" in done.stderr
    assert "tagcf effects" in done.stderr
    assert run("effects", few, "--using", "joint").returncode == 0  # makes it anew
