"""`tagcf effects` as people run it."""

import json
from pathlib import Path

import pytest

KEYS = {
    *("tag", "outcome", "segment", "method", "estimand", "estimate", "se", "ci_low", "ci_high"),
    *("p", "q", "shrunk", "shrunk_low", "shrunk_high", "baseline", "relative", "n_rows"),
    *("n_items", "n_treated_items", "effective_items", "rung", "verdict", "reason", "diagnostics"),
}
VERDICTS = {"raises", "lowers", "no clear effect", "cannot tell"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tagcf.data.simulate import Platform, simulate
    from tagcf.data.simulate.write import write_world

    folder = tmp_path_factory.mktemp("effects") / "platform"
    write_world(simulate(Platform(users=150, items=200, tags=10, days=14, seed=5)), folder)
    return folder


def test_json_is_the_contract(platform: Path, run) -> None:
    done = run("effects", platform, "--json")
    assert done.returncode == 0, done.stderr
    effects = json.loads(done.stdout)["effects"]
    assert effects[0].keys() >= KEYS
    assert {row["method"] for row in effects} == {"joint"}
    assert {row["estimand"] for row in effects} == {"direct"}
    assert {row["segment"] for row in effects} == {None}
    assert {row["verdict"] for row in effects} <= VERDICTS
    assert len(effects) == 10 * 6
    for row in effects:
        if row["verdict"] == "cannot tell":
            assert row["reason"]
        else:
            assert row["ci_low"] < row["estimate"] < row["ci_high"]
            assert row["rung"] == "within-author"
    assert (platform / "out" / "effects.parquet").is_file()


def test_one_method_joins_the_others_on_disk(platform: Path, run) -> None:
    from tagcf.data.workspace import open_workspace
    from tagcf.effects.store import read_effects

    assert run("effects", platform, "--json").returncode == 0
    done = run("effects", platform, "--using", "matching", "--outcome", "click", "--json")
    rows = json.loads(done.stdout)["effects"]
    assert {row["estimand"] for row in rows} == {"treated"}
    assert {row["outcome"] for row in rows} == {"click"}
    kept = {effect.method for effect in read_effects(open_workspace(platform)).effects}
    assert kept == {"joint", "naive", "matching", "robust", "iv"}


def test_segments_and_tags(platform: Path, run) -> None:
    done = run("effects", platform, "--by", "city_tier", "--tag", "露营", "--json")
    rows = json.loads(done.stdout)["effects"]
    assert {row["tag"] for row in rows} == {"camping"}
    assert {row["segment"] for row in rows} == {None, *(f"city_tier={k}" for k in (1, 2, 3))}


def test_reasons_speak_the_chosen_language(platform: Path, run) -> None:
    english = run("effects", platform, "--json").stdout
    chinese = run("effects", platform, "--json", "--lang", "zh").stdout
    assert "Items that carry it" in english
    assert "条内容带它" in chinese


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--outcome", "clik"], 2, "click"),
        (["--by", "citytier"], 2, "city_tier"),
        (["--tag", "Campin"], 2, "Camping"),
        (["--using", "magic"], 2, "matching"),
        (["--estimand", "local"], 2, "direct"),
    ],
)
def test_wrong_names(platform: Path, run, arguments: list[str], code: int, says: str) -> None:
    done = run("effects", platform, *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_no_workspace(tmp_path: Path, run) -> None:
    done = run("effects", tmp_path)
    assert done.returncode == 2
    assert "tagcf init" in done.stderr


def test_table_into_a_pipe_is_tab_separated(platform: Path, run) -> None:
    done = run("effects", platform, "--outcome", "click", "--all")
    lines = done.stdout.splitlines()
    assert lines[0].split("\t")[:3] == ["tag", "outcome", "segment"]
    assert len(lines) == 11
    assert "effects.parquet" in done.stderr


def test_what_cannot_be_told_is_grouped_by_reason(platform: Path, run) -> None:
    every = run("effects", platform, "--all").stdout.splitlines()[1:]
    untold = [line for line in every if "cannot tell" in line]
    assert len(untold) > 6
    *told, head, group = run("effects", platform).stdout.splitlines()[1:]
    assert told == every[: len(told)]
    assert not any("cannot tell" in line for line in told)
    names = {line.split("\t")[0] for line in untold}
    assert head == (
        f"Results that cannot be told: {len(untold)}, of {len(names)} tags "
        "(--all lists each with its reason)."
    )
    because, _, listed = group.strip().partition(": ")
    assert because == f"{len(names)} on too few items"
    assert set(listed.split(", ")) == names
    chinese = run("effects", platform, "--lang", "zh").stdout
    assert f"无法判断的结果：{len(untold)} 个，涉及 {len(names)} 个标签" in chinese
    asked = run("effects", platform, "--tag", untold[0].split("\t")[0]).stdout
    assert asked.count("cannot tell: Items that carry it") == len(untold) / len(names)
    shown = json.loads(run("effects", platform, "--json").stdout)["effects"]
    assert sum(one["verdict"] == "cannot tell" for one in shown) == len(untold)


def test_a_reason_in_a_segment_names_the_segment(platform: Path, run) -> None:
    done = run("effects", platform, "--outcome", "click", "--by", "city_tier")
    groups = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    assert any(line.startswith("  city_tier=1: ") for line in groups)
    assert any(line.lstrip()[0].isdigit() for line in groups)
