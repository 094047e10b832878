import time

import polars as pl
import pytest

from tagcf.tags.lexicon import Lexicon, plurals
from tagcf.tags.vocabulary import default_vocabulary, parse_vocabulary

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
        ("not a cat", {"cats"}),  # negation is not understood, as documented
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
