"""New users by their segments: against counts by hand, and where segments matter."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from tagcf.recommend.baselines.popularity import Popularity
from tagcf.recommend.cold.users import ColdUsers, segment_members, segment_prior
from tagcf.recommend.histories import Histories

N_ITEMS = 40


def split_tastes(seed: int = 0) -> tuple[Histories, sparse.csr_array]:
    """Two segments; each has one half of the catalogue three times as often."""
    rng = np.random.default_rng(seed)
    segment = np.arange(300) % 2
    usual = np.ones((2, N_ITEMS))
    usual[0, :20] = usual[1, 20:] = 3
    usual /= usual.sum(axis=1, keepdims=True)
    sequences = [rng.choice(N_ITEMS, 12, p=usual[one]).tolist() for one in segment]
    return Histories.of(sequences, N_ITEMS), segment_members(segment[:, None], (2,))


def test_segment_lifts_are_shrunken_ratios() -> None:
    train, members = split_tastes()
    prior = segment_prior(train, members, prior=5.0)
    lifts, item, user = prior.lifts(np.arange(2)), train.item, train.user
    share = (np.bincount(item, minlength=N_ITEMS) + 0.5) / (item.size + 0.5 * N_ITEMS)
    for segment in (0, 1):
        seen = np.bincount(item[user % 2 == segment], minlength=N_ITEMS)
        by_hand = np.log((seen + 5) / (seen.sum() * share + 5))
        np.testing.assert_allclose(lifts[segment], by_hand, rtol=1e-5, atol=1e-6)
    assert lifts[0, :20].min() > 0 > lifts[0, 20:].max()


def test_overlapping_weights_are_averaged_lifts() -> None:
    """More segments than are told together, with weights, against the dense formula."""
    rng = np.random.default_rng(1)
    train, _ = split_tastes()
    weights = (rng.random((300, 50)) * (rng.random((300, 50)) < 0.2)).astype(np.float32)
    prior = segment_prior(train, sparse.csr_array(weights), strength=1.7, prior=3.0)
    count = np.bincount(train.item, minlength=N_ITEMS)
    share = (count + 0.5) / (count.sum() + 0.5 * N_ITEMS)
    observed = np.zeros((50, N_ITEMS))
    for user, item in zip(train.user, train.item, strict=True):
        observed[:, item] += weights[user]
    total = observed.sum(axis=1, keepdims=True)
    lift = 1.7 * np.log((observed + 3) / (total * share + 3))
    asked = weights[:9].copy()
    asked[3] = 0
    mean = asked / np.maximum(asked.sum(axis=1, keepdims=True), 1e-9)
    found = prior.scores(sparse.csr_array(asked))
    np.testing.assert_allclose(found, np.log(share) + mean @ lift, atol=2e-5)


def test_many_segments_of_a_large_catalogue_take_little_room() -> None:
    rng = np.random.default_rng(0)
    users, items, levels, events = 2_000, 40_000, 300, 20_000
    user = np.sort(rng.integers(0, users, events))
    item = rng.integers(0, items, events).astype(np.int32)
    log = Histories.from_events(user, item, np.arange(float(events)), users, items)
    members = segment_members(rng.integers(0, levels, (users, 1)), (levels,))
    tracemalloc.start()
    prior = segment_prior(log, members)
    prior.scores(members[:1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < levels * items / 2  # bytes; a dense table of float64 is 8 a cell


def test_new_users_get_their_segments_items() -> None:
    train, members = split_tastes()
    fitted = ColdUsers(Popularity(), members).fit(train)
    new = Histories.of([[], [], []], N_ITEMS)
    scores = fitted.scores_of(new, segment_members(np.array([[0], [1], [-1]]), (2,)))
    ten = np.argsort(-scores, axis=1)[:, :10]
    assert (ten[0] < 20).all()
    assert (ten[1] >= 20).all()
    # Without a segment, or without being asked for one: what everybody has.
    np.testing.assert_array_equal(np.argsort(-scores[2]), np.argsort(-fitted.scores(new)[0]))


def test_own_events_take_over() -> None:
    train, members = split_tastes()
    fitted = ColdUsers(Popularity(), members, prior_events=2.0).fit(train)
    member = members[[0]]
    own = fitted.model.scores(Histories.of([[]], N_ITEMS))[0]
    gaps = []
    for size in (0, 2, 20, 2000):
        scores = fitted.scores_of(Histories.of([[1] * size], N_ITEMS), member)[0]
        gaps.append(1 - np.corrcoef(scores, own)[0, 1])
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3]
    assert gaps[3] < 1e-3


def test_segments_unknown_are_in_none() -> None:
    members = segment_members(np.array([[0, 2], [-1, 1], [-1, -1]]), (2, 3))
    assert members.toarray().tolist() == [[1, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("prior_events", [0.0, 1.0])
def test_finite_on_nothing(prior_events: float) -> None:
    train, members = split_tastes()
    fitted = ColdUsers(Popularity(), members, prior_events).fit(train)
    assert np.isfinite(fitted.scores(Histories.of([[], [3]], N_ITEMS))).all()
