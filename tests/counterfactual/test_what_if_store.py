"""The kept response model: written whole, read back the same, made again when stale or broken."""

from __future__ import annotations

import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from tagcf.counterfactual.answer import ask
from tagcf.counterfactual.model import fit_response
from tagcf.counterfactual.prepare import prepare
from tagcf.counterfactual.store import Ground, load_ground, save_ground

from .small import small_effects, small_log, small_tags


@pytest.fixture
def ground() -> Ground:
    descendants = {"camping": frozenset({"travel", "night"})}
    return Ground(fit_response(small_log()), small_tags(), descendants)


def test_what_is_read_is_what_was_written(tmp_path: Path, ground: Ground) -> None:
    path = tmp_path / "model" / "whatif.npz"
    save_ground(path, "key", ground)
    found = load_ground(path, "key")
    assert found is not None
    assert (found.tags.tags, found.tags.sources) == (ground.tags.tags, ground.tags.sources)
    assert (found.model.outcomes, found.descendants) == (ground.model.outcomes, ground.descendants)
    assert found.model.items.ids.equals(ground.model.items.ids)
    for name in ("strength", "confidence", "source"):
        one, other = getattr(found.tags, name), getattr(ground.tags, name)
        assert one.dtype == other.dtype
        assert (one != other).nnz == 0
    for axis in ("audience", "item", "user", "components"):
        one, other = getattr(found.model, axis), getattr(ground.model, axis)
        for field in fields(one):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name))
    effects = small_effects()
    answers = [
        ask(prepare(effects, one.tags, one.model), item="i005", user="u003", without=["pets"])
        for one in (ground, found)
    ]
    assert answers[0] == answers[1]


def test_another_key_and_a_broken_file_are_not_read(tmp_path: Path, ground: Ground) -> None:
    path = tmp_path / "whatif.npz"
    assert load_ground(path, "key") is None
    save_ground(path, "key", ground)
    assert load_ground(path, "other") is None
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert load_ground(path, "key") is None
    path.write_bytes(b"")
    assert load_ground(path, "key") is None
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("key.npy", "no array")
    assert load_ground(path, "key") is None


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "whatif.npz"
    save_ground(path, "old", ground)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tagcf.counterfactual.store.np.savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_ground(path, "new", ground)
    assert load_ground(path, "old") is not None
    assert list(tmp_path.iterdir()) == [path]
