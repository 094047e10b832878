"""A snapshot and the tail of the log are the state of an engine that never stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tagcf.data.arrays import tags_from_arrays
from tagcf.errors import OutputError
from tagcf.live.interest import InterestEngine, newest
from tagcf.types import IdMap
from tagcf.types.live import ACTIONS

HOUR, DAY = 3600.0, 86_400.0
START = 1.7e9
TAGS, CONTENT, USERS = 17, 60, 8
NAMES = [f"tag{at}" for at in range(TAGS)]

Step = tuple[str, str, float, str, float, str]


def engine_of(order: int = 1, names: list[str] = NAMES, **settings: object) -> InterestEngine:
    random = np.random.default_rng(0)
    carried = random.random((CONTENT, TAGS)) * (random.random((CONTENT, TAGS)) < 0.2)
    items = IdMap(pa.array([f"i{at}" for at in range(CONTENT)][::order]))
    tags = tags_from_arrays(items, carried[::order], names)
    vectors = random.normal(size=(CONTENT, 4))[::order]
    return InterestEngine(tags, embeddings=vectors, **{"users_at_most": 100, **settings})


def steps(n: int = 400) -> list[Step]:
    random = np.random.default_rng(4)
    return [
        (
            f"u{random.integers(0, USERS)}",
            ACTIONS[random.integers(0, len(ACTIONS))],
            START + float(random.random() * 9 * DAY),
            f"i{random.integers(0, CONTENT)}",
            float(random.exponential(30)),
            f"s{random.integers(0, 3)}",
        )
        for _ in range(n)
    ]


def walk(engine: InterestEngine, some: list[Step]) -> None:
    for user, action, ts, item, value, scene in some:
        engine.update_one(user, action, ts, item=item, value=value, scene=scene)


def edit(engine: InterestEngine) -> None:
    engine.mute("u1", "tag3")
    engine.reset("u2", "tag5")
    engine.boost("u3", "tag1", 3.0)
    engine.reset("u4")


def all_of(engine: InterestEngine) -> list[object]:
    ids = pa.array([f"i{at}" for at in range(CONTENT)])
    return [
        part
        for user in (f"u{at}" for at in range(USERS))
        for part in (
            engine.interest(user, START + 10 * DAY, k=99),
            engine.interest(user, START + 10 * DAY, k=99, scene="s1"),
            engine.scores(user, ids, START + 10 * DAY).tolist(),
            engine.explain(user, "tag5"),
            engine.edits(user),
        )
    ]


def test_snapshot_and_tail(tmp_path: Path) -> None:
    whole, first, second = engine_of(), engine_of(), engine_of()
    walk(whole, steps()[:200])
    edit(whole)
    walk(whole, steps()[200:])
    walk(first, steps()[:200])
    edit(first)
    first.save(tmp_path, offset=200)
    assert second.load(tmp_path) == 200
    assert all_of(second) == all_of(first)
    walk(second, steps()[200:])
    assert all_of(second) == all_of(whole)
    assert second.now == whole.now


def test_content_in_another_order(tmp_path: Path) -> None:
    first, second = engine_of(), engine_of(order=-1)
    walk(first, steps())
    first.save(tmp_path)
    second.load(tmp_path)
    why = first.explain("u1", "tag5"), second.explain("u1", "tag5")
    assert why[0] == why[1]
    assert why[0].events


def test_edits_outlive_a_process_that_is_killed_after_its_snapshot(tmp_path: Path) -> None:
    whole = engine_of()
    walk(whole, steps()[:200])
    edit(whole)
    walk(whole, steps()[200:])
    file = tmp_path / "edits.jsonl"
    first = engine_of(edits=file)
    first.set("u1", "tag3", 0.5)
    walk(first, steps()[:150])
    first.save(tmp_path / "state", offset=150)
    walk(first, steps()[150:200])
    edit(first)
    with file.open("a") as torn:
        torn.write('{"number": 9, "us')
    del first  # killed: nothing of it but what is on disk
    second = engine_of(edits=file)
    second.load(tmp_path / "state")
    walk(second, steps()[150:])
    again = all_of(second)
    for one, other in zip(again, all_of(whole), strict=True):
        if not (isinstance(one, tuple) and one and hasattr(one[0], "number")):
            assert one == other
    assert [(one.kind, one.tag) for one in second.edits("u1")] == [("mute", "tag3")]
    edit(second)
    assert len(engine_of(edits=file).edits("u3")) == 1


def test_unlearned_edits_leave_the_file(tmp_path: Path) -> None:
    file = tmp_path / "edits.jsonl"
    engine = engine_of(edits=file)
    edit(engine)
    engine.unlearn("u3")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["mute", "reset", "reset"]


def test_only_the_newest_snapshot_stays(tmp_path: Path) -> None:
    engine = engine_of()
    walk(engine, steps()[:50])
    engine.save(tmp_path, offset=50)
    walk(engine, steps()[50:])
    path = engine.save(tmp_path, offset=400)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert newest(tmp_path) == path
    engine.save(tmp_path, offset=400)
    assert engine_of().load(tmp_path) == 400


def test_a_save_that_fails_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of()
    walk(engine, steps()[:50])
    engine.save(tmp_path, offset=50)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        engine.save(tmp_path, offset=60)
    monkeypatch.undo()
    assert engine_of().load(tmp_path) == 50
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["users.cells", "memory", "edits.jsonl", "content"])
@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
def test_broken_snapshots_are_refused(tmp_path: Path, name: str, how: str) -> None:
    engine = engine_of()
    walk(engine, steps())
    edit(engine)
    file = engine.save(tmp_path) / name
    whole = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
    else:
        whole[len(whole) // 2] ^= 1
        file.write_bytes(whole if how == "flip" else whole[:-3])
    fresh = engine_of()
    with pytest.raises(OutputError, match="broken"):
        fresh.load(tmp_path)
    assert fresh.interest("u1") == ()
    assert fresh.edits("u1") == ()


def test_snapshots_of_something_else_are_refused(tmp_path: Path) -> None:
    engine = engine_of()
    walk(engine, steps())
    with pytest.raises(OutputError, match="no snapshot"):
        engine.load(tmp_path)
    path = engine.save(tmp_path)
    with pytest.raises(OutputError, match="made with tags"):
        engine_of(names=NAMES[::-1]).load(tmp_path)
    with pytest.raises(OutputError, match="made with half_lives"):
        engine_of(half_lives=(60.0, HOUR, DAY)).load(tmp_path)
    with pytest.raises(OutputError, match="made with evidence"):
        engine_of(evidence={"like": 5.0}).load(tmp_path)
    with pytest.raises(OutputError, match="room for 3"):
        engine_of(users_at_most=3).load(tmp_path)
    head = json.loads((path / "head.json").read_text())
    (path / "head.json").write_text(json.dumps({**head, "format": 99}))
    with pytest.raises(OutputError, match="format 99"):
        engine_of().load(tmp_path)
    (path / "head.json").write_text("{")
    with pytest.raises(OutputError, match="broken"):
        engine_of().load(tmp_path)


def test_a_reset_older_than_what_the_snapshot_has_is_told(tmp_path: Path) -> None:
    some = sorted(steps(), key=lambda step: step[2])
    file = tmp_path / "edits.jsonl"
    early, late = engine_of(edits=file), engine_of()
    walk(early, some[:200])
    walk(late, some)
    late.save(tmp_path / "kept")
    early.reset("u2", "tag5")
    early.reset("u4")
    loaded = engine_of(edits=file)
    assert not loaded.overreached
    loaded.load(tmp_path / "kept")
    assert loaded.overreached
    loaded.restart()
    assert not loaded.overreached
    walk(loaded, some)
    walk(early, some[200:])
    for user in (f"u{at}" for at in range(USERS)):
        theirs = early.interest(user, k=TAGS)
        assert [one.strength for one in loaded.interest(user, k=TAGS)] == pytest.approx(
            [one.strength for one in theirs], rel=1e-4
        )
    early.save(tmp_path / "knows")
    knows = engine_of(edits=file)
    knows.load(tmp_path / "knows")
    assert not knows.overreached
