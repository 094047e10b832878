"""What `tagcf train` says of models of large catalogues and logs."""

from __future__ import annotations

import numpy as np

from tagcf.cli.trained_scale import scale_json, scale_sentences
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.pipeline import Models
from tagcf.recommend.retrieval.contract import EXACT_ITEMS
from tagcf.recommend.terms.fitted import Terms
from tagcf.text import say

DESIGN = Design((Window(3, 0.2),))
STREAMED = Linear((Part(DESIGN, Ridge(np.inf, 0.5, neighbours=7, streamed=True)),))
SPARSE = Linear((Part(DESIGN, Ridge(np.inf, 0.5, neighbours=7)),))


def models(settings: Linear, n_items: int, terms: Terms | None = None) -> Models:
    fitted = settings.fit(Histories.of([[0, 1, 2], [1, 2, 3]], n_items))
    return Models(fitted, None, None, 10, None, terms or Terms())


def test_an_ordinary_model_needs_no_words() -> None:
    small = models(SPARSE, 9)
    assert scale_sentences(small, 9) == []
    wanted = {"streamed": False, "candidates_by": "every item", "index_recall": None}
    assert scale_json(small) == wanted


def test_streamed_tables_and_short_ways_are_told() -> None:
    n = EXACT_ITEMS + 1
    facts = {"items": f"{n:,}", "most": f"{EXACT_ITEMS:,}"}
    large = models(STREAMED, n)
    wanted = [say("recommend.trained_streamed", n=7), say("recommend.trained_touched", **facts)]
    assert scale_sentences(large, n) == wanted
    assert scale_json(large)["candidates_by"] == "exact"
    assert scale_sentences(models(SPARSE, n), n) == wanted[1:]


def test_a_term_has_every_item_scored_and_that_is_told() -> None:
    n = EXACT_ITEMS + 1
    on = models(SPARSE, n, Terms(frequency=np.zeros(n, np.float32), reach=0.1))
    facts = {"items": f"{n:,}", "most": f"{EXACT_ITEMS:,}"}
    assert scale_sentences(on, n) == [say("recommend.trained_whole", **facts)]
    assert scale_json(on)["candidates_by"] == "every item"
