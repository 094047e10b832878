"""The compact index of a journal says what a dictionary would."""

from __future__ import annotations

import random
from pathlib import Path

from tagcf.tags.journal import Journal, line_of
from tagcf.tags.places import Places


def test_places_are_those_of_a_dictionary() -> None:
    draw, places, truth = random.Random(3), Places(), {}
    for offset in range(150_000):  # sorted in more than once, with keys that come again
        key = draw.getrandbits(64) if draw.random() < 0.7 or not truth else next(iter(truth))
        places.add(key, offset)
        truth[key] = offset
    assert len(places) == len(truth)
    assert all(places.find(key) == offset for key, offset in truth.items())
    assert all(places.find(draw.getrandbits(64)) is None for _ in range(1000))


def test_the_newest_record_of_a_key_counts_and_broken_lines_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    lines = [line_of('a "key"', {"n": 1}), line_of("b", {"n": 2}), line_of('a "key"', {"n": 3})]
    damaged = bytes([lines[1][20] ^ 1])
    path.write_bytes(lines[0] + lines[1][:20] + damaged + lines[1][21:] + lines[2] + b"12")
    with Journal(path) as journal:
        assert journal.get('a "key"') == {"n": 3}
        assert "b" not in journal
        assert (len(journal), journal.dropped) == (1, 2)
        journal.put("b", {"n": 4})
    assert path.read_bytes().endswith(b"\n")
    with Journal(path) as journal:
        assert journal.get("b") == {"n": 4}
