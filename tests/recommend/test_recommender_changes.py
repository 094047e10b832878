"""What comes after training: kept apart from what was learned, and read while it comes."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.recommend.histories import Histories
from tagcf.recommend.people import People
from tagcf.recommend.recommender import Recommender
from tagcf.settings import RecommendSettings
from tagcf.types import EventLog, IdMap, Segment, TagMatrix

N_TAGS, NEW = 6, 4  # tags; items that nobody has had


def tagged(
    n_users: int, n_items: int, each: int = 6, seed: int = 0, new: int = NEW
) -> tuple[EventLog, TagMatrix]:
    """Who had an item of tag t has one of t + 1 next; the last items nobody has had."""
    rng = np.random.default_rng(seed)
    tag = np.arange(n_items) % N_TAGS
    user, item = [], []
    for u in range(n_users):
        start = int(rng.integers(N_TAGS))
        for k in range(each):
            pool = np.flatnonzero(tag[: n_items - new] == (start + k) % N_TAGS)
            pool = pool if pool.size else np.arange(n_items - new)
            user.append(f"u{u}")
            item.append(f"i{rng.choice(pool)}")
    items = IdMap(pa.array([f"i{k}" for k in range(n_items)], pa.string()))
    log = log_from_arrays(
        user=np.array(user),
        item=np.array(item),
        ts=np.arange(len(user), dtype=float),
        outcomes={"click": np.ones(len(user))},
        items=items,
    )
    carried = np.eye(N_TAGS, dtype=np.float32)[tag]
    return log, tags_from_arrays(items, carried, [f"t{k}" for k in range(N_TAGS)])


def scores(of: Recommender, history: list[str]) -> dict[str, float]:
    (ranking,) = of.recommend(histories=[history], k=100, exclude_seen=False)
    return {one.item: one.score for one in ranking.items}


# ── events that the model did not learn ─────────────────────────────────────
@pytest.fixture(scope="module")
def network() -> Recommender:
    pytest.importorskip("torch", reason="the extra `deep` is not installed")
    settings = RecommendSettings(model="transformer")
    return Recommender.fit(*tagged(60, 40), settings=settings, search=False)


def test_an_item_that_the_network_never_saw_stays_new_on_disk(
    network: Recommender, tmp_path: Path
) -> None:
    network.update([(f"u{k}", "i39", 9e3 + k) for k in range(30)] + [("late", "i38", 9e4)])
    before = scores(network, ["i1", "i2"])
    network.save(tmp_path)
    assert scores(network, ["i1", "i2"]) == before
    loaded = Recommender.load(tmp_path)
    assert scores(loaded, ["i1", "i2"]) == before
    cold = loaded.models.terms.cold
    assert cold is not None
    assert cold.own_share[loaded.catalogue.position["i39"]] == 0
    assert loaded.recommend(["u3", "late"]) == network.recommend(["u3", "late"])
    assert loaded.update([("late", "i38", 9e4)]).repeated == 1
    loaded.forget("u5")  # refits the terms: from what was learned
    network.forget("u5")
    assert scores(loaded, ["i1", "i2"]) == scores(network, ["i1", "i2"])
    cold = loaded.models.terms.cold
    assert cold is not None
    assert cold.own_share[loaded.catalogue.position["i39"]] == 0
    assert "late" in loaded.people.position


@pytest.mark.parametrize(("tags", "segments"), [(0, 0), (1, 0), (1, 1)])
def test_what_a_search_costs_a_network(
    tags: int, segments: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trainings; one more without some items, one more without some users."""
    training = pytest.importorskip("tagcf.recommend.sequence.training")
    trained, train = [], training.train

    def counted(*given: object, **named: object) -> object:
        trained.append(1)
        return train(*given, **named)

    monkeypatch.setattr(training, "train", counted)
    log, carried = tagged(60, 40)
    if segments:
        codes = (np.arange(len(log.users)) % 2).astype(np.int32)[:, None]
        log = replace(log, segments=(Segment("age", ("young", "old")),), user_segments=codes)
    settings = RecommendSettings(model="transformer")
    made = Recommender.fit(log, carried if tags else None, settings=settings)
    tested = {one.term for one in made.choices.findings}
    assert ("cold" in tested, "segments" in tested) == (bool(tags), bool(segments))
    assert len(trained) == 2 + tags + segments


# ── small and short ─────────────────────────────────────────────────────────
@pytest.mark.parametrize("n_items", [4, 6, 9, 12, 20])
@pytest.mark.parametrize("n_users", [2, 5, 8])
def test_a_log_too_small_to_take_items_out_of_is_trained(n_items: int, n_users: int) -> None:
    for seed in range(3):
        made = Recommender.fit(*tagged(n_users, n_items, 4, seed, new=2))
        assert made.models.terms.cold is not None
        (ranking,) = made.recommend("u0", k=2)
        assert ranking.items


def test_a_list_may_be_longer_than_there_are_candidates_by_the_settings() -> None:
    settings = RecommendSettings(candidates=12)
    made = Recommender.fit(*tagged(60, 60), settings=settings, search=False)
    (ranking,) = made.recommend(histories=[["i1"]], k=30)
    assert len(ranking.items) == 30
    (whole,) = Recommender.fit(*tagged(60, 60), search=False).recommend(histories=[["i1"]], k=30)
    assert [one.item for one in ranking.items] == [one.item for one in whole.items]
    told = made.explain(None, ranking.items[20].item, history=["i1"], k=30)
    assert told.rank == 21


# ── read while it comes ─────────────────────────────────────────────────────
def test_lists_are_made_while_events_come_and_are_learned() -> None:
    made = Recommender.fit(*tagged(40, 30), search=False)
    wrong: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                items, times = made.people.history(0)
                if items.size != times.size or (np.diff(times) < 0).any():
                    wrong.append("torn")
                if any(not one.items for one in made.recommend(["u1", "u2"], k=5)):
                    wrong.append("empty")
                made.explain("u1", "i3")
            except Exception as error:  # any is a failure
                wrong.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for one in readers:
            one.start()
        started, n = time.monotonic(), 0
        while time.monotonic() - started < 3:
            made.update([("u0", f"i{n % 7}", 1e6 - n), ("u1", f"i{n % 7}", 1e6 - n)])
            made.update([(f"n{n}", "i4", 1e6)])
            n += 1
            if n % 40 == 0:
                made.learn()
            if n % 50 == 0:
                made.forget(f"n{n - 1}")
    finally:
        over.set()
        for one in readers:
            one.join()
        sys.setswitchinterval(was)
    assert n > 50
    assert not wrong, set(wrong)


def test_a_history_is_whole_while_events_are_added() -> None:
    people = People.of(["a"], Histories.of([[1, 2]], 9))
    wrong: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                items, times = people.history(0)
                if items.size != times.size:
                    wrong.append("torn")
            except (IndexError, ValueError) as error:
                wrong.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(2)]
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for one in readers:
            one.start()
        started, n = time.monotonic(), 0
        while time.monotonic() - started < 1.5:
            people.recent.clear()
            for at in range(40):
                people.add("a", at % 9, 1e6 - at)
                n += 1
    finally:
        over.set()
        for one in readers:
            one.join()
        sys.setswitchinterval(was)
    assert n > 500
    assert not wrong, set(wrong)


def test_an_event_is_there_once_before_and_after_it_is_learned() -> None:
    """Who reads finds each event once: the old people keep theirs, the new ones have learned."""
    people = People.of(["a", "b"], Histories.of([[1], []], 9))
    for at, ts in ((2, 30.0), (3, 10.0), (4, 20.0)):
        assert people.add("b", at, ts)
    assert not people.add("b", 3, 10.0)
    assert people.add("c", 5, 1.0)
    after = people.settled()
    for one in (people, after):
        assert [one.history(at)[0].tolist() for at in range(3)] == [[1], [3, 4, 2], [5]]
    assert not after.recent
    assert len(after.learned) == 3
    left, had = after.without(1)
    assert had.item.tolist() == [3, 4, 2]
    assert (left.ids, left.position) == (["a", "", "c"], {"a": 0, "c": 2})
    assert after.history(1)[0].tolist() == [3, 4, 2]


def test_an_event_is_taken_in_within_a_millisecond() -> None:
    """Also where the user has had thousands since training."""
    people = People.of(["a"], Histories.of([[1, 2]], 50))
    for at in range(5_000):
        people.add("a", at % 50, float(at))
    took = []
    for at in range(200):
        started = time.perf_counter()
        people.add("a", at % 50, 9e4 - at)
        took.append(time.perf_counter() - started)
    assert np.median(took) < 1e-3
