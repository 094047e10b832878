"""The recommender as other programs use it: lists, updates, unlearning, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tagcf
from tagcf.data.arrays import log_from_arrays
from tagcf.errors import DataError, EstimationError, QuestionError, UnknownNameError
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.top.order import best
from tagcf.settings import RecommendSettings
from tagcf.types import EventLog


def rows(n_users: int = 40, n_items: int = 30, seed: int = 0) -> dict[str, np.ndarray]:
    """Users walk round a ring of items, one or two steps at a time."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(5, 12, n_users)
    user = np.repeat(np.arange(n_users), steps)
    item = np.concatenate(
        [(rng.integers(n_items) + np.cumsum(rng.integers(1, 3, n))) % n_items for n in steps]
    )
    ts = np.concatenate([np.arange(n) * 60.0 for n in steps])
    return {
        "user": np.char.add("u", user.astype(str)),
        "item": np.char.add("i", item.astype(str)),
        "ts": ts,
        "click": np.ones(user.size),
    }


def log_of(data: dict[str, np.ndarray], items: Any = None, users: Any = None) -> EventLog:
    return log_from_arrays(
        user=data["user"], item=data["item"], ts=data["ts"], outcomes={"click": data["click"]},
        items=items, users=users,
    )  # fmt: skip


def fitted(data: dict[str, np.ndarray], **ids: Any) -> Recommender:
    return Recommender.fit(log_of(data, **ids), search=False)


@pytest.fixture(scope="module")
def ring() -> Recommender:
    return fitted(rows())


def names(trained: Recommender, **asked: Any) -> list[str]:
    (ranking,) = trained.recommend(**asked)
    return [one.item for one in ranking.items]


def scores(trained: Recommender, history: list[str]) -> dict[str, float]:
    (ranking,) = trained.recommend(histories=[history], k=100, exclude_seen=False)
    return {one.item: one.score for one in ranking.items}


# ── lists ───────────────────────────────────────────────────────────────────
def test_the_next_step_of_the_ring_comes_first(ring: Recommender) -> None:
    for history in (["i3", "i4", "i5"], ["i20", "i22"], ["i9"]):
        last = int(history[-1][1:])
        assert set(names(ring, histories=[history], k=2)) == {f"i{last + 1}", f"i{last + 2}"}


def test_lists_are_ordered_and_leave_out_what_was_had(ring: Recommender) -> None:
    for ranking in ring.recommend(["u1", "u2"], k=8):
        had = {
            ring.catalogue.ids[one]
            for one in ring.people.history(ring.people.require(ranking.user or ""))[0]
        }
        found = [one.score for one in ranking.items]
        assert found == sorted(found, reverse=True)
        assert not had & {one.item for one in ranking.items}
        assert len({one.item for one in ranking.items}) == 8
        assert ranking.acted.model == ring.version


def test_a_user_is_their_history(ring: Recommender) -> None:
    history = [ring.catalogue.ids[one] for one in ring.people.history(ring.people.require("u7"))[0]]
    assert names(ring, users="u7", k=5) == names(ring, histories=[history], k=5)


def test_candidates(ring: Recommender) -> None:
    (ranking,) = ring.recommend(histories=[["i3"]], candidates=["i9", "i5", "no such"], k=5)
    assert [one.item for one in ranking.items] == ["i5", "i9"]
    assert [note.key for note in ranking.notes] == [
        "recommend.note_unknown_candidates",
        "recommend.note_fewer",
    ]
    everything = names(ring, histories=[["i3"]], candidates=ring.catalogue.ids, k=5)
    assert everything == names(ring, histories=[["i3"]], k=5)


def test_exploration_is_logged(ring: Recommender) -> None:
    (ranking,) = ring.recommend(histories=[["i3"]], explore=1.0, seed=1, k=6)
    left = len(ring.catalogue.items) - 1 - np.arange(6)
    assert [one.propensity for one in ranking.items] == pytest.approx(1 / left)
    assert all(one.randomized for one in ranking.items)
    again = ring.recommend(histories=[["i3"]], explore=1.0, seed=1, k=6)
    assert again == [ranking]


def test_diversity_separates_items_of_one_tag() -> None:
    data = rows()
    log = log_of(data)
    group = np.array([int(one[1:]) // 4 for one in log.items.ids.to_pylist()])
    tags = tagcf.data.arrays.tags_from_arrays(
        log.items, np.eye(8)[group], [f"t{k}" for k in range(8)]
    )
    plain = Recommender.fit(log, tags, search=False)
    mixed = Recommender.fit(log, tags, None, RecommendSettings(diversity=5.0), search=False)

    def groups(trained: Recommender) -> int:
        found = names(trained, histories=[["i0", "i1", "i2"]], k=6)
        return len({int(one[1:]) // 4 for one in found})

    assert groups(mixed) == 6 > groups(plain)


# ── learning from what happens ──────────────────────────────────────────────
def test_an_update_is_known_to_the_next_list() -> None:
    trained = fitted(rows())
    before = [
        trained.catalogue.ids[one]
        for one in trained.people.history(trained.people.require("u3"))[0]
    ]
    done = trained.update([("u3", "i0", 9e9), ("somebody new", "i12", 9e9)])
    assert (done.events, done.new_users) == (2, 1)
    assert names(trained, users="u3", k=5) == names(trained, histories=[[*before, "i0"]], k=5)
    assert names(trained, users="somebody new", k=5) == names(trained, histories=[["i12"]], k=5)
    assert trained.version.endswith("+2")


def test_what_is_learnt_live_equals_a_refit() -> None:
    data = rows()
    late = data["ts"] >= 240
    whole = log_of(data)
    early = {name: values[~late] for name, values in data.items()}
    trained = fitted(early, items=whole.items, users=whole.users)
    order = np.random.default_rng(1).permutation(np.flatnonzero(late))  # events may come late
    trained.update([(str(data["user"][k]), str(data["item"][k]), data["ts"][k]) for k in order])
    assert trained.learn() == late.sum()
    refit = Recommender.fit(whole, search=False)
    for history in (["i3"], ["i8", "i9", "i11"]):
        assert scores(trained, history) == scores(refit, history)
    assert names(trained, users="u5") == names(refit, users="u5")
    assert trained.learn() == 0


def test_unlearning_equals_training_without_the_user() -> None:
    data = rows()
    whole = log_of(data)
    trained = Recommender.fit(whole, search=False)
    gone = trained.forget("u4")
    assert (gone.exact, gone.until_retrained) == (True, ("outcomes",))
    kept = data["user"] != "u4"
    assert gone.events == (~kept).sum()
    without = fitted({n: v[kept] for n, v in data.items()}, items=whole.items, users=whole.users)
    for history in (["i3"], ["i8", "i9", "i11"]):
        assert scores(trained, history) == scores(without, history)
    with pytest.raises(UnknownNameError):
        trained.recommend("u4")
    with pytest.raises(UnknownNameError):
        trained.forget("u4")
    assert "u4" not in trained.people.ids
    assert trained.models.ranker is not None
    tables = trained.models.ranker.tables
    at = whole.users.ids.to_pylist().index("u4")
    assert np.array_equal(tables.user_record[at], tables.user_record[-1])


def test_forgetting_takes_live_events_along() -> None:
    trained = fitted(rows())
    trained.update([("u4", "i0", 9e9), ("new", "i1", 9e9)])
    trained.forget("new")
    trained.forget("u4")
    assert trained.learn() == 0
    assert not {"u4", "new"} & set(trained.people.ids)


def test_events_come_as_tables_too() -> None:
    table = pl.DataFrame({"user_id": ["u1", "u1"], "item_id": ["i2", "i2"], "ts": [9e9, 9e9]})
    for events in (table, table.to_arrow(), table.to_dicts()):
        done = fitted(rows(10)).update(events)
        assert (done.events, done.repeated) == (1, 1)
    dated = table.with_columns(pl.col("ts").cast(pl.Int64) * 1_000_000).cast(
        {"ts": pl.Datetime("us")}
    )
    trained = fitted(rows(10))
    trained.update(dated)
    assert trained.people.history(trained.people.require("u1"))[1][-1] == 9e9


# ── bad input ───────────────────────────────────────────────────────────────
def test_an_empty_history_gets_what_is_popular(ring: Recommender) -> None:
    (ranking,) = ring.recommend(histories=[[]], k=3)
    count = np.bincount(ring.people.learned.item)
    best = np.sort(count)[::-1][:3]
    assert [count[ring.catalogue.position[one.item]] for one in ranking.items] == best.tolist()
    assert [note.key for note in ranking.notes] == ["recommend.note_empty_history"]
    assert all(one.history == () and one.fidelity is None for one in ranking.items)


def test_unknown_items_of_a_history_are_passed_over(ring: Recommender) -> None:
    (ranking,) = ring.recommend(histories=[["i3", "?", "i4", "??"]], k=5)
    assert [one.item for one in ranking.items] == names(ring, histories=[["i3", "i4"]], k=5)
    assert str(ranking.notes[0]).endswith("2 (?, ??).")


def test_unknown_user(ring: Recommender) -> None:
    with pytest.raises(UnknownNameError, match=r"no user \"u1x\".*Did you mean: u1"):
        ring.recommend("u1x")


def test_k_beyond_the_catalogue(ring: Recommender) -> None:
    (ranking,) = ring.recommend(histories=[["i3"]], k=1000)
    assert len(ranking.items) == len(ring.catalogue.items) - 1
    assert [note.key for note in ranking.notes] == ["recommend.note_fewer"]


def test_everything_had(ring: Recommender) -> None:
    (ranking,) = ring.recommend(histories=[ring.catalogue.ids])
    assert ranking.items == ()
    assert "--include-seen" in str(ranking.notes[0])
    assert len(names(ring, histories=[ring.catalogue.ids], exclude_seen=False)) == 10


@pytest.mark.parametrize(
    "asked", [{}, {"users": "u1", "histories": [["i1"]]}, {"users": "u1", "k": 0}]
)
def test_contradictions(ring: Recommender, asked: dict[str, Any]) -> None:
    with pytest.raises(QuestionError):
        ring.recommend(**asked)


def test_no_users_no_lists(ring: Recommender) -> None:
    assert ring.recommend([]) == []
    assert ring.recommend(histories=[]) == []


def test_duplicate_events_count_once() -> None:
    data = rows()
    twice = {name: np.concatenate([values, values]) for name, values in data.items()}
    once, doubled = fitted(data), fitted(twice)
    assert scores(once, ["i3", "i4"]) == scores(doubled, ["i3", "i4"])
    done = once.update([("u1", "i2", 9e9), ("u1", "i2", 9e9)])
    assert (done.events, done.repeated, done.unknown) == (1, 1, 0)
    assert once.update([("u1", "no such", 9e9), ("", "i2", 9e9)]).unknown == 2


def test_one_item() -> None:
    one = fitted(
        {
            "user": np.array(["a", "b"]),
            "item": np.array(["x", "x"]),
            "ts": np.array([1.0, 2.0]),
            "click": np.ones(2),
        }
    )
    assert names(one, users="a") == []
    assert names(one, users="a", exclude_seen=False) == ["x"]
    assert names(one, histories=[[]]) == ["x"]
    found = one.explain("a", "x")
    assert found.why_not is not None
    assert str(found.why_not.removed) == "it has been had."


def test_scores_that_are_no_numbers_are_left_out() -> None:
    trained = fitted(rows())
    table = trained.models.fitted.tables[0]  # type: ignore[attr-defined]  # a linear model
    good = names(trained, histories=[["i3", "i4"]], k=29, exclude_seen=False)
    for value, item in ((np.nan, good[0]), (np.inf, good[1])):
        table[:, trained.catalogue.position[item]] = value
    (ranking,) = trained.recommend(histories=[["i3", "i4"]], k=29, exclude_seen=False)
    assert {one.item for one in ranking.items} == set(trained.catalogue.ids) - set(good[:2])
    assert "recommend.note_unusable" in [note.key for note in ranking.notes]
    found = trained.explain(None, good[0], history=["i3", "i4"], exclude_seen=False)
    assert found.why_not is not None
    assert "NaN" in str(found.why_not.removed)
    assert found.rank is None


def test_events_that_cannot_be_read(ring: Recommender) -> None:
    with pytest.raises(DataError, match="item_id"):
        ring.update(pl.DataFrame({"user_id": ["u1"], "when": [1.0]}))
    with pytest.raises(DataError, match="cannot be read"):
        ring.update([("u1",)])
    with pytest.raises(DataError, match="cannot be read"):
        ring.update([("u1", "i1", "yesterday")])


def test_a_log_without_positives_or_outcomes() -> None:
    data = rows()
    with pytest.raises(EstimationError):
        fitted(data | {"click": np.zeros(data["click"].size)})
    bare = log_from_arrays(user=data["user"], item=data["item"], ts=data["ts"], outcomes={})
    trained = Recommender.fit(bare, search=False)
    (ranking,) = trained.recommend("u1", k=2)
    assert [one.outcomes for one in ranking.items] == [(), ()]


def test_a_utility_of_an_unknown_outcome() -> None:
    with pytest.raises(UnknownNameError, match="clik"):
        Recommender.fit(
            log_of(rows()), settings=RecommendSettings(utility={"clik": 1.0}), search=False
        )


def test_public_name() -> None:
    assert tagcf.Recommender is Recommender


@settings(max_examples=60)
@given(st.integers(1, 900), st.integers(1, 60), st.integers(1, 40), st.integers(0, 10_000))
def test_the_best_are_those_of_a_full_sort(size: int, n: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, size) / levels).astype(np.float32)
    scores[rng.random(size) < 0.3] = -np.inf
    order = np.lexsort((np.arange(size), -scores))
    expected = order[np.isfinite(scores[order])][:n]
    assert best(scores, n).tolist() == expected.tolist()
