"""Interests after events are the sums that their definition says, whatever way events come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagcf.data.arrays import tags_from_arrays
from tagcf.errors import DataError, QuestionError, UnknownNameError
from tagcf.live.interest import InterestEngine, Weight
from tagcf.live.wire.keys import id_keys
from tagcf.types import IdMap, TagMatrix
from tagcf.types.live import ACTIONS, EVENT_SCHEMA, LiveEvents

HOUR, DAY = 3600.0, 86_400.0
HALF_LIVES = (1800.0, 7 * DAY, 90 * DAY)
START = 1.7e9
TAGS, CONTENT, USERS = 23, 40, 12
TOLERANCE = 1e-5  # of the sum of what events count, all taken as positive


def some_tags(seed: int = 0, n_tags: int = TAGS) -> TagMatrix:
    random = np.random.default_rng(seed)
    carried = random.random((CONTENT, n_tags)) * (random.random((CONTENT, n_tags)) < 0.15)
    items = IdMap(pa.array([f"i{at}" for at in range(CONTENT)]))
    return tags_from_arrays(items, carried, [f"tag{at}" for at in range(n_tags)])


def batch_of(**columns: list[object]) -> LiveEvents:
    """Events from columns; those that are not given are empty."""
    n = len(columns["user_id"])
    table = pa.table(
        {
            field.name: pa.array(columns.get(field.name, [None] * n), field.type)
            for field in EVENT_SCHEMA
        }
    )
    keys = {
        name: id_keys(table[f"{name}_id" if f"{name}_id" in columns else name].combine_chunks())
        if f"{name}_id" in columns or name in columns
        else np.zeros(n, np.uint64)
        for name in ("event", "user", "room", "item", "product", "scene", "device")
    }
    return LiveEvents(
        **keys,
        ts=np.array(columns["ts"], np.float64),
        action=np.array(columns["action"], np.uint8),
        value=np.array(columns.get("value", [np.nan] * n), np.float32),
        rows=table,
    )


def some_events(n: int = 600, seed: int = 1, days: float = 5.0) -> dict[str, list[object]]:
    random = np.random.default_rng(seed)
    return {
        "user_id": [f"u{at}" for at in random.integers(0, USERS, n)],
        "item_id": [f"i{at}" for at in random.integers(0, CONTENT + 3, n)],
        "scene": [f"s{at}" for at in random.integers(0, 3, n)],
        "ts": list(START + np.sort(random.random(n)) * days * DAY),
        "action": [int(at) for at in random.integers(0, len(ACTIONS), n)],
        "value": [float(one) for one in np.round(random.exponential(20, n), 2)],
    }


def rows_of(columns: dict[str, list[object]], order: np.ndarray) -> dict[str, list[object]]:
    return {name: [values[at] for at in order] for name, values in columns.items()}


def evidence_by_hand(action: int, value: float) -> float:
    """The table of the docs, written a second time."""
    name = ACTIONS[action]
    seconds = 3.0 * np.log(1 + min(value, 600) / 10) / np.log(61)
    fixed = {"click": 1, "like": 2, "comment": 2, "share": 3, "danmaku": 1, "gift": 4, "follow": 3}
    fixed |= {"product_click": 2, "add_to_cart": 4, "purchase": 8}
    if name == "dwell":
        return -1.0 if value < 2 else seconds
    if name == "rewatch":
        return 1 + seconds
    if name == "leave":
        return -1.0 if value < 2 else 0.0
    return float(fixed.get(name, 0))


def sums_by_hand(
    tags: TagMatrix,
    columns: dict[str, list[object]],
    user: str,
    at: float,
    half_lives: tuple[float, ...] = HALF_LIVES,
    since: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """(T, S) decayed sums, and the same with every event taken as positive."""
    table = tags.strength.toarray().astype(np.float64)
    sums = np.zeros((table.shape[1], len(half_lives)))
    sizes = sums.copy()
    for at_row, who in enumerate(columns["user_id"]):
        item, ts = int(str(columns["item_id"][at_row])[1:]), columns["ts"][at_row]
        if who != user or item >= CONTENT or ts <= since:
            continue
        evidence = evidence_by_hand(columns["action"][at_row], columns["value"][at_row])
        fading = 2.0 ** (-(at - ts) / np.array(half_lives))
        sums += evidence * np.outer(table[item], fading)
        sizes += abs(evidence) * np.outer(table[item], fading)
    return sums, sizes


def sums_of(engine: InterestEngine, user: str, at: float) -> np.ndarray:
    found = {one.tag: one.evidence for one in engine.interest(user, at, k=10_000)}
    none = (0.0,) * len(engine.state.sizes.half_lives)
    return np.array([found.get(slug, none) for slug in engine.slugs])


def small_engine(tags: TagMatrix | None = None, **settings: object) -> InterestEngine:
    return InterestEngine(tags or some_tags(), **{"users_at_most": 1000, **settings})


def assert_sums(engine: InterestEngine, columns: dict[str, list[object]], **how: object) -> None:
    at = START + 6 * DAY
    half_lives = engine.state.sizes.half_lives
    for user in {str(one) for one in columns["user_id"]}:
        known, sizes = sums_by_hand(some_tags(), columns, user, at, half_lives, **how)
        assert np.all(abs(sums_of(engine, user, at) - known) <= TOLERANCE * np.maximum(sizes, 1e-3))


def test_sums_are_those_of_the_definition() -> None:
    columns = some_events()
    engine = small_engine()
    told = engine.update(batch_of(**columns))
    unknown = sum(
        int(str(item)[1:]) >= CONTENT and evidence_by_hand(action, value) != 0
        for item, action, value in zip(
            columns["item_id"], columns["action"], columns["value"], strict=True
        )
    )
    assert told.events == 600
    assert told.no_content == unknown > 0
    assert told.counted + told.no_content + told.no_evidence == 600
    assert_sums(engine, columns)


@pytest.mark.parametrize("half_lives", [(1800.0,), (600.0, DAY), (60.0, HOUR, DAY, 30 * DAY)])
def test_any_number_of_scales(half_lives: tuple[float, ...]) -> None:
    columns = some_events()
    engine = small_engine(half_lives=half_lives)
    engine.update(batch_of(**columns))
    assert_sums(engine, columns)


@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 600), max_size=5))
def test_order_and_batches_do_not_matter(seed: int, cuts: list[int]) -> None:
    columns = some_events(days=20.0)  # landmarks move: 43 hours are 60 e-folds of half an hour
    order = np.random.default_rng(seed).permutation(600)
    engine = small_engine()
    for part in np.split(order, sorted(cuts)):
        engine.update(batch_of(**rows_of(columns, part)))
    at = START + 20 * DAY
    for user in ("u0", "u5"):
        known, sizes = sums_by_hand(some_tags(), columns, user, at)
        assert np.all(abs(sums_of(engine, user, at) - known) <= TOLERANCE * np.maximum(sizes, 1e-3))


def test_years_of_silence_neither_overflow_nor_break() -> None:
    engine = small_engine()
    for years in (0, 1, 5, 3):
        ts = START + years * 365 * DAY
        engine.update_one("u", "like", ts, item="i1")
    known = 2 * sum(0.5 ** ((5 - years) * 365 / 90) for years in (0, 1, 5, 3))
    tags = some_tags().strength.toarray()[1]
    found = sums_of(engine, "u", START + 5 * 365 * DAY)
    np.testing.assert_allclose(found[:, 2], known * tags, rtol=1e-5)
    np.testing.assert_allclose(found[:, 0], 2 * tags, rtol=1e-5)


def test_one_event_at_a_time_is_the_same() -> None:
    columns = some_events(200)
    one, many = small_engine(), small_engine()
    many.update(batch_of(**columns))
    for at in range(200):
        one.update_one(
            *(columns["user_id"][at], ACTIONS[columns["action"][at]], columns["ts"][at]),
            item=columns["item_id"][at],
            scene=columns["scene"][at],
            value=columns["value"][at],
        )
    for user in ("u0", "u3"):
        both = (engine.interest(user, scene="s1", k=99) for engine in (one, many))
        for its, others in zip(*both, strict=True):
            assert its.tag == others.tag
            assert its.strength == pytest.approx(others.strength, abs=TOLERANCE)
            assert its.evidence == pytest.approx(others.evidence, rel=TOLERANCE, abs=1e-6)


def test_content_is_item_then_product_then_segment() -> None:
    tags = tags_from_arrays(
        IdMap(pa.array(["item", "product", "r@100", "own", "late"])), np.eye(5), list("abcde")
    )
    segments = pl.DataFrame(
        {
            "room_id": ["r", "r", "r", "q"],
            "start_ts": [300.0, 100.0, 200.0, 100.0],
            "end_ts": [400.0, 200.0, 250.0, 200.0],
            "segment_id": ["late", None, "own", None],
        }
    )
    engine = small_engine(tags, segments=segments)

    def shown(ts: float, **ids: str) -> str | None:
        user = f"{ts}{ids}"
        engine.update_one(user, "like", ts, **ids)
        found = engine.interest(user)
        return found[0].tag if found else None

    assert shown(150, item="item", product="product", room="r") == "a"
    assert shown(150, item="nothing", product="product", room="r") == "b"
    assert shown(100, item="nothing", room="r") == "c"
    assert shown(199.9, room="r") == "c"
    assert shown(200, room="r") == "d"
    assert shown(260, room="r") is None  # a gap
    assert shown(399, room="r") == "e"
    assert shown(400, room="r") is None
    assert shown(50, room="r") is None
    assert shown(150, room="q") is None  # its segment has no tags
    assert shown(150, room="elsewhere") is None


def test_skipping_counts_against() -> None:
    engine = small_engine()
    engine.update_one("u", "dwell", START, item="i1", value=1.9)
    assert all(one.strength < 0 for one in engine.interest("u"))
    engine.update_one("u", "dwell", START + 1, item="i1", value=600)
    assert all(one.strength > 0 for one in engine.interest("u"))


def test_evidence_can_be_changed() -> None:
    engine = small_engine(evidence={"impression": 0.5, "like": Weight(-3.0)})
    engine.update_one("u", "impression", START, item="i1")
    assert engine.interest("u")[0].strength > 0
    engine.update_one("u", "like", START, item="i1")
    assert engine.interest("u")[0].strength < 0
    with pytest.raises(UnknownNameError, match="Did you mean: like"):
        small_engine(evidence={"liek": 1.0})


def test_scene_moves_interests_and_a_new_scene_has_the_shared_ones() -> None:
    tags = tags_from_arrays(IdMap(pa.array(["lip", "gun"])), np.eye(2), ["beauty", "games"])
    engine = small_engine(tags)
    for hour in range(30):
        engine.update_one("u", "like", START + hour * HOUR, item="lip", scene="day")
        engine.update_one("u", "like", START + hour * HOUR, item="gun", scene="night")
    shared = {one.tag: one.strength for one in engine.interest("u")}
    night = {one.tag: one.strength for one in engine.interest("u", scene="night")}
    assert shared["beauty"] == pytest.approx(shared["games"])
    assert night["games"] > shared["games"] > night["beauty"]
    assert engine.interest("u", scene="new") == engine.interest("u")


def test_more_users_than_there_is_room_for_are_told() -> None:
    engine = small_engine(users_at_most=5)
    columns = some_events()
    told = engine.update(batch_of(**columns))
    assert engine.state.users.used == 5
    assert told.turned_away > 0
    assert told.counted + told.turned_away + told.no_content + told.no_evidence == 600
    kept = [user for user in {str(one) for one in columns["user_id"]} if engine.knows(user)]
    assert len(kept) == 5


def test_scenes_without_room_are_told() -> None:
    engine = small_engine(scenes_at_most=3)
    told = engine.update(batch_of(**some_events()))
    assert engine.state.pairs.used == 3
    assert 0 < told.no_scene <= told.counted
    assert_sums(engine, some_events())


@pytest.mark.parametrize("ts", [-1.0, 0.0, np.nan, np.inf, START * 1000])
def test_times_that_are_none_are_refused_whole(ts: float) -> None:
    engine = small_engine()
    columns = some_events(10)
    columns["ts"][4] = ts
    with pytest.raises(DataError, match="Event 5 has the time"):
        engine.update(batch_of(**columns))
    assert engine.state.users.used == 0
    with pytest.raises(DataError, match="has the time"):
        engine.update_one("u", "like", ts, item="i1")


def test_content_that_comes_later() -> None:
    tags = some_tags()
    engine = small_engine(tags)
    engine.update_one("u", "like", START, item="i1")
    before = engine.explain("u", engine.interest("u")[0].tag)
    carried = np.zeros((2, TAGS))
    carried[0, 3] = carried[1, 4] = 1.0
    more = tags_from_arrays(IdMap(pa.array(["new", "i2"])), carried, list(engine.slugs))
    engine.add_content(more, pl.DataFrame({"room_id": ["r"], "start_ts": [1.0], "end_ts": [2.0]}))
    assert engine.explain("u", before.tag) == before
    engine.update_one("v", "like", START, item="new")
    assert [one.tag for one in engine.interest("v")] == ["tag3"]
    engine.update_one("w", "like", START, item="i2")
    assert [one.tag for one in engine.interest("w")] == ["tag4"]
    with pytest.raises(DataError, match="in the same order"):
        engine.add_content(some_tags(n_tags=3))


def test_wrong_settings_are_told() -> None:
    with pytest.raises(DataError, match="half-lives"):
        small_engine(half_lives=(DAY, HOUR))
    with pytest.raises(DataError, match="mix is"):
        small_engine(mix=(1.0,))
    with pytest.raises(DataError, match="one row for each"):
        small_engine(embeddings=np.ones((3, 4)))
    with pytest.raises(DataError, match="no column end_ts"):
        small_engine(segments=pl.DataFrame({"room_id": ["r"], "start_ts": [1.0]}))
    with pytest.raises(QuestionError, match="between -1 and 1"):
        small_engine().set("u", "tag1", 2.0)
    with pytest.raises(QuestionError, match="boost"):
        small_engine().boost("u", "tag1", -2.0)
    with pytest.raises(UnknownNameError, match="no tag"):
        small_engine().mute("u", "tagg")
    with pytest.raises(UnknownNameError, match="Did you mean: like"):
        small_engine().update_one("u", "lik", START)


def test_memory_is_taken_as_users_come(tmp_path: Path) -> None:
    engine = small_engine(users_at_most=1_000_000)
    empty = engine.memory_bytes()
    engine.update(batch_of(**some_events()))
    grown = engine.memory_bytes() - empty
    assert 0 < grown < 3 * USERS * 4096
