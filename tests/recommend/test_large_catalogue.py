"""A catalogue too large to score whole, through everything that a recommender does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from tagcf.data.arrays import tags_from_arrays
from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.people import People
from tagcf.recommend.pipeline import Models
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.retrieval.contract import EXACT_ITEMS
from tagcf.recommend.retrieval.touched import TouchedItems
from tagcf.recommend.steer import Rule
from tagcf.recommend.train import Trained
from tagcf.settings import RecommendSettings
from tagcf.types import IdMap

ITEMS, USERS, EACH, COMMON = EXACT_ITEMS + 1, 400, 12, 300
MODEL = Linear(
    (Part(Design((Window(10, 0.3),)), Ridge(np.inf, 0.5, neighbours=50, streamed=True)),)
)
NAMES = [f"u{at}" for at in range(USERS)]


def histories() -> Histories:
    """Half of the events are near the one before, among few items; the others are anywhere."""
    rng = np.random.default_rng(0)
    item = rng.integers(0, COMMON, (USERS, EACH))
    for at in range(1, EACH):
        item[:, at] = np.where(rng.random(USERS) < 0.5, item[:, at - 1] + 1, item[:, at])
    item[:, 5] = rng.integers(COMMON, ITEMS, USERS)
    indptr = np.arange(USERS + 1, dtype=np.int64) * EACH
    return Histories(
        indptr, item.ravel().astype(np.int32), np.arange(item.size, dtype=float), ITEMS
    )


def fitted_to(train: Histories) -> Trained:
    items = IdMap(pa.array([f"i{at:06d}" for at in range(ITEMS)]))
    at = np.arange(ITEMS)
    carried = sparse.csr_array(np.column_stack([at % 7 == 0, at % 3 == 0]).astype(np.float32))
    tags = tags_from_arrays(items, carried, ["seventh", "third"])
    return Trained(
        models=Models(MODEL.fit(train), None, None, 100),
        catalogue=Catalogue(items, tags.tags, tags.strength),
        people=People.of(NAMES, train),
        evidence=None,
        settings=RecommendSettings(candidates=100),
        version="model-0123456789",
    )


@pytest.fixture
def trained() -> Recommender:
    return Recommender(fitted_to(histories()))


def model_of(recommender: Recommender) -> FittedLinear:
    fitted = recommender.models.fitted
    assert isinstance(fitted, FittedLinear)
    return fitted


def same(one: FittedLinear, other: FittedLinear) -> None:
    for left, right in zip(one.fits, other.fits, strict=True):
        arrays, others = left.arrays(), right.arrays()
        assert all(np.array_equal(arrays[name], others[name]) for name in arrays)


def test_lists_are_those_of_all_scores(trained: Recommender) -> None:
    assert isinstance(trained.models.retriever, TouchedItems)
    rules = [Rule("seventh", boost=1.0), Rule("third", block=True)]
    for at, ranking in enumerate(trained.recommend(NAMES[:20], k=20)):
        own = trained.people.history(at)[0]
        scores = model_of(trained).scores(Histories.of([own.tolist()], ITEMS))[0]
        scores[own] = -np.inf
        wanted = np.argsort(-scores, kind="stable")[:20]
        assert [item.item for item in ranking.items] == [f"i{one:06d}" for one in wanted]
        assert all(item.fidelity is not None or not item.history for item in ranking.items)
    for ranking in trained.recommend(NAMES[:20], rules=rules):
        numbers = [int(item.item[1:]) for item in ranking.items]
        assert numbers
        assert all(one % 3 for one in numbers)


def test_explanations_are_exact(trained: Recommender) -> None:
    (ranking,) = trained.recommend("u3")
    first = ranking.items[0]
    told = trained.explain("u3", first.item)
    assert (told.rank, told.method) == (1, "exact")
    assert told.base + sum(one.share for one in told.history) == pytest.approx(first.score, 1e-4)
    far = trained.explain("u3", f"i{ITEMS - 1:06d}")
    assert far.rank is None
    assert far.why_not is not None
    assert far.why_not.removed is not None
    assert far.why_not.removed.key == "recommend.removed_candidates"


def test_events_count_at_once_and_are_learned_exactly(trained: Recommender) -> None:
    before = trained.recommend("u5")[0]
    trained.update([("u5", "i000007", 1e6), ("new", "i000009", 1e6), ("u5", "i200000", 1e6 + 1)])
    now = trained.recommend("u5")[0]
    assert [one.item for one in now.items] != [one.item for one in before.items]
    assert trained.learn() == 3
    same(model_of(trained), MODEL.fit(trained.people.learned))
    assert trained.recommend("new")[0].items


def test_forgetting_is_training_without_the_user(trained: Recommender) -> None:
    rest = histories()
    done = trained.forget("u8")
    assert done.exact
    assert not done.until_retrained
    same(model_of(trained), MODEL.fit(rest.where(rest.user != 8)))


def test_loaded_answers_as_saved(trained: Recommender, tmp_path: Path) -> None:
    trained.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model")
    assert isinstance(loaded.models.retriever, TouchedItems)
    assert loaded.recommend(NAMES[:5]) == trained.recommend(NAMES[:5])
    loaded.forget("u1")
    trained.forget("u1")
    same(model_of(loaded), model_of(trained))


def test_a_shorter_catalogue_is_scored_whole() -> None:
    few = Histories.of([[1, 2, 3], [2, 3, 4]], 9)
    models = Models(MODEL.fit(few), None, None, 5)
    assert models.retriever is None
    assert replace(models, candidates=3).retriever is None
