"""The recommender with terms: new items by their tags, segments, roles, the gate, save, forget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from benchmarks.logic_world import logic_world
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.errors import EstimationError
from tagcf.recommend.cold.term import ColdChoice
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.terms.choices import Choices, Finding
from tagcf.recommend.terms.fitted import fit_terms
from tagcf.settings import RecommendSettings
from tagcf.tags.roles.tables import RoleTables
from tagcf.tags.roles.users import user_roles
from tagcf.types import EventLog, IdMap, Segment, TagMatrix

N_TAGS, NEW = 8, 10  # tags; items that nobody has had


def walks(
    n_users: int = 260, n_items: int = 96, seed: int = 0, *, without: str = "", known: bool = True
) -> tuple[EventLog, TagMatrix]:
    """Who had an item of tag t has one of t + 1 next; young and old people start elsewhere.

    `without` a user's events; where they are not `known`, without their row among the users, too.
    """
    rng = np.random.default_rng(seed)
    tag = np.arange(n_items) % N_TAGS
    user, item, ts, age = [], [], [], []
    for u in range(n_users):
        old = u % 2
        size = int(rng.integers(4, 13))
        walk = (rng.integers(0, 2) + (4 if old else 0) + np.arange(size)) % N_TAGS
        for k, one in enumerate(walk):
            user.append(f"u{u}")
            item.append(f"i{rng.choice(np.flatnonzero(tag[: n_items - NEW] == one))}")
            ts.append(60.0 * k)
            age.append("old" if old else "young")
    who = np.array(user)
    kept = who != without
    items = IdMap(pa.array([f"i{k}" for k in range(n_items)], pa.string()))
    names = np.array([f"u{k}" for k in range(n_users)] + ["new1", "new2"])
    there = known | (names != without)
    users = IdMap(pa.array(names[there].tolist(), pa.string()))
    log = log_from_arrays(
        user=who[kept],
        item=np.array(item)[kept],
        ts=np.array(ts)[kept],
        outcomes={"click": np.ones(kept.sum())},
        items=items,
        users=users,
    )
    codes = np.full((len(names), 1), -1, np.int32)
    codes[:n_users, 0] = np.arange(n_users) % 2
    codes[n_users:, 0] = [1, 0]
    log = replace(log, segments=(Segment("age", ("young", "old")),), user_segments=codes[there])
    carried = np.zeros((n_items, N_TAGS), np.float32)
    carried[np.arange(n_items), tag] = 1.0
    return log, tags_from_arrays(items, carried, [f"t{k}" for k in range(N_TAGS)])


@pytest.fixture(scope="module")
def trained() -> Recommender:
    log, tags = walks()
    return Recommender.fit(log, tags)


NEWEST = [f"i{k}" for k in range(86, 96)]


def test_new_items_are_shown_for_their_tags(trained: Recommender) -> None:
    """After tag 2 comes tag 3: of the new items, those that carry it."""
    (ranking,) = trained.recommend(histories=[["i1", "i2"]], candidates=NEWEST, k=10)
    first = ranking.items[0]
    carried = {one: int(one[1:]) % N_TAGS for one in NEWEST}
    assert carried[first.item] == 3
    assert first.by_tags is not None
    assert first.by_tags.share == 1.0
    assert [one.tag for one in first.by_tags.tags] == ["t3"]
    assert first.by_tags.fidelity.holds
    assert first.history[0].item in ("i1", "i2")
    (among,) = trained.recommend(histories=[["i1", "i2"]], k=96)
    assert {one.item for one in among.items} >= set(NEWEST)
    own = [one for one in among.items if one.item not in NEWEST]
    assert all(one.by_tags is None or one.by_tags.share < 1 for one in own)


def test_an_explanation_of_a_new_item_adds_up(trained: Recommender) -> None:
    found = trained.explain(None, "i91", history=["i1", "i2", "i40"])
    assert found.method == "exact"
    assert found.by_tags is not None
    assert found.by_tags.tags
    terms = sum(one.value for one in found.terms)
    total = found.base + sum(one.share for one in found.history) + terms
    assert total == pytest.approx(found.score, abs=1e-4 * max(abs(found.score or 0), 1))
    assert found.fidelity is not None
    assert found.fidelity.without_evidence < found.fidelity.score


def test_what_would_bring_a_new_item_into_the_list(trained: Recommender) -> None:
    """Having had something of the tag before it, among others."""
    history = ["i1", "i2", "i40"]
    for item in NEWEST:
        found = trained.explain(None, item, history=history, k=45)
        for change in found.changes:
            if change.kind == "with":
                after = [*history, *change.what]
                (again,) = trained.recommend(histories=[after], k=96, exclude_seen=False)
                had = {*history}
                order = [one.item for one in again.items if one.item not in had]
                assert order.index(item) + 1 == change.rank
                assert int(change.what[0][1:]) % N_TAGS == (int(item[1:]) - 1) % N_TAGS
                return
    pytest.fail("no change was found")


def test_a_new_item_in_a_history_is_read_by_its_tags(trained: Recommender) -> None:
    (ranking,) = trained.recommend(histories=[["i90"]], k=8)  # tag 2
    tags = [int(one.item[1:]) % N_TAGS for one in ranking.items]
    assert tags.count(3) >= 4


def test_segments_help_somebody_new(trained: Recommender) -> None:
    assert trained.choices.segments > 0
    tags = {}
    for user in ("new1", "new2"):
        (ranking,) = trained.recommend(user, k=10)
        tags[user] = np.mean([int(one.item[1:]) % N_TAGS for one in ranking.items])
        assert [note.key for note in ranking.notes] == ["recommend.note_segments"]
        assert {one.kind for item in ranking.items for one in item.terms} == {"segments"}
        assert ranking.items[0].terms[0].because[0].name.startswith("age=")
    (asked,) = trained.recommend(histories=[[]], segments={"age": "old"}, k=10)
    (known,) = trained.recommend("new1", k=10)
    assert [one.item for one in asked.items] == [one.item for one in known.items]
    (other,) = trained.recommend(histories=[[]], segments={"age": "older"}, k=10)
    assert [note.key for note in other.notes] == [
        "recommend.note_unknown_segment",
        "recommend.note_empty_history",
    ]


def test_what_is_saved_is_what_is_loaded(trained: Recommender, tmp_path: Path) -> None:
    trained.save(tmp_path)
    loaded = Recommender.load(tmp_path)
    assert loaded.choices == trained.choices
    asked = {"histories": [["i1", "i2"], ["i90"], []], "segments": {"age": "old"}, "k": 20}
    assert loaded.recommend(**asked) == trained.recommend(**asked)
    assert loaded.explain("new1", "i91") == trained.explain("new1", "i91")
    assert loaded.explain("u3", "i91") == trained.explain("u3", "i91")


def scores(trained: Recommender, **asked: object) -> dict[str, float]:
    (ranking,) = trained.recommend(k=100, exclude_seen=False, **asked)
    return {one.item: one.score for one in ranking.items}


ASKED = (
    {"histories": [["i1", "i2"]]},
    {"histories": [["i90"]]},
    {"histories": [[]], "segments": {"age": "old"}},
)


ALL = Choices(ColdChoice(20.0, 0.5, 2.0, 0.8), segments=3.0, logic=0.4, reach=0.1)


def with_all_terms(trained: Recommender) -> Recommender:
    """The same with every term on, whatever a search would have said."""
    had = trained._trained
    terms = fit_terms(ALL, had.side, had.people.learned)
    models = replace(had.models, terms=terms)
    return Recommender(replace(had, choices=ALL, models=models))


@pytest.mark.parametrize("known", [True, False])
def test_forgetting_equals_training_without_the_user(known: bool) -> None:
    """Whether the log still names them or has no row of theirs: all terms on, bit for bit."""
    log, tags = walks()
    trained = with_all_terms(Recommender.fit(log, tags, search=False))
    terms = trained.models.terms
    for one in (terms.cold, terms.segments, terms.logic, terms.frequency):
        assert one is not None
    gone = trained.forget("u4")
    assert gone.exact
    log, tags = walks(without="u4", known=known)
    assert ("u4" in log.users.ids.to_pylist()) == known
    without = with_all_terms(Recommender.fit(log, tags, search=False))
    for asked in ASKED:
        assert scores(trained, **asked) == scores(without, **asked)


def test_nothing_that_must_earn_its_place_is_on_without_a_search() -> None:
    found = Recommender.fit(*walks(), search=False).choices
    assert found.cold is not None
    assert (found.segments, found.logic, found.reach) == (0, 0, 0)


def test_learning_equals_a_refit() -> None:
    log, tags = walks()
    early = Recommender.fit(*walks(without="u4"), search=False)
    (whole,) = list(log.batches())
    at = log.users.ids.to_pylist().index("u4")
    rows = np.flatnonzero(whole.user == at)
    early.update([("u4", log.items[whole.item[k]], float(whole.ts[k])) for k in rows])
    assert early.learn() == rows.size
    refit = Recommender.fit(log, tags, search=False)
    for asked in ASKED:
        assert scores(early, **asked) == scores(refit, **asked)


def test_reach_is_off_unless_it_is_asked_for(trained: Recommender) -> None:
    assert trained.choices.reach == 0
    assert trained.choices.reached is None
    log, tags = walks()
    spread = Recommender.fit(log, tags, settings=RecommendSettings(reach=0.02))
    found = spread.choices.reached
    assert found is not None
    assert found.loss <= 0.02
    assert found.gini[1] <= found.gini[0]
    assert found.coverage[1] >= found.coverage[0]


# ── roles and the gate ──────────────────────────────────────────────────────
LIKED_TAGS = 10


def partners(n_users: int = 1500, n_items: int = 400, seed: int = 0) -> tuple[EventLog, TagMatrix]:
    """Who likes tag 2k likes 2k + 1 too, on other items; so few events that pairs tell little."""
    rng = np.random.default_rng(seed)
    tag = np.arange(n_items) % LIKED_TAGS
    usual = rng.permutation(1 / np.arange(5.0, n_items + 5))
    user, item = [], []
    for u in range(n_users):
        size, liked = int(rng.integers(3, 6)), int(rng.integers(LIKED_TAGS))
        pool = usual * np.isin(tag, (liked, liked ^ 1))
        own = rng.choice(n_items, size, p=pool / pool.sum())
        stray = rng.random(size) < 0.2
        other = rng.choice(n_items, size, p=usual / usual.sum())
        had = list(dict.fromkeys(np.where(stray, other, own).tolist()))
        user += [u] * len(had)
        item += had
    log = log_from_arrays(
        user=np.char.add("u", np.array(user).astype(str)),
        item=np.char.add("i", np.array(item).astype(str)),
        ts=np.arange(len(user), dtype=float),
        outcomes={"click": np.ones(len(user))},
    )
    at = np.array([int(one[1:]) for one in log.items.ids.to_pylist()])
    carried = np.eye(LIKED_TAGS, dtype=np.float32)[tag[at]]
    return log, tags_from_arrays(log.items, carried, [f"t{k}" for k in range(LIKED_TAGS)])


def role_tables(log: EventLog, tags: TagMatrix, roles: TagMatrix) -> RoleTables:
    """Role tables as `load_roles` gives them."""
    found = user_roles(log, roles)
    lift, low = found.lift.copy(), found.low.copy()
    for one in (lift, low):
        one.data = np.log(np.maximum(one.data, 1e-6)).astype(np.float32)
    n_roles, n_topics = len(roles.tags), len(tags.tags)
    return RoleTables(
        items=log.items,
        users=log.users,
        roles=roles.tags,
        topics=tags.tags,
        item_roles=roles.strength,
        user_roles=lift,
        user_roles_low=low,
        user_told=found.events >= found.min_events,
        to_roles=sparse.csr_array((n_topics, n_roles), dtype=np.float32),
        to_topics=sparse.csr_array((n_roles, n_topics), dtype=np.float32),
        current=True,
    )


def logic_of(choices: Choices) -> Finding:
    (found,) = [one for one in choices.findings if one.term == "logic"]
    return found


@pytest.fixture(scope="module")
def led_by_topics() -> Recommender:
    return Recommender.fit(*partners())


def test_the_gate_opens_where_topics_lead_to_topics(led_by_topics: Recommender) -> None:
    found = logic_of(led_by_topics.choices)
    assert found.ships
    assert found.low > 0
    assert led_by_topics.choices.logic == found.weight > 0
    history = ["i0", "i10"]  # tag 0, whose partner is tag 1
    (ranking,) = led_by_topics.recommend(histories=[history], k=10)
    because = [
        one.because[0].name
        for item in ranking.items
        for one in item.terms
        if one.kind == "logic" and one.value > 0
    ]
    assert because
    assert set(because) <= {"t0", "t1"}
    told = led_by_topics.explain(None, ranking.items[0].item, history=history)
    terms = sum(one.value for one in told.terms)
    total = told.base + sum(one.share for one in told.history) + terms
    assert total == pytest.approx(told.score, rel=1e-4)


def test_with_the_term_saved_loaded_and_forgotten(
    led_by_topics: Recommender, tmp_path: Path
) -> None:
    led_by_topics.save(tmp_path)
    loaded = Recommender.load(tmp_path)
    asked = {"histories": [["i0", "i10"], ["i7"], []], "k": 20}
    assert loaded.recommend(**asked) == led_by_topics.recommend(**asked)
    before = loaded.models.terms.logic
    loaded.forget("u17")
    after = loaded.models.terms.logic
    assert before is not None
    assert after is not None
    again = fit_terms(loaded.choices, loaded._trained.side, loaded.people.learned).logic
    assert again is not None
    np.testing.assert_array_equal(after.to_topics.toarray(), again.to_topics.toarray())
    np.testing.assert_array_equal(after.centre, again.centre)
    assert not np.array_equal(before.centre, after.centre)


def test_the_gate_stays_shut_where_nothing_is_to_be_had() -> None:
    """Tags that were dealt out anew: whatever graph they make, it leads nowhere."""
    opened = []
    for seed in range(3):
        log, tags = partners(600, 150, seed)
        order = np.random.default_rng(seed).permutation(len(log.items))
        dealt = replace(tags, strength=sparse.csr_array(tags.strength[order]))
        trained = Recommender.fit(log, dealt)
        found = logic_of(trained.choices)
        opened.append(found.ships)
        assert (trained.choices.logic > 0) == found.ships == (found.low > 0)
        assert (trained.models.terms.logic is not None) == found.ships
    assert sum(opened) <= 1, opened


def test_roles_of_a_user_are_told_and_forgotten(tmp_path: Path) -> None:
    world = logic_world("roles", users=500, items=500, pull=2.5, shown=True, seed=4)
    roles = role_tables(world.log, world.tags, world.roles)
    trained = Recommender.fit(world.log, world.tags, roles=roles, search=False)
    assert trained.roles is not None
    told, right = [], []
    for at, user in enumerate(trained.people.ids):
        if found := trained.roles.of_user(at):
            told.append(user)
            right.append(found[0].role == f"role-{world.role_of_user[at]}")
            assert all(one.low > 0 for one in found)
    assert len(told) > 20
    assert np.mean(right) > 0.8
    item, first = trained.catalogue.ids[0], trained.people.require(told[0])
    assert trained.explain(told[0], item).roles == trained.roles.of_user(first)
    trained.save(tmp_path)
    loaded = Recommender.load(tmp_path)
    assert loaded.explain(told[0], item) == trained.explain(told[0], item)
    assert loaded.roles is not None
    at = loaded.people.require(told[0])
    loaded.forget(told[0])
    assert loaded.roles.of_user(at) == ()


def test_roles_of_other_people_are_refused() -> None:
    world = logic_world("roles", users=60, items=60, seed=4)
    log, tags = walks()
    roles = role_tables(world.log, world.tags, world.roles)
    with pytest.raises(EstimationError, match="load_roles"):
        Recommender.fit(log, tags, roles=roles, search=False)
