"""The logic term: gated by an ablation, no leak, and no near no-op where it is on."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tagcf.recommend.baselines.popularity import Popularity
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.evaluate.splits import Split, leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.logic.behaviour import behavioural_logic
from tagcf.recommend.logic.propagate import propagation
from tagcf.recommend.logic.term import WithLogic, WithLogicSearch, ablate, graph_of
from tagcf.types import Floats

N_TAGS, N_ITEMS = 20, 400
PARTNER = np.arange(N_TAGS) ^ 1  # who likes tag 2k has 2k + 1 too, on other items


def world(*, logical: bool, seed: int = 0) -> tuple[Histories, sparse.csr_array]:
    """Users like a tag and its partner; or, without logic, all items alike."""
    rng = np.random.default_rng(seed)
    tag = np.arange(N_ITEMS) % N_TAGS
    usual = rng.permutation(1 / np.arange(5, N_ITEMS + 5))
    sequences = []
    for _ in range(600):
        size = int(rng.integers(6, 16))
        liked = int(rng.integers(N_TAGS))
        pool = np.isin(tag, (liked, PARTNER[liked])) if logical else np.ones(N_ITEMS, bool)
        own = rng.choice(N_ITEMS, size, p=usual * pool / (usual * pool).sum())
        stray = rng.random(size) < 0.3
        other = rng.choice(N_ITEMS, size, p=usual / usual.sum())
        sequences.append(list(dict.fromkeys(np.where(stray, other, own).tolist())))
    ones = np.ones(N_ITEMS, np.float32)
    table = sparse.csr_array((ones, (np.arange(N_ITEMS), tag)), shape=(N_ITEMS, N_TAGS))
    return Histories.of(sequences, N_ITEMS), table


@pytest.fixture(scope="module")
def logical() -> tuple[Split, sparse.csr_array]:
    histories, tags = world(logical=True)
    return leave_one_out(histories), tags


def values(model: WithLogic, split: Split) -> Floats:
    return by_user(rank_targets(model.fit(split.test.train), split.test).rank, "ndcg@10")


def test_edges_lead_to_partners(logical: tuple[Split, sparse.csr_array]) -> None:
    split, tags = logical
    edges = behavioural_logic(split.valid.train, tags).to_topics.toarray()
    told = edges[np.arange(N_TAGS), PARTNER] > 0.1  # by enough users
    assert told.sum() > N_TAGS / 2
    assert (np.argmax(edges, axis=1) == PARTNER)[told].all()


def test_edges_are_sparse(logical: tuple[Split, sparse.csr_array]) -> None:
    split, tags = logical
    edges = behavioural_logic(split.valid.train, tags, top=3)
    assert np.diff(edges.to_topics.indptr).max() <= 3
    own = behavioural_logic(split.valid.train, tags, tags[:, :7], top=3)
    assert own.to_topics.shape == (7, N_TAGS)
    assert own.to_roles.shape == (N_TAGS, 7)


def test_gate_opens_where_logic_helps(logical: tuple[Split, sparse.csr_array]) -> None:
    split, tags = logical
    chosen = WithLogicSearch(Grid("popularity", [Popularity()]), tags).choose(split.valid)
    assert isinstance(chosen.model, WithLogic)
    assert chosen.model.weight > 0
    gain = values(chosen.model, split) - values(replace(chosen.model, weight=0.0), split)
    assert gain.mean() - 2 * gain.std() / np.sqrt(gain.size) > 0


def test_term_is_no_near_no_op(logical: tuple[Split, sparse.csr_array]) -> None:
    """The published inference changed the rank of under one target in a hundred."""
    split, tags = logical
    fitted = Popularity().fit(split.valid.train)
    graph = graph_of(WithLogic(Popularity(), tags), split.valid.train)
    found = ablate(fitted, graph, split.valid, weights=(0.1,))
    assert found.moved > 0.5


def test_gate_stays_shut_where_there_is_no_logic() -> None:
    """By chance an interval of 95 % is above 0 in one world of forty."""
    opened = []
    for seed in range(12):
        histories, tags = world(logical=False, seed=seed)
        split = leave_one_out(histories)
        chosen = WithLogicSearch(Grid("popularity", [Popularity()]), tags).choose(split.valid)
        assert isinstance(chosen.model, WithLogic)
        opened.append(chosen.model.weight > 0)
        if not opened[-1]:  # off is off: the model's own scores, to the bit
            alone = Popularity().fit(split.test.train).scores(split.test.history)
            np.testing.assert_array_equal(chosen.fitted.scores(split.test.history), alone)
    assert sum(opened) <= 1, opened


def test_held_out_events_have_no_part_in_the_graph(
    logical: tuple[Split, sparse.csr_array],
) -> None:
    split, tags = logical
    rng = np.random.default_rng(5)
    train, test = split.test.train, split.test
    other = replace(split, test=replace(test, target=rng.permutation(test.target)))
    first, second = (graph_of(WithLogic(Popularity(), tags), s.test.train) for s in (split, other))
    np.testing.assert_array_equal(first.to_topics.toarray(), second.to_topics.toarray())
    # One more training event does have: the graph reads what it is given.
    more = Histories.of([[*train.users([0]).item.tolist(), 5, 6], *([7, 8],) * 40], N_ITEMS)
    assert not np.array_equal(
        behavioural_logic(more, tags, min_users=1).to_topics.toarray(), first.to_topics.toarray()
    )


def test_empty_history_has_no_evidence(logical: tuple[Split, sparse.csr_array]) -> None:
    split, tags = logical
    train = split.valid.train
    graph = propagation(train, tags, behavioural_logic(train, tags))
    empty = Histories.of([[]], N_ITEMS)
    np.testing.assert_allclose(graph.evidence(empty), 0, atol=1e-9)
    assert np.isfinite(graph.scores(empty)).all()
    # Centred: over training users every topic has mean 0 and, where told, spread 1.
    arrived = graph.topics(train)
    np.testing.assert_allclose(arrived.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(arrived.std(axis=0)[graph.scale > 0], 1, atol=1e-6)


def test_without_edges_scores_are_the_models() -> None:
    tags = sparse.csr_array(np.eye(6, 2, dtype=np.float32))
    model = WithLogic(Popularity(), tags, weight=0.5).fit(Histories.of([[0, 1], [2]], 6))
    scores = model.scores(Histories.of([[], [3]], 6))
    assert np.isfinite(scores).all()
