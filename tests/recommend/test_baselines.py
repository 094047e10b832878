"""The peers: against their formulas spelled out, and against the package `implicit`."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from tagcf.errors import EstimationError
from tagcf.recommend.baselines.als import ALS
from tagcf.recommend.baselines.co_visitation import CoVisitation, co_visitation_search
from tagcf.recommend.baselines.ease import Ease, ease_recency_search
from tagcf.recommend.baselines.item_knn import ItemKNN, item_knn_search
from tagcf.recommend.baselines.popularity import DAY, Popularity, RecentPopularity
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.evaluate.splits import Split, leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Model

N_ITEMS = 30
ALL = [
    Popularity(),
    RecentPopularity(),
    ItemKNN(),
    CoVisitation(),
    CoVisitation(from_power=0.5, to_power=0.5),
    Ease(),
    Ease(decay=0.1),
    ALS(factors=4),
]


def wander(seed: int = 0, n_users: int = 80) -> Histories:
    """Walk on a ring of items, mostly forward: the last item says what comes next."""
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(n_users):
        steps = rng.choice([1, 2, 5], rng.integers(4, 12), p=[0.7, 0.2, 0.1])
        walk = (rng.integers(N_ITEMS) + np.cumsum(steps)) % N_ITEMS
        sequences.append(list(dict.fromkeys(walk.tolist())))
    return Histories.of(sequences, N_ITEMS)


@pytest.fixture(scope="module")
def split() -> Split:
    return leave_one_out(wander())


@pytest.mark.parametrize("model", ALL, ids=lambda one: one.name)
def test_every_history_has_finite_scores(model: Model, split: Split) -> None:
    fitted = model.fit(split.test.train)
    live = Histories.of([[], [3], [3, 3, 4], list(range(N_ITEMS))], N_ITEMS)
    scores = fitted.scores(live)
    assert scores.shape == (4, N_ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    # One by one or together, and twice, is the same.
    alone = np.vstack([fitted.scores(live.users(slice(u, u + 1))) for u in range(4)])
    np.testing.assert_allclose(alone, scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fitted.scores(live), scores)


@pytest.mark.parametrize("model", ALL, ids=lambda one: one.name)
def test_one_item_and_no_events_at_all(model: Model) -> None:
    one = model.fit(Histories.of([[0], [0]], 1))
    assert np.isfinite(one.scores(Histories.of([[0]], 1))).all()
    if model.name != "als":  # the package itself refuses an empty table
        nothing = model.fit(Histories.of([[], []], 3))
        assert np.isfinite(nothing.scores(Histories.of([[1]], 3))).all()


def test_popularity_counts() -> None:
    fitted = Popularity().fit(Histories.of([[0, 1], [1], [1, 2]], 4))
    assert fitted.scores(Histories.of([[], [0]], 4)).tolist() == [[1, 3, 1, 0]] * 2


def test_recent_popularity_counts_its_window_only() -> None:
    ts = np.array([0, 1, 9, 10, 11.0]) * DAY
    train = Histories.from_events(
        np.arange(5, dtype=np.int32), np.array([0, 0, 1, 2, 2], np.int32), ts, 5, 4
    )
    fitted = RecentPopularity(days=3).fit(train)
    at = np.array([10.5, 2.0, np.nan]) * DAY
    scores = fitted.scores(Histories.of([[], [], []], 4), at)
    assert np.floor(scores).tolist() == [[0, 1, 1, 0], [2, 0, 0, 0], [0, 1, 2, 0]]
    assert scores[1, 2] > scores[1, 1] > scores[1, 3]  # ties go by the whole record


def test_recent_popularity_without_times_is_popularity(split: Split) -> None:
    live = Histories.of([[1]], N_ITEMS)
    recent = RecentPopularity().fit(split.test.train).scores(live)
    assert np.round(recent).tolist() == Popularity().fit(split.test.train).scores(live).tolist()


def test_co_visitation_against_loops() -> None:
    train, window, decay = wander(3, 10), 4, 0.3
    count = np.zeros((N_ITEMS, N_ITEMS))
    sequences = [train.item[a:b] for a, b in pairwise(train.indptr)]
    for one in sequences:
        for t in range(len(one)):
            for s in range(max(0, t - window), t):
                count[one[s], one[t]] += np.exp(-decay * (t - s - 1))
    had = np.maximum(np.bincount(train.item, minlength=N_ITEMS), 1)
    live = [5, 7, 8, 9, 11, 12]
    wanted = sum(
        np.exp(-decay * age) * had[item] ** -0.5 * count[item] * had**-0.25
        for age, item in enumerate(reversed(live[-window:]))
    )
    fitted = CoVisitation(window, decay, 0.5, 0.25).fit(train)
    found = fitted.scores(Histories.of([live], N_ITEMS))[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_ease_against_its_formula(split: Split) -> None:
    train = split.test.train
    X = train.seen().toarray().astype(float)
    P = np.linalg.inv(X.T @ X + 7.0 * np.eye(N_ITEMS))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    live = Histories.of([[2, 3, 5]], N_ITEMS)
    np.testing.assert_allclose(Ease(7.0).fit(train).scores(live)[0], B[2] + B[3] + B[5], atol=1e-5)
    recent = np.exp(-0.2) * B[3] + np.exp(-0.4) * B[2] + B[5]
    np.testing.assert_allclose(Ease(7.0, 0.2).fit(train).scores(live)[0], recent, atol=1e-5)


def test_ease_refuses_a_catalogue_it_cannot_invert() -> None:
    with pytest.raises(EstimationError, match="20,000 items at most, and here are 30,000"):
        Ease().fit(Histories.of([[0, 1]], 30_000))


@pytest.mark.filterwarnings("ignore:Method expects CSR")  # about its own table
@pytest.mark.parametrize("weighting", ["cosine", "tf-idf"])
def test_item_knn_is_that_of_implicit(weighting: str, split: Split) -> None:
    from implicit.nearest_neighbours import CosineRecommender, TFIDFRecommender

    train = split.test.train
    theirs = (CosineRecommender if weighting == "cosine" else TFIDFRecommender)(N_ITEMS + 1, 1)
    table = sparse.csr_matrix(train.seen().astype(np.float64))
    theirs.fit(table, show_progress=False)
    near = theirs.similarity.toarray()
    np.fill_diagonal(near, 0)  # whatever was had is masked; we leave it out at once
    own = ItemKNN(N_ITEMS, weighting, "history").fit(train).near.toarray()
    np.testing.assert_allclose(own, near, rtol=1e-4, atol=1e-6)


def test_item_knn_keeps_the_nearest(split: Split) -> None:
    everything = ItemKNN(N_ITEMS).fit(split.test.train).near.toarray()
    kept = ItemKNN(3, nearest_of="history").fit(split.test.train).near.toarray()
    assert (np.count_nonzero(kept, axis=1) <= 3).all()
    np.testing.assert_allclose(np.sort(kept)[:, -3:], np.sort(everything)[:, -3:])
    candidates = ItemKNN(3).fit(split.test.train).near.toarray()
    np.testing.assert_array_equal(candidates, kept.T)


def test_what_follows_is_found_by_what_came_before(split: Split) -> None:
    """On the ring, models that know the order beat those that do not."""
    found = {}
    for model in (Popularity(), Ease(10.0), CoVisitation()):
        ranked = rank_targets(model.fit(split.test.train), split.test)
        found[model.name] = by_user(ranked.rank, "ndcg@10").mean()
    assert found["co-visitation"] > found["ease"] > found["popularity"]
    assert found["co-visitation"] > 0.6


def test_a_search_keeps_the_best_on_validation(split: Split) -> None:
    chosen = Grid("any", [Popularity(), CoVisitation(), Popularity("again")]).choose(split.valid)
    assert chosen.model == CoVisitation()
    assert len(chosen.tried) == 3
    assert max(one.value for one in chosen.tried) == chosen.tried[1].value
    np.testing.assert_array_equal(
        chosen.fitted.scores(split.test.history),
        CoVisitation().fit(split.test.train).scores(split.test.history),
    )


@pytest.mark.parametrize(
    "search", [ease_recency_search(), co_visitation_search(), item_knn_search()]
)
def test_variants_are_what_a_fit_of_their_own_is(search: Grid, split: Split) -> None:
    chosen = search.choose(split.valid)
    again = chosen.model.fit(split.valid.train)
    np.testing.assert_allclose(
        chosen.fitted.scores(split.test.history), again.scores(split.test.history), rtol=1e-6
    )
    assert len(chosen.tried) > len(search.models)
