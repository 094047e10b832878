"""Users over several processes: the same answers, also over more or fewer of them."""

from __future__ import annotations

import os
import signal
from dataclasses import astuple, is_dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tagcf.data.arrays import tags_from_arrays
from tagcf.errors import OutputError, ServerError, UnknownNameError
from tagcf.live.interest import InterestEngine, ShardedEngine, reshard
from tagcf.live.interest.index.kernels import jump_all
from tagcf.live.wire.keys import id_keys
from tagcf.types import IdMap, TagMatrix
from tagcf.types.live import ACTIONS, LiveEvents

DAY = 86_400.0
START = 1.7e9
TAGS, CONTENT, USERS = 11, 40, 30
ASKED = [f"u{at}" for at in range(USERS)]


def some_tags() -> TagMatrix:
    random = np.random.default_rng(0)
    carried = random.random((CONTENT, TAGS)) * (random.random((CONTENT, TAGS)) < 0.3)
    items = IdMap(pa.array([f"i{at}" for at in range(CONTENT)]))
    return tags_from_arrays(items, carried, [f"tag{at}" for at in range(TAGS)])


def some_events(seed: int, n: int = 800) -> LiveEvents:
    random = np.random.default_rng(seed)

    def keys(letter: str, most: int) -> np.ndarray:
        return id_keys(pa.array([f"{letter}{at}" for at in random.integers(0, most, n)]))

    none = np.zeros(n, np.uint64)
    return LiveEvents(
        *(random.integers(1, 2**60, n).astype(np.uint64), keys("u", USERS), none),
        *(keys("i", CONTENT), none, keys("s", 2), none),
        START + (seed + random.random(n)) * DAY,
        random.integers(0, len(ACTIONS), n).astype(np.uint8),
        random.exponential(20, n).astype(np.float32),
        pa.table({}),
    )


def everything(engine: InterestEngine | ShardedEngine) -> list[object]:
    at = START + 5 * DAY
    return [
        part
        for user in ASKED
        for part in (
            engine.interest(user, at, 99, "s1"),
            engine.scores(user, np.arange(CONTENT), at).tolist(),
            engine.explain(user, "tag3", at),
            engine.edits(user),
        )
    ]


def assert_same(engine: ShardedEngine, whole: InterestEngine) -> None:
    """Landmarks move at other events where chunks hold other users: sums differ by rounding."""
    for one, other in zip(flat(everything(engine)), flat(everything(whole)), strict=True):
        if isinstance(one, float):
            assert one == pytest.approx(other, rel=1e-5, abs=1e-5, nan_ok=True)
        else:
            assert one == other


def flat(answer: object) -> list[object]:
    if is_dataclass(answer) and not isinstance(answer, type):
        answer = astuple(answer)
    if isinstance(answer, list | tuple):
        return [part for its in answer for part in flat(its)]
    return [answer]


def edit(engine: InterestEngine | ShardedEngine) -> None:
    engine.mute("u1", "tag3")
    engine.reset("u2", "tag5")
    engine.set("u3", "tag1", 0.7)
    engine.reset("u4")


def test_shards_and_more_and_fewer_of_them(tmp_path: Path) -> None:
    settings = {"users_at_most": 100, "embeddings": np.eye(CONTENT)}
    tags, whole = some_tags(), InterestEngine(some_tags(), **settings)
    told = [whole.update(some_events(0))]
    edit(whole)
    with ShardedEngine(tags, 2, tmp_path, **settings) as two:
        assert two.update(some_events(0)) == told[0]
        edit(two)
        assert_same(two, whole)
        assert two.now == whole.now
        with pytest.raises(UnknownNameError, match="no tag"):
            two.explain("u1", "tagg")
        two.save(offset=800)
        process = two._shards[1].process
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with pytest.raises(ServerError, match="shard 1 has ended"):
            two.update(some_events(1))
    with pytest.raises(OutputError, match="of 2 shards, 3 are wanted"):
        ShardedEngine(tags, 3, tmp_path, **settings)
    reshard(tmp_path, 3)
    told.append(whole.update(some_events(1)))
    whole.boost("u3", "tag2", 2.0)
    whole.unlearn("u9")
    with ShardedEngine(tags, 3, tmp_path, **settings) as three:
        assert three.offset == 800
        assert three.update(some_events(1)) == told[1]
        three.boost("u3", "tag2", 2.0)
        three.unlearn("u9")
        assert_same(three, whole)
        three.save(offset=1600)
        three.reset("u7")  # after the snapshot: kept in the file of edits alone
    whole.reset("u7")
    reshard(tmp_path, 1)
    with ShardedEngine(tags, 1, tmp_path, **settings) as one:
        assert one.offset == 1600
        assert_same(one, whole)
        one.update(some_events(2))
        whole.update(some_events(2))
        assert_same(one, whole)
    assert [path.name for path in tmp_path.glob("at-*")] == ["at-1600-of-1"]


def test_users_hardly_move_between_shards() -> None:
    keys = np.random.default_rng(0).integers(1, 2**63, 100_000).astype(np.uint64)
    before, after = jump_all(keys, 7), jump_all(keys, 8)
    assert set(before) == set(range(7))
    np.testing.assert_allclose(np.bincount(before) / len(keys), 1 / 7, atol=0.005)
    assert np.mean(before != after) == pytest.approx(1 / 8, abs=0.005)
    assert set(after[before != after]) == {7}  # nobody moves but to the new one


def test_nothing_to_reshard(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no snapshot"):
        reshard(tmp_path, 3)
