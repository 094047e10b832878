"""Effects on disk: what is written comes back, and a killed run leaves the old pair."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tagcf.data.simulate import Platform, simulate
from tagcf.data.workspace import Workspace
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Matching
from tagcf.effects.store import (
    as_doubted,
    effects_path,
    merge,
    read_effects,
    run_id,
    write_effects,
)
from tagcf.errors import OutputError
from tagcf.settings import Settings
from tagcf.types import Reason, TagEffects


@pytest.fixture(scope="module")
def found() -> TagEffects:
    world = simulate(Platform(users=60, items=120, tags=8, days=14, seed=3))
    joint = estimate_effects(world.log, world.tags)
    return merge(joint, estimate_effects(world.log, world.tags, Matching()))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, Settings())


def test_round_trip(workspace: Workspace, found: TagEffects) -> None:
    write_effects(workspace, found)
    back = read_effects(workspace)
    assert back.effects == found.effects
    assert back.balance == found.balance
    assert back.simulated
    for one, other in zip(back.joint, found.joint, strict=True):
        assert (one.outcome, one.tags, one.estimand) == (other.outcome, other.tags, other.estimand)
        np.testing.assert_array_equal(one.cov, other.cov)


def test_only_the_current_model_is_kept(workspace: Workspace, found: TagEffects) -> None:
    write_effects(workspace, found)
    first = run_id(workspace)
    write_effects(workspace, found)
    assert run_id(workspace) != first
    assert len(list((workspace.out / "model").glob("effects-*.npz"))) == 1


def test_a_run_killed_before_its_commit_leaves_the_old_pair(
    workspace: Workspace, found: TagEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_effects(workspace, found)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tagcf.effects.store.pq.write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        write_effects(workspace, replace(found, effects=found.effects[:1]))
    monkeypatch.undo()
    assert read_effects(workspace).effects == found.effects
    assert not list(workspace.out.glob(".*partial"))


@pytest.mark.parametrize("damage", ["truncated", "no model", "not parquet"])
def test_damage_is_named(workspace: Workspace, found: TagEffects, damage: str) -> None:
    path = write_effects(workspace, found)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "not parquet":
        path.write_text("hello")
    else:
        next((workspace.out / "model").glob("effects-*.npz")).unlink()
    with pytest.raises(OutputError, match="tagcf effects"):
        read_effects(workspace)


def test_nothing_written_yet(workspace: Workspace) -> None:
    with pytest.raises(OutputError, match="tagcf effects"):
        read_effects(workspace)
    assert run_id(workspace) is None
    assert effects_path(workspace).name == "effects.parquet"


@pytest.mark.parametrize("strange", ["no metadata", "no run", "other columns", "older model"])
def test_another_programs_table_is_named_as_such(
    workspace: Workspace, found: TagEffects, strange: str
) -> None:
    path = write_effects(workspace, found)
    table = pq.read_table(path)
    if strange == "no metadata":
        table = table.replace_schema_metadata(None)
    elif strange == "no run":
        table = table.replace_schema_metadata({"tagcf": "{}"})
    elif strange == "other columns":
        table = table.drop_columns(["verdict"])
    else:
        model = next((workspace.out / "model").glob("effects-*.npz"))
        np.savez(model, other=np.zeros(1))
    pq.write_table(table, path)
    with pytest.raises(OutputError, match="another version or program") as caught:
        read_effects(workspace)
    assert "tagcf effects" in str(caught.value)


def test_stored_verdicts_are_taken_over_where_the_estimates_are_the_same(
    found: TagEffects,
) -> None:
    withdrawn = replace(found.effects[0], verdict="cannot tell", reason=Reason("reason.placebo"))
    stored = replace(found, effects=(withdrawn, *found.effects[1:]))
    taken = as_doubted(stored, found)
    assert taken is not None
    assert taken.effects == stored.effects
    moved = replace(found.effects[0], estimate=9.0)
    assert as_doubted(stored, replace(found, effects=(moved, *found.effects[1:]))) is None
    assert as_doubted(replace(stored, effects=()), found) is None


def test_effects_know_the_tree_that_they_were_estimated_on(
    workspace: Workspace, found: TagEffects
) -> None:
    old = replace(found, tags_version="one")
    write_effects(workspace, old)
    assert read_effects(workspace).tags_version == "one"
    only_matching = replace(
        found,
        effects=tuple(one for one in found.effects if one.method == "matching"),
        tags_version="two",
    )
    assert {one.method for one in merge(old, only_matching).effects} == {"matching"}
    same = replace(only_matching, tags_version="one")
    assert {one.method for one in merge(old, same).effects} == {"joint", "matching"}
