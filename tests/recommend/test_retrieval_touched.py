"""The best of what a history touches, against scoring every item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.pipeline import BLOCKED, Models, Request, _pool
from tagcf.recommend.retrieval.pool import Wanted, pool_of
from tagcf.recommend.retrieval.touched import TouchedItems
from tagcf.recommend.steer import Acting, Rule

ITEMS = 30
TWO = Design((Window(1), Window(3, 0.4)))
MODELS = {
    "sparse": Linear((Part(TWO, Ridge(2.0, 0.0, 0.3, 3)),)),  # ridge: some entries are negative
    "streamed": Linear(
        (
            Part(Design((Window(4, 0.5),)), Ridge(np.inf, 0.5, neighbours=3, streamed=True)),
            Part(TWO, Ridge(np.inf, 0.5, 0.0, 2), 0.7),
        )
    ),
}


def fitted(name: str) -> FittedLinear:
    rng = np.random.default_rng(3)
    lists = [rng.integers(0, ITEMS - 5, rng.integers(0, 14)).tolist() for _ in range(40)]
    return MODELS[name].fit(Histories.of(lists, ITEMS))


FITTED = {name: fitted(name) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=100, deadline=None)
@given(
    history=st.lists(st.integers(-1, ITEMS + 2), max_size=8),
    hidden=st.lists(st.integers(0, ITEMS - 1), max_size=2 * ITEMS),
    n=st.integers(0, ITEMS + 5),
)
def test_best_are_those_of_all_scores(
    name: str, history: list[int], hidden: list[int], n: int
) -> None:
    one = FITTED[name]
    retriever = TouchedItems.of(one)
    assert retriever is not None
    asked = retriever.asked(np.array(history, np.int32))
    scores = one.scores(Histories.of([history], ITEMS))[0]
    shown = [i for i in range(ITEMS) if i not in hidden]
    wanted = sorted(shown, key=lambda i: (-scores[i], i))[:n]
    found = asked.best(n, np.array(hidden, np.int32))
    assert found.item.tolist() == wanted
    assert np.array_equal(found.score, scores[wanted])  # bit for bit
    every = np.arange(ITEMS)[::-1]
    assert np.array_equal(asked.scores(every), scores[every])
    moments = asked.moments()
    assert moments.mean == pytest.approx(float(scores.astype(np.float64).mean()), abs=1e-9)
    assert moments.deviation == pytest.approx(float(scores.astype(np.float64).std()), abs=1e-6)


def test_a_dense_table_has_no_short_way() -> None:
    rng = np.random.default_rng(0)
    histories = Histories.of([rng.integers(0, 9, 5).tolist() for _ in range(9)], 9)
    assert TouchedItems.of(Linear().fit(histories)) is None


def rules_of(drawn: list[tuple[list[int], float | None]]) -> tuple[Acting, ...]:
    return tuple(
        Acting(
            Rule(f"t{at}", boost=boost, block=boost is None),
            at,
            np.array(sorted(set(items)), np.int32),
            np.linspace(0.5, 1.0, len(set(items))),
        )
        for at, (items, boost) in enumerate(drawn)
    )


some_items = st.lists(st.integers(0, ITEMS - 1), max_size=10)
boosts = st.one_of(st.none(), st.floats(-3, 3))


@settings(max_examples=200, deadline=None)
@given(
    history=some_items,
    allowed=st.one_of(st.none(), some_items),
    drawn=st.lists(st.tuples(some_items, boosts), max_size=3),
    kept=st.lists(st.integers(0, ITEMS - 1), max_size=2, unique=True),
    n=st.integers(1, ITEMS + 5),
)
def test_a_pool_has_the_candidates_of_all_scores(
    history: list[int],
    allowed: list[int] | None,
    drawn: list[tuple[list[int], float | None]],
    kept: list[int],
    n: int,
) -> None:
    """The dense way of `pipeline` and the short one agree on candidates, scores and who entered."""
    one, events = FITTED["sparse"], np.array(history, np.int32)
    only = None if allowed is None else np.unique(np.array(allowed, np.int32))
    request = Request(events, -1, events, only, rules_of(drawn), kept=tuple(kept))
    scores = one.scores(Histories.of([history], ITEMS))[0]
    item, entered = _pool(Models(one, None, None, n), scores, 0, request)
    retriever = TouchedItems.of(one)
    assert retriever is not None
    wanted = Wanted(n, BLOCKED, request.hidden, only, request.rules, request.kept)
    pool = pool_of(retriever.asked(events), wanted)
    assert sorted(pool.item.tolist()) == sorted(item.tolist())
    assert dict(zip(pool.item, pool.entered, strict=True)) == dict(zip(item, entered, strict=True))
    assert np.array_equal(pool.score, scores[pool.item].astype(np.float64))
    assert pool.item[pool.entered].tolist() == item[entered].tolist()


def test_of_many_blocked_items_those_are_looked_at_that_boosts_would_bring_in() -> None:
    """More are blocked than are looked at; some of them are boosted, too."""
    rng, items = np.random.default_rng(0), 400
    lists = [rng.integers(0, items, 12).tolist() for _ in range(150)]
    one = MODELS["sparse"].fit(Histories.of(lists, items))
    retriever = TouchedItems.of(one)
    assert retriever is not None
    blocked = np.arange(0, items, 2, dtype=np.int32)  # twice as many as are looked at
    boosted = rng.choice(items, 120, replace=False)
    rules = rules_of([(blocked.tolist(), None), (boosted.tolist(), 1.5)])
    for history in lists[:30]:
        events = np.array(history, np.int32)
        request = Request(events, -1, events, None, rules)
        scores = one.scores(Histories.of([history], items))[0]
        item, _ = _pool(Models(one, None, None, 20), scores, 0, request)
        wanted = Wanted(20, BLOCKED, request.hidden, None, rules, ())
        pool = pool_of(retriever.asked(events), wanted)
        assert sorted(pool.item.tolist()) == sorted(item.tolist())
