from pathlib import Path

import polars as pl
import pytest

from tagcf.data.simulate.sector import SECTORS, read_sector
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.reference import vocabulary_page
from tagcf.tags.vocabulary import (
    FACETS,
    default_vocabulary,
    name_index,
    parse_vocabulary,
    search_tags,
)

ROOT = Path(__file__).parents[2]

# Every tag that the two source documents name.
NAMED = [
    "萌宠",
    "旅行",
    "萌宠互动",
    "城市夜景",
    "怀旧音乐",
    "怀旧风",
    "宠物互动",
    "家庭温情",
    "慢生活",
    "幼犬扑空摔倒",
    "轻松幽默",
    "轻松幽默瞬间",
    "慢节奏",
    "自然音效",
    "露营",
    "逃离都市焦虑",
    "都市逃离感",
    "缓解焦虑",
    "户外",
    "户外场景",
    "治愈感",
    "治愈系生活记录",
    "情感共鸣",
    "审美倾向",
    "审美偏好",
    "社交需求",
    "亲情共鸣",
    "老人微笑凝视孙子",
    "城市青年减压",
    "代际沟通",
    "童年回忆",
    "节日仪式",
    "祖孙日常",
    "风景",
    "情感叙事",
    "画面节奏",
    "宠物",
    "美妆",
    "游戏",
    "游戏直播",
    "带货讲解",
    "商品讲解",
    "娱乐表演",
    "电商直播",
    "优惠信息",
    "弹幕",
    "语音语调",
    "面部表情",
]


def test_it_is_large_and_spans_every_facet():
    vocabulary = default_vocabulary()
    assert len(vocabulary) >= 440
    sizes = {facet: sum(tag.facet == facet for tag in vocabulary.tags) for facet in FACETS}
    assert min(sizes.values()) >= 20


@pytest.mark.parametrize("name", NAMED)
def test_every_tag_of_the_source_documents_is_known(name):
    assert name in name_index(default_vocabulary().tags)


@pytest.mark.parametrize("sector", SECTORS)
def test_titles_of_every_sector_are_understood(sector):
    """What the simulated shops, courses and clinics talk about, real ones do, too."""
    slugs = {tag.slug for tag in default_vocabulary().tags}
    tags = read_sector(sector).tags
    assert {tag.slug for tag in tags} - slugs <= {"white-background", "fun", "exercise"}
    for tag in tags:
        if tag.slug in slugs:
            found = Lexicon().encode(pl.Series(tag.keywords), default_vocabulary())
            assert tag.slug in set(found["tag"]), tag


def test_every_tag_has_words_in_both_languages():
    for tag in default_vocabulary().tags:
        han = [any("\u3400" <= char <= "\u9fff" for char in word) for word in tag.keywords]
        assert sum(han) >= 2, tag.slug
        assert len(han) - sum(han) >= 2, tag.slug
        assert len(set(tag.keywords)) == len(tag.keywords), tag.slug


def test_the_version_follows_the_content():
    one = b'[topic]\na = {zh = "\xe7\x8c\xab", en = "Cat"}\n'
    assert parse_vocabulary(one).version != parse_vocabulary(one + b"\n").version
    assert parse_vocabulary(one).version == parse_vocabulary(one).version


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[topic]\nA_b = {zh = "猫", en = "Cat"}', "not lowercase-with-hyphens"),
        ('[mood]\na = {zh = "猫", en = "Cat"}', "unknown facet 'mood'"),
        ('[topic]\na = {zh = "猫", en = "Cat", parent = "b"}', "unknown parent 'b'"),
        (
            '[topic]\na = {zh = "猫", en = "Cat", parent = "b"}\n'
            'b = {zh = "狗", en = "Dog", parent = "a"}',
            "cycle",
        ),
        (
            '[topic]\na = {zh = "猫", en = "Cat"}\nb = {zh = "狗", en = "CAT"}',
            "name 'cat' belongs to a and b",
        ),
        (
            '[topic]\na = {zh = "猫", en = "Cat"}\n'
            '[scene]\nb = {zh = "狗", en = "Dog", parent = "a"}',
            "another facet",
        ),
        (
            '[topic]\na = {zh = "猫", en = "Cat"}\n[scene]\na = {zh = "狗", en = "Dog"}',
            "slug 'a' is used twice",
        ),
    ],
)
def test_faults_are_named(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_vocabulary(content.encode())


def test_search_puts_exact_names_before_the_rest():
    tags = default_vocabulary().tags
    assert search_tags("怀旧", tags)[0].slug == "nostalgia"
    assert {"retro-style", "nostalgic-music"} <= {tag.slug for tag in search_tags("怀旧", tags)}
    assert search_tags("CAMPING", tags)[0].slug == "camping"
    assert search_tags("campign", tags)[0].slug == "camping"  # a slip of the keys
    assert search_tags("帐篷", tags)[0].slug == "camping"  # a keyword
    assert search_tags("qqqqzzzz", tags) == []


def test_the_reference_page_is_up_to_date():
    page = (ROOT / "docs" / "reference" / "vocabulary.md").read_text("utf-8")
    assert page == vocabulary_page(default_vocabulary())
