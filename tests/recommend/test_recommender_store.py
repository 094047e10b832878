"""A model on disk: what is loaded answers as what was saved, and half a model is no model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import tagcf
from tagcf.data.arrays import log_from_arrays
from tagcf.data.simulate import Platform, simulate
from tagcf.errors import EstimationError, OutputError
from tagcf.recommend.model_store import FORMAT
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.steer import Rule
from tagcf.settings import RecommendSettings


@pytest.fixture(scope="module")
def trained() -> Recommender:
    world = simulate(Platform(users=80, items=60, tags=8, days=14, seed=2))
    effects = tagcf.estimate_effects(world.log, world.tags)
    settings = RecommendSettings(utility={"like": 1.0}, candidates=40)
    rules = [Rule(world.tags.tags[0].slug, boost=0.3, segment="city_tier=1")]
    return Recommender.fit(
        world.log, world.tags, effects, settings, rules=rules, origin=(("log", "abc"),)
    )


@pytest.fixture
def home(trained: Recommender, tmp_path: Path) -> Path:
    trained.save(tmp_path / "model")
    return tmp_path / "model"


def test_loaded_answers_as_saved(trained: Recommender, home: Path) -> None:
    loaded = Recommender.load(home)
    users = trained.people.ids[:10]
    assert loaded.recommend(users) == trained.recommend(users)
    assert loaded.explain(users[0], "i000003") == trained.explain(users[0], "i000003")
    assert (loaded.version, loaded.origin) == (trained.version, (("log", "abc"),))
    assert loaded.validation == trained.validation is not None
    assert loaded.shares == trained.shares


def test_nothing_on_disk_is_pickled(home: Path) -> None:
    for path in home.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays.files)
    assert {path.suffix for path in home.rglob("*") if path.is_file()} == {".npz", ".json"}


def test_a_loaded_model_learns_and_forgets(home: Path, tmp_path: Path) -> None:
    loaded = Recommender.load(home)
    loaded.update([("u000001", "i000003", 9e9), ("new", "i000004", 9e9)])
    loaded.forget("u000002")
    loaded.save(tmp_path / "second")
    again = Recommender.load(tmp_path / "second")
    assert again.recommend(["u000001", "new"]) == loaded.recommend(["u000001", "new"])
    assert "u000002" not in again.people.position
    assert again.version.endswith("+3")


def test_another_save_replaces_the_first(trained: Recommender, home: Path) -> None:
    first = json.loads((home / "current.json").read_text())["folder"]
    trained.save(home)
    second = json.loads((home / "current.json").read_text())["folder"]
    assert first != second
    assert sorted(path.name for path in home.iterdir()) == sorted(["current.json", second])


@pytest.mark.parametrize("name", ["arrays.npz", "model.npz", "ranker.npz", "head.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "noise"])
def test_half_a_model_is_a_clear_error(home: Path, name: str, damage: str) -> None:
    folder = home / json.loads((home / "current.json").read_text())["folder"]
    path = folder / name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        middle = len(whole) // 2
        path.write_bytes(whole[: middle - 200] + os.urandom(400) + whole[middle + 200 :])
    with pytest.raises(OutputError, match="tagcf train again"):
        Recommender.load(home)


def test_no_model_and_other_formats(home: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no trained model"):
        Recommender.load(tmp_path / "nowhere")
    folder = home / json.loads((home / "current.json").read_text())["folder"]
    head = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps(head | {"format": 99}))
    with pytest.raises(OutputError, match="format 99"):
        Recommender.load(home)
    (home / "current.json").write_text("{")
    with pytest.raises(OutputError, match="tagcf train again"):
        Recommender.load(home)


@pytest.mark.parametrize("way", ["../model/{}", "{absolute}", ".", "model-0123456789"])
def test_the_pointer_leads_nowhere_else(home: Path, tmp_path: Path, way: str) -> None:
    folder = json.loads((home / "current.json").read_text())["folder"]
    other = tmp_path / "other"
    other.mkdir()
    told = way.format(folder, absolute=home / folder)
    (other / "current.json").write_text(json.dumps({"format": FORMAT, "folder": told}))
    with pytest.raises(OutputError, match=r"tagcf train again"):
        Recommender.load(other)


def test_a_killed_save_leaves_the_old_model(home: Path, tmp_path: Path) -> None:
    """SIGKILL at any moment: the model that is loaded is the old one or a new one, whole."""
    code = (
        "import sys\nfrom tagcf.recommend.recommender import Recommender\n"
        "r = Recommender.load(sys.argv[1])\nprint('ready', flush=True)\n"
        "while True:\n    r.save(sys.argv[1])\n"
    )
    work = tmp_path / "work"
    shutil.copytree(home, work)
    expected = Recommender.load(home).recommend("u000001")
    for wait in (0.05, 0.13, 0.31):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(work)], stdout=subprocess.PIPE
        ) as one:
            assert one.stdout is not None
            one.stdout.readline()
            time.sleep(wait)
            one.send_signal(signal.SIGKILL)
        assert Recommender.load(work).recommend("u000001") == expected
    Recommender.load(work).save(work)
    assert len([one for one in work.iterdir() if one.is_dir()]) == 1


@pytest.mark.parametrize("model", ["transformer", "fused"])
def test_models_that_are_not_linear(model: Literal["transformer", "fused"], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra `deep` is not installed")
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(60), 8)
    item = ((rng.integers(0, 20, 60)[:, None] + np.arange(8)) % 20).ravel()
    log = log_from_arrays(
        user=np.char.add("u", user.astype(str)),
        item=np.char.add("i", item.astype(str)),
        ts=np.tile(np.arange(8.0), 60),
        outcomes={"click": np.ones(480)},
    )
    trained = Recommender.fit(log, settings=RecommendSettings(model=model))
    trained.save(tmp_path)
    loaded = Recommender.load(tmp_path)
    assert loaded.recommend(histories=[["i3", "i4"]]) == trained.recommend(histories=[["i3", "i4"]])
    (ranking,) = loaded.recommend(histories=[["i3", "i4"]], k=3)
    assert ranking.items[0].item == "i5"
    found = loaded.explain(None, "i5", history=["i3", "i4"])
    assert found.method == "occlusion"
    done = loaded.forget("u1")
    assert (done.exact, done.until_retrained) == (False, (model, "outcomes"))
    loaded.update([("u2", "i9", 99.0)])
    with pytest.raises(EstimationError, match="tagcf train again"):
        loaded.learn()
    loaded.save(tmp_path)
    again = Recommender.load(tmp_path)
    assert again.recommend("u2") == loaded.recommend("u2")
