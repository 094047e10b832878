import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from tagcf.data.workspace import open_workspace
from tagcf.errors import OutputError
from tagcf.tags.encode import encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import (
    matrix_frame,
    read_tags,
    tag_matrix_from_frame,
    write_item_tags,
)
from tagcf.types import IdMap

ITEMS = IdMap(pa.array(["a", "b", "c"]))


def frame(*rows):
    return pl.DataFrame(rows, schema=["item_id", "tag", "strength"], orient="row")


def test_names_of_any_kind_are_one_tag():
    rows = frame(
        ("a", "camping", 0.2), ("b", "露营", 0.4), ("c", "  CAMP ", 0.6), ("c", "野营", 0.9)
    )
    matrix = tag_matrix_from_frame(rows, ITEMS)
    assert [tag.slug for tag in matrix.tags] == ["camping"]
    np.testing.assert_allclose(matrix.strength.toarray().ravel(), [0.2, 0.4, 0.9], rtol=1e-6)


def test_unknown_names_become_custom_tags():
    matrix = tag_matrix_from_frame(frame(("a", "MyTag", 1.0), ("b", "mytag", 1.0)), ITEMS)
    (tag,) = matrix.tags
    assert (tag.slug, tag.zh, tag.en, tag.facet) == ("MyTag", "MyTag", "MyTag", "custom")
    assert matrix.strength.nnz == 2


def test_columns_follow_the_vocabulary_then_surface_then_custom():
    rows = frame(
        ("a", "zzz", 1.0), ("a", "surface-number", 1.0), ("a", "露营", 1.0), ("b", "狗狗", 1.0)
    )
    slugs = [tag.slug for tag in tag_matrix_from_frame(rows, ITEMS).tags]
    assert slugs == ["dogs", "camping", "surface-number", "zzz"]


def test_missing_columns_and_values_have_defaults():
    rows = pl.DataFrame({"item_id": ["a", "b"], "tag": ["露营", "露营"], "strength": [None, 0.5]})
    matrix = tag_matrix_from_frame(rows, ITEMS)
    np.testing.assert_allclose(matrix.strength.toarray().ravel(), [1, 0.5, 0])
    assert matrix.confidence[0, 0] == 1
    assert matrix.sources == ("own",)
    assert matrix.source[0, 0] == 1


def test_shares_outside_their_range_are_refused():
    with pytest.raises(ValueError, match="strength"):
        tag_matrix_from_frame(frame(("a", "露营", 1.5)), ITEMS)


def test_rows_of_unknown_items_are_left_out():
    rows = frame(("a", "露营", 1.0), ("q", "露营", 1.0), ("q", "狗狗", 1.0))
    matrix = tag_matrix_from_frame(rows, ITEMS)
    assert matrix.strength.nnz == 1
    assert [tag.slug for tag in matrix.tags] == ["camping"]


def workspace(folder, own=None):
    (folder / "tagcf.toml").write_text("", "utf-8")
    if own:
        (folder / "item_tags.csv").write_text(own, "utf-8")
    return open_workspace(folder)


def test_written_tags_come_back_as_they_were(tmp_path):
    opened = workspace(tmp_path)
    matrix = encode_tags(pl.Series(["带狗去露营", "", "看星星"]), using=[Lexicon()])
    write_item_tags(opened, matrix)
    again = tag_matrix_from_frame(read_tags(opened).rows, matrix.items)
    assert again.tags == matrix.tags
    assert again.sources == matrix.sources
    for part in ("strength", "confidence", "source"):
        assert (getattr(again, part) != getattr(matrix, part)).nnz == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["item_tags.parquet"]
    assert matrix_frame(again).columns == ["item_id", "tag", "strength", "source", "confidence"]


def test_the_own_table_wins_for_the_tags_it_names(tmp_path):
    opened = workspace(tmp_path, own="item_id,tag,strength\n0,露营,0.7\n5,Own,1\n")
    write_item_tags(opened, encode_tags(pl.Series(["去露营", "露营和狗狗"]), using=[Lexicon()]))
    rows = read_tags(opened).rows.select("item_id", "tag", pl.col("strength").round(3)).rows()
    assert set(rows) == {("0", "camping", 0.7), ("5", "Own", 1.0), ("1", "dogs", 0.9)}


def test_no_tags_at_all_names_the_verb(tmp_path):
    with pytest.raises(OutputError, match="tagcf tag"):
        read_tags(workspace(tmp_path))


def test_a_broken_file_names_the_verb(tmp_path):
    opened = workspace(tmp_path)
    (opened.out / "item_tags.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(OutputError, match="tagcf tag"):
        read_tags(opened)


def test_more_sources_than_a_byte_counts():
    ids = [f"i{k}" for k in range(300)]
    rows = pl.DataFrame({"item_id": ids, "tag": "dogs", "source": [f"s{k}" for k in range(300)]})
    told = matrix_frame(tag_matrix_from_frame(rows, IdMap(pa.array(ids))))
    assert told["source"].to_list() == rows["source"].to_list()
