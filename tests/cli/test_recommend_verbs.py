"""``tagcf train``, ``recommend`` and ``explain`` as people run them: JSON, tables, wrong usage."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tagcf.cli import main
from tagcf.cli.trained import listed_ids
from tagcf.data.simulate import Platform, simulate, write_world
from tagcf.data.workspace import open_workspace
from tagcf.effects.store import read_effects, write_effects
from tagcf.text import choose_language
from tagcf.types import Change, Named, RankedItem
from tagcf.views.recommendation import (
    change_sentence,
    lack_of_tags,
    part_text,
    score_text,
    sentences_of,
)

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated workspace with effects and a model."""
    folder = tmp_path_factory.mktemp("platform")
    write_world(simulate(Platform(users=200, items=150, tags=12, days=21, seed=1)), folder)
    workspace = open_workspace(folder)
    for command in (["effects", str(folder), "--json"], ["train", str(folder), "--json"]):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert end.value.code in (0, None), command
    assert workspace.out.is_dir()
    return folder


@pytest.fixture
def platform(trained_once: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(trained_once, tmp_path / "copy", copy_function=shutil.copy2))


def asked(checked: Run, *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checked(*arguments, "--json").stdout)
    return found


def test_the_contract(checked: Run, trained_once: Path) -> None:
    found = asked(checked, "recommend", trained_once, "--user", "u000001", "-k", 5)
    assert found["user"] == "u000001"
    assert len(found["items"]) == 5
    for item in found["items"]:
        assert {"item", "score", "outcomes", "reasons"} <= set(item)
        assert {"click", "completion", "like"} <= set(item["outcomes"])
        for reason in item["reasons"]:
            assert {"tag", "delta", "ci_low", "ci_high", "text"} <= set(reason)
            assert reason["ci_low"] < reason["delta"] < reason["ci_high"]
    assert any(item["reasons"] for item in found["items"])
    assert found["acted"]["model"].startswith("model-")
    assert found["acted"]["effects"].startswith("effects-")
    assert found["simulated"] is True


def test_train_says_what_it_did(checked: Run, platform: Path) -> None:
    told = asked(checked, "train", platform)
    assert told["users"] == 200
    assert 0 < told["validation_ndcg@10"] < 1
    assert set(told["calibration"]) >= {"click", "like"}
    assert Path(told["path"]).is_dir()
    again = checked("train", platform, "--no-search", "--lang", "zh")
    assert "训练完成" in again.stdout
    assert "模拟数据" in again.stderr


def test_tables(checked: Run, trained_once: Path) -> None:
    done = checked("recommend", trained_once, "--user", "u000001", "-k", 3)
    head, first, *rest = done.stdout.splitlines()
    assert head.split("\t") == ["rank", "item", "score", "predicted", "why"]
    assert first.startswith("1\t")
    assert len(rest) == 2
    assert "model-" in done.stderr
    zh = checked("recommend", trained_once, "--user", "u000001", "-k", 3, "--lang", "zh")
    assert zh.stdout.splitlines()[0].split("\t")[1] == "内容"
    assert "选过" in zh.stdout


def test_explain(checked: Run, trained_once: Path) -> None:
    items = asked(checked, "recommend", trained_once, "--user", "u000001", "-k", 15)["items"]
    inside, outside = items[0]["item"], items[13]["item"]
    told = asked(checked, "explain", trained_once, "--user", "u000001", "--item", inside)
    assert (told["rank"], told["why_not"]) == (1, None)
    assert told["fidelity"]["without_evidence"] < told["fidelity"]["score"]
    assert told["base"] + sum(one["share"] for one in told["history"]) <= told["score"] * 1.01
    why = asked(checked, "explain", trained_once, "--user", "u000001", "--item", outside, "-k", 10)
    assert why["rank"] == 14
    assert why["why_not"]["rival"] == items[9]["item"]
    assert why["why_not"]["gap"] == pytest.approx(items[9]["score"] - items[13]["score"])
    for language, words in (("en", "Why it is not in the list"), ("zh", "为什么没进")):
        said = checked(
            "explain", trained_once, "--user", "u000001", "--item", outside, "--lang", language
        )  # fmt: skip
        assert words in said.stdout
    brief = checked(
        "explain", trained_once, "--user", "u000001", "--item", outside, "--why-not"
    ).stdout
    assert "Tags: why" not in brief
    assert "What would change it" in brief


def test_a_history_of_anybody(checked: Run, trained_once: Path) -> None:
    found = asked(checked, "recommend", trained_once, "--history", "i000003,i000005,nothing")
    assert found["user"] is None
    assert found["notes"] == [
        "Of the history this was passed over, as items that the model does not know: 1 (nothing)."
    ]
    assert len(found["items"]) == 10
    empty = asked(checked, "recommend", trained_once, "--history", "")
    assert "no history" in empty["notes"][0]


def titles_in(folder: Path) -> dict[str, str]:
    with (folder / "items.csv").open(encoding="utf-8", newline="") as file:
        return {row["item_id"]: row["title"] for row in csv.DictReader(file)}


def test_titles_stand_beside_ids(checked: Run, trained_once: Path, platform: Path) -> None:
    titles, user = titles_in(trained_once), ("--user", "u000001")
    found = asked(checked, "recommend", trained_once, *user)
    assert all(one["title"] == titles[one["item"]] for one in found["items"])
    first = found["items"][0]["item"]
    said = checked("recommend", trained_once, *user).stdout
    assert f"{first} ({titles[first]})" in said
    why = asked(checked, "explain", trained_once, *user, "--item", first)
    assert all(one["title"] == titles[one["item"]] for one in why["history"])
    told = checked("explain", trained_once, *user, "--item", first, "--lang", "zh").stdout
    assert told.startswith(f"{first}（{titles[first]}） 排第 1，在用户 u000001 的前 10 里")
    (platform / "items.csv").unlink()
    bare = asked(checked, "recommend", platform, *user)
    assert [one["title"] for one in bare["items"]] == [None] * 10
    assert f"1\t{first}\t" in checked("recommend", platform, *user).stdout


def test_which_events_are_left_out_is_said(checked: Run, trained_once: Path) -> None:
    user = ("--user", "u000001")
    (first, *_) = asked(checked, "recommend", trained_once, *user, "-k", 1)["items"]
    why = asked(checked, "explain", trained_once, *user, "--item", first["item"])
    assert why["evidence"] == why["history"][: len(why["evidence"])]
    assert [one["item"] for one in why["evidence"]] == [one["item"] for one in first["history"]]
    assert all(one["drop"] > 0 for one in why["evidence"])
    said = checked("explain", trained_once, *user, "--item", first["item"]).stdout
    (line,) = (one for one in said.splitlines() if one.startswith("Scored again by the model"))
    assert all(one["item"] in line for one in why["evidence"])
    assert "exact: the parts sum to it" in said


def test_an_id_with_a_comma_is_quoted() -> None:
    assert listed_ids('"a,b", c，"d，e",') == ["a,b", "c", "d，e"]
    assert listed_ids("") == []


def test_changes_name_tags_in_the_language_of_the_page() -> None:
    names = (Named("camping", "露营", "Camping"),)
    change = Change("boost", ("camping",), 0.5, 3, names)
    for language, name in (("zh", "露营"), ("en", "Camping")):
        choose_language(language)
        assert f"“{name}”" in change_sentence(change)
    choose_language(None)


def test_a_tiny_score_keeps_its_digits() -> None:
    assert [score_text(value) for value in (0.0, 1.6e-9, 0.25, -0.00084)] == [
        "0.000", "1.6e−09", "0.250", "−0.000840",
    ]  # fmt: skip
    assert part_text(-1.6e-9) == "−1.6e−09"


def test_why_no_tag_speaks_for_an_item() -> None:
    item = RankedItem("i1", 1.0, (), (), (), None)
    choose_language("en")
    no_event = "no event of the history speaks for it"
    for evidence, tagged, told in (
        (False, True, [no_event]),
        (True, False, [no_event, "it has no tags"]),
        (True, True, [no_event, "none of its tags has a clear effect"]),
    ):
        lack = lack_of_tags(evidence=evidence, tagged=tagged)
        assert list(sentences_of(item, (), lack=lack)) == told
    choose_language(None)


def test_under_a_utility_both_scores_are_named(
    checked: Run, trained_once: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained_once, tmp_path / "valued", copy_function=shutil.copy2))
    toml = folder / "tagcf.toml"
    toml.write_text(toml.read_text("utf-8") + "\n[recommend]\nutility = {like = 1}\n", "utf-8")
    checked("train", folder, "--no-search")
    user = ("--user", "u000001")
    item = asked(checked, "recommend", folder, *user, "-k", 1)["items"][0]["item"]
    why = asked(checked, "explain", folder, *user, "--item", item)
    assert why["score"] != pytest.approx(why["model_score"])
    parts = sum(one["share"] for one in why["history"]) + why["base"]
    parts += sum(one["value"] for one in why["terms"])
    said = checked("explain", folder, *user, "--item", item).stdout
    assert f"an expected utility of {score_text(why['score'])}" in said
    assert f"where the model's score of {score_text(why['model_score'])} comes from" in said
    if len(why["history"]) < 10:
        assert parts == pytest.approx(why["model_score"], abs=1e-4)


def test_steering(checked: Run, platform: Path) -> None:
    user = ("--user", "u000001")
    plain = asked(checked, "recommend", platform, *user)
    tags = {reason["tag"] for item in plain["items"] for reason in item["reasons"]}
    tag = sorted(tags)[0]
    boosted = asked(checked, "recommend", platform, *user, "--boost", f"{tag}=2")
    moved = [trace for item in boosted["items"] for trace in item["steered"]]
    assert moved
    assert all(trace["score_change"] > 0 for trace in moved)
    assert boosted["acted"]["rules"] == [f"boost {tag}=2"]
    blocked = asked(checked, "recommend", platform, *user, "--block", tag)
    assert {one["rule"] for one in blocked["blocked"]} == {f"block {tag}"}
    toml = platform / "tagcf.toml"
    toml.write_text(toml.read_text("utf-8") + '\n[recommend]\nsteer = "steer.toml"\n', "utf-8")
    rule = f'[[rule]]\nname = "spring"\ntag = "{tag}"\nblock = true\nchannel = "home"\n'
    (platform / "steer.toml").write_text(rule, "utf-8")
    home = asked(checked, "recommend", platform, *user, "--channel", "home")
    assert {one["rule"] for one in home["blocked"]} == {"spring"}
    assert asked(checked, "recommend", platform, *user)["items"] == plain["items"]
    said = checked("recommend", platform, *user, "--channel", "home").stderr
    assert "In the list but for the rule “spring”" in said


def test_exploration_is_asked_for(checked: Run, trained_once: Path) -> None:
    plain = asked(checked, "recommend", trained_once, "--user", "u000001")
    assert all("propensity" not in item for item in plain["items"])
    drawn = asked(checked, "recommend", trained_once, "--user", "u000001", "--explore")
    assert all(0 < item["propensity"] <= 1 for item in drawn["items"])


def test_a_model_that_is_out_of_date_says_so(checked: Run, platform: Path) -> None:
    fresh = checked("recommend", platform, "--user", "u000001")
    assert "changed" not in fresh.stderr
    workspace = open_workspace(platform)
    write_effects(workspace, read_effects(workspace))  # another run
    stale = checked("recommend", platform, "--user", "u000001")
    assert "the effects of tags changed" in stale.stderr
    assert stale.stdout == fresh.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("recommend",), 2, "Give --user or --history"),
        (("recommend", "--user", "u000001", "--history", "i000001"), 2, "not both"),
        (("recommend", "--user", "u0000011"), 2, "Did you mean: u000011"),
        (("recommend", "--user", "u000001", "-k", 0), 2, "-k"),
        (("recommend", "--user", "u000001", "--boost", "campin=1"), 2, "There is no tag"),
        (("recommend", "--user", "u000001", "--boost", "camping"), 2, "TAG=WEIGHT"),
        (("recommend", "--user", "u000001", "--block", "no such tag"), 2, "There is no tag"),
        (("explain", "--user", "u000001"), 2, "--item"),
        (("explain", "--user", "u000001", "--item", "i00000"), 2, "There is no item"),
        (("train", "--model", "lineal"), 2, "linear"),
    ],
)
def test_wrong_usage(
    run: Run, trained_once: Path, arguments: tuple[object, ...], code: int, message: str
) -> None:
    verb, *rest = arguments
    done = run(verb, trained_once, *rest)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


def test_without_a_model_or_with_half_of_one(run: Run, platform: Path) -> None:
    (current,) = (platform / "out" / "model" / "recommender").glob("model-*")
    whole = (current / "model.npz").read_bytes()
    (current / "model.npz").write_bytes(whole[:100])
    done = run("recommend", platform, "--user", "u000001")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Run tagcf train again" in done.stderr
    shutil.rmtree(platform / "out" / "model" / "recommender")
    done = run("recommend", platform, "--user", "u000001")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no trained model" in done.stderr


def test_a_log_alone(checked: Run, run: Run, workspace: Callable[..., Path]) -> None:
    """No tags, no effects, short histories: still a list, and a word on each."""
    lines = "\n".join(f"u{u},i{(u + k) % 6},{100 * u + k},1" for u in range(5) for k in range(2))
    folder = workspace(
        settings='[outcomes.click]\ncolumn = "click"\n',
        impressions="user_id,item_id,ts,click\n" + lines,
    )
    told = checked("train", folder)
    assert "no item tags" in told.stderr
    assert "too short" in told.stdout
    found = asked(checked, "recommend", folder, "--user", "u1", "-k", 50)
    assert len(found["items"]) == 4
    assert found["notes"][0].startswith("The list has 4 of the 50 asked for")
    assert "no effects" in checked("recommend", folder, "--user", "u1").stderr
    nothing = run("recommend", folder, "--user", "u1", "--boost", "cats=1")
    assert nothing.returncode == 2
