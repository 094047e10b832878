"""Rows summed one by one, against the same counts from tables of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagcf.errors import EstimationError
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import FittedLinear, Linear, Part, fit_of
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.linear.streamed.rows import StreamedFit

ITEMS = 15
ORDERED = Design((Window(4, 0.5),))
BAG = Design((Window(50, 0.0, 0.2),), ordered=False)
STREAMED = Ridge(np.inf, 0.5, neighbours=3, streamed=True)
MODEL = Linear((Part(ORDERED, STREAMED), Part(BAG, STREAMED, 0.5)))
sequences = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=9), min_size=1, max_size=6)


def some(users: int = 40) -> Histories:
    rng = np.random.default_rng(3)
    lists = [rng.integers(0, ITEMS, rng.integers(0, 14)).tolist() for _ in range(users)]
    return Histories.of(lists, ITEMS)


def same(left: FittedLinear, right: FittedLinear) -> None:
    for one, other in zip(left.fits, right.fits, strict=True):
        for name, array in one.arrays().items():
            assert np.array_equal(array, other.arrays()[name]), name


@pytest.mark.parametrize("design", [ORDERED, BAG])
@pytest.mark.parametrize("k", [3, ITEMS])
def test_rows_are_the_strongest_of_all_pairs(k: int, design: Design) -> None:
    histories = some()
    wanted = np.asarray(Linear((Part(design, Ridge(np.inf, 0.0)),)).fit(histories).tables[0])
    own = histories.seen().sum(axis=0) if not design.ordered else np.bincount(histories.item)
    for row in wanted:
        row[np.argsort(-row, kind="stable")[k:]] = 0.0
    wanted = wanted / np.sqrt(np.maximum(own, 1.0))[:, None]
    fitted = Linear((Part(design, Ridge(np.inf, 0.5, neighbours=k, streamed=True)),)).fit(histories)
    assert isinstance(fitted.fits[0], StreamedFit)
    np.testing.assert_allclose(fitted.tables[0].toarray(), wanted, rtol=1e-5)
    scores = fitted.scores(Histories.of([[1, 99, 2], []], ITEMS))
    fade = np.exp(-design.windows[0].scoring)
    np.testing.assert_allclose(
        scores[0], wanted[2] + fade * wanted[1] + scores[1], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("lists", [[], [[]], [[0]], [[0], [0]]])
def test_no_pairs_leave_popularity(lists: list[list[int]]) -> None:
    fitted = MODEL.fit(Histories.of(lists, 2))
    assert fitted.tables[0].nnz == 0
    assert np.isfinite(fitted.scores(Histories.of([[0]], 2))).all()


@settings(max_examples=50, deadline=None)
@given(stay=sequences, leave=sequences)
def test_unlearning_is_training_without_them(stay: list[list[int]], leave: list[list[int]]) -> None:
    rest = Histories.of([*stay, *([] for _ in leave)], ITEMS)
    forgot = MODEL.fit(Histories.of(stay + leave, ITEMS)).unlearn(Histories.of(leave, ITEMS), rest)
    same(forgot, MODEL.fit(rest))


@settings(max_examples=50, deadline=None)
@given(first=sequences, more=st.lists(st.tuples(st.integers(0, 7), st.integers(0, ITEMS - 1))))
def test_updates_are_a_refit(first: list[list[int]], more: list[tuple[int, int]]) -> None:
    start = [list(one) for one in first] + [[] for _ in range(8 - len(first))]
    grown = [list(one) for one in start]
    for user, item in more:
        grown[user].append(item)
    changed = sorted({user for user, _ in more})
    before = Histories.of([start[user] for user in changed], ITEMS)
    after = Histories.of([grown[user] for user in changed], ITEMS)
    everybody = Histories.of(grown, ITEMS)
    fitted = MODEL.fit(Histories.of(start, ITEMS)).update(before, after, everybody)
    same(fitted, MODEL.fit(everybody))


def test_learning_without_everybody_is_refused() -> None:
    histories = some(5)
    with pytest.raises(EstimationError, match="everybody"):
        MODEL.fit(histories).unlearn(histories.users(slice(0, 1)))


def test_a_streamed_fit_travels_as_arrays() -> None:
    fitted = MODEL.fit(some())
    same(fitted, FittedLinear(MODEL, tuple(fit_of(f.arrays(), STREAMED) for f in fitted.fits)))


@pytest.mark.parametrize("wrong", [{"penalty": 3.0}, {"target_power": 0.5}, {"neighbours": None}])
def test_what_cannot_be_streamed_is_refused(wrong: dict[str, float]) -> None:
    settings = {"penalty": np.inf, "neighbours": 3} | wrong
    with pytest.raises(ValueError, match="streamed"):
        Ridge(streamed=True, **settings)
    two = Design((Window(1), Window(3)))
    with pytest.raises(ValueError, match="one window"):
        Linear((Part(two, STREAMED),)).fit(some())
