"""One form for what viewers type in many."""

from __future__ import annotations

import polars as pl
import pytest

from tagcf.live.danmaku.features import keys_of
from tagcf.live.danmaku.lexicon import concepts_in, patterns, shipped_concepts
from tagcf.live.danmaku.normalise import MOST, normalise


def of(*texts: str | None) -> list[str]:
    return normalise(pl.Series(list(texts), dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＬＩＮＫ　ｐｌｓ", "link pls"),
        ("價錢多少", "价钱多少"),
        ("哈哈哈哈哈哈", "哈哈"),
        ("链\u200b接\ufeff呢", "链接呢"),
        ("pleaaaase", "please"),
        ("6666666", "666"),
        ("😂😂😂😂", "😂😂"),
        ("👍🏽", "👍"),
        ("it's", "its"),
        ("39.9", "128.50"),
        ("好。看、", "好 看"),
        ("2333333", "233"),
        ("1️⃣", "1"),
    ],
)
def test_spellings_of_the_same_become_one(one: str, other: str) -> None:
    first, second = of(one, other)
    assert first.strip() == second.strip()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("666", "667"),
        ("off", "of"),
        ("price?", "price"),
        ("520", "530"),
        ("12", "123"),
        ("好", "好好"),
    ],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    first, second = of(one, other)
    assert first.strip() != second.strip()


def test_nothing_is_nothing() -> None:
    lines = of("", None, "   ", "\u200b\u200d", "、、")
    assert [text.strip() for text in lines] == [""] * 5


def test_a_very_long_line_keeps_its_head_and_its_end() -> None:
    (long,) = of("开头" + "啊哦" * 100_000 + "多少钱")
    assert long.startswith("开头")
    assert long.endswith("多少钱")
    assert len(long) <= 4 * MOST


@pytest.mark.parametrize(
    "text", ["\ue000\uf001价", "\U0010ffff", "\u0301\u0301", "𝓁𝒾𝓃𝓀", "ﷺ" * 50, "\x00\x01a"]
)
def test_odd_letters_break_nothing_and_private_letters_are_ours(text: str) -> None:
    (plain,) = of(text)
    assert "\ue000" not in plain
    assert "\uf001" not in plain or "1" in text


def test_terms_are_found_the_longest_first() -> None:
    assert concepts_in("这个多少钱") == ("pointing", "ask_price")
    assert concepts_in("有点贵") == ("a_bit_dear",)
    assert concepts_in("太贵了") == ("too_expensive",)
    assert concepts_in("how  MUCH is it")[0] == "ask_price"
    assert "ask_price" not in concepts_in("showmuch")


def test_pinyin_is_read_unless_lines_are_english() -> None:
    assert concepts_in("dsq") == ("ask_price",)
    assert concepts_in("dsq", "en") == ()


def test_no_term_stands_in_two_concepts() -> None:
    terms = [term for concept in shipped_concepts() for _, term in concept.terms]
    assert len(terms) == len(set(terms))
    assert len(patterns().terms) > 5000


def test_features_of_a_line_do_not_depend_on_its_neighbours() -> None:
    texts = ["多少钱", "link pls", "", "哈哈哈 太好看了", "是不是正品"]
    together = keys_of(pl.Series(texts))
    for k, text in enumerate(texts):
        alone = keys_of(pl.Series([text]))
        own = together.keys[together.ends[k] : together.ends[k + 1]]
        assert own.tolist() == alone.keys.tolist()
    assert together.ends[3] == together.ends[2]  # the empty line
