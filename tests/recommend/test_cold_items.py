"""Cold items by their tags: against the regression spelled out, and in a world of known tastes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tagcf.recommend.baselines.co_visitation import CoVisitation
from tagcf.recommend.baselines.popularity import Popularity
from tagcf.recommend.cold.items import ColdItems
from tagcf.recommend.cold.peers import TagNeighbours, TagPopularity, tag_neighbour_models
from tagcf.recommend.cold.search import ColdItemsSearch, best_on_cold
from tagcf.recommend.cold.stand_in import stand_ins
from tagcf.recommend.cold.tag_ridge import item_features, tag_ridge
from tagcf.recommend.evaluate.intervals import paired_interval
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.evaluate.splits import cold_items, leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.model import Linear

N_TAGS, N_ITEMS = 12, 240


def tastes(seed: int = 0, n_users: int = 400) -> tuple[Histories, sparse.csr_array]:
    """Who had an item of tag t has one of tag t + 1 next: a cycle that likeness can't see."""
    rng = np.random.default_rng(seed)
    tag = np.arange(N_ITEMS) % N_TAGS
    sequences = []
    for _ in range(n_users):
        size = rng.integers(5, 14)
        walk = (rng.integers(N_TAGS) + np.arange(size)) % N_TAGS
        noise = rng.random(size) < 0.2
        walk = np.where(noise, rng.integers(N_TAGS, size=size), walk)
        sequences.append([int(rng.choice(np.flatnonzero(tag == one))) for one in walk])
    ones = np.ones(N_ITEMS, np.float32)
    table = sparse.csr_array((ones, (np.arange(N_ITEMS), tag)), shape=(N_ITEMS, N_TAGS))
    return Histories.of(sequences, N_ITEMS), table


def test_predicted_scores_are_those_of_predicted_columns() -> None:
    rng = np.random.default_rng(3)
    tags = sparse.csr_array(sparse.random(30, 7, 0.3, rng=rng, dtype=np.float32))
    known = rng.random(30) < 0.7
    table = rng.normal(size=(9, 30))  # a model's columns, one an item
    rows = rng.normal(size=(5, 9))
    full = np.hstack([tags.toarray(), np.ones((30, 1))])
    inside = full[known]
    inverse = np.linalg.inv(inside.T @ inside + 4.0 * np.eye(8))
    columns = table[:, known] @ inside @ inverse @ full.T
    ridge = tag_ridge(tags, known, 4.0)
    scores = (rows @ table).astype(np.float32)
    np.testing.assert_allclose(ridge.predict(scores), rows @ columns, atol=1e-4)
    # So are reasons: the same weights over the items that have a record.
    for item in (0, 17):
        np.testing.assert_allclose(
            scores @ ridge.weights(item), ridge.predict(scores)[:, item], atol=1e-4
        )
        assert not ridge.weights(item)[~known].any()


def test_cold_items_are_found_by_what_their_tags_do() -> None:
    histories, tags = tastes()
    gains = {"neighbours": [], "tag popularity": [], "popularity": []}
    for seed in range(3):
        asked, taken = cold_items(histories, seed=seed)
        own = ColdItems(Linear(), tags, penalty=3.0).fit(asked.train)
        peers = {
            "neighbours": TagNeighbours(tags, 0.3),
            "tag popularity": TagPopularity(tags),
            "popularity": Popularity(),
        }
        values = {name: model.fit(asked.train) for name, model in peers.items()}
        mine = ndcg_of(own, asked, taken)
        for name, model in values.items():
            gains[name].append(paired_interval(mine[None], ndcg_of(model, asked, taken)[None]).low)
    assert all(low > 0.05 for lows in gains.values() for low in lows), gains


def ndcg_of(fitted, asked, taken):  # type: ignore[no-untyped-def]
    ranked = rank_targets(fitted, asked, unseen_is_miss=False, among=taken, depth=1)
    return by_user(ranked.rank, "ndcg@10")


def test_known_items_keep_their_scores_and_the_prior_fades_with_events() -> None:
    histories, tags = tastes()
    asked, taken = cold_items(histories, seed=0)
    model = ColdItems(CoVisitation(), tags, penalty=3.0)
    alone = CoVisitation().fit(asked.train).scores(asked.history)
    plain = model.fit(asked.train).scores(asked.history)
    np.testing.assert_array_equal(plain[:, ~taken], alone[:, ~taken])
    assert not np.allclose(plain[:, taken], alone[:, taken])
    mixed = replace(model, prior_events=5.0).fit(asked.train)
    count = np.bincount(asked.train.item, minlength=N_ITEMS)
    np.testing.assert_allclose(mixed.term.own_share, count / (count + 5.0), rtol=1e-6)
    predicted = mixed.term.ridge.predict(alone)
    item = int(np.argmax(count))
    share = count[item] / (count[item] + 5.0)
    expected = share * alone[:, item] + (1 - share) * predicted[:, item]
    np.testing.assert_allclose(mixed.scores(asked.history)[:, item], expected, rtol=1e-4, atol=1e-5)


def test_cold_events_of_a_history_are_read_as_near_known_items() -> None:
    tags = sparse.csr_array(np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 0]], np.float32))
    found = stand_ins(tags, np.array([3.0, 5.0, 2.0, 0.0, 0.0]))
    # Item 3 is read as 1, the more popular of its equals; item 4 has no tags.
    assert found.item.tolist() == [0, 1, 2, 1, -1]
    live = found.read(Histories.of([[3, 4, 2], [4], [], [0]], 5))
    assert live.item.tolist() == [1, 2, 0]
    assert live.sizes.tolist() == [2, 0, 0, 1]


def test_a_history_of_cold_items_tells_the_next() -> None:
    histories, tags = tastes()
    _, taken = cold_items(histories, seed=1)
    train = histories.where(~taken[histories.item])
    fitted = ColdItems(Linear(), tags, penalty=3.0).fit(train)
    last = np.flatnonzero(taken)
    scores = fitted.scores(Histories.of([[int(one)] for one in last], N_ITEMS))
    best = tags.indices[np.argmax(scores, axis=1)]
    right = (best == (tags.indices[last] + 1) % N_TAGS).mean()
    assert right > 0.7, right


@pytest.mark.parametrize("sequences", [[[]], [[], []], [[5]]])
def test_defined_with_next_to_nothing(sequences: list[list[int]]) -> None:
    tags = sparse.csr_array(np.eye(8, 3, dtype=np.float32))
    fitted = ColdItems(CoVisitation(), tags, prior_events=1.0).fit(Histories.of([[0, 1]], 8))
    scores = fitted.scores(Histories.of(sequences, 8))
    assert scores.shape == (len(sequences), 8)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_a_chance_lifts_cold_items_and_keeps_their_order() -> None:
    histories, tags = tastes()
    asked, taken = cold_items(histories, seed=0)
    plain = ColdItems(CoVisitation(), tags, penalty=3.0)
    fits = [replace(plain, chance=one).fit(asked.train) for one in (0.0, 1.0, 3.0)]
    shown = [rank_targets(one, asked, unseen_is_miss=False).top[:, :10] for one in fits]
    share = [taken[top].mean() for top in shown]
    assert share[0] < share[1] < share[2]
    among = [ndcg_of(one, asked, taken) for one in fits]
    np.testing.assert_allclose(among[0], among[2], atol=0.02)
    known = fits[0].scores(asked.history)[:, ~taken]
    np.testing.assert_array_equal(fits[2].scores(asked.history)[:, ~taken], known)


def test_likeness_helps_where_the_model_knows_no_pairs() -> None:
    rng = np.random.default_rng(0)
    tag = np.arange(N_ITEMS) % N_TAGS
    liked = rng.integers(N_TAGS, size=200)
    sequences = [rng.choice(np.flatnonzero(tag == one), 6, replace=False).tolist() for one in liked]
    histories, tags = Histories.of(sequences, N_ITEMS), tastes()[1]
    asked, taken = cold_items(histories, seed=0)
    asked = asked.rows(asked.history.sizes > 0)
    values = [
        ndcg_of(ColdItems(Popularity(), tags, likeness=one).fit(asked.train), asked, taken).mean()
        for one in (0.0, 1.0, 10.0)
    ]
    assert values[0] < values[1] <= values[2]
    assert values[2] > 3 * values[0]


def test_settings_come_from_items_taken_out_of_training() -> None:
    histories, tags = tastes()
    valid = leave_one_out(histories).valid
    inner = Grid("co-visitation", [CoVisitation(decay=one) for one in (0.3, 3.0)])
    search = ColdItemsSearch(inner, tags, (1.0, 1e6), (0.0, 1.0), (0.0, 3.0), (0.0, 1.0, 50.0))
    chosen = search.choose(valid)
    assert isinstance(chosen.model, ColdItems)
    assert len(chosen.tried) == 2 + 2 * (2 + 2) + 3 + 2
    assert chosen.model.likeness == 0  # here, what comes next is never alike
    assert chosen.model.penalty == 1.0  # with 1e6 tags would say nothing
    assert chosen.model.chance < 50  # that would fill lists with cold items
    again = chosen.model.fit(valid.train).scores(valid.history)
    np.testing.assert_array_equal(chosen.fitted.scores(valid.history), again)
    assert isinstance(best_on_cold(tag_neighbour_models(tags, (0.0, 1.0)), valid), TagNeighbours)


def test_embeddings_stand_beside_tags() -> None:
    rng = np.random.default_rng(0)
    tags = sparse.csr_array(np.eye(20, 4, dtype=np.float32))
    table = item_features(tags, 50 + 9 * rng.normal(size=(20, 6)))
    assert table.shape == (20, 10)
    rest = table.toarray()[:, 4:]
    np.testing.assert_allclose(rest.mean(axis=0), 0, atol=1e-6)
    assert (rest**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)
