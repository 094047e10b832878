import polars as pl
import pytest

from tagcf.tags.encode import default_encoders, encode_tags, fuse
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.surface import Surface


def rows(matrix):
    return {
        (matrix.items[i], matrix.tags[t].slug): round(float(matrix.strength[i, t]), 3)
        for i, t in zip(*matrix.strength.nonzero(), strict=True)
    }


def test_a_series_of_texts():
    matrix = encode_tags(pl.Series(["去露营", None, "去露营", "nothing at all"]), using=[Lexicon()])
    assert len(matrix.items) == 4
    assert rows(matrix) == {("0", "camping"): 0.9, ("2", "camping"): 0.9}
    assert matrix.sources == ("lexicon",)
    assert matrix.confidence[0, 0] == pytest.approx(0.9)


def test_a_frame_reads_every_text_column_but_no_term_across_them():
    frame = pl.DataFrame(
        {
            "item_id": ["x", "y", "z"],
            "title": ["A dog", None, "road"],
            "note": ["露营", "cat", "trip"],
        }
    )
    found = rows(encode_tags(frame, using=[Lexicon()]))
    assert set(found) == {("x", "dogs"), ("x", "camping"), ("y", "cats"), ("z", "travel")}


def test_encoders_are_chosen_by_object():
    matrix = encode_tags(pl.Series(["Is it a dog?"]), using=[Lexicon(keyword_hit=0.3), Surface()])
    assert ("0", "surface-question-mark") in rows(matrix)
    assert matrix.sources == ("lexicon", "surface")
    assert [encoder.source for encoder in default_encoders(surface=True)][-1] == "surface"


def test_fusing_is_a_noisy_or_that_names_its_sources():
    evidence = pl.DataFrame(
        {
            "row": [0, 0, 0],
            "tag": ["a", "a", "b"],
            "strength": [0.6, 0.5, 0.4],
            "confidence": [0.7, 0.5, 1.0],
            "source": ["lexicon", "text:usem3", "lexicon"],
        }
    )
    fused = fuse(evidence).sort("tag")
    assert fused["strength"].to_list() == pytest.approx([0.8, 0.4])
    assert fused["confidence"].to_list() == pytest.approx([0.85, 1.0])
    assert fused["source"].to_list() == ["text:usem3+lexicon", "lexicon"]


def test_progress_counts_different_texts():
    done = []
    encode_tags(pl.Series(["a", "b", "a"]), using=[Lexicon()], progress=done.append)
    assert sum(done) == 2


def test_nothing_to_tag():
    matrix = encode_tags(pl.Series([], dtype=pl.String), using=[Lexicon()])
    assert matrix.strength.shape == (0, 0)
