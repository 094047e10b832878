"""What is read out of the state: scores, reasons, and what users have said about it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tagcf.data.arrays import tags_from_arrays
from tagcf.live.interest import InterestEngine, TagInterest
from tagcf.types import IdMap
from tagcf.types.live import ACTIONS

HOUR, DAY = 3600.0, 86_400.0
START = 1.7e9
TAGS, CONTENT = 17, 60
MIX = np.array([0.5, 0.3, 0.2])


def table(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    carried = random.random((CONTENT, TAGS)) * (random.random((CONTENT, TAGS)) < 0.2)
    carried[:3] = 0  # content without tags
    return carried.astype(np.float32)


def engine_of(carried: np.ndarray | None = None, **settings: object) -> InterestEngine:
    carried = table() if carried is None else carried
    items = IdMap(pa.array([f"i{at}" for at in range(len(carried))]))
    tags = tags_from_arrays(items, carried, [f"tag{at}" for at in range(carried.shape[1])])
    return InterestEngine(tags, **{"users_at_most": 1000, **settings})


def live_a_little(engine: InterestEngine, user: str = "u", n: int = 100, seed: int = 3) -> float:
    random = np.random.default_rng(seed)
    for at in range(n):
        action = ACTIONS[random.integers(1, len(ACTIONS))]
        item, value = f"i{random.integers(0, CONTENT)}", float(random.exponential(30))
        engine.update_one(
            user, action, START + at * HOUR, item=item, value=value, scene=f"s{at % 2}"
        )
    return START + n * HOUR


def strengths_of(engine: InterestEngine, user: str, at: float, **how: object) -> np.ndarray:
    found = {one.tag: one.strength for one in engine.interest(user, at, k=1000, **how)}
    return np.array([found.get(slug, 0.0) for slug in engine.slugs])


def cosine_like(strengths: np.ndarray, carried: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(carried, axis=1)
    return carried @ strengths / np.where(length > 0, length, 1)


def test_strengths_are_shares_of_each_scale() -> None:
    engine = engine_of()
    at = live_a_little(engine) + HOUR
    found = engine.interest("u", at, k=1000)
    sums = np.array([one.evidence for one in found])
    expected = (sums / (np.linalg.norm(sums, axis=0) + 1)) @ MIX
    np.testing.assert_allclose([one.strength for one in found], expected, atol=1e-9)
    assert [one.strength for one in found] == sorted((one.strength for one in found), reverse=True)
    assert engine.interest("u", at, k=3) == found[:3]


def test_scores_are_cosines_of_strengths_and_tags() -> None:
    engine = engine_of()
    at = live_a_little(engine)
    scores = engine.scores("u", np.arange(CONTENT), at, scene="s1")
    known = cosine_like(strengths_of(engine, "u", at, scene="s1"), table())
    np.testing.assert_allclose(scores, known, atol=1e-6)
    asked = engine.scores("u", pa.array(["i7", "nothing", "i5"]), at, scene="s1")
    np.testing.assert_array_equal(asked, [scores[7], np.nan, scores[5]])
    assert np.isnan(engine.scores("u", [-1, CONTENT])).all()
    np.testing.assert_array_equal(engine.scores("nobody", np.arange(CONTENT)), 0)


def test_one_event_changes_the_next_ranking() -> None:
    engine = engine_of(np.eye(4))
    for day in range(60):
        engine.update_one("u", "like", START + day * DAY, item="i0")
    now = START + 60 * DAY
    assert engine.scores("u", np.arange(4), now).argmax() == 0
    engine.update_one("u", "purchase", now, item="i2")
    assert engine.scores("u", np.arange(4), now).argmax() == 2  # the last minutes
    assert engine.scores("u", np.arange(4), now + DAY).argmax() == 0  # taste is what stays


def test_content_without_tags_counts_by_its_embedding() -> None:
    random = np.random.default_rng(2)
    vectors = random.normal(size=(CONTENT, 8))
    vectors[9] = 0
    engine = engine_of(embeddings=vectors)
    engine.update_one("u", "like", START, item="i1")  # has no tags
    engine.update_one("u", "dwell", START + 2 * DAY, item="i20", value=1)
    at = START + 3 * DAY
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    taste = np.zeros(8)
    for part, half_life in zip(MIX, (1800, 7 * DAY, 90 * DAY), strict=True):
        liked = 2 * 2 ** (-3 * DAY / half_life) * unit[1]
        total = liked - 2 ** (-DAY / half_life) * unit[20]
        taste += part * total / (np.linalg.norm(total) + 1)
    by_tags = cosine_like(strengths_of(engine, "u", at), table())
    known = 0.7 * by_tags + 0.3 * unit @ taste
    np.testing.assert_allclose(engine.scores("u", np.arange(CONTENT), at), known, atol=1e-6)


def test_embedding_interest_outlives_a_moved_landmark() -> None:
    vectors = np.random.default_rng(2).normal(size=(CONTENT, 8))
    engine = engine_of(embeddings=vectors)
    for day in (0, 10, 20):
        engine.update_one("u", "like", START + day * DAY, item="i1")
    rank = engine.scores("u", np.arange(CONTENT), START + 20 * DAY)
    assert rank.argmax() == 1
    half = 2 * (1 + 0.5 ** (10 / 90) + 0.5 ** (20 / 90))
    week = 2 * (1 + 0.5 ** (10 / 7) + 0.5 ** (20 / 7))
    known = 0.5 * 2 / 3 + 0.3 * week / (week + 1) + 0.2 * half / (half + 1)
    assert rank[1] == pytest.approx(0.3 * known, abs=1e-6)


@pytest.mark.parametrize("n", [10, 100])
def test_reasons_add_up(n: int) -> None:
    engine = engine_of()
    at = live_a_little(engine, n=n) + HOUR
    for one in engine.interest("u", at, k=1000):
        why = engine.explain("u", one.tag, at)
        assert why.strength == why.behaviour == one.strength
        shares = sum(event.share for event in why.events)
        assert shares + why.older == pytest.approx(one.strength, abs=1e-9)
        by_scale = np.sum([event.shares for event in why.events], axis=0)
        np.testing.assert_allclose(by_scale + why.older_evidence, one.evidence, atol=1e-6)
        if n <= 32:  # all are remembered
            assert why.older == pytest.approx(0, abs=1e-6)


def test_reasons_name_the_events() -> None:
    engine = engine_of(np.eye(3))
    engine.update_one("u", "like", START, item="i0")
    engine.update_one("u", "dwell", START + 60, item="i0", value=1)
    engine.update_one("u", "purchase", START + 90.5, item="i1")
    like, skip = engine.explain("u", "tag0").events
    assert (like.action, like.ts, like.content, like.evidence) == ("like", START, "i0", 2.0)
    assert (skip.action, skip.ts, skip.content, skip.evidence) == ("dwell", START + 60, "i0", -1.0)
    assert like.share > 0 > skip.share
    assert [one.action for one in engine.explain("u", "tag1").events] == ["purchase"]
    assert engine.explain("u", "tag2").events == ()
    assert engine.explain("nobody", "tag1").events == ()


def test_only_the_last_events_are_remembered() -> None:
    engine = engine_of(np.eye(3), remembered=4)
    for minute in range(10):
        engine.update_one("u", "click", START + 60 * minute, item="i0")
    why = engine.explain("u", "tag0")
    assert [event.ts for event in why.events] == [START + 60 * minute for minute in (9, 8, 7, 6)]
    assert 0 < why.older < why.strength
    none = engine_of(np.eye(3), remembered=0)
    none.update_one("u", "click", START, item="i0")
    why = none.explain("u", "tag0")
    assert why.events == ()
    assert why.older == why.strength > 0


def test_edits_win_over_behaviour() -> None:
    engine = engine_of()
    at = live_a_little(engine)
    before = {one.tag: one for one in engine.interest("u", at, k=1000)}
    first, second, third, *_ = before
    engine.set("u", first, -0.25)
    engine.boost("u", second, 0.5)
    engine.mute("u", third)
    after = {one.tag: one for one in engine.interest("u", at, k=1000)}
    assert after[first] == TagInterest(first, -0.25, before[first].evidence, "set")
    assert after[second].strength == pytest.approx(before[second].strength / 2)
    assert (after[third].strength, after[third].edited) == (0.0, "mute")
    for tag in set(before) - {first, second, third}:
        assert after[tag] == before[tag]
    carries = table()[:, int(third[3:])] >= 0.5
    scores = engine.scores("u", np.arange(CONTENT), at)
    np.testing.assert_array_equal(np.isneginf(scores), carries)
    assert carries.any()
    why = engine.explain("u", first, at)
    assert (why.strength, why.behaviour) == (-0.25, before[first].strength)
    assert why.edit is not None
    assert why.edit.kind == "set"
    live_a_little(engine, seed=9)
    assert strengths_of(engine, "u", at)[engine.tag_at[first]] == -0.25


def test_edits_of_a_user_without_events() -> None:
    engine = engine_of(np.eye(3))
    engine.set("u", "tag1", 0.5)
    assert [(one.tag, one.strength) for one in engine.interest("u")] == [("tag1", 0.5)]
    assert engine.scores("u", [0, 1]).tolist() == [0.0, 0.5]
    assert engine.knows("u")
    assert not engine.knows("v")


def test_reset_forgets_what_was_before_whenever_it_comes() -> None:
    engine = engine_of(np.eye(3))
    for item in ("i0", "i1"):
        engine.update_one("u", "like", START, item=item, scene="s")
    engine.set("u", "tag0", 0.9)
    engine.reset("u", "tag0")
    assert [one.tag for one in engine.interest("u")] == ["tag1"]
    assert [one.tag for one in engine.interest("u", scene="s")] == ["tag1"]
    assert engine.explain("u", "tag0").events == ()
    engine.update_one("u", "like", START - 60, item="i0")  # late
    assert [one.tag for one in engine.interest("u")] == ["tag1"]
    engine.update_one("u", "like", START + 60, item="i0")
    assert {one.tag for one in engine.interest("u")} == {"tag0", "tag1"}
    engine.reset("u")
    assert engine.interest("u") == ()
    assert engine.interest("u", scene="s") == ()
    engine.update_one("u", "like", START + 30, item="i2")
    assert engine.interest("u") == ()
    engine.update_one("u", "like", START + 61, item="i2")
    assert [one.tag for one in engine.interest("u")] == ["tag2"]
    assert [event.ts for event in engine.explain("u", "tag2").events] == [START + 61]
    assert [one.kind for one in engine.edits("u")] == ["reset"]


def test_reset_of_a_user_before_their_first_event() -> None:
    engine = engine_of(np.eye(3))
    engine.update_one("v", "like", START, item="i0")
    engine.reset("u")
    engine.update_one("u", "like", START - 5, item="i0")
    assert engine.interest("u") == ()
    engine.update_one("u", "like", START + 5, item="i0")
    assert len(engine.interest("u")) == 1


def test_unlearned_users_are_gone_and_others_stay() -> None:
    engine = engine_of(embeddings=np.random.default_rng(1).normal(size=(CONTENT, 4)))
    for at in range(6):
        live_a_little(engine, f"u{at}", n=40, seed=at)
    engine.mute("u2", "tag1")
    engine.reset("u4", "tag2")
    kept = [user for user in (f"u{at}" for at in range(6)) if user not in {"u2", "u5"}]

    def all_of(user: str) -> tuple[object, ...]:
        return (
            engine.interest(user, scene="s1"),
            engine.explain(user, "tag3"),
            engine.scores(user, np.arange(CONTENT)).tolist(),
            engine.edits(user),
        )

    before = [all_of(user) for user in kept]
    assert engine.unlearn("u2")
    assert engine.unlearn("u5")  # the last row
    assert not engine.unlearn("u2")
    assert [all_of(user) for user in kept] == before
    assert engine.interest("u2") == engine.interest("u2", scene="s1") == ()
    assert not engine.knows("u2")
    assert engine.edits("u2") == ()
    assert engine.state.users.used == 4
    assert engine.state.pairs.used == 8
    fresh = engine_of(embeddings=np.random.default_rng(1).normal(size=(CONTENT, 4)))
    live_a_little(fresh, "u2", n=40, seed=11)
    live_a_little(engine, "u2", n=40, seed=11)
    assert engine.interest("u2", scene="s0") == fresh.interest("u2", scene="s0")
