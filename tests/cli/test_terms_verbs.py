"""New items, new users and roles through the verbs: tag --roles, train, recommend, explain."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tagcf.cli import main
from tagcf.data.simulate import Platform, simulate, write_world

Run = Callable[..., Any]
NEW = {"fresh1": ("camping", "露营与城市夜景"), "fresh2": ("slow-pace", "慢节奏")}


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated workspace with two items that nobody has been shown, roles, and a model."""
    folder = tmp_path_factory.mktemp("platform")
    write_world(simulate(Platform(users=200, items=150, tags=16, days=21, seed=1)), folder)
    with (folder / "items.csv").open("a", encoding="utf-8") as items:
        items.writelines(f"{one},a00000,{title},12.0\n" for one, (_, title) in NEW.items())
    with (folder / "item_tags.csv").open("a", encoding="utf-8") as tags:
        tags.writelines(f"{one},{tag},1.0,simulated\n" for one, (tag, _) in NEW.items())
    for command in (["tag", str(folder), "--roles"], ["train", str(folder)]):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert end.value.code in (0, None), command
    return folder


@pytest.fixture
def platform(trained_once: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(trained_once, tmp_path / "copy", copy_function=shutil.copy2))


def asked(checked: Run, *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checked(*arguments, "--json").stdout)
    return found


def test_train_tells_what_each_term_did(checked: Run, platform: Path) -> None:
    told = checked("train", platform, "--lang", "zh")
    assert "没人选过的内容由标签打分" in told.stdout
    assert "逻辑图" in told.stdout  # on, or off
    assert "用上了 tagcf tag --roles" in told.stderr
    facts = asked(checked, "train", platform)["terms"]
    assert facts["cold"]["penalty"] > 0
    assert facts["logic"]["tested"]
    assert (facts["logic"]["weight"] > 0) == facts["logic"]["ships"]
    assert facts["logic"]["ships"] == (facts["logic"]["ci_low"] > 0)
    assert facts["roles"] > 0
    assert facts["reach"] == {"strength": 0.0}


def test_a_new_item_is_recommended_and_says_why(checked: Run, trained_once: Path) -> None:
    user = ("--user", "u000001")
    found = asked(checked, "recommend", trained_once, *user, "--candidates", "fresh1,fresh2")
    assert {one["item"] for one in found["items"]} == set(NEW)
    for one in found["items"]:
        by_tags = one["by_tags"]
        assert by_tags["share"] == 1.0
        assert "scored" in by_tags["text"] or "score is told from its tags" in by_tags["text"]
        if by_tags["tags"]:
            assert by_tags["fidelity"]["without_evidence"] < by_tags["fidelity"]["score"]
    said = checked("recommend", trained_once, *user, "--candidates", "fresh1").stdout
    assert "nobody has had it yet" in said
    every = asked(checked, "recommend", trained_once, *user, "-k", 200)
    assert {one["item"] for one in every["items"]} >= set(NEW)
    for language, words in (("en", "Scored by its tags"), ("zh", "标签打分")):
        told = checked("explain", trained_once, *user, "--item", "fresh1", "--lang", language)
        assert words in told.stdout
    told = asked(checked, "explain", trained_once, *user, "--item", "fresh1")
    total = told["base"] + sum(one["value"] for one in told["terms"])
    assert len(told["history"]) <= 10
    assert total <= told["score"] + sum(abs(one["share"]) for one in told["history"])


def test_segments_of_somebody_new(checked: Run, run: Run, trained_once: Path) -> None:
    found = asked(
        checked, "recommend", trained_once, "--history", "", "--segment", "city_tier=9"
    )  # fmt: skip
    assert any("city_tier=9" in note for note in found["notes"])
    wrong = run("recommend", trained_once, "--history", "", "--segment", "city_tier")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "COLUMN=LEVEL" in wrong.stderr


def test_a_model_of_another_format_is_to_be_trained_again(run: Run, platform: Path) -> None:
    (folder,) = (platform / "out" / "model" / "recommender").glob("model-*")
    head = json.loads((folder / "head.json").read_text("utf-8"))
    (folder / "head.json").write_text(json.dumps(head | {"format": 1}), "utf-8")
    done = run("recommend", platform, "--user", "u000001")
    assert (done.returncode, done.stdout) == (1, "")
    assert "another version of TagCF (format 1" in done.stderr
    assert "tagcf train again" in done.stderr


def test_evaluate_ranks_with_what_is_shipped(checked: Run, trained_once: Path) -> None:
    told = asked(checked, "evaluate", trained_once, "--models", "linear,tagcf")
    settings = {row["model"]: row["settings"] for row in told["models"]}
    assert settings["linear"].startswith("Linear(")
    assert settings["tagcf"].startswith("Shipped(model=Linear(")
    assert "ColdChoice(" in settings["tagcf"]
