"""Texts and readings joined: repeats of the caption, and what a model was offered."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from tagcf.tags.encode import encode_tags
from tagcf.tags.evidence import Content, Evidence, Found, Offer, Reading
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.llm.closed import ClosedTags
from tagcf.tags.matrix import matrix_frame
from tagcf.tags.modalities import join_modalities
from tagcf.tags.names import known_tags
from tagcf.tags.readings import ItemReading, Readings, tables
from tagcf.tags.vocabulary import default_vocabulary

ITEMS = pl.DataFrame(
    {"item_id": ["same", "other"], "text": ["周末去露营，烤点肉", "周末去露营，烤点肉"]}
)


def joined(readings: Readings) -> pl.DataFrame:
    matrix = encode_tags(ITEMS, using=[Lexicon()])
    known = known_tags(default_vocabulary())
    both = join_modalities(matrix, ITEMS["item_id"], readings, known, ITEMS)
    return matrix_frame(both.matrix).filter(pl.col("tag") == "camping").sort("item_id")


def test_a_caption_on_the_screen_is_no_second_witness() -> None:
    lines = {"same": "周末去露营", "other": "帐篷睡袋炉头都带齐"}
    shown = (
        ItemReading(item, ("ocr",), Reading((Found("camping", 0.6, 0.6, "ocr", Evidence(line)),)))
        for item, line in lines.items()
    )
    other, same = joined(tables(shown)).rows(named=True)
    assert other["source"] == "ocr+text"
    assert same["source"] == "text"
    assert same["strength"] < other["strength"]
    alone = joined(tables([ItemReading("same", ("ocr",), Reading())]))
    assert same["strength"] == pytest.approx(alone["strength"][1], abs=0.1)


def test_what_was_offered_is_kept_with_a_reading() -> None:
    reading = Reading(offered=(Offer("llm:x", ("dogs", "cats")),))
    told = tables([ItemReading("i", ("llm:x",), reading + Reading())])
    assert told.offered.rows() == [("i", "llm:x", ["dogs", "cats"])]


def test_a_question_tells_what_it_offers() -> None:
    def contents() -> Iterator[Content]:
        yield Content("i", "带狗去露营")

    (question,) = ClosedTags(k=7).questions(contents(), default_vocabulary(), "llm:x")
    assert len(question.offered) == 7
    assert {"dogs", "camping"} <= set(question.offered)
