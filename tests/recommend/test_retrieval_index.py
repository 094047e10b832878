"""Nearest items through an index, and fused models, against scoring every item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tagcf.recommend.baselines.co_visitation import CoVisitation
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.retrieval.choose import indexed, retriever_of
from tagcf.recommend.retrieval.fused import FusedItems
from tagcf.recommend.retrieval.index import AMONG, RECALL, index_of
from tagcf.recommend.retrieval.touched import TouchedItems
from tagcf.recommend.retrieval.vectors import NearVectors, transformer_index
from tagcf.recommend.sequence.fusion import FittedFusion
from tagcf.recommend.sequence.transformer import FittedTransformer
from tagcf.recommend.sequence.weights import Block, Weights

ITEMS, WIDTH, HEADS, LENGTH, INNER = 6_000, 16, 2, 12, 24
NONE = np.zeros(0, np.int32)


def weights(seed: int = 0) -> Weights:
    """A transformer that nobody trained, whose items come in fifty groups."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    group = some(50, WIDTH)[rng.integers(0, 50, ITEMS)]
    block = Block(
        norm_attention=1 + some(WIDTH),
        query_key_value=some(WIDTH, 3 * WIDTH),
        attention_out=some(WIDTH, WIDTH),
        recency=some(HEADS, LENGTH),
        norm_forward=1 + some(WIDTH),
        gate_up=some(WIDTH, 2 * INNER),
        down=some(INNER, WIDTH),
    )
    return Weights(
        item=group + 0.5 * some(ITEMS, WIDTH),
        bias=some(ITEMS),
        topic=np.zeros((0, WIDTH), np.float32),
        role=np.zeros((0, WIDTH), np.float32),
        first=some(ITEMS),
        norm_out=1 + some(WIDTH),
        blocks=(block,),
    )


def some_histories(users: int = 60, seed: int = 1) -> Histories:
    rng = np.random.default_rng(seed)
    lists = [rng.integers(0, ITEMS, rng.integers(1, 20)).tolist() for _ in range(users)]
    return Histories.of(lists, ITEMS)


def rows(histories: Histories, at: int) -> np.ndarray:
    return histories.item[histories.indptr[at] : histories.indptr[at + 1]]


@pytest.fixture(scope="module")
def near() -> NearVectors:
    own = weights()
    index = transformer_index(own, some_histories())
    assert index is not None
    return NearVectors.of(own, index)


def test_an_index_finds_almost_all_of_the_best(near: NearVectors) -> None:
    """On histories other than those that its recall was measured on."""
    assert near.index.recall >= RECALL
    asked = some_histories(40, seed=2)
    exact = FittedTransformer(near.weights).scores(asked)
    shares = []
    for at in range(len(asked)):
        found = near.asked(rows(asked, at)).best(AMONG, NONE)
        assert found.item.size == AMONG == np.unique(found.item).size
        assert np.all(np.diff(found.score) <= 0)
        np.testing.assert_allclose(found.score, exact[at, found.item], atol=1e-4)
        best = np.argsort(-exact[at], kind="stable")
        assert set(best[:10]) <= set(found.item)
        shares.append(np.isin(best[:AMONG], found.item).mean())
    assert np.mean(shares) >= RECALL - 0.01


def test_hidden_items_are_never_found(near: NearVectors) -> None:
    asked = near.asked(np.array([5, 7, 9], np.int32))
    hidden = asked.best(500, NONE).item
    found = asked.best(300, hidden)
    assert found.item.size == 300
    assert not np.isin(found.item, hidden).any()
    few = asked.best(10, np.arange(4, ITEMS))  # the lists searched may have none of them
    assert sorted(few.item) == [0, 1, 2, 3]
    nothing = asked.best(10, np.arange(ITEMS))
    assert nothing.item.size == 0


def test_moments_are_those_of_all_scores(near: NearVectors) -> None:
    asked = some_histories(10, seed=3)
    exact = FittedTransformer(near.weights).scores(asked).astype(np.float64)
    for at in range(len(asked)):
        told = near.asked(rows(asked, at)).moments()
        assert told.mean == pytest.approx(exact[at].mean(), abs=1e-4)
        assert told.deviation == pytest.approx(exact[at].std(), rel=1e-3)


@pytest.mark.parametrize("history", [[], [-1, ITEMS + 3]])
def test_without_a_known_event_it_is_how_histories_begin(
    near: NearVectors, history: list[int]
) -> None:
    asked, first = near.asked(np.array(history, np.int32)), near.weights.first
    best = np.argsort(-first, kind="stable")
    found = asked.best(20, best[:3])
    assert found.item.tolist() == best[3:23].tolist()
    assert np.array_equal(asked.scores(best[:5]), first[best[:5]])
    assert asked.moments().deviation == pytest.approx(float(first.std()), rel=1e-4)


def test_an_index_travels_with_its_model(near: NearVectors, tmp_path: Path) -> None:
    FittedTransformer(near.weights, near.index).save(tmp_path / "weights-0.npz")
    back = FittedTransformer.load(tmp_path / "weights-0.npz")
    assert back.index is not None
    assert (back.index.probes, back.index.recall) == (near.index.probes, near.index.recall)
    history = np.array([1, 2, 3], np.int32)
    one, other = near, NearVectors.of(back.weights, back.index)
    assert np.array_equal(
        one.asked(history).best(50, NONE).item, other.asked(history).best(50, NONE).item
    )
    assert retriever_of(back) is not None


def test_no_index_without_histories_or_below_the_limit() -> None:
    own = weights()
    assert index_of(own.item, own.item[:0]) is None
    small = FittedTransformer(own)
    assert indexed(small, some_histories()) is small
    assert retriever_of(small) is None


def test_a_fusion_scores_what_its_members_find_exactly(near: NearVectors) -> None:
    train = some_histories(300, seed=4)
    linear = Linear(
        (Part(Design((Window(5, 0.2),)), Ridge(np.inf, 0.5, neighbours=20, streamed=True)),)
    ).fit(train)
    pairs = CoVisitation(5, 0.3, 0.5, 0.25).fit(train)
    model = FittedFusion((linear, pairs, FittedTransformer(near.weights)), (0.5, 0.2, 0.3))
    short = TouchedItems.of(linear)
    assert short is not None
    retriever = FusedItems((short, TouchedItems.of_pairs(pairs), near), model.weights)
    asked = some_histories(20, seed=5)
    exact = model.scores(asked)
    for at in range(len(asked)):
        history = rows(asked, at)
        found = retriever.asked(history).best(200, history)
        np.testing.assert_allclose(found.score, exact[at, found.item], atol=2e-3)
        shown = np.setdiff1d(np.argsort(-exact[at], kind="stable")[:60], history, True)
        assert np.isin(shown[:20], found.item).mean() >= 0.95
