"""Which form of table a log gets, and the search where tables are streamed."""

from __future__ import annotations

import numpy as np

from tagcf.recommend.evaluate.search import validation_value
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.memory import Memory, forms, sparse_bytes
from tagcf.recommend.linear.search import (
    DENSE,
    SEARCH_EVENTS,
    SPARSE,
    LinearSearch,
    designs,
    plain,
    searched,
)
from tagcf.recommend.linear.sparse.statistics import sparse_statistics
from tagcf.recommend.linear.streamed.search import StreamedSearch

ONE, LONG = Design((Window(10, 0.3),)), Design((Window(30, 0.1),))
BAG = Design((Window(1_000, 0.0),), ordered=False)


def of_size(users: int, each: int, n_items: int) -> Histories:
    rng = np.random.default_rng(0)
    item = rng.integers(0, n_items, users * each).astype(np.int32)
    indptr = np.arange(users + 1, dtype=np.int64) * each
    return Histories(indptr, item, np.broadcast_to(np.nan, item.shape), n_items)


def following(users: int, n_items: int) -> Histories:
    """Item i is mostly followed by i + 1."""
    rng = np.random.default_rng(1)
    item = rng.integers(0, n_items, (users, 8))
    for at in range(1, 8):
        item[:, at] = np.where(rng.random(users) < 0.8, item[:, at - 1] + 1, item[:, at]) % n_items
    indptr = np.arange(users + 1, dtype=np.int64) * 8
    return Histories(indptr, item.astype(np.int32).ravel(), np.full(item.size, np.nan), n_items)


def test_small_catalogues_are_dense_and_larger_ones_sparse() -> None:
    assert [form for _, form in forms(of_size(50, 20, 500), DENSE, SPARSE, Memory())] == [
        "dense"
    ] * 4
    told = dict(forms(of_size(50, 20, 60_000), DENSE, SPARSE, Memory()))
    assert set(told.values()) == {"sparse"}
    assert set(told) == set(SPARSE)


def test_what_does_not_fit_is_streamed() -> None:
    many = of_size(30_000, 100, 150_000)
    told = dict(forms(many, DENSE, SPARSE, Memory()))
    assert told[ONE] == "sparse"
    assert told[BAG] == told[LONG] == "streamed"
    assert sparse_bytes(many, ONE) <= Memory().sparse < sparse_bytes(many, LONG)
    streamed = [design for design, form in designs(many, Memory()) if form == "streamed"]
    assert all(design.reach <= 30 for design in streamed)  # a long bag is no short row
    assert plain(of_size(120_000, 100, 150_000)).parts[0].ridge.streamed
    assert not plain(many).parts[0].ridge.streamed


def test_bytes_bound_what_is_held() -> None:
    histories = of_size(500, 40, 3_000)
    for design in (ONE, LONG, BAG):
        held = sparse_statistics(histories, design)
        parts = (held.gram.data, held.gram.indices, held.cross.data, held.cross.indices)
        assert sum(one.nbytes for one in parts) <= sparse_bytes(histories, design)


def test_large_logs_are_searched_on_some_users() -> None:
    histories = of_size(60_000, 200, 100)
    some = searched(histories)
    assert SEARCH_EVENTS / 2 < some.item.size <= SEARCH_EVENTS
    assert np.array_equal(some.item[:200], histories.item[:200])
    assert searched(some) is some


def test_streamed_search_finds_a_planted_order() -> None:
    split = leave_one_out(following(800, 300))
    chosen = StreamedSearch().choose(split.valid)
    assert all(part.ridge.streamed for part in chosen.model.parts)
    assert chosen.fit_cpu_s <= chosen.search_cpu_s
    plainly = LinearSearch().choose(split.valid)
    test = [validation_value(one.fitted, split.test) for one in (chosen, plainly)]
    assert test[0] > 0.5
    assert test[0] > 0.8 * test[1]
    best = max(one.value for one in chosen.tried)
    assert abs(validation_value(chosen.fitted, split.valid) - best) < 0.02  # ties rank midway there


def test_large_catalogues_are_streamed_by_the_search() -> None:
    histories = following(300, 250_000)
    chosen = LinearSearch(whole=histories).choose(leave_one_out(histories).valid)
    assert all(part.ridge.streamed for part in chosen.model.parts)
