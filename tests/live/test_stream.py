"""Log and interest in step: restarts, snapshots, repeats, and a log that refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from live_writer import N, batch, some_tags

from tagcf.errors import DataError, OutputError
from tagcf.live.interest import InterestEngine
from tagcf.live.log import GroupCommit
from tagcf.live.stream import Ack, LiveStream
from tagcf.live.wire import BadEvents, decode
from tagcf.types import IdMap

SIZES = {"users_at_most": 3_000}


def strengths(engine: InterestEngine) -> np.ndarray:
    """(users, tags) of some users."""
    tags = {slug: at for at, slug in enumerate(engine.slugs)}
    table = np.zeros((200, len(tags)))
    for user in range(200):
        for one in engine.interest(user, k=len(tags)):
            table[user, tags[one.tag]] = one.strength
    return table


def fed(batches: range) -> InterestEngine:
    engine = InterestEngine(some_tags(), **SIZES)
    for number in batches:
        engine.update(decode(batch(number)))
    return engine


def test_state_after_a_restart_is_the_state_before(tmp_path: Path) -> None:
    expected = strengths(fed(range(8)))
    assert np.abs(expected).max() > 0
    stream = LiveStream.open(tmp_path, some_tags(), **SIZES)
    for number in range(4):
        ack = stream.send(batch(number))
        assert (ack.durable, ack.fresh, ack.offset) == (True, N, (number + 1) * N)
    stream.snapshot()
    for number in range(2, 8):  # two come again
        stream.send(batch(number))
    np.testing.assert_allclose(strengths(stream.engine), expected, rtol=1e-5, atol=1e-6)
    stream.close(snapshot=False)
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as again:
        assert (again.recovered.snapshot, again.recovered.replayed) == (4 * N, 4 * N)
        np.testing.assert_allclose(strengths(again.engine), expected, rtol=1e-5, atol=1e-6)
        assert again.send(batch(7)).repeated == N
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as again:
        assert (again.recovered.snapshot, again.recovered.replayed) == (8 * N, 0)
        np.testing.assert_allclose(strengths(again.engine), expected, rtol=1e-5, atol=1e-6)


def test_what_a_user_said_survives(tmp_path: Path) -> None:
    stream = LiveStream.open(tmp_path, some_tags(), **SIZES)
    stream.send(batch(0))
    user = next(user for user in range(2000) if stream.engine.interest(user))
    tag = stream.engine.interest(user)[0].tag
    stream.engine.mute(user, tag)
    stream.close(snapshot=False)
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as again:
        (muted,) = (one for one in again.engine.interest(user) if one.tag == tag)
        assert (muted.strength, muted.edited) == (0.0, "mute")


def test_bad_events_count_nowhere(tmp_path: Path) -> None:
    rows = [
        {"user_id": 1, "item_id": "i1", "ts": 1.7e9, "action": action} for action in ("like", "x")
    ]
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as stream:
        with pytest.raises(DataError, match="action is 'x'"):
            stream.send(rows)
        assert stream.log.offset == 0
        assert not stream.engine.knows(1)
        bad = BadEvents()
        assert stream.send(rows, skip_bad=bad).fresh == bad.count == 1
        assert stream.engine.knows(1)


def test_the_state_follows_a_log_that_goes_back(tmp_path: Path) -> None:
    group = GroupCommit(events=400 * N, seconds=60)
    with LiveStream.open(tmp_path, some_tags(), group=group, **SIZES) as stream:
        for number in range(4):
            stream.send(batch(number))
        assert stream.commit() == 4 * N
        tags = some_tags()
        new = replace(
            tags,
            items=IdMap(pa.array(["new"])),
            strength=tags.strength[[0]],
            confidence=tags.confidence[[0]],
            source=tags.source[[0]],
        )
        stream.engine.add_content(new)
        engine, database = stream.engine, stream.log._db
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count={pages + 2}")  # SQLite itself says when it is full
        taken: list[Ack] = []
        with pytest.raises(OutputError, match="send again whatever was not acknowledged"):
            taken.extend(stream.send(batch(number)) for number in range(4, 80))
        assert len(taken) > 0  # these had counted, and were forgotten
        assert stream.log.offset == stream.durable == 4 * N
        assert stream.engine is engine
        assert engine.content_rows(["new"]).tolist() == [200]
        np.testing.assert_allclose(
            strengths(stream.engine), strengths(fed(range(4))), rtol=1e-5, atol=1e-6
        )
        stream.log._db.execute("PRAGMA max_page_count=1000000")
        for number in range(4, 8):
            stream.send(batch(number))
        np.testing.assert_allclose(
            strengths(stream.engine), strengths(fed(range(8))), rtol=1e-5, atol=1e-6
        )


def test_a_log_older_than_the_state_is_told(tmp_path: Path) -> None:
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as stream:
        stream.send(batch(0))
    for path in (tmp_path / "log").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="the log is an older one"):
        LiveStream.open(tmp_path, some_tags(), **SIZES)


def test_snapshots_are_written_while_events_come(tmp_path: Path) -> None:
    stream = LiveStream.open(tmp_path, some_tags(), snapshot_every=3 * N, **SIZES)
    for number in range(7):
        assert stream.send(batch(number)).fresh == N
    stream.close(snapshot=False)
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as again:
        assert (again.recovered.snapshot, again.recovered.replayed) == (6 * N, N)
        np.testing.assert_allclose(
            strengths(again.engine), strengths(fed(range(7))), rtol=1e-5, atol=1e-6
        )


def test_a_snapshot_that_cannot_be_written_stops_no_event(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("a file where the folder should be")
    stream = LiveStream.open(tmp_path, some_tags(), snapshot_every=N, **SIZES)
    assert stream.send(batch(0)).durable
    assert isinstance(stream.snapshot_error, OutputError)
    (tmp_path / "snapshots").unlink()
    assert stream.send(batch(1)).durable
    assert stream.snapshot_error is None
    stream.close(snapshot=False)
    with LiveStream.open(tmp_path, some_tags(), **SIZES) as again:
        assert again.recovered.snapshot == 2 * N
