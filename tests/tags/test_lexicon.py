import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagcf.tags.lexicon import Lexicon
from tagcf.tags.lexis import plurals
from tagcf.tags.vocabulary import default_vocabulary, parse_vocabulary
from tagcf.tags.words import shipped_words

SMALL = parse_vocabulary(
    """
[topic]
pandas = { zh = "大熊猫", en = "Pandas", keywords = ["竹子", "giant panda"] }
cats = {zh="猫咪", en="Cats", aliases=["cat", "熊猫猫"], keywords = ["小猫", "kitten", "purr"]}
cities = { zh = "城市", en = "Cities", aliases = ["city"], keywords = ["skyline", "小猫"] }
sad = { zh = "馋", en = "Sad song", keywords = ["hot dog"] }
""".encode()
)


def found(text: str) -> dict[str, float]:
    rows = Lexicon().encode(pl.Series([text]), SMALL)
    return {tag: round(strength, 3) for tag, strength in rows.select("tag", "strength").rows()}


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("A CAT", {"cats"}),
        ("Two cats", {"cats"}),
        ("The category of cattle", set()),  # whole words only
        ("The cat's whiskers", {"cats"}),
        ("kittens, purring", {"cats"}),  # regular plural; other forms are not known
        ("three cities", {"cities"}),
        ("sad  Song", {"sad"}),
        ("sad. Song", set()),  # no term crosses a sentence
        ("sad\nSong", set()),
        ("a sad-song day", {"sad"}),
        ("hot dog cat", {"sad", "cats"}),  # neighbours share no space
        ("看大熊猫吃竹子", {"pandas"}),
        ("一只猫咪cat在城市", {"cats", "cities"}),
        ("馋", set()),  # one character is too little
        ("ＣＡＴ", {"cats"}),  # full width
        ("", set()),
        ("not a cat", set()),
        ("not only a cat", {"cats"}),
        ("not sure if the neighbours keep a cat", {"cats"}),  # out of the negation's reach
        ("no. cat", {"cats"}),  # a negation ends with its sentence
        ("这不是猫咪", set()),
        ("是不是猫咪", {"cats"}),
        ("不是猫咪，是大熊猫", {"pandas"}),
        ("熊猫眼", set()),  # tired eyes
        ("raining cats and dogs", set()),
        ("my new #GiantPanda", {"pandas"}),
        ("#giantpanda", {"pandas"}),
        ("#kittenlove", {"cats"}),
        ("#lovemykitten", {"cats"}),
        ("#catalogue", set()),  # too short a beginning
        ("#猫咪", {"cats"}),
        ("🐱🐼", {"cats", "pandas"}),
        ("☕️", set()),
    ],
)
def test_terms_are_found(text, tags):
    assert set(found(text)) == tags


def test_the_longest_term_wins():
    assert set(found("大熊猫")) == {"pandas"}
    assert set(found("熊猫猫")) == {"cats"}


def test_strength_follows_the_documented_curve():
    assert found("purr") == {"cats": 0.6}
    assert found("purr purr") == {"cats": 0.6}  # one term, twice
    assert found("kitten, kittens") == {"cats": 0.6}  # plural and singular are one term
    assert found("purr kitten") == {"cats": 0.84}
    assert found("猫咪") == {"cats": 0.9}
    assert found("猫咪 purr") == {"cats": 0.96}


def test_a_term_of_two_tags_is_found_for_both_with_less_confidence():
    rows = Lexicon().encode(pl.Series(["小猫"]), SMALL).sort("tag")
    assert rows["tag"].to_list() == ["cats", "cities"]
    assert rows["confidence"].to_list() == pytest.approx([0.35, 0.35])
    assert Lexicon().encode(pl.Series(["cat"]), SMALL)["confidence"].to_list() == pytest.approx(
        [0.9]
    )


DEFAULT = default_vocabulary()


def carried(text: str) -> set[str]:
    rows = Lexicon().encode(pl.Series([text]), DEFAULT)
    return set(rows.filter(pl.col("strength") >= 0.5)["tag"])


@pytest.mark.parametrize(
    ("text", "there", "away"),
    [
        ("苹果手机又涨价了", "phones", "fresh-produce"),
        ("烟台苹果熟了", "fresh-produce", "phones"),
        ("this python bit the zoo keeper", "exotic-pets", "programming"),
        ("learning python at night", "programming", "exotic-pets"),
        ("an apple pie for sunday", "baking", "phones"),
        ("火箭主场又赢了", "basketball", "space"),
        ("火箭升空的一刻", "space", "basketball"),
    ],
)
def test_a_word_of_several_senses_follows_its_neighbours(text, there, away):
    assert there in carried(text)
    assert away not in carried(text)


def test_words_and_hints_are_weaker_than_keywords():
    one = Lexicon().encode(pl.Series(["这波团灭了"]), DEFAULT).row(0, named=True)
    assert (one["tag"], round(one["strength"], 2)) == ("esports", 0.45)
    two = Lexicon().encode(pl.Series(["四杀加团灭"]), DEFAULT)
    assert two.filter(pl.col("tag") == "esports")["strength"][0] > 0.5
    hint = Lexicon().encode(pl.Series(["狗"]), DEFAULT).row(0, named=True)
    assert (hint["tag"], round(hint["strength"], 2)) == ("dogs", 0.25)


def test_words_shipped_fit_the_vocabulary_and_are_said_once():
    words = shipped_words()
    slugs = {tag.slug for tag in DEFAULT.tags}
    named = {slug for slug, _ in (*words.likely, *words.hints)}
    sensed = {slug for sense in words.senses for slug, _ in sense.contexts}
    sensed |= {sense.otherwise for sense in words.senses} - {""}
    assert named | sensed <= slugs
    hints = dict(words.hints)
    for slug, own in words.likely:
        assert len(own) == len(set(own)), slug
        assert not set(own) & set(hints.get(slug, ())), slug


def test_the_words_behind_a_tag_are_told():
    rows = Lexicon().words(pl.Series(["", "带修勾去露营 #VanLife", "not a dog"]), DEFAULT)
    assert rows.rows() == [
        (1, "camping", "露营"),
        (1, "dogs", "修勾"),
        (1, "road-trip", "van life"),
        (1, "road-trip", "vanlife"),
    ]


def test_batches_do_not_change_the_answer():
    texts = pl.Series(["not a dog", None, "#vanlife 狗狗", "苹果手机", "apple pie", "没有猫", "🐶"])
    whole = Lexicon().encode(texts, DEFAULT)
    pieces = [
        Lexicon().encode(texts[k : k + 1], DEFAULT).with_columns(pl.col("row") + k)
        for k in range(len(texts))
    ]
    key = ["row", "tag"]
    assert whole.sort(key).equals(pl.concat(pieces).sort(key))


def test_nulls_and_no_texts():
    assert Lexicon().encode(pl.Series([None, "cat"], dtype=pl.String), SMALL)["row"].to_list() == [
        1
    ]
    assert Lexicon().encode(pl.Series([], dtype=pl.String), SMALL).height == 0


def test_plurals():
    assert plurals("city") == ["city", "cities"]
    assert plurals("day") == ["day", "days"]
    assert plurals("lunch") == ["lunch", "lunches"]


def test_a_million_titles_are_feasible():
    titles = pl.Series(["带狗狗去露营，看日落", "My dog went camping at sunset"]).sample(
        20_000, with_replacement=True, seed=1
    )
    begin = time.process_time()
    rows = Lexicon().encode(titles, default_vocabulary())
    assert rows["row"].n_unique() == 20_000
    assert time.process_time() - begin < 10  # measured: 0.3 s


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(max_size=40),
            st.lists(
                st.sampled_from(
                    ["not", "不是", "#", "#Dog", "狗狗", "|", "apple", "苹果", "🐶", "\n", "猫"]
                ),
                max_size=8,
            ).map(" ".join),
        ),
        max_size=6,
    )
)
def test_any_text_can_be_read_and_every_tag_has_its_words(texts):
    series = pl.Series(texts, dtype=pl.String)
    tags = Lexicon().encode(series, SMALL)
    words = Lexicon().words(series, SMALL)
    assert set(tags.select("row", "tag").rows()) == set(words.select("row", "tag").rows())
    assert tags["strength"].is_between(0, 1).all()
    assert tags["confidence"].is_between(0, 1).all()
    assert (tags["row"] < len(texts)).all()
