"""Strength shared between parent and child."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagcf.data.arrays import tags_from_arrays
from tagcf.settings import Settings
from tagcf.tags.matrix import tag_matrix_from_frame
from tagcf.tags.tree.share import share_strength
from tagcf.types import IdMap, Tag, TagMatrix

TAGS = (
    Tag("animals", "动物", "Animals", "topic"),
    Tag("pets", "宠物", "Pets", "topic", parent="animals"),
    Tag("dogs", "狗", "Dogs", "topic", parent="pets"),
    Tag("cats", "猫", "Cats", "topic", parent="pets"),
    Tag("music", "音乐", "Music", "topic"),
)
ITEMS = IdMap(pa.array(["a", "b", "c"]))


def matrix(*rows: tuple[str, str, float]) -> TagMatrix:
    frame = pl.DataFrame(rows, schema=["item_id", "tag", "strength"], orient="row")
    return tag_matrix_from_frame(frame, ITEMS, TAGS)


def strength(found: TagMatrix, item: int, slug: str) -> float:
    return float(found.strength[item, [tag.slug for tag in found.tags].index(slug)])


def test_nothing_is_shared_unless_asked() -> None:
    assert Settings().tree.share_up == Settings().tree.share_down == 0
    given_ = matrix(("a", "dogs", 0.8))
    assert share_strength(given_, TAGS, up=0, down=0) is given_


def test_children_lift_their_ancestors() -> None:
    found = share_strength(matrix(("a", "dogs", 0.8), ("a", "cats", 0.6), ("b", "pets", 0.9)), TAGS)
    assert strength(found, 0, "pets") == pytest.approx(0.8)  # the strongest child, not their sum
    assert strength(found, 0, "animals") == pytest.approx(0.8)
    assert strength(found, 1, "animals") == pytest.approx(0.9)
    assert strength(found, 1, "dogs") == 0  # never downwards
    half = share_strength(matrix(("a", "dogs", 0.8), ("a", "pets", 0.5)), TAGS, up=0.5)
    assert strength(half, 0, "pets") == pytest.approx(0.5)  # its own evidence is stronger
    assert strength(half, 0, "animals") == pytest.approx(0.25)  # of pets, not of dogs: .8 / 4


def test_what_the_tree_gave_is_marked() -> None:
    found = share_strength(matrix(("a", "dogs", 0.8), ("b", "pets", 0.9)), TAGS)
    at = {tag.slug: k for k, tag in enumerate(found.tags)}
    source = found.source.toarray()
    assert found.sources[source[0, at["pets"]] - 1] == "tree"
    assert found.sources[source[0, at["dogs"]] - 1] == "own"
    assert found.sources[source[1, at["pets"]] - 1] == "own"


def test_parents_support_children_that_are_seen() -> None:
    rows = matrix(("a", "pets", 0.8), ("a", "dogs", 0.3), ("b", "pets", 0.8))
    found = share_strength(rows, TAGS, up=0, down=0.5)
    assert strength(found, 0, "dogs") == pytest.approx(1 - 0.7 * 0.6)
    assert strength(found, 1, "dogs") == 0
    assert strength(found, 0, "pets") == pytest.approx(0.8)


def test_support_does_not_come_back_to_the_child() -> None:
    """A parent lifted by its child is no evidence for that child."""
    found = share_strength(matrix(("a", "dogs", 0.4)), TAGS, up=1.0, down=1.0)
    assert strength(found, 0, "dogs") == pytest.approx(0.4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5), min_size=3, max_size=3),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_properties(values: list[list[float]], up: float, down: float) -> None:
    before = tags_from_arrays(ITEMS, np.array(values), TAGS)
    kept = before.strength.toarray().copy()
    after = share_strength(before, TAGS, up=up, down=down)
    np.testing.assert_array_equal(before.strength.toarray(), kept)  # the input is not changed
    at = [[tag.slug for tag in after.tags].index(tag.slug) for tag in before.tags]
    shared = after.strength.toarray()[:, at]
    assert (shared >= kept - 1e-6).all()
    assert (shared <= 1 + 1e-6).all()
    assert (after.strength.indices == after.source.indices).all()
    assert (after.strength.indices == after.confidence.indices).all()
    if up == 1:
        assert (shared[:, 1] >= shared[:, 2] - 1e-6).all()
        assert (shared[:, 0] >= shared[:, 1] - 1e-6).all()
