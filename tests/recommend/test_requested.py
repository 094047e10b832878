"""What Python may ask for, and what comes of what it may not: one tree of errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.errors import (
    DataError,
    EstimationError,
    MissingExtraError,
    QuestionError,
    SettingsError,
    UnknownNameError,
)
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.requested import asked_of, ids_of
from tagcf.recommend.steer import Rule
from tagcf.settings import RecommendSettings, parse_settings
from tagcf.types import EventLog, Tag

TAGS = [Tag("cats", "猫咪", "Cats", "topic"), Tag("news", "新闻", "News", "topic")]


def log_of(n_users: int = 20, each: int = 6) -> EventLog:
    at = np.arange(n_users * each)
    user = at // each
    return log_from_arrays(
        user=np.char.add("u", user.astype(str)),
        item=np.char.add("i", ((user + at % each) % 12).astype(str)),
        ts=at.astype(float),
        outcomes={"click": np.ones(at.size)},
        segments={"city": np.where(user % 2, "north", "south")},
    )


def fitted(**asked: Any) -> Recommender:
    log = log_of()
    tags = tags_from_arrays(log.items, np.eye(12, 2), TAGS)
    return Recommender.fit(log, tags, search=False, **asked)


@pytest.fixture(scope="module")
def ring() -> Recommender:
    return fitted()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"users": 7}, "7 names no users"),
        ({"users": [["i1", "i2"]]}, "names no users"),
        ({"users": [None]}, "None names no users"),
        ({"users": {"u1": 1}}, "names no users"),
        ({"histories": "196"}, "'196' is no history"),
        ({"histories": ["196"]}, "'196' is no history"),
        ({"histories": [["i1", None]]}, "None is no history"),
        ({"histories": [{"i1", "i2"}]}, "is no history"),
        ({"histories": 3}, "3 is no history"),
        ({"users": "u1", "candidates": "i1"}, "'i1' is no list of candidates"),
        ({"users": "u1", "k": 2.5}, "k = 2.5"),
        ({"users": "u1", "k": True}, "k = True"),
        ({"users": "u1", "k": 0}, "k = 0"),
        ({"users": "u1", "explore": float("nan")}, "explore = nan"),
        ({"users": "u1", "explore": 2}, "explore = 2 is no share; give a number from 0 to 1"),
        ({"users": "u1", "explore": "all"}, "explore = 'all'"),
        ({"users": "u1", "seed": -1}, "-1 is no seed"),
        ({"users": "u1", "seed": 0.5}, "0.5 is no seed"),
        ({}, "one of the two"),
    ],
)
def test_wrong_requests_are_named(ring: Recommender, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(QuestionError) as wrong:
        ring.recommend(**asked)
    assert says in str(wrong.value)


def test_explain_takes_a_list_of_items_alone(ring: Recommender) -> None:
    with pytest.raises(QuestionError, match="is no history"):
        ring.explain(None, "i1", history="i1")
    with pytest.raises(QuestionError, match=r"k = 1\.5"):
        ring.explain("u1", "i1", k=1.5)  # type: ignore[arg-type]  # what users write


def test_ids_in_other_clothes() -> None:
    assert asked_of(np.array(["u1", "u2"]), None) == ["u1", "u2"]
    assert asked_of(None, (("i1",), np.array([7]))) == [["i1"], ["7"]]
    assert asked_of([], None) == []
    assert ids_of((one for one in (1, "b")), "candidates") == ["1", "b"]
    with pytest.raises(QuestionError) as long:
        ids_of("x" * 9_000, "users")
    assert len(str(long.value)) < 300


def test_an_id_that_cannot_be_stored_takes_nothing_in(tmp_path: Path) -> None:
    trained = fitted()
    before = trained.version
    with pytest.raises(DataError, match="None of these events was taken in") as wrong:
        trained.update([("new", "i1", 1e6), ("\udcff", "i2", 1e6)])
    assert str(wrong.value).isascii()
    assert trained.version == before
    with pytest.raises(UnknownNameError):
        trained.recommend("new")
    assert trained.update([("new", "i1", 1e6)]).events == 1
    assert Recommender.load(trained.save(tmp_path / "m").parent).recommend("new")


# ── what is looked at before training ───────────────────────────────────────
def no_training(**asked: Any) -> None:
    """Train up to the model, and no further."""

    def stop(stage: str) -> None:
        assert stage == "histories", "training had begun"

    fitted(progress=stop, **asked)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (Rule("cat", boost=1), "Did you mean: cats"),
        (Rule("cats", block=True, segment="citty=north"), "Did you mean: city"),
        (Rule("cats", block=True, segment="city=nord"), "Did you mean: north? There are: north"),
        (Rule("cats", block=True, segment="city=ZZ"), "There are: north, south."),
    ],
)
def test_a_wrong_rule_is_found_before_training_and_on_request(
    ring: Recommender, rule: Rule, says: str
) -> None:
    with pytest.raises(UnknownNameError) as early:
        no_training(rules=[rule])
    assert says in str(early.value)
    with pytest.raises(UnknownNameError) as late:
        ring.recommend("u1", rules=[rule])
    assert str(late.value) == str(early.value)


def test_a_rule_for_somebody_new_acts_once_they_come() -> None:
    trained = fitted(rules=[Rule("cats", block=True, user="later")])
    trained.update([("later", "i5", 1e6)])
    (ranking,) = trained.recommend("later")
    assert ranking.acted.rules == ("block cats · user later",)


def test_torch_and_utility_are_looked_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match='no outcome "lick"'):
        no_training(settings=RecommendSettings(utility={"lick": 1.0}))
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"tagcf\[deep\]"):
        no_training(settings=RecommendSettings(model="transformer"))
    stages: list[str] = []
    with pytest.raises(MissingExtraError):
        Recommender.fit(log_of(), None, None, RecommendSettings(model="fused"),
                        progress=stages.append)  # fmt: skip
    assert stages == []
    fitted(settings=RecommendSettings(model="fused"))  # nothing is fused unsearched


# ── logs ────────────────────────────────────────────────────────────────────
def rows_of(user: list[str] | None) -> EventLog:
    n = 8
    return log_from_arrays(
        user=user, item=list("abcdabcd"), ts=np.arange(n), outcomes={"click": np.ones(n)}
    )


@pytest.mark.parametrize("user", [None, [""] * 8, ["—"] * 8])
def test_a_log_without_users_has_no_histories(user: list[str] | None) -> None:
    with pytest.raises(EstimationError, match="None of 8 impressions has a user id"):
        Recommender.fit(rows_of(user))


def test_rows_without_a_user_are_no_history() -> None:
    trained = Recommender.fit(rows_of(["", "", "", "u1", "u1", "u1", "u2", "u2"]), search=False)
    assert int(trained.people.learned.item.size) == 5


def test_next_to_no_transitions_leave_scores_of_ordinary_size() -> None:
    """Two users of three events: the search sees histories of which nothing follows."""
    rng = np.random.default_rng(0)
    log = log_from_arrays(
        user=np.repeat(["u0", "u1"], 3), item=[f"i{k}" for k in rng.integers(0, 8, 6)],
        ts=np.arange(6.0), outcomes={"click": np.ones(6)},
    )  # fmt: skip
    (ranking,) = Recommender.fit(log).recommend("u0", k=3, exclude_seen=False)
    assert 0 < max(one.score for one in ranking.items) < 100


def test_settings_hold_finite_numbers() -> None:
    for values in ({"recommend": {"positive_from": float("nan")}}, {"seed": -1}):
        with pytest.raises(SettingsError):
            parse_settings(values)
