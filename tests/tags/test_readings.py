"""Readings survive a stop, and are made anew where the item or the encoders changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tagcf.errors import OutputError
from tagcf.tags.evidence import Content, Evidence, Found, Missing, Reading
from tagcf.tags.media.opened import Media
from tagcf.tags.readings import BLOCK, ItemReading, Journal, read_media, tables
from tagcf.tags.vocabulary import Vocabulary, default_vocabulary
from tagcf.types import Reason


class Letters:
    """Finds a tag for each different letter, and counts how often it is asked."""

    source = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, content: Content, _vocabulary: Vocabulary) -> Reading:
        """One tag a letter; an item without text cannot be read."""
        self.asked.append(content.item)
        if content.text == "stop":
            raise KeyboardInterrupt
        if not content.text:
            return Reading(missing=(Missing("letters", Reason("x.no_text", (("n", 0),))),))
        found = (
            Found(letter, 0.8, 0.7, "letters", Evidence(letter, 1.5, 2.0))
            for letter in sorted(set(content.text))
        )
        return Reading(found=tuple(found))


def items(*texts: str) -> Iterator[Content]:
    return (Content(f"i{at}", text) for at, text in enumerate(texts))


def read(path: Path, encoder: Letters, *texts: str) -> int:
    with Journal(path, "1") as journal:
        return read_media(items(*texts), [encoder], default_vocabulary(), journal)


def kept(path: Path, *texts: str) -> list[ItemReading]:
    with Journal(path, "1") as journal:
        return list(journal.read(items(*texts)))


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path, first = tmp_path / "out" / "readings.jsonl", Letters()
    with pytest.raises(KeyboardInterrupt):
        read(path, first, "ab", "c", "stop", "d")
    again = Letters()
    assert read(path, again, "ab", "c", "", "d") == 2
    assert again.asked == ["i2", "i3"]
    told = tables(kept(path, "ab", "c", "", "d"))
    assert told.found.select("item_id", "tag", "quote", "start_s").rows() == [
        ("i0", "a", "a", 1.5),
        ("i0", "b", "b", 1.5),
        ("i1", "c", "c", 1.5),
        ("i3", "d", "d", 1.5),
    ]
    assert told.missing.rows() == [("i2", "letters", "x.no_text", '{"n": 0}')]
    assert told.readable["item_id"].to_list() == ["i0", "i1", "i3"]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_line_that_a_crash_cut_off_is_read_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "readings.jsonl"
    read(path, Letters(), "ab", "c", "de")
    path.write_bytes(path.read_bytes()[:-cut])
    again = Letters()
    assert read(path, again, "ab", "c", "de") == 1
    assert again.asked == ["i2"]
    assert len(kept(path, "ab", "c", "de")) == 3


def test_a_broken_line_in_the_middle_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    read(path, Letters(), "ab", "c", "de")
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"\xff" + lines[1][1:]
    path.write_bytes(b"\n".join(lines))
    again = Letters()
    assert read(path, again, "ab", "c", "de") == 1
    assert again.asked == ["i1"]


def test_changes_are_read_again(tmp_path: Path) -> None:
    path, media = tmp_path / "readings.jsonl", tmp_path / "clip.mp4"
    media.write_bytes(b"1")
    content = Content("i", "a", Media(media))
    for version, expected in (("1", 1), ("1", 0), ("2", 1)):
        with Journal(path, version) as journal:
            assert read_media([content], [Letters()], default_vocabulary(), journal) == expected
    media.write_bytes(b"12")
    with Journal(path, "2") as journal:
        assert read_media([content], [Letters()], default_vocabulary(), journal) == 1


def test_two_runs_at_once_are_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    with Journal(path, "1") as one:
        read_media(items("ab"), [Letters()], default_vocabulary(), one)
        with pytest.raises(OutputError, match=r"readings\.jsonl is in use"):
            Journal(path, "1")
        read_media(items("ab", "c"), [Letters()], default_vocabulary(), one)
    assert [line.item for line in kept(path, "ab", "c")] == ["i0", "i1"]


def test_a_line_of_another_form_is_no_reading(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_text('{"key":"00","item":{"item":"i0"}}\n', "utf-8")
    assert kept(path, "ab") == []
    assert read(path, Letters(), "ab") == 1
    assert len(kept(path, "ab")) == 1


def test_tables_of_more_items_than_a_block() -> None:
    size = BLOCK + 3
    reading = Reading((Found("dogs", 0.8, 0.7, "letters"),))
    told = tables(ItemReading(f"i{at}", ("letters",), reading) for at in range(size))
    assert told.found["item_id"].to_list() == [f"i{at}" for at in range(size)]
    assert told.readable.height == size
    assert told.missing.is_empty()
