"""Several processes write one file of edits; clocks that run ahead move nothing."""

from __future__ import annotations

import time
from pathlib import Path

from live_writer import batch, some_tags

from tagcf.live.interest import InterestEngine
from tagcf.live.interest import snapshot as snapshots
from tagcf.live.interest.edits import read_edits
from tagcf.live.wire import decode, id_key


def engine_of(folder: Path, *batches: int) -> InterestEngine:
    engine = InterestEngine(some_tags(), users_at_most=3_000, edits=folder / "edits.jsonl")
    for number in batches:
        engine.update(decode(batch(number)))
    return engine


def test_two_writers_number_their_edits_together(tmp_path: Path) -> None:
    one, other = engine_of(tmp_path, 0), engine_of(tmp_path, 0)
    first, second = [user for user in range(2_000) if one.interest(user)][:2]
    one.reset(first)
    tag = other.interest(second)[0].tag
    other.mute(second, tag)
    assert [edit.number for edit in read_edits(tmp_path / "edits.jsonl")] == [1, 2]
    assert other.interest(first) == ()  # what was written meanwhile has come into force
    again = engine_of(tmp_path, 0)
    assert again.interest(first) == ()
    assert {one.tag: one.edited for one in again.interest(second)}[tag] == "mute"


def test_who_is_unlearned_takes_nobody_elses_edits_along(tmp_path: Path) -> None:
    one, other = engine_of(tmp_path), engine_of(tmp_path)
    one.mute("a", "tag3")
    other.mute("b", "tag3")
    one.unlearn("a")
    assert [edit.user for edit in read_edits(tmp_path / "edits.jsonl")] == [id_key("b")]


def test_who_is_unlearned_elsewhere_has_no_edits_here(tmp_path: Path) -> None:
    one, other = engine_of(tmp_path), engine_of(tmp_path)
    one.mute("a", "tag3")
    one.reset("a", "tag4")
    other.mute("b", "tag3")
    assert other.edits("a")
    one.unlearn("a")
    other.mute("b", "tag5")
    assert other.edits("a") == ()
    assert [edit.tag for edit in other.edits("b")] == ["tag3", "tag5"]


def test_a_file_rewritten_at_the_same_length_is_read_again(tmp_path: Path) -> None:
    one, other = engine_of(tmp_path), engine_of(tmp_path)
    one.mute("a", "tag3")
    other.mute("b", "tag3")
    path = tmp_path / "edits.jsonl"
    size = path.stat().st_size
    rival = engine_of(tmp_path)
    rival.unlearn("a")
    while path.stat().st_size < size:
        rival.mute("c", "tag6")
    path.write_bytes(path.read_bytes()[:size])
    other.edit("b", "boost", "tag2", 2.0)
    assert other.edits("a") == ()


def test_a_clock_ahead_moves_neither_now_nor_resets(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, 0)
    user = next(u for u in range(2_000) if engine.interest(u))
    before = engine.interest(user)
    engine.update_one("ahead", "like", 4.0e9, item="i3")
    assert engine.now <= time.time() + 3_600
    assert engine.interest(user, at=1.7e9 + 250.0)[0].tag == before[0].tag
    engine.update_one(user, "like", 4.0e9, item="i3")
    engine.reset(user)
    assert engine.edits(user)[0].at <= time.time() + 3_600


def test_a_reader_beside_a_snapshot_takes_the_newer(tmp_path: Path, monkeypatch) -> None:
    writer = engine_of(tmp_path, 0)
    writer.save(tmp_path / "snapshots", 500)
    find, told = snapshots.find, []

    def find_then_save(folder: Path):
        found = find(folder)
        if not told:
            told.append(found)
            writer.save(folder, 1_000)
        return found

    monkeypatch.setattr(snapshots, "find", find_then_save)
    assert engine_of(tmp_path).load(tmp_path / "snapshots") == 1_000
