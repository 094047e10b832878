"""The directed linear model against a literal reading of its definition, and its exactness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagcf.errors import EstimationError
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.dense import DenseFit, dense_statistics
from tagcf.recommend.linear.design import Design, Window, distinct
from tagcf.recommend.linear.model import FittedLinear, Linear, Part, fit_of
from tagcf.recommend.linear.pairs.kernels import UNIT
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.linear.search import LinearSearch
from tagcf.recommend.linear.sparse.statistics import SparseFit, sparse_statistics
from tagcf.recommend.top.kernels import top_items

ITEMS = 6
TWO = Design((Window(1), Window(3, 0.4)))
AGED = Design((Window(4, 0.2),), span=2.0, length_power=0.5)
BAG = Design((Window(100, 0.0, 0.3),), ordered=False)
DESIGNS = [TWO, AGED, Design((Window(2), Window(5, 0.1), Window(9, 0.7)))]
MODELS = {
    "dense": Linear((Part(TWO, Ridge(2.0, 0.5, 0.3)), Part(BAG, Ridge(3.0), 0.5))),
    "aged": Linear((Part(AGED, Ridge(2.0, target_power=0.5)),)),
    "sparse": Linear((Part(TWO, Ridge(2.0, 0.0, 0.3, 3)), Part(BAG, Ridge(1.0, neighbours=2)))),
    "counts": Linear((Part(TWO, Ridge(np.inf, 0.5, 0.0, 4)), Part(BAG, Ridge(np.inf)))),
}
sequences = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=9), min_size=1, max_size=6)


def literal(histories: Histories, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """SᵀWS and SᵀWY from rows that are written out."""
    n, windows = histories.n_items, design.windows
    gram, cross = np.zeros((len(windows) * n,) * 2), np.zeros((len(windows) * n, n))
    for u in range(len(histories)):
        own = histories.item[histories.indptr[u] : histories.indptr[u + 1]]
        for t in range(1, len(own)):
            row = np.zeros(len(windows) * n)
            for b, window in enumerate(windows):
                for a in range(max(0, t - window.length), t):
                    row[b * n + own[a]] += np.exp(-window.decay * (t - 1 - a))
            weight = (len(own) - 1.0) ** -design.length_power
            if design.span is not None:
                weight *= np.exp(-(len(own) - 1 - t) / design.span)
            gram += weight * np.outer(row, row)
            cross[:, own[t]] += weight * row
    return gram, cross


def some(seed: int, users: int = 30, n_items: int = ITEMS, longest: int = 12) -> Histories:
    rng = np.random.default_rng(seed)
    return Histories.of(
        [rng.integers(0, n_items, rng.integers(0, longest)).tolist() for _ in range(users)],
        n_items,
    )


def full(upper: np.ndarray) -> np.ndarray:
    return np.triu(upper) + np.triu(upper, 1).T


@pytest.mark.parametrize("design", DESIGNS)
@settings(max_examples=25, deadline=None)
@given(lists=sequences)
def test_sums_over_pairs_are_those_of_the_rows(design: Design, lists: list[list[int]]) -> None:
    histories = Histories.of(lists, ITEMS)
    gram, cross = literal(histories, design)
    dense, thin = dense_statistics(histories, design), sparse_statistics(histories, design)
    np.testing.assert_allclose(full(dense.gram) / UNIT, gram, atol=1e-6)
    np.testing.assert_allclose(dense.cross / UNIT, cross, atol=1e-6)
    assert np.array_equal(thin.gram.toarray(), dense.gram)
    assert np.array_equal(thin.cross.toarray(), dense.cross)


@pytest.mark.parametrize("neighbours", [None, 3 * ITEMS])
@pytest.mark.parametrize("design", DESIGNS)
def test_scores_are_the_ridge_of_the_definition(design: Design, neighbours: int | None) -> None:
    """With as many neighbours as features the sparse table is the dense one."""
    train, asked = some(1), some(2)
    gram, cross = literal(train, design)
    diagonal = np.maximum(np.diag(gram), 1.0)
    table = np.linalg.solve(gram + np.diag(4.0 * diagonal**0.5), cross)
    table *= np.maximum(np.bincount(train.item, minlength=ITEMS), 1.0) ** -0.25
    part = Part(design, Ridge(4.0, 0.5, 0.25, neighbours), 1.5)
    fitted = Linear((part,)).fit(train)
    got = fitted.scores(asked) - fitted.popularity
    if neighbours is not None:  # features that never go with a target are left out of its column
        assert np.array_equal(fitted.tables[0].toarray() != 0, cross != 0)
    for u in range(len(asked)):
        own = asked.item[asked.indptr[u] : asked.indptr[u + 1]]
        row = np.zeros(table.shape[0])
        for b, window in enumerate(design.windows):
            for age, item in enumerate(own[::-1][: window.length]):
                row[b * ITEMS + item] += np.exp(-window.decay * age)
        if neighbours is None:
            np.testing.assert_allclose(got[u], 1.5 * row @ table, atol=2e-5)


def test_sparse_columns_are_ridge_on_their_features() -> None:
    train = some(3, users=60)
    gram, cross = literal(train, TWO)
    table = Linear((Part(TWO, Ridge(2.0, neighbours=4)),)).fit(train).tables[0].toarray()
    for i in range(ITEMS):
        gain = cross[:, i] ** 2 / (np.diag(gram) + 2.0)
        on = np.sort(np.argsort(-gain, kind="stable")[:4])
        wanted = np.zeros(2 * ITEMS)
        wanted[on] = np.linalg.solve(gram[np.ix_(on, on)] + 2.0 * np.eye(4), cross[on, i])
        np.testing.assert_allclose(table[:, i], wanted, atol=1e-5)


@pytest.mark.parametrize("neighbours", [None, ITEMS])
def test_unordered_design_is_ease(neighbours: int | None) -> None:
    train = some(4, users=60)
    seen = train.seen().toarray().astype(float)
    inverse = np.linalg.inv(seen.T @ seen + 5.0 * np.eye(ITEMS))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0.0)
    table = Linear((Part(BAG, Ridge(5.0, neighbours=neighbours)),)).fit(train).tables[0]
    got = table if isinstance(table, np.ndarray) else table.toarray()
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def same(left: FittedLinear, right: FittedLinear, asked: Histories) -> None:
    """Statistics bit for bit, scores to 1e-6."""
    for one, other in zip(left.fits, right.fits, strict=True):
        arrays, others = one.arrays(), other.arrays()
        assert arrays.keys() == others.keys()
        for name in arrays:
            if not name.startswith("table"):
                assert np.array_equal(arrays[name], others[name]), name
    np.testing.assert_allclose(left.scores(asked), right.scores(asked), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(stay=sequences, leave=sequences)
def test_unlearning_is_training_without_them(
    name: str, stay: list[list[int]], leave: list[list[int]]
) -> None:
    both, others = Histories.of(stay + leave, ITEMS), Histories.of(stay, ITEMS)
    model = MODELS[name]
    forgot = model.fit(both).unlearn(Histories.of(leave, ITEMS))
    same(forgot, model.fit(others), both)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(first=sequences, more=st.lists(st.tuples(st.integers(0, 7), st.integers(0, ITEMS - 1))))
def test_updates_are_a_refit(
    name: str, first: list[list[int]], more: list[tuple[int, int]]
) -> None:
    grown = [list(one) for one in first] + [[] for _ in range(8 - len(first))]
    start = [list(one) for one in grown]
    for user, item in more:
        grown[user].append(item)
    model, after = MODELS[name], Histories.of(grown, ITEMS)
    fitted = model.fit(Histories.of(start, ITEMS))
    same(fitted.update(Histories.of(start, ITEMS), after), model.fit(after), after)


def test_tails_suffice_where_rows_stay_as_they_are() -> None:
    model = Linear((Part(TWO, Ridge(2.0)),))
    old, new = [0, 1, 2, 3, 4, 5, 1, 2], [3, 0]
    tail = old[-TWO.reach :]
    fitted = model.fit(Histories.of([old], ITEMS))
    got = fitted.update(Histories.of([tail], ITEMS), Histories.of([tail + new], ITEMS))
    wanted = model.fit(Histories.of([old + new], ITEMS))
    same(got, wanted, Histories.of([old], ITEMS))


@pytest.mark.parametrize("name", MODELS)
def test_contributions_sum_to_the_score(name: str) -> None:
    fitted = MODELS[name].fit(some(5))
    history = np.array([0, 3, 3, 99, 1, -1, 5], np.int32)  # 99 and −1 are unknown
    asked = Histories(np.array([0, 7]), history, np.full(7, np.nan), ITEMS)
    scores = fitted.scores(asked)[0]
    for item in range(ITEMS):
        share = fitted.attribution(history, item)
        assert share[3] == 0.0
        assert share[5] == 0.0
        assert share.sum() + fitted.popularity[item] == pytest.approx(
            scores[item], rel=1e-6, abs=1e-6
        )
    with pytest.raises(EstimationError, match="99"):
        fitted.attribution(history, 99)


@pytest.mark.parametrize("name", MODELS)
def test_no_history_is_ranked_by_popularity(name: str) -> None:
    train = some(6)
    scores = MODELS[name].fit(train).scores(Histories.of([[]], ITEMS))[0]
    assert np.array_equal(
        np.argsort(-scores, kind="stable"),
        np.argsort(-np.bincount(train.item, minlength=ITEMS), kind="stable"),
    )


@pytest.mark.parametrize("lists", [[[]], [[0]], [[0], [0]], [[0, 0, 0]]])
@pytest.mark.parametrize("name", MODELS)
def test_next_to_no_data_gives_finite_scores(name: str, lists: list[list[int]]) -> None:
    fitted = MODELS[name].fit(Histories.of(lists, 1))
    assert np.isfinite(fitted.scores(Histories.of([[], [0], [0, 0]], 1))).all()


def test_distinct_keeps_the_last_event_of_an_item() -> None:
    got = distinct(Histories.of([[1, 2, 1, 3, 2], [], [0, 0]], 4))
    assert got.item.tolist() == [1, 3, 2, 0]
    assert got.indptr.tolist() == [0, 3, 3, 4]


@pytest.mark.parametrize("ridge", [Ridge(2.0), Ridge(2.0, neighbours=3)])
def test_fits_travel_as_arrays(ridge: Ridge) -> None:
    fitted = Linear((Part(TWO, ridge),)).fit(some(7))
    back = fit_of(fitted.fits[0].arrays(), ridge)
    assert isinstance(back, DenseFit if ridge.neighbours is None else SparseFit)
    same(FittedLinear(fitted.settings, (back,)), fitted, some(8))


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 1.0, 2.0, -3.0, np.nan, -np.inf]), min_size=1),
    k=st.integers(0, 40),
)
def test_top_items_are_a_stable_sort(scores: list[float], k: int) -> None:
    usable = (i for i, s in enumerate(scores) if not np.isnan(s))
    order = sorted(usable, key=lambda i: (-scores[i], i))[:k]
    items, values = np.empty(k, np.int32), np.empty(k, np.float32)
    found = top_items(np.array(scores, np.float32), items, values)
    assert items[:found].tolist() == order
    assert values[:found].tolist() == [scores[i] for i in order]


def test_search_finds_a_planted_order() -> None:
    """Item i is mostly followed by i + 1: a directed model sees it, popularity cannot."""
    rng = np.random.default_rng(0)
    lists = []
    for _ in range(150):
        own = [int(rng.integers(20))]
        while len(own) < 12:
            own.append(int((own[-1] + 1) % 20 if rng.random() < 0.8 else rng.integers(20)))
        lists.append(own)
    split = leave_one_out(Histories.of(lists, 20))
    chosen = LinearSearch().choose(split.valid)
    assert isinstance(chosen.model, Linear)
    assert chosen.search_cpu_s >= chosen.fit_cpu_s
    again = chosen.model.fit(split.valid.train)
    history = split.test.history
    np.testing.assert_allclose(
        chosen.fitted.scores(history), again.scores(history), rtol=1e-5, atol=1e-6
    )
    scores = again.scores(Histories.of([[3, 7]], 20))[0]
    assert int(np.argmax(scores)) == 8
